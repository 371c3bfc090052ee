//! The one writer: its thread, its clock, coalescing, member states, and the persisted facts.
//!
//! ```text
//! sources ──Delta──▶ fold ──▶ SnapshotBuilder ──publish──▶ ArcSwap<Snapshot> ──▶ answer
//!                     │  ▲          (at once when idle, once in 10 ms under load)
//!                     │  └── losses wait 10 ms for what puts them back
//!                     │  └── withdrawals of much at once wait until they are confirmed
//!                     ├──▶ States: time, holds, the brake on lost members
//!                     ├──▶ Damping: what went out too often comes back later
//!                     ├──▶ Events: every transition
//!                     ├──▶ second thread ──▶ state-dir/facts/<member>.{base,log}
//!                     └──▶ third thread ──▶ state-dir/probes.log
//! ```
//!
//! It asks a source for one thing, a second list where the first took too much away, and never decides an answer. Invariants: nothing a source
//! fails to say removes a name; a slow or broken disk delays no publication; wrong files and folders
//! never stop a start; whoever drops the last reference to a snapshot is the writer.

mod addresses;
mod begin;
mod brake;
mod command;
mod confirm;
mod confirming;
mod contact;
mod damping;
mod deadlines;
mod disk;
mod error;
mod events;
mod fact;
mod facts_v1;
mod files;
mod findings;
mod findings_file;
mod frames;
mod handle;
mod house;
mod identity;
mod key;
mod lane;
mod learnt;
mod lingering;
mod listing;
mod lists;
mod lock;
mod loss;
mod members;
mod now;
mod obey;
mod outbox;
mod overrides;
mod overrides_file;
mod overruling;
mod pace;
mod profile;
mod reconfigure;
mod record;
mod releases;
mod resolve;
mod restored;
mod retire;
mod run;
mod serial;
mod shards;
mod standing;
mod states;
mod steady;
mod storage;
mod thread;
mod transit;
mod twins;

mod world;

#[cfg(test)]
mod tests;

pub use command::{Command, Done, InForce, Order, Refused, Standing};
pub use error::Error;
pub use events::{Events, KEPT};
pub use handle::Handle;
pub use lock::{LockError, lock_folder};
pub use restored::{Restored, restore};
pub use storage::Storage;
pub use thread::{Writer, spawn};
