//! One service of one federation, compiled from the facts of all members.
//!
//! What an answer needs of an entry lies together and first: at a million services every line of
//! memory is a wait.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use smallvec::SmallVec;

use super::apex::FederationIdx;
use super::diagnostics::{Diagnostics, Disagreement, Exceeded, Ignored};
use super::health_overlay::{AllAddresses, HealthOverlay};
use super::new_shard::NewShard;
use super::plans::PlanIdx;
use super::ports::{NamedPort, named_ports};
use super::table::Keyed;
use crate::decide::ShardHealth;
use crate::model::{Endpoints, Inside, MemberIdx, MemberSet, Service, ServiceKind};

/// A service of a federation, whatever the state of its members. One entry answers for every name
/// of the service: levels, SRV owners and pinned names.
#[derive(Debug, PartialEq, Eq)]
#[repr(C)]
pub struct ServiceEntry {
    /// The wire labels `service.ns.fed`.
    pub key: SmallVec<[u8; 48]>,
    /// Its federation.
    pub federation: FederationIdx,
    /// How to choose.
    pub plan: PlanIdx,
    /// TTL of its records, in seconds: at most, as a shard may have a shorter one.
    pub ttl: u32,
    /// Some shard may be suppressed, which its overlay says.
    may_suppress: bool,
    /// The first member that exports it says that it is headless.
    is_headless: bool,
    /// The shards of the members that export it, in configuration order; the service exists when
    /// there is one.
    heads: SmallVec<[Head; 4]>,
    /// The addresses of all shards, one after the other.
    ipv4: SmallVec<[Ipv4Addr; 4]>,
    /// The addresses of all shards, one after the other.
    ipv6: Box<[Ipv6Addr]>,
    /// What few answers need.
    rest: Box<Rest>,
}

/// A shard without its addresses.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    /// TTL of its addresses, in seconds.
    ttl: u32,
    /// How many of the entry's addresses are its own.
    ipv4: u16,
    /// How many of the entry's addresses are its own.
    ipv6: u16,
    /// The member.
    member: MemberIdx,
    /// It is publishable, not drained, and ready.
    is_available: bool,
    /// It is publishable and not drained, ready or not.
    is_last_known: bool,
}

/// The part of an entry that few answers need.
#[derive(Debug, PartialEq, Eq)]
struct Rest {
    /// Its named ports.
    ports: SmallVec<[NamedPort; 1]>,
    /// What the members say, in the order of the shards.
    facts: Box<[Arc<Service>]>,
    /// What is known of it beyond its facts.
    overlay: Option<Box<HealthOverlay>>,
    /// What few services have.
    diagnostics: Option<Box<Diagnostics>>,
}

/// A member's part of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard<'e> {
    /// The member.
    pub member: MemberIdx,
    /// TTL of its addresses, in seconds: that of the service, less if a host name's is less.
    pub ttl: u32,
    /// Addresses for clients outside.
    pub ipv4: &'e [Ipv4Addr],
    /// Addresses for clients outside.
    pub ipv6: &'e [Ipv6Addr],
}

impl Shard<'_> {
    /// Whether it has any address for clients outside.
    pub fn has_address(&self) -> bool {
        !self.ipv4.is_empty() || !self.ipv6.is_empty()
    }
}

/// An entry in the making, but for its shards.
pub(super) struct NewEntry {
    /// The wire labels `service.ns.fed`.
    pub(super) key: SmallVec<[u8; 64]>,
    /// Its federation.
    pub(super) federation: FederationIdx,
    /// How to choose.
    pub(super) plan: PlanIdx,
    /// TTL of its records at most, in seconds.
    pub(super) ttl: u32,
    /// Members whose facts have the service without counting as an export, with why.
    pub(super) ignored: Vec<Ignored>,
    /// What its members disagree about.
    pub(super) disagreements: BTreeSet<Disagreement>,
    /// What is known of it beyond its facts.
    pub(super) overlay: Option<Box<HealthOverlay>>,
    /// What members say of it that does not count as they say it, in words.
    pub(super) warnings: Vec<(MemberIdx, Box<str>)>,
    /// How many of its shards exceed a limit.
    pub(super) exceeded: Exceeded,
    /// Where shards are reached inside their members, where not all that they say counts.
    pub(super) inside: Vec<(MemberIdx, Inside)>,
}

impl NewEntry {
    /// The entry with these shards, in configuration order.
    pub(super) fn with(self, shards: &[NewShard]) -> ServiceEntry {
        let overlay = self.overlay.as_deref();
        let diagnostics = Diagnostics {
            ignored: self.ignored.into(),
            disagreements: self.disagreements.into_iter().collect(),
            unprobed: 0,
            exceeded: self.exceeded,
            warnings: self.warnings.into(),
            inside: self.inside.into(),
        };
        let mut ipv6 = Vec::with_capacity(shards.iter().map(|s| fitting(&s.ipv6).len()).sum());
        ipv6.extend(shards.iter().flat_map(|s| fitting(&s.ipv6)));
        ServiceEntry {
            key: SmallVec::from_slice(&self.key),
            federation: self.federation,
            plan: self.plan,
            ttl: self.ttl,
            may_suppress: overlay.is_some_and(|overlay| overlay.sets.may_suppress()),
            is_headless: shards
                .first()
                .is_some_and(|first| first.facts.kind == ServiceKind::Headless),
            heads: shards.iter().map(|shard| head(shard, overlay)).collect(),
            ipv4: shards
                .iter()
                .flat_map(|s| fitting(&s.ipv4))
                .copied()
                .collect(),
            ipv6: ipv6.into(),
            rest: Box::new(Rest {
                ports: named_ports(shards),
                facts: shards.iter().map(|shard| shard.facts.clone()).collect(),
                overlay: self.overlay,
                diagnostics: (diagnostics != Diagnostics::default()).then(|| Box::new(diagnostics)),
            }),
        }
    }
}

/// The shard without its addresses. Who is available, and who would be if neither readiness nor
/// probes mattered: docs/names.md, D.1, decision 15.
fn head(shard: &NewShard, overlay: Option<&HealthOverlay>) -> Head {
    let count = |addresses: usize| u16::try_from(addresses).unwrap_or(u16::MAX);
    let is_dead = overlay.is_some_and(|overlay| overlay.dead.contains(shard.member));
    let is_last_known = shard.has_address() && !is_drained(&shard.facts, overlay);
    Head {
        ttl: shard.ttl,
        ipv4: count(shard.ipv4.len()),
        ipv6: count(shard.ipv6.len()),
        member: shard.member,
        is_available: is_last_known && shard.facts.is_ready_outside() && !is_dead,
        is_last_known,
    }
}

/// Whether its weight or an operator has taken a shard out.
pub(super) fn is_drained(facts: &Service, overlay: Option<&HealthOverlay>) -> bool {
    facts.steering.weight == Some(0) || overlay.is_some_and(|overlay| overlay.share == 0)
}

/// The addresses of a shard that an entry holds.
fn fitting<T>(addresses: &[T]) -> &[T] {
    addresses.get(..usize::from(u16::MAX)).unwrap_or(addresses)
}

impl ServiceEntry {
    /// Whether it exists: whether any member exports it.
    #[inline]
    pub fn exists(&self) -> bool {
        !self.heads.is_empty()
    }

    /// Whether it is headless; where members disagree, as the first in configuration order says
    /// (docs/names.md, decision 14).
    pub fn is_headless(&self) -> bool {
        self.is_headless
    }

    /// Prefetches the cache lines that every answer reads, beside that of the key.
    #[inline]
    pub(super) fn prefetch(&self) {
        black_box(self.heads.len() + self.ipv6.len());
    }

    /// Prefetches its IPv6 addresses.
    #[inline]
    pub(super) fn prefetch_ipv6(&self) {
        black_box(self.ipv6.first().map(Ipv6Addr::octets));
    }

    /// Prefetches its ports.
    #[inline]
    pub(super) fn prefetch_ports(&self) {
        black_box(self.ports().first().map(|port| port.protocol_at));
    }

    /// Members that export it.
    pub fn members(&self) -> MemberSet {
        self.heads.iter().map(|head| head.member).collect()
    }

    /// Who is available.
    #[inline]
    pub fn health(&self) -> ShardHealth {
        let mut health = ShardHealth {
            may_suppress: self.may_suppress,
            ..ShardHealth::default()
        };
        for head in &self.heads {
            if head.is_available {
                health.available.insert(head.member);
            }
            if head.is_last_known {
                health.last_known.insert(head.member);
            }
        }
        health
    }

    /// The shards of the members that export it, in configuration order.
    #[inline]
    pub fn shards(&self) -> impl Iterator<Item = Shard<'_>> {
        let (mut ipv4, mut ipv6) = (&*self.ipv4, &*self.ipv6);
        self.heads.iter().map(move |head| Shard {
            member: head.member,
            ttl: head.ttl,
            ipv4: split_off(&mut ipv4, head.ipv4),
            ipv6: split_off(&mut ipv6, head.ipv6),
        })
    }

    /// Those of `members` that export it, in configuration order.
    #[inline]
    pub fn ordered(&self, members: MemberSet) -> impl Iterator<Item = MemberIdx> {
        let all = self.heads.iter().map(|head| head.member);
        all.filter(move |member| members.contains(*member))
    }

    /// What the members that export it say, in configuration order.
    pub(super) fn all_facts(&self) -> impl Iterator<Item = &Service> {
        self.rest.facts.iter().map(|facts| &**facts)
    }

    /// The shard of a member.
    #[inline]
    pub fn shard(&self, member: MemberIdx) -> Option<Shard<'_>> {
        self.shards().find(|shard| shard.member == member)
    }

    /// The shards of `members`, in configuration order.
    #[inline]
    pub fn shards_of(&self, members: MemberSet) -> impl Iterator<Item = Shard<'_>> {
        self.shards()
            .filter(move |shard| members.contains(shard.member))
    }

    /// The IPv4 addresses of each of `members`, in configuration order.
    #[inline]
    pub fn ipv4_of(&self, members: MemberSet) -> impl Iterator<Item = (MemberIdx, &[Ipv4Addr])> {
        let mut rest = &*self.ipv4;
        let all = self.heads.iter();
        all.map(move |head| (head.member, split_off(&mut rest, head.ipv4)))
            .filter(move |(member, _)| members.contains(*member))
    }

    /// The IPv6 addresses of each of `members`, in configuration order.
    #[inline]
    pub fn ipv6_of(&self, members: MemberSet) -> impl Iterator<Item = (MemberIdx, &[Ipv6Addr])> {
        let mut rest = &*self.ipv6;
        let all = self.heads.iter();
        all.map(move |head| (head.member, split_off(&mut rest, head.ipv6)))
            .filter(move |(member, _)| members.contains(*member))
    }

    /// The least TTL of the addresses of `members`, in seconds; `None` when none has a shard.
    #[inline]
    pub fn least_ttl(&self, members: MemberSet) -> Option<u32> {
        let heads = self.heads.iter();
        heads
            .filter(|head| members.contains(head.member))
            .map(|head| head.ttl)
            .min()
    }

    /// The endpoints of a member; none where it does not export the service.
    pub fn endpoints(&self, member: MemberIdx) -> Endpoints {
        let facts = self.facts(member);
        facts.map_or_else(Endpoints::default, |facts| facts.endpoints)
    }

    /// Whether `members` have more than so many addresses of a family.
    pub fn has_more(&self, members: MemberSet, most: u8) -> bool {
        let heads = || {
            self.heads
                .iter()
                .filter(|head| members.contains(head.member))
        };
        let (ipv4, ipv6) = (heads().map(|head| head.ipv4), heads().map(|head| head.ipv6));
        let most = usize::from(most);
        ipv4.map(usize::from).sum::<usize>() > most || ipv6.map(usize::from).sum::<usize>() > most
    }

    /// How many addresses of a family all its shards have together.
    #[inline]
    pub fn count(&self, is_ipv4: bool) -> usize {
        if is_ipv4 {
            self.ipv4.len()
        } else {
            self.ipv6.len()
        }
    }

    /// What is known of it beyond its facts. It lies far off, and few answers need it.
    pub fn overlay(&self) -> Option<&HealthOverlay> {
        self.rest.overlay.as_deref()
    }

    /// Every address of a shard some of whose addresses are withheld.
    pub fn whole(&self, member: MemberIdx) -> Option<&AllAddresses> {
        let mut whole = self.overlay()?.whole.iter();
        whole.find(|whole| whole.member == member)
    }

    /// What few services have.
    pub(super) fn diagnostics(&self) -> Option<&Diagnostics> {
        self.rest.diagnostics.as_deref()
    }

    /// The same, to be written into.
    pub(super) fn diagnostics_mut(&mut self) -> &mut Diagnostics {
        self.rest.diagnostics.get_or_insert_default()
    }

    /// What a member that exports it says.
    pub fn facts(&self, member: MemberIdx) -> Option<&Arc<Service>> {
        let place = self.heads.iter().position(|head| head.member == member)?;
        self.rest.facts.get(place)
    }

    /// Whether any member wants it to have another name than its own.
    pub fn is_renamed(&self) -> bool {
        let mut facts = self.rest.facts.iter();
        facts.any(|facts| facts.steering.external_name.is_some())
    }

    /// Its named ports.
    pub fn ports(&self) -> &[NamedPort] {
        &self.rest.ports
    }

    /// The port with the wire labels `_port._proto`.
    pub fn port(&self, labels: &[u8]) -> Option<&NamedPort> {
        self.ports().iter().find(|port| *port.labels == *labels)
    }
}

/// Takes the first addresses off.
#[inline]
fn split_off<'e, T>(addresses: &mut &'e [T], count: u16) -> &'e [T] {
    let (taken, rest) = addresses
        .split_at_checked(usize::from(count))
        .unwrap_or_default();
    *addresses = rest;
    taken
}

impl Keyed for ServiceEntry {
    #[inline]
    fn key(&self) -> &[u8] {
        &self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_three_cache_lines() {
        // With the two counts of its `Arc`.
        assert!(size_of::<ServiceEntry>() + 16 <= 192);
    }
}
