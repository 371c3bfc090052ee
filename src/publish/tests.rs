//! Tests of the room.

mod files;
mod fixture;
mod lists;
mod random;
mod restart;
mod running;
mod states;
