//! Tests of the room.

mod brake;
mod damping;
mod files;
pub(super) mod fixture;
mod overrides;
mod random;
mod restart;
mod running;
mod states;
