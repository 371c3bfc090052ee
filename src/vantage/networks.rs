//! Networks of both families, and whose they are.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::places::Places;
use super::prefixes::{Bits, IpPrefix, PrefixMatch, Prefixes};
use crate::model::{Fleet, MemberSet, VantageIdx};

/// A network that several members claim, so that it decides nothing (docs/names.md, decision 11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contested {
    /// The network.
    pub cidr: IpNet,
    /// The members.
    pub members: MemberSet,
}

/// What is said of one network.
struct Claim {
    /// The place that it names; none if two do.
    place: Option<VantageIdx>,
    /// The configuration says so, which wins over what is learnt.
    is_configured: bool,
    /// The members that it is said to be of.
    members: MemberSet,
}

/// The networks of a fleet, and those that its members have taught: each with its place, and those
/// that have none since several claim them, ascending.
pub(super) fn claims(
    fleet: &Fleet,
    learnt: &[Arc<[IpNet]>],
    places: &mut Places,
) -> (Networks<VantageIdx>, Vec<Contested>) {
    let mut claims: HashMap<IpNet, Claim> = HashMap::new();
    for network in &fleet.networks {
        let place = places.intern(&network.place);
        claim(&mut claims, network.cidr, place, true, places);
    }
    for (index, member) in fleet.members.iter() {
        let networks = learnt
            .get(index.get())
            .into_iter()
            .flat_map(|all| all.iter());
        let place = places.intern_member(&member.name);
        for cidr in networks {
            claim(&mut claims, *cidr, place, false, places);
        }
    }
    let mut contested: Vec<Contested> = claims
        .iter()
        .filter(|(_, claim)| claim.place.is_none())
        .map(|(cidr, claim)| Contested {
            cidr: *cidr,
            members: claim.members,
        })
        .collect();
    contested.sort_unstable_by_key(|contested| contested.cidr);
    let decided = claims
        .into_iter()
        .filter_map(|(cidr, claim)| Some((cidr, claim.place?)));
    (Networks::compile(decided), contested)
}

/// Takes one claim in.
fn claim(
    claims: &mut HashMap<IpNet, Claim>,
    cidr: IpNet,
    place: VantageIdx,
    is_configured: bool,
    places: &Places,
) {
    let claim = claims.entry(cidr.trunc()).or_insert(Claim {
        place: Some(place),
        is_configured,
        members: MemberSet::EMPTY,
    });
    if claim.is_configured != is_configured {
        return;
    }
    if claim.place != Some(place) {
        claim.place = None;
    }
    if let Some(member) = places.member(place) {
        claim.members.insert(member);
    }
}

/// What networks of both families say.
#[derive(Debug, Clone)]
pub(super) struct Networks<T> {
    ipv4: Prefixes<u32, T>,
    ipv6: Prefixes<u128, T>,
}

impl<T> Default for Networks<T> {
    fn default() -> Self {
        Self {
            ipv4: Prefixes::default(),
            ipv6: Prefixes::default(),
        }
    }
}

impl<T: Copy> Networks<T> {
    /// Compiles networks, of which no two are equal.
    pub(super) fn compile(all: impl Iterator<Item = (IpNet, T)>) -> Self {
        let (mut ipv4, mut ipv6) = (Vec::new(), Vec::new());
        for (cidr, says) in all {
            let length = cidr.prefix_len();
            match cidr.addr() {
                IpAddr::V4(address) => ipv4.push((prefix(address.to_bits(), length), says)),
                IpAddr::V6(address) => ipv6.push((prefix(address.to_bits(), length), says)),
            }
        }
        Self {
            ipv4: Prefixes::compile(ipv4),
            ipv6: Prefixes::compile(ipv6),
        }
    }

    /// What the longest network around a prefix says.
    #[inline]
    pub(super) fn find(&self, address: IpAddr, length: u8) -> PrefixMatch<T> {
        match address {
            IpAddr::V4(address) => self.ipv4.find(prefix(address.to_bits(), length)),
            IpAddr::V6(address) => self.ipv6.find(prefix(address.to_bits(), length)),
        }
    }

    /// What the longest network around one address says.
    #[inline]
    pub(super) fn of(&self, address: IpAddr) -> PrefixMatch<T> {
        self.find(address, width(address))
    }
}

/// How many bits an address has.
#[inline]
pub(super) fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// A prefix of an address.
#[inline]
fn prefix<A: Bits>(address: A, length: u8) -> IpPrefix<A> {
    IpPrefix {
        first: address.without(A::behind(length)),
        length,
    }
}
