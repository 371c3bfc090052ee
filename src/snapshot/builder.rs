//! The working copy of the one writer.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Fleet, MemberIdx, MemberStatus, NamespacedName, Service, TopologyFacts};
use crate::wire::NameBuf;

/// Counts publications of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Generation(pub u64);

/// SOA serial (RFC 1982).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Serial(pub u32);

/// Answer settings that are not facts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Name server identifier (RFC 5001).
    pub nsid: Option<String>,
}

/// The addresses of a load balancer host name, as last resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// From A records.
    pub ipv4: Box<[Ipv4Addr]>,
    /// From AAAA records.
    pub ipv6: Box<[Ipv6Addr]>,
    /// The smallest TTL among them.
    pub ttl: Duration,
}

/// One immutable generation of everything that answers depend on.
#[derive(Debug, Clone)]
pub struct Snapshot {}

impl Snapshot {
    /// Which publication this is.
    pub fn generation(&self) -> Generation {
        todo!()
    }

    /// Its members, in configuration order.
    pub fn members(&self) -> &[MemberStatus] {
        todo!()
    }

    /// Where a member stands.
    pub fn topology(&self, _member: MemberIdx) -> &TopologyFacts {
        todo!()
    }

    /// How many services a member exports to any federation.
    pub fn exported(&self, _member: MemberIdx) -> usize {
        todo!()
    }
}

/// The facts of all members, and the snapshot that follows from them.
#[derive(Debug)]
pub struct SnapshotBuilder {}

impl SnapshotBuilder {
    /// A world without facts: every member is `Syncing(AtStart)`.
    pub fn new(_fleet: Arc<Fleet>, _settings: Settings) -> Self {
        todo!()
    }

    /// The configured world.
    pub fn fleet(&self) -> &Arc<Fleet> {
        todo!()
    }

    /// A service of a member is new or has changed. Returns whether anything changed.
    pub fn upsert(
        &mut self,
        _member: MemberIdx,
        _name: &NamespacedName,
        _service: Arc<Service>,
    ) -> bool {
        todo!()
    }

    /// A service of a member is gone. Returns whether anything changed.
    pub fn remove(&mut self, _member: MemberIdx, _name: &NamespacedName) -> bool {
        todo!()
    }

    /// The facts held for a member, in no order.
    pub fn facts(
        &self,
        _member: MemberIdx,
    ) -> impl Iterator<Item = (&NamespacedName, &Arc<Service>)> {
        std::iter::empty()
    }

    /// Where a member stands.
    pub fn set_topology(&mut self, _member: MemberIdx, _facts: TopologyFacts) {
        todo!()
    }

    /// The state of a member, and what is shown of it.
    pub fn set_status(&mut self, _member: MemberIdx, _status: MemberStatus) {
        todo!()
    }

    /// The addresses of a load balancer host name; `None` forgets them.
    pub fn set_hostname(&mut self, _hostname: &NameBuf, _resolved: Option<Resolved>) {
        todo!()
    }

    /// The load balancer host names that services name, each once, in no order.
    pub fn hostnames(&self) -> impl Iterator<Item = &NameBuf> {
        std::iter::empty()
    }

    /// The present state as a snapshot: O(1), it shares everything with the working copy.
    pub fn snapshot(&mut self, _generation: Generation, _serial: Serial) -> Snapshot {
        todo!()
    }
}
