//! Facts folded into immutable snapshots. Pure: no clock, no I/O; one change costs O(change).
//!
//! ```text
//! Fleet ──▶ Apexes ─┐
//! TopologyFacts ──▶ Scopes ─┬─▶ Snapshot: one generation of all of it, shared, never changed
//! MemberStatus ──▶ FleetState ─┤
//! Service ──▶ ServiceEntry ────┘   (persistent map, keyed by `service.ns.fed` in wire form)
//! ```
//!
//! Names are never stored: an owner name is a key and a scope, put together when it is asked.

mod apexes;
mod builder;
mod caution;
mod cautions;
mod compile;
mod diagnostics;
mod drawn;
mod facts;
mod fair;
mod families;
mod gather;
mod generation;
mod health;
mod hostnames;
mod ignored;
mod input;
mod inside;
mod judge;
mod longest;
mod namesakes;
mod naming;
mod new_shard;
mod outside;
mod plans;
mod ports;
mod probing;
mod scopes;
mod service;
mod shared_suffix;
mod table;
mod targets;
mod ttl;
mod warned;

pub use apexes::{Apex, ApexIdx, Apexes, FederationIdx, FederationView, FixedName, Tree};
pub use builder::{SnapshotBuilder, share_out};
pub use caution::{Caution, Condition, Shares, UNSETTLED_TTL, Whole};
pub use diagnostics::{Disagreement, Ignored, IgnoredReason};
pub use gather::{Gathered, Gathering};
pub use generation::{Counts, EntrySeek, Generation, Serial, Settings, Snapshot};
pub use health::{FederationContact, FederationSync, FleetState};
pub use hostnames::Resolved;
pub use longest::renumbered;
pub use plans::PlanIdx;
pub use ports::NamedPort;
pub use scopes::{Level, Scope, ScopeIdx, Scopes};
pub use service::{ServiceEntry, Shard};
pub use shared_suffix::SharedSuffix;

pub(crate) use families::{ipv4, ipv6};
