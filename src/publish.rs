//! The one writer: what it hears is folded into members and shards by its loop, published as snapshots,
//! and kept on disk.
//!
//! ```text
//! writer   the thread and its loop: takes deltas, configurations and commands, publishes
//!   │
//! world    everything that the writer knows, and who of these is told of a delta
//!   ├── members    states by time and contact: holds, the brake on lost members; what is shown of each
//!   ├── shards     the door for facts: removals wait 10 ms for what puts them back, many at once until
//!   │              they are confirmed; damping; what probes say of addresses
//!   ├── overrides  what operators have decided
//!   └── outbox     handed to all of these: the next snapshot, events, the disk (two threads), metrics
//! ```
//!
//! It asks a source for one thing, a second list where the first took too much away, and never decides
//! an answer. Invariants: nothing a source fails to say removes a name; a slow or broken disk delays no
//! publication; wrong files and folders never stop a start; whoever drops the last reference to a
//! snapshot is the writer.

mod command;
mod departures;
mod disk;
mod error;
mod handle;
mod members;
mod now;
mod outbox;
mod overrides;
mod shards;
mod world;
mod writer;
mod zone_keys;

#[cfg(test)]
mod tests;

pub use command::{
    ActiveOverrides, CommandOutcome, CommandRefused, CommandRequest, HostStanding, InForce,
    OperatorCommand, OverrideOrigin,
};
pub use departures::MemberDepartures;
pub use disk::lock::{LockError, lock_folder};
pub use disk::storage::Storage;
pub use error::StartError;
pub use handle::Handle;
pub use outbox::events::{EventLog, KEPT};
pub use overrides::amend::{AmendError, AmendedOverrides, amend};
pub use overrides::form::ALL_MEMBERS;
pub use world::restored::{Restored, kept_identities, restore};
pub use writer::thread::{Writer, spawn};
