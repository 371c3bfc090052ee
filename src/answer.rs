//! Query octets and a snapshot in, response octets out: the query path. No lock, no allocation, no
//! clock; whatever the octets are, nothing here panics.
//!
//! ```text
//! request ─▶ wire::Query ─▶ classify ─▶ Subject ─┬─ level: decide::choose, CNAMEs, addresses, SRV
//!                              (names)           ├─ local: the client's own member, else a level
//!                                                ├─ clusterset: a level, or all pods
//!                                                ├─ pinned: one member's shard
//!                                                ├─ apex: SOA, NS, name servers
//!                                                └─ negative: NODATA, NXDOMAIN, SERVFAIL
//! ```
//!
//! `explain` runs the same functions with a recording trace, on the same snapshot.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod addresses;
mod apex;
mod classify;
mod clusterset;
mod explain;
mod family;
mod level;
mod limit;
mod local;
mod many;
mod places;
mod ports;
mod respond;
mod sought;
mod srv;

#[cfg(test)]
mod tests;

pub use crate::decide::{NoTrace, Trace};
pub use crate::vantage::Vantage;
pub use explain::{Candidate, Explanation, LevelStep, Recorder, explain};
pub use respond::{Client, Prepared, Transport, look_up, respond};
