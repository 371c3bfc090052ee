//! Tests of the room.

mod files;
mod fixture;
mod overrides;
mod random;
mod restart;
mod running;
mod states;
