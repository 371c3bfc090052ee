//! Tests of the room.

mod files;
mod fixture;
mod random;
mod restart;
mod running;
mod states;
