//! The apexes, their infrastructure names, and the federations in them: fixed by the configuration.

use std::collections::{BTreeSet, HashMap};
use std::net::{Ipv4Addr, Ipv6Addr};

use smallvec::SmallVec;

use super::address_family::{ipv4, ipv6};
use super::shared_suffix::SharedSuffix;
use super::ttl::seconds;

use crate::model::{Federation, Fleet, MemberIdx, MemberSet, NameServer};
use crate::names::Label;
use crate::wire::{NameBuf, Qname};

/// The place of an apex in [`Apexes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApexIdx(u32);

impl ApexIdx {
    /// The place `index`.
    pub(super) fn new(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// The place as an index.
    #[inline]
    pub(super) fn get(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// The place of a federation in the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FederationIdx(u32);

impl FederationIdx {
    /// The place `index`.
    pub(super) fn new(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// The place as an index.
    #[inline]
    pub(super) fn get(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// A served zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Apex {
    /// Its name.
    pub name: NameBuf,
    /// How many labels its name has.
    pub labels: usize,
    /// The NS RRset.
    pub nameservers: Vec<NameServer>,
    /// What of each name server's name stands in a message behind the apex and those before it.
    pub server_endings: Vec<SharedSuffix>,
    /// SOA RNAME.
    pub hostmaster: NameBuf,
    /// What of it stands in a message behind the apex and the first name server.
    pub hostmaster_ending: Option<SharedSuffix>,
    /// TTL and MINIMUM of the SOA in negative answers, in seconds.
    pub negative_ttl: u32,
    /// TTL of its own RRsets and of its infrastructure names, in seconds.
    pub ttl: u32,
    /// The next served apex above this one.
    pub parent: Option<ApexIdx>,
    /// Its federations.
    pub federations: Vec<FederationIdx>,
    /// Which names it has.
    pub tree: Tree,
    /// What follows the labels of its names in the keys of its services: of a clusterset the label of
    /// its federation, in wire form, else nothing.
    pub key_end: Box<[u8]>,
    /// Infrastructure names, by their wire labels left of the apex.
    fixed: HashMap<Box<[u8]>, FixedName, foldhash::fast::RandomState>,
}

/// A kind of apex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tree {
    /// The names of federations at every level (docs/names.md, D.2).
    Federations,
    /// The zone of one federation in cluster domains: for each client the shard of its own member
    /// first (docs/names.md, D.8).
    Local,
    /// A domain of one federation whose names leave it out (docs/names.md, D.3, N8; the DNS
    /// specification of the Multi-Cluster Services API, KEP-1645).
    Clusterset,
}

/// A name that exists by configuration, outside the service tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FixedName {
    /// An empty non-terminal above a name server (RFC 4592 section 2.2.2).
    EmptyNonTerminal,
    /// A name server.
    NameServer {
        /// Its A records.
        ipv4: Vec<Ipv4Addr>,
        /// Its AAAA records.
        ipv6: Vec<Ipv6Addr>,
    },
    /// `dns-version` (docs/names.md, D.10).
    Version,
    /// `_client`, which is there if the settings say so (docs/names.md, D.2).
    Client,
}

/// A federation as answers need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FederationView {
    /// Its apex.
    pub apex: ApexIdx,
    /// Members that take part.
    pub members: MemberSet,
}

/// All apexes and federations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Apexes {
    /// Those with more labels first, so that the first match is the longest.
    zones: Vec<Apex>,
    federations: Vec<FederationView>,
    by_label: HashMap<Box<[u8]>, FederationIdx, foldhash::fast::RandomState>,
    /// The label of each member in wire form, by its seat; of a free one none.
    members: Vec<Box<[u8]>>,
}

/// The label of the version record.
const VERSION: &str = "dns-version";

/// The label of the name that tells a client what is seen of it. No region, zone or namespace can be
/// called so.
const CLIENT: &str = "_client";

impl Apexes {
    /// Compiles what the configuration says.
    pub(super) fn compile(fleet: &Fleet) -> Self {
        let mut apexes: Vec<Apex> = Vec::new();
        for federation in &fleet.federations {
            if apexes.iter().any(|apex| apex.name == federation.apex) {
                continue;
            }
            let sharing = || {
                fleet
                    .federations
                    .iter()
                    .filter(|f| f.apex == federation.apex)
            };
            let negative_ttl = sharing().map(|other| other.negative_ttl).min();
            let ttl = sharing().map(|other| other.apex_ttl).min();
            apexes.push(Apex {
                name: federation.apex.clone(),
                labels: federation.apex.labels().count(),
                nameservers: federation.nameservers.clone(),
                server_endings: Vec::new(),
                hostmaster: federation.hostmaster.clone(),
                hostmaster_ending: None,
                negative_ttl: seconds(negative_ttl.unwrap_or(federation.negative_ttl)),
                ttl: seconds(ttl.unwrap_or(federation.apex_ttl)),
                parent: None,
                federations: Vec::new(),
                tree: Tree::Federations,
                key_end: Box::default(),
                fixed: HashMap::from_iter([(wire_labels([VERSION]), FixedName::Version)]),
            });
        }
        apexes.extend(local_apexes(fleet));
        apexes.extend(clustersets(fleet));
        apexes.sort_by_key(|apex| std::cmp::Reverse(apex.labels));
        let seats = fleet.members.seats().iter();
        let mut compiled = Self {
            zones: apexes,
            members: seats
                .map(|member| wire_labels(member.iter().map(|member| member.name.as_str())))
                .collect(),
            ..Self::default()
        };
        compiled.zones.iter_mut().for_each(Apex::find_endings);
        compiled.link_parents();
        compiled.place_name_servers();
        for apex in &mut compiled.zones {
            // Last: where a name server or another apex lies below such a name, that exists anyway.
            let label = wire_labels([CLIENT]);
            apex.fixed.entry(label).or_insert(FixedName::Client);
        }
        for (index, federation) in fleet.federations.iter().enumerate() {
            compiled.add_federation(FederationIdx::new(index), federation, fleet);
        }
        compiled
    }

    /// Links each apex to the one around it, where the names between the two exist.
    fn link_parents(&mut self) {
        for index in 0..self.zones.len() {
            let (inner, above) = self.zones.split_at_mut(index + 1);
            let Some(apex) = inner.last_mut() else {
                continue;
            };
            let mut around = above.iter_mut().enumerate();
            let found = around.find(|(_, outer)| apex.name.is_within(&outer.name));
            let Some((place, outer)) = found else {
                continue;
            };
            apex.parent = Some(ApexIdx::new(index + 1 + place));
            outer.add_parents_of(&apex.name);
        }
    }

    /// Puts each name server inside an apex into the longest apex that holds it.
    fn place_name_servers(&mut self) {
        let servers: Vec<NameServer> = self
            .zones
            .iter()
            .flat_map(|apex| apex.nameservers.clone())
            .collect();
        for server in servers {
            let Some(apex) = self
                .zones
                .iter_mut()
                .find(|apex| server.name.is_within(&apex.name))
            else {
                continue;
            };
            let labels: Vec<&str> = server.name.labels().collect();
            let left = labels.len() - apex.labels;
            apex.add_parents_of(&server.name);
            let mut addresses = server.addresses.clone();
            addresses.sort_unstable();
            addresses.dedup();
            let fixed = FixedName::NameServer {
                ipv4: addresses
                    .iter()
                    .filter_map(|address| ipv4(*address))
                    .collect(),
                ipv6: addresses
                    .iter()
                    .filter_map(|address| ipv6(*address))
                    .collect(),
            };
            apex.fixed
                .insert(wire_labels(labels.iter().take(left).copied()), fixed);
        }
    }

    fn add_federation(&mut self, index: FederationIdx, federation: &Federation, fleet: &Fleet) {
        let Some(apex) = self
            .zones
            .iter()
            .position(|apex| apex.name == federation.apex)
        else {
            return;
        };
        let members = fleet.members.iter();
        let members = members
            .filter(|(_, member)| federation.takes(&member.name))
            .map(|(index, _)| index)
            .collect();
        self.federations.push(FederationView {
            apex: ApexIdx::new(apex),
            members,
        });
        self.by_label
            .insert(wire_labels([federation.name.as_str()]), index);
        if let Some(apex) = self.zones.get_mut(apex) {
            apex.federations.push(index);
        }
    }

    /// The longest apex that `qname` is, or lies below.
    #[inline]
    pub fn find(&self, qname: &Qname) -> Option<(ApexIdx, &Apex)> {
        let labels = qname.label_count();
        let holds = |apex: &Apex| {
            labels >= apex.labels && qname.suffix(labels - apex.labels) == apex.name.as_wire()
        };
        self.zones
            .iter()
            .enumerate()
            .find(|(_, apex)| holds(apex))
            .map(|(i, apex)| (ApexIdx::new(i), apex))
    }

    /// Whether a name lies in a zone that is served here: its addresses are never resolved, as they
    /// would be asked of ourselves (docs/names.md, decision 9).
    pub(super) fn holds(&self, name: &NameBuf) -> bool {
        self.zones.iter().any(|apex| name.is_within(&apex.name))
    }

    /// The names of all apexes, in their order.
    pub(super) fn names(&self) -> impl Iterator<Item = &NameBuf> {
        self.zones.iter().map(|apex| &apex.name)
    }

    /// An apex.
    pub fn get(&self, apex: ApexIdx) -> Option<&Apex> {
        self.zones.get(apex.get())
    }

    /// A federation.
    #[inline]
    pub fn federation(&self, federation: FederationIdx) -> Option<&FederationView> {
        self.federations.get(federation.get())
    }

    /// The federation whose label, in wire form, is `label`, if it is in `apex`.
    #[inline]
    pub fn federation_of(&self, apex: ApexIdx, label: &[u8]) -> Option<FederationIdx> {
        let index = *self.by_label.get(label)?;
        self.serves(apex, index).then_some(index)
    }

    /// Whether the names of a federation are in `apex`.
    #[inline]
    pub fn serves(&self, apex: ApexIdx, federation: FederationIdx) -> bool {
        // Most names are in the apex of their federation.
        let own = self.federation(federation).map(|view| view.apex);
        own == Some(apex)
            || self.get(apex).is_some_and(|apex| {
                apex.tree != Tree::Federations && apex.federations.contains(&federation)
            })
    }

    /// The label of a member, in wire form.
    pub fn member_label(&self, member: MemberIdx) -> &[u8] {
        self.members
            .get(member.get())
            .map(|label| &**label)
            .unwrap_or_default()
    }

    /// Labels that no region or zone may have in names, because infrastructure names use them
    /// (docs/names.md, D.4).
    pub(super) fn reserves(&self, label: &Label) -> bool {
        let is_first = |name: &NameBuf, apex: &Apex| {
            let labels: Vec<&str> = name.labels().collect();
            name.is_within(&apex.name)
                && labels
                    .iter()
                    .take(labels.len() - apex.labels)
                    .any(|own| *own == label.as_str())
        };
        label.as_str() == "svc"
            || label.as_str() == VERSION
            || self.zones.iter().any(|apex| {
                let servers = self.zones.iter().flat_map(|other| &other.nameservers);
                servers
                    .into_iter()
                    .any(|server| is_first(&server.name, apex))
                    || self.zones.iter().any(|nested| is_first(&nested.name, apex))
            })
    }
}

impl Apex {
    /// A zone of one federation, with its name servers and TTLs.
    fn of_one(index: usize, federation: &Federation, name: NameBuf, tree: Tree) -> Self {
        Self {
            labels: name.labels().count(),
            name,
            nameservers: federation.nameservers.clone(),
            server_endings: Vec::new(),
            hostmaster: federation.hostmaster.clone(),
            hostmaster_ending: None,
            negative_ttl: seconds(federation.negative_ttl),
            ttl: seconds(federation.apex_ttl),
            parent: None,
            federations: vec![FederationIdx::new(index)],
            tree,
            key_end: Box::default(),
            fixed: HashMap::default(),
        }
    }

    /// Finds what its names have in common.
    fn find_endings(&mut self) {
        let mut earlier = vec![&self.name];
        for server in &self.nameservers {
            self.server_endings
                .push(SharedSuffix::of(&server.name, &earlier));
            earlier.push(&server.name);
        }
        earlier.truncate(2);
        self.hostmaster_ending = Some(SharedSuffix::of(&self.hostmaster, &earlier));
    }

    /// The names between a name inside it and the apex exist (RFC 4592 section 2.2.2).
    fn add_parents_of(&mut self, name: &NameBuf) {
        let labels: Vec<&str> = name.labels().collect();
        let left = labels.len() - self.labels;
        for start in 1..left {
            let parent = wire_labels(labels.iter().take(left).skip(start).copied());
            self.fixed
                .entry(parent)
                .or_insert(FixedName::EmptyNonTerminal);
        }
    }

    /// The infrastructure name with these wire labels left of the apex.
    pub fn fixed(&self, labels: &[u8]) -> Option<&FixedName> {
        self.fixed.get(labels)
    }
}

/// The zones of every federation in the cluster domains of members (docs/names.md, D.8).
fn local_apexes(fleet: &Fleet) -> Vec<Apex> {
    let domains: BTreeSet<&NameBuf> = fleet
        .members
        .iter()
        .filter_map(|(_, member)| member.cluster_domain.as_ref())
        .collect();
    let federations = fleet.federations.iter().enumerate();
    let pairs = federations.flat_map(|pair| domains.iter().map(move |domain| (pair, *domain)));
    let apex = |((index, federation), domain): ((usize, &Federation), &NameBuf)| {
        let name = federation.local_apex(domain)?;
        Some(Apex::of_one(index, federation, name, Tree::Local))
    };
    pairs.filter_map(apex).collect()
}

/// The domains of clustersets (docs/names.md, D.3, N8).
fn clustersets(fleet: &Fleet) -> impl Iterator<Item = Apex> {
    let federations = fleet.federations.iter().enumerate();
    federations.filter_map(|(index, federation)| {
        let name = federation.clusterset.clone()?;
        Some(Apex {
            key_end: wire_labels([federation.name.as_str()]),
            fixed: HashMap::from_iter([(wire_labels([VERSION]), FixedName::Version)]),
            ..Apex::of_one(index, federation, name, Tree::Clusterset)
        })
    })
}

/// Labels in wire form, without a root.
pub(super) fn wire_labels<'a>(labels: impl IntoIterator<Item = &'a str>) -> Box<[u8]> {
    inline_labels(labels).into_boxed_slice()
}

/// The same, without an allocation as a rule.
pub(super) fn inline_labels<'a>(labels: impl IntoIterator<Item = &'a str>) -> SmallVec<[u8; 64]> {
    let mut wire = SmallVec::new();
    for label in labels {
        wire.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
        wire.extend_from_slice(label.as_bytes());
    }
    wire
}
