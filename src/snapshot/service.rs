//! One service of one federation, compiled from the facts of all members.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::apexes::FederationIdx;
use super::caution::{Caution, Whole};
use smallvec::SmallVec;

use crate::decide::ShardHealth;
use crate::model::{MemberIdx, MemberSet, Service};

/// The place of a plan in a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanIdx(pub(super) usize);

/// A service of a federation, whatever the state of its members. One entry answers for every name
/// of the service: levels, SRV owners and pinned names.
#[derive(Debug, PartialEq, Eq)]
pub struct ServiceEntry {
    /// The wire labels `service.ns.fed`.
    pub key: SmallVec<[u8; 48]>,
    /// Its federation.
    pub federation: FederationIdx,
    /// How to choose.
    pub plan: PlanIdx,
    /// TTL of its CNAMEs and SRV records, and at most of its addresses, in seconds.
    pub ttl: u32,
    /// Members that export it; the service exists when there is one.
    pub known: MemberSet,
    /// Who is available.
    pub health: ShardHealth,
    /// The shards of its known members, in configuration order.
    pub shards: Box<[Shard]>,
    /// What is known of it beyond its facts.
    pub caution: Option<Box<Caution>>,
    /// How many of its addresses are not probed as there are too many in all.
    pub unprobed: usize,
    /// Its named ports.
    pub ports: Box<[NamedPort]>,
    /// Members whose facts have the service without counting as an export, with why.
    pub ignored: Box<[Ignored]>,
    /// What its members disagree about.
    pub disagreements: Box<[Disagreement]>,
}

/// A member's part of a service.
#[derive(Debug, PartialEq, Eq)]
pub struct Shard {
    /// The member.
    pub member: MemberIdx,
    /// TTL of its addresses, in seconds: that of the service, less if a host name's is less.
    pub ttl: u32,
    /// Addresses for clients outside.
    pub ipv4: SmallVec<[Ipv4Addr; 4]>,
    /// Addresses for clients outside.
    pub ipv6: SmallVec<[Ipv6Addr; 1]>,
    /// What the member says.
    pub facts: Arc<Service>,
}

impl Shard {
    /// Whether it has any address for clients outside.
    pub fn has_address(&self) -> bool {
        !self.ipv4.is_empty() || !self.ipv6.is_empty()
    }
}

/// A named port of a service.
#[derive(Debug, PartialEq, Eq)]
pub struct NamedPort {
    /// The wire labels `_port._proto`.
    pub labels: Box<[u8]>,
    /// The length of the first label with its length octet: what follows is `_proto`.
    pub protocol_at: usize,
    /// The members that name it, and its number there.
    pub numbers: Box<[(MemberIdx, u16)]>,
}

impl NamedPort {
    /// The label `_proto`, in wire form.
    pub fn protocol(&self) -> &[u8] {
        self.labels.get(self.protocol_at..).unwrap_or_default()
    }

    /// Its number in a member.
    pub fn number(&self, member: MemberIdx) -> Option<u16> {
        self.numbers
            .iter()
            .find(|(named, _)| *named == member)
            .map(|(_, number)| *number)
    }
}

/// A member's service that does not count as an export (names: decision 13).
#[derive(Debug, PartialEq, Eq)]
pub struct Ignored {
    /// The member.
    pub member: MemberIdx,
    /// Why.
    pub reason: IgnoredReason,
}

/// Why a service does not count as an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IgnoredReason {
    /// It does not say that it is exported, and the federation asks for that.
    NotExported,
    /// Its annotation says that it is not.
    Refused,
    /// It names other federations.
    OtherFederations,
    /// The federation does not take the member.
    Member,
    /// The federation does not take the namespace, or the member does not offer it.
    Namespace,
}

/// A matter that members of one service disagree about (names: decision 14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Disagreement {
    /// The smallest TTL counts.
    Ttl,
    /// The first policy counts.
    Policy,
    /// The first order counts.
    Order,
    /// The intersection counts.
    Fence,
    /// The first counts.
    WhenAllDown,
}

impl ServiceEntry {
    /// The shard of a member.
    #[inline]
    pub fn shard(&self, member: MemberIdx) -> Option<&Shard> {
        self.shards.iter().find(|shard| shard.member == member)
    }

    /// The shards of `members`, in configuration order.
    #[inline]
    pub fn shards_of(&self, members: MemberSet) -> impl Iterator<Item = &Shard> {
        self.shards
            .iter()
            .filter(move |shard| members.contains(shard.member))
    }

    /// Every address of a shard some of whose addresses are withheld.
    pub fn whole(&self, member: MemberIdx) -> Option<&Whole> {
        let mut whole = self.caution.as_ref()?.whole.iter();
        whole.find(|whole| whole.member == member)
    }

    /// The port with the wire labels `_port._proto`.
    pub fn port(&self, labels: &[u8]) -> Option<&NamedPort> {
        self.ports.iter().find(|port| *port.labels == *labels)
    }
}

/// Named ports of `shards`, each once. Of a name that a shard has twice the first counts.
pub(super) fn named_ports(shards: &[Shard]) -> Box<[NamedPort]> {
    use super::apexes::wire_labels;
    use crate::model::Protocol;
    let mut owners = BTreeSet::new();
    for port in shards.iter().flat_map(|shard| &shard.facts.ports) {
        owners.extend(port.name.as_ref().map(|name| {
            (
                name.clone(),
                match port.protocol {
                    Protocol::Tcp => "_tcp",
                    Protocol::Udp => "_udp",
                    Protocol::Sctp => "_sctp",
                },
                port.protocol,
            )
        }));
    }
    let number = |shard: &Shard, name, protocol| {
        let mut ports = shard.facts.ports.iter();
        let port =
            ports.find(|port| port.name.as_ref() == Some(name) && port.protocol == protocol)?;
        Some((shard.member, port.port))
    };
    let named = owners.iter().map(|(name, label, protocol)| {
        let first = format!("_{name}");
        NamedPort {
            labels: wire_labels([first.as_str(), label]),
            protocol_at: first.len() + 1,
            numbers: shards
                .iter()
                .filter_map(|shard| number(shard, name, *protocol))
                .collect(),
        }
    });
    // A port name of 63 octets would make a label of 64: it has no SRV owner.
    named.filter(|port| port.protocol_at <= 64).collect()
}

/// An entry of the service table: equal and hashed by its key, so that the table finds it by the
/// octets of a qname.
#[derive(Debug, Clone)]
pub(super) struct Keyed(pub(super) Arc<ServiceEntry>);

impl Borrow<[u8]> for Keyed {
    fn borrow(&self) -> &[u8] {
        &self.0.key
    }
}

impl Hash for Keyed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key.hash(state);
    }
}

impl PartialEq for Keyed {
    fn eq(&self, other: &Self) -> bool {
        self.0.key == other.0.key
    }
}

impl Eq for Keyed {}
