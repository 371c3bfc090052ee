//! One immutable generation.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use super::apexes::{ApexIdx, Apexes};
use super::health::FleetState;
use super::scopes::Scopes;
use super::service::{Keyed, PlanIdx, ServiceEntry};
use crate::decide::Plan;
use crate::model::{Fleet, MemberIdx, MemberSet, MemberStatus, TopologyFacts, VantageIdx};
use crate::vantage::VantageTable;

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

/// Sums over all services.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Service keys of all federations that exist.
    pub services: usize,
    /// Services that a member has but that do not count as exports, for each federation.
    pub ignored: usize,
    /// Services with a name over 255 octets in some scope: that name is not published.
    pub unpublished: usize,
    /// Services whose members disagree.
    pub disagreeing: usize,
    /// Addresses that are not probed as there are too many.
    pub unprobed: usize,
    /// How many services each member exports.
    pub exported: Vec<usize>,
}

/// The persistent map under a snapshot, hashed by the octets of the key.
pub(super) type Table<K, V> =
    imbl::GenericHashMap<K, V, foldhash::fast::RandomState, imbl::shared_ptr::DefaultSharedPtr>;

/// One immutable generation of everything that answers depend on.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(super) generation: Generation,
    pub(super) serial: Serial,
    pub(super) fleet: Arc<Fleet>,
    pub(super) settings: Arc<Settings>,
    pub(super) apexes: Arc<Apexes>,
    pub(super) scopes: Arc<Scopes>,
    pub(super) topology: Arc<Vec<TopologyFacts>>,
    pub(super) state: Arc<FleetState>,
    pub(super) plans: Arc<Vec<Plan>>,
    pub(super) vantages: Arc<VantageTable>,
    /// The tiers of `nearest` for each place of `vantages`.
    pub(super) nearest: Arc<Vec<Box<[MemberSet]>>>,
    pub(super) services: Table<Keyed, ()>,
    /// How many services exist below each `ns.fed`.
    pub(super) namespaces: Table<Arc<[u8]>, usize>,
    pub(super) counts: Arc<Counts>,
}

impl Snapshot {
    /// Which publication this is.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// The SOA serial of every apex.
    pub fn serial(&self) -> Serial {
        self.serial
    }

    /// The configured world.
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// Answer settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The apexes and federations.
    #[inline]
    pub fn apexes(&self) -> &Apexes {
        &self.apexes
    }

    /// The regions and zones.
    #[inline]
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// The states of the members.
    #[inline]
    pub fn state(&self) -> &FleetState {
        &self.state
    }

    /// The plan of a service.
    #[inline]
    pub fn plan(&self, plan: PlanIdx) -> Option<&Plan> {
        self.plans.get(plan.0)
    }

    /// Where clients stand.
    #[inline]
    pub fn vantages(&self) -> &VantageTable {
        &self.vantages
    }

    /// The tiers of `nearest` for a client at a place.
    #[inline]
    pub fn nearest(&self, place: VantageIdx) -> Option<&[MemberSet]> {
        let tiers = self.nearest.get(usize::try_from(place.0).ok()?)?;
        Some(tiers)
    }

    /// The service with the wire labels `service.ns.fed`, if it exists in `apex`.
    #[inline]
    pub fn service(&self, apex: ApexIdx, key: &[u8]) -> Option<&ServiceEntry> {
        self.entry(key).filter(|entry| {
            let federation = self.apexes.federation(entry.federation);
            !entry.known.is_empty() && federation.is_some_and(|federation| federation.apex == apex)
        })
    }

    /// The entry with the wire labels `service.ns.fed`, also when no member exports the service.
    pub fn entry(&self, key: &[u8]) -> Option<&ServiceEntry> {
        self.services
            .get_key_value(key)
            .map(|(entry, ())| &*entry.0)
    }

    /// Whether any service exists below the wire labels `ns.fed`.
    pub fn has_namespace(&self, labels: &[u8]) -> bool {
        self.namespaces.contains_key(labels)
    }

    /// Its members, in configuration order.
    pub fn members(&self) -> &[MemberStatus] {
        &self.state.members
    }

    /// Where a member stands.
    pub fn topology(&self, member: MemberIdx) -> Option<&TopologyFacts> {
        self.topology.get(member.get())
    }

    /// Labels of a member that are not published, and why.
    pub fn scope_warnings(&self, member: MemberIdx) -> impl Iterator<Item = &str> {
        let warnings = self
            .scopes
            .warnings
            .iter()
            .filter(move |(of, _)| *of == member);
        warnings.map(|(_, warning)| warning.as_str())
    }

    /// How many services a member exports to any federation.
    pub fn exported(&self, member: MemberIdx) -> usize {
        self.counts.exported.get(member.get()).copied().unwrap_or(0)
    }

    /// Sums over all services.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}

/// A TTL in whole seconds.
pub(super) fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

/// The address, if it is of IPv4.
pub(super) fn ipv4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

/// The address, if it is of IPv6.
pub(super) fn ipv6(address: IpAddr) -> Option<Ipv6Addr> {
    match address {
        IpAddr::V6(address) => Some(address),
        IpAddr::V4(_) => None,
    }
}
