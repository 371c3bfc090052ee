//! One immutable generation.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::apex::{Apex, ApexIdx};
use super::apexes::Apexes;
use super::client_networks::ClientNetworks;
use super::health::FleetState;
use super::naming::Published;
use super::plans::{CompiledPlans, PlanIdx};
use super::scopes::Scopes;
use super::service::ServiceEntry;
use super::settings::Settings;
use super::signing::SigningKeys;
use super::table::{Seek, Table};
use crate::decide::Plan;
use crate::dnssec::ZoneKeys;
use crate::model::{
    Fleet, MemberIdx, MemberSet, MemberStatus, NamespacedName, TopologyFacts, VantageIdx,
};
use crate::names::Label;
use crate::vantage::VantageTable;
use crate::wire::{NameBuf, rrtype};

/// Counts publications of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Generation(pub u64);

/// SOA serial (RFC 1982).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Serial(pub u32);

/// Sums over all services.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Service keys of all federations that exist.
    pub services: usize,
    /// Those of them without a shard that is ready, publishable and not drained, whatever the
    /// contact with their members: of each federation, by its place.
    pub without_member: Vec<usize>,
    /// Services that a member has but that do not count as exports, for each federation.
    pub ignored: usize,
    /// Services with a name over 255 octets in some scope: that name is not published.
    pub unpublished: usize,
    /// Services whose members disagree.
    pub disagreeing: usize,
    /// Addresses that are not probed as there are too many.
    pub unprobed: usize,
    /// Shards with more outside addresses than count.
    pub overfull: usize,
    /// Shards that ask for probes more often than they may.
    pub hurried: usize,
    /// Load balancer host names that are not resolved since their members name too many.
    pub unresolved: usize,
    /// How many services each member exports, by its seat.
    pub exported: Vec<usize>,
}

/// How many services exist below each `ns.fed`, in wire labels.
pub(super) type Namespaces = imbl::GenericHashMap<
    Arc<[u8]>,
    usize,
    foldhash::fast::RandomState,
    imbl::shared_ptr::DefaultSharedPtr,
>;

/// One immutable generation of everything that answers depend on.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(super) generation: Generation,
    /// The same in all snapshots of one builder.
    pub(super) builder: Arc<()>,
    pub(super) serial: Serial,
    pub(super) fleet: Arc<Fleet>,
    pub(super) settings: Arc<Settings>,
    pub(super) client_networks: Arc<ClientNetworks>,
    pub(super) apexes: Arc<Apexes>,
    pub(super) signing: SigningKeys,
    pub(super) scopes: Arc<Scopes>,
    pub(super) topology: Arc<Vec<TopologyFacts>>,
    pub(super) state: Arc<FleetState>,
    pub(super) plans: CompiledPlans,
    pub(super) vantages: Arc<VantageTable>,
    /// The tiers of `nearest` for each place of `vantages`.
    pub(super) nearest: Arc<Vec<Box<[MemberSet]>>>,
    pub(super) services: Table<ServiceEntry>,
    pub(super) namespaces: Namespaces,
    /// Warnings of members for namespaces that are called as a federation.
    pub(super) shadowed_namespaces: Arc<Vec<(MemberIdx, String)>>,
    /// What is said of members whose facts do not count as they say them.
    pub(super) warned: Arc<Vec<(MemberIdx, String)>>,
    /// Names that services ask for beside or instead of their own.
    pub(super) naming: Arc<Published>,
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

    /// The networks of clients that the settings name.
    #[inline]
    pub fn client_networks(&self) -> &ClientNetworks {
        &self.client_networks
    }

    /// The apexes and federations.
    #[inline]
    pub fn apexes(&self) -> &Apexes {
        &self.apexes
    }

    /// The same with other keys.
    #[must_use]
    pub fn with_zone_keys(&self, keys: BTreeMap<NameBuf, Arc<ZoneKeys>>) -> Self {
        let mut new = self.clone();
        new.signing.set(keys, &new.apexes);
        new
    }

    /// Whether an apex can be answered: one that is not signed, or whose keys are usable. Also if there is
    /// none at all.
    pub fn can_answer_any(&self) -> bool {
        let is_usable = |index| {
            let keys = self.zone_keys(ApexIdx::new(index));
            keys.is_none_or(ZoneKeys::is_usable)
        };
        let count = self.apexes.names().count();
        count == 0 || (0..count).any(is_usable)
    }

    /// Whether any apex is signed.
    #[inline]
    pub fn is_any_signed(&self) -> bool {
        self.signing.is_any()
    }

    /// The keys of an apex; `None` for one that is not signed.
    #[inline]
    pub fn zone_keys(&self, apex: ApexIdx) -> Option<&ZoneKeys> {
        self.signing.of(apex).map(|keys| &**keys)
    }

    /// The same, found by its name.
    pub fn keys_of(&self, apex: &Apex) -> Option<&ZoneKeys> {
        if !self.is_any_signed() {
            return None;
        }
        let place = self.apexes.names().position(|name| *name == apex.name)?;
        self.zone_keys(ApexIdx::new(place))
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
        self.plans.get(plan.get())?.as_deref()
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

    /// Begins to look up the entry with the wire labels `service.ns.fed`.
    #[inline]
    pub fn seek<'s, 'k>(&'s self, key: &'k [u8]) -> EntrySeek<'s, 'k> {
        EntrySeek {
            key,
            seek: self.services.seek(key),
        }
    }

    /// Looks up the entry whose key is these labels, one after the other, at once: no octets of a
    /// name are a whole key in a clusterset.
    pub fn find_joined(&self, labels: [&[u8]; 2]) -> EntrySeek<'_, 'static> {
        let mut key = [0; MOST_KEY];
        let entry = joined(labels, &mut key).and_then(|key| self.services.get(key));
        EntrySeek {
            key: &[],
            seek: Seek::Found(entry),
        }
    }

    /// Whether an entry's service exists in `apex`.
    #[inline]
    pub fn is_in(&self, entry: &ServiceEntry, apex: ApexIdx) -> bool {
        entry.exists() && self.apexes.serves(apex, entry.federation)
    }

    /// The entry with the wire labels `service.ns.fed`, also when no member exports the service.
    pub fn entry(&self, key: &[u8]) -> Option<&ServiceEntry> {
        self.services.get(key).map(|entry| &**entry)
    }

    /// The service that has a prefix, given as a wire label, in an apex (docs/names.md, N9).
    #[inline]
    pub fn prefixed(&self, apex: ApexIdx, label: &[u8]) -> Option<&ServiceEntry> {
        self.entry(self.naming.prefixed(apex, label)?)
    }

    /// What a service is called instead of its own name (docs/names.md, N10).
    pub fn renamed(&self, name: &NamespacedName) -> Option<&Label> {
        self.naming.renamed(name)
    }

    /// Whether any service exists below the wire labels `ns.fed`, given in two parts.
    pub fn has_namespace(&self, labels: [&[u8]; 2]) -> bool {
        let mut key = [0; MOST_KEY];
        joined(labels, &mut key).is_some_and(|key| self.namespaces.contains_key(key))
    }

    /// Its members, in configuration order.
    pub fn members(&self) -> impl Iterator<Item = (MemberIdx, &MemberStatus)> {
        let members = self.fleet.members.iter();
        members.filter_map(|(index, _)| Some((index, self.member(index)?)))
    }

    /// The state of a member, and what is shown of it.
    pub fn member(&self, member: MemberIdx) -> Option<&MemberStatus> {
        self.state.members.get(member.get())?.as_ref()
    }

    /// Where a member stands.
    pub fn topology(&self, member: MemberIdx) -> Option<&TopologyFacts> {
        self.topology.get(member.get())
    }

    /// Labels and names of a member that are not published, and namespaces that are hidden, and why.
    pub fn scope_warnings(&self, member: MemberIdx) -> impl Iterator<Item = &str> {
        let warnings = self
            .scopes
            .warnings
            .iter()
            .chain(&*self.shadowed_namespaces);
        let warnings = warnings.chain(&self.naming.warnings).chain(&*self.warned);
        let warnings = warnings.filter(move |(of, _)| *of == member);
        warnings.map(|(_, warning)| warning.as_str())
    }

    /// What is said of the networks that a member and others claim, if there are any.
    pub fn network_warning(&self, member: MemberIdx) -> Option<String> {
        let contested = self.vantages.contested().iter();
        let of_member: Vec<_> = contested
            .filter(|contested| contested.members.contains(member))
            .collect();
        let first = of_member.first()?;
        let all = of_member.iter().map(|contested| contested.members);
        let all = all.fold(MemberSet::EMPTY, |all, members| all | members);
        let others = self.fleet.members.iter();
        let names = others.filter(|(other, _)| all.contains(*other) && *other != member);
        let names = names.map(|(_, other)| other);
        let names: Vec<_> = names.map(|other| other.name.as_str()).collect();
        let claim = if names.is_empty() {
            "are given twice".to_owned()
        } else {
            format!("are also of {}", names.join(", "))
        };
        let count = of_member.len();
        Some(format!(
            "{count} of its networks {claim} and decide nothing, such as {}",
            first.cidr
        ))
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

/// Octets of the longest key: three labels with their length octets.
const MOST_KEY: usize = 3 * 64;

/// Labels one after the other, in `buffer`; `None` if they do not fit.
fn joined<'b>(labels: [&[u8]; 2], buffer: &'b mut [u8; MOST_KEY]) -> Option<&'b [u8]> {
    let [first, second] = labels;
    let length = first.len() + second.len();
    let whole = buffer.get_mut(..length)?;
    let (start, end) = whole.split_at_mut(first.len());
    start.copy_from_slice(first);
    end.copy_from_slice(second);
    Some(whole)
}

/// A look-up of one entry, in [`EntrySeek::STEPS`] steps: a caller with many takes each step of all
/// before the next, so that their cache misses overlap.
#[derive(Debug)]
pub struct EntrySeek<'s, 'k> {
    key: &'k [u8],
    seek: Seek<'s, ServiceEntry>,
}

impl<'s> EntrySeek<'s, '_> {
    /// After so many steps everything that most answers read is in the cache.
    pub const STEPS: usize = 4;

    /// Takes it one step further, with one cache miss at most.
    #[inline]
    pub fn advance(&mut self, snapshot: &'s Snapshot) {
        match self.seek {
            Seek::Found(Some(entry)) => entry.prefetch(),
            _ => snapshot.services.advance(&mut self.seek, self.key),
        }
    }

    /// When all steps are taken: prefetches what else answers of a type read. Only the ports cost two
    /// cache misses one after another.
    #[inline]
    pub fn prefetch(&self, qtype: u16) {
        match (qtype, &self.seek) {
            (rrtype::AAAA, Seek::Found(Some(entry))) => entry.prefetch_ipv6(),
            (rrtype::SRV, Seek::Found(Some(entry))) => {
                entry.prefetch_ipv6();
                entry.prefetch_ports();
            }
            _ => {}
        }
    }

    /// The entry. Takes all steps that are left.
    #[inline]
    pub fn entry(&mut self, snapshot: &'s Snapshot) -> Option<&'s ServiceEntry> {
        loop {
            if let Seek::Found(entry) = self.seek {
                return entry.map(|entry| &**entry);
            }
            self.advance(snapshot);
        }
    }
}
