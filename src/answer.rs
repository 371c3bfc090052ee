//! Query octets and a snapshot in, response octets out: the query path. No lock, no allocation, no
//! clock; whatever the octets are, nothing here panics.
//!
//! ```text
//! request ─▶ respond ─▶ lookup ─▶ classify ─▶ Subject ─▶ dispatch ─┬─ level ◀── local, clusterset
//!            (wire)     (names,                                    ├─ member: pinned names, pods
//!                       snapshot)                                  └─ apex: SOA, NS, name servers
//!
//! each of these:  choice (decide) ─▶ records ─▶ Ending;  dispatch ends the answer by that
//! ```
//!
//! `subject`, `lookup` and `reply` are types that the others share. `records` writes, `choice` says whose
//! records. No file imports one that imports it.
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

mod apex;
mod chain;
mod chaos;
mod choice;
mod classify;
mod client_name;
mod clusterset;
mod dispatch;
mod dnssec_types;
mod explain;
mod level;
mod local;
mod lookup;
mod member;
mod rated;
mod records;
mod reply;
mod respond;
mod signature_notes;
mod signing;
mod subject;

#[cfg(test)]
mod tests;

pub use crate::decide::{NoTrace, Trace};
pub use crate::vantage::Vantage;
pub use explain::{Candidate, Explanation, LevelStep, Recorder, explain};
pub use rated::Rated;
pub use reply::{Client, Transport};
pub use respond::{Answered, Prepared, Substitute, look_up, respond};
pub use signature_notes::SignatureNotes;
pub use signing::{Outcome, Signatures, SignaturesSeen};
