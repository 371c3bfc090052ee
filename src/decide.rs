//! The one pure function that chooses members, and the plans it works on. No clock, no randomness.
//!
//! ```text
//! available (service) ∩ fence (plan) ─┬─ withdraw what is expired ──▶ eligible
//!            held, expired (fleet) ───┘                                  │
//!                         zone ▶ region ▶ global: the first level with an eligible member
//!                                                                        │
//!                                     the first tier of the plan with one of them ▶ decision
//! ```
//!
//! The level that answers never depends on the query type (names: D.5), and `explain` runs the same
//! function with another [`Trace`].

mod choose;
mod nearest;
mod plan;

pub use choose::{Decision, Eligible, FleetHealth, NoTrace, ShardHealth, Trace, choose, eligible};
pub use nearest::nearest;
pub use plan::{Plan, PlanKey};
