//! Tests of the room.

mod brake;
mod confirmed;
mod damping;
mod decided;
mod files;
mod findings;
pub(super) mod fixture;
mod history;
mod host;
mod limits;
mod lingering;
mod lists;
mod overrides;
mod random;
mod restart;
mod running;
mod signing;
mod states;
mod walk;
