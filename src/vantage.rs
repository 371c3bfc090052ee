//! Where a client stands: networks compiled to one table of longest prefixes (names: decision 11).
//!
//! ```text
//! client subnet (RFC 7871) ─┐
//! source address ───────────┼─▶ VantageTable ─▶ VantageIdx, and how far the answer holds
//! own locality ─────────────┘
//! ```
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod prefix;
mod prefixes;
mod table;

pub use prefix::ClientPrefix;
pub use table::{Vantage, VantageSource, VantageTable};
