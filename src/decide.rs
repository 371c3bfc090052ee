//! The one pure function that chooses members, and the plans it works on. No clock, and no
//! randomness: draws are hashes that every replica computes alike.
//!
//! ```text
//! available (service) ∩ fence (plan) ∖ drained (fleet)
//!       │ without the expired, the damped, those that a drain leaves out for now:
//!       ▼ each only where others remain
//!   eligible ──▶ zone ▶ region ▶ global: the first level with an eligible member
//!                                   │
//!                                   ▼ the first tier of the plan with one of them
//!                                   ▼ under `weighted`, or of more tiers where it is too few,
//!                                     one by a draw ──▶ decision
//! ```
//!
//! The level that answers never depends on the query type (docs/names.md, D.5), and `explain` runs
//! the same function with another [`Trace`].

mod choose;
mod distances;
mod eligible;
mod nearest;
mod plan;
mod rendezvous;
mod spill;

pub use choose::{Decision, LevelView, NoTrace, Trace, choose, choose_all};
pub use distances::Distances;
pub use eligible::{Eligible, FleetHealth, PartialFamilies, ShardHealth, ShardOverlay, eligible};
pub use nearest::nearest;
pub use plan::{Plan, PlanKey};
pub use rendezvous::{Draw, Seeds, draw_of_address, weight};
pub use spill::Spill;
