//! Facts folded into immutable snapshots. Pure: no clock, no I/O; one change costs O(change).

mod builder;

pub use builder::{Generation, Resolved, Serial, Settings, Snapshot, SnapshotBuilder};
