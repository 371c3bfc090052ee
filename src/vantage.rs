//! Where a client stands: networks compiled to one table of longest prefixes
//! (docs/names.md, decision 11).
//!
//! ```text
//! listener of a member ─────┐
//! zone hint (option 65518) ─┤
//! client subnet (RFC 7871) ─┼─▶ VantageTable ─▶ Vantage: its place, the member it is inside,
//! source address ───────────┤                   and how far the answer holds
//! GeoIP database ───────────┤
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

mod geography;
mod hints;
mod network_set;
mod networks;
mod places;
mod prefix;
mod prefixes;
mod table;

pub use network_set::NetworkSet;
pub use networks::Contested;
pub use prefix::ClientPrefix;
pub use table::{Asker, Surroundings, Vantage, VantageSource, VantageTable};
