//! Tests of the room.

mod fixture;
mod states;
