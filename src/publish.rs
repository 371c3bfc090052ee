//! The one writer: its thread, its clock, coalescing, member states, and the persisted facts.
//!
//! ```text
//! sources ──Delta──▶ fold ──▶ SnapshotBuilder ──publish──▶ ArcSwap<Snapshot> ──▶ answer
//!                     │  ▲          (at once when idle, once in 10 ms under load)
//!                     │  └── losses wait 10 ms for what puts them back
//!                     ├──▶ States: time, holds, the brake
//!                     └──▶ second thread ──▶ state-dir/facts/<member>.{base,log}
//! ```
//!
//! It never asks a source for anything and never decides an answer. Invariants: nothing a source
//! fails to say removes a name; a slow or broken disk delays no publication; wrong files never stop
//! a start; whoever drops the last reference to a snapshot is the writer.

mod begin;
mod command;
mod contact;
mod disk;
mod error;
mod events;
mod fact;
mod facts_v1;
mod files;
mod frames;
mod handle;
mod house;
mod identity;
mod lane;
mod learnt;
mod loss;
mod obey;
mod overrides;
mod overrides_file;
mod overruling;
mod pace;
mod reconfigure;
mod resolve;
mod restored;
mod retire;
mod run;
mod serial;
mod states;
mod thread;
mod world;

#[cfg(test)]
mod tests;

pub use command::{Command, Done, InForce, Order, Refused, Standing};
pub use error::Error;
pub use events::{Events, KEPT};
pub use handle::Handle;
pub use restored::{Restored, restore};
pub use thread::{Writer, spawn};
