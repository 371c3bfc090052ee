//! The apexes, their infrastructure names, and the federations in them: fixed by the configuration.

use std::collections::{BTreeSet, HashMap};

use super::address_family::{ipv4, ipv6};
use super::apex::{Apex, ApexIdx, FederationIdx, FederationView, FixedName, Tree};
use super::apex_index::ApexIndex;
use super::static_apexes::add_statics;
use super::ttl::seconds;
use super::wire_labels::wire_labels;

use crate::model::{Federation, Fleet, MemberIdx, NameServer};
use crate::names::Label;
use crate::wire::{NameBuf, Qname};

/// All apexes and federations.
#[derive(Debug, Clone, Default)]
pub struct Apexes {
    /// Those with more labels first, so that the first match is the longest.
    zones: Vec<Apex>,
    index: ApexIndex,
    federations: Vec<FederationView>,
    by_label: HashMap<Box<[u8]>, FederationIdx, foldhash::fast::RandomState>,
    /// The label of each member in wire form, by its seat; of a free one none.
    members: Vec<Box<[u8]>>,
}

/// So many apexes are looked through one by one, which is quicker than to look a name up.
const FEW: usize = 8;

/// The label of the version record.
const VERSION: &str = "dns-version";

/// The label of the name that tells a client what is seen of it. No region, zone or namespace can be
/// called so.
const CLIENT: &str = "_client";

impl Apexes {
    /// Compiles what the configuration says. Static records are taken over from those of `before` that are of
    /// the same zones.
    pub(super) fn compile(fleet: &Fleet, before: Option<&Self>) -> Self {
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
                statics: None,
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
        let before = before.map(|before| &*before.zones).unwrap_or_default();
        add_statics(&mut apexes, fleet, before);
        apexes.sort_by_key(|apex| std::cmp::Reverse(apex.labels));
        let seats = fleet.members.seats().iter();
        let mut compiled = Self {
            index: ApexIndex::of(&apexes),
            zones: apexes,
            members: seats
                .map(|member| wire_labels(member.iter().map(|member| member.name.as_str())))
                .collect(),
            ..Self::default()
        };
        compiled.zones.iter_mut().for_each(Apex::find_endings);
        compiled.link_parents();
        compiled.place_name_servers();
        for apex in compiled
            .zones
            .iter_mut()
            .filter(|apex| apex.tree != Tree::Static)
        {
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
            let Some(name) = self.zones.get(index).map(|apex| apex.name.clone()) else {
                continue;
            };
            let parent = self.index.above(&name);
            if let Some(outer) = parent.and_then(|parent| self.zones.get_mut(parent.get())) {
                outer.add_parents_of(&name);
            }
            if let Some(apex) = self.zones.get_mut(index) {
                apex.parent = parent;
            }
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
            let holder = self.index.find(&Qname::from_name(&server.name), 0);
            let Some(apex) = holder.and_then(|holder| self.zones.get_mut(holder.get())) else {
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
        if self.zones.len() > FEW {
            let index = self.index.find(qname, 0)?;
            return Some((index, self.get(index)?));
        }
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
        self.index.find(&Qname::from_name(name), 0).is_some()
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
            || self
                .zones
                .iter()
                .filter(|apex| !apex.federations.is_empty())
                .any(|apex| {
                    let servers = self.zones.iter().flat_map(|other| &other.nameservers);
                    servers
                        .into_iter()
                        .any(|server| is_first(&server.name, apex))
                        || self.zones.iter().any(|nested| is_first(&nested.name, apex))
                        || apex
                            .statics
                            .as_ref()
                            .is_some_and(|own| own.has_top_label(label.as_str()))
                })
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
