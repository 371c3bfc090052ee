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

mod address_draw;
mod address_family;
mod alone;
mod apex;
mod apex_index;
mod apexes;
mod builder;
mod cache_lifetime;
mod client_networks;
mod compile;
mod diagnostics;
mod facts;
mod fair_share;
mod generation;
mod health;
mod health_inputs;
mod health_overlay;
mod hostnames;
mod ignored;
mod input;
mod inside;
mod judge;
mod naming;
mod new_shard;
mod outside;
mod partition;
mod plans;
mod ports;
mod probing;
mod scopes;
mod service;
mod service_warnings;
mod settings;
mod shadowed_namespaces;
mod shared_suffix;
mod signing;
mod static_apexes;
mod static_records;
mod statics;
mod table;
mod target_users;
mod ttl;
mod wire_labels;

pub use apex::{Apex, ApexIdx, FederationIdx, FederationView, FixedName, Tree};
pub use apexes::Apexes;
pub use builder::{SnapshotBuilder, map_in_parallel};
pub use cache_lifetime::renumbered;
pub use client_networks::ClientNetworks;
pub use diagnostics::{Disagreement, Ignored};
pub use generation::{Counts, EntrySeek, Generation, Serial, Snapshot};
pub use health::{FederationContact, FederationSync, FleetState};
pub use health_overlay::{AllAddresses, Condition, HealthOverlay, Shares, UNSETTLED_TTL};
pub use hostnames::Resolved;
pub use partition::{PartitionedFacts, Partitioner};
pub use plans::PlanIdx;
pub use ports::NamedPort;
pub use scopes::{Level, Scope, ScopeIdx, Scopes};
pub use service::{ServiceEntry, Shard};
pub use settings::Settings;
pub use shared_suffix::SharedSuffix;
pub use static_records::{AliasedService, StaticRecords, StaticSoa};
pub use statics::{StaticMatch, StaticNode, StaticTree};

pub(crate) use address_family::{ipv4, ipv6};
