//! Member clusters, and sets of them.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use super::{Pattern, Service};
use crate::names::Label;
use crate::wire::NameBuf;

/// A member cluster, as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Unique in the fleet.
    pub name: Label,
    /// Set here it wins over what is learnt.
    pub region: Option<Label>,
    /// Set here they win over what is learnt.
    pub zones: Vec<Label>,
    /// Namespaces that it offers.
    pub namespaces: Vec<Pattern>,
    /// The domain of its own DNS, such as `cluster.local`, where its pods also find the services of
    /// federations (docs/names.md, D.8).
    pub cluster_domain: Option<NameBuf>,
    /// Where clients elsewhere reach all its services, instead of their load balancers.
    pub gateway: Option<Gateway>,
    /// Networks of the addresses that its services may name themselves.
    pub addresses_from: Vec<IpNet>,
}

impl Member {
    /// The gateway at which clients elsewhere reach a service of it: none if the service has a way in
    /// of its own.
    pub fn gateway_of(&self, service: &Service) -> Option<&Gateway> {
        let is_own = service.way_in.is_own();
        self.gateway.as_ref().filter(|_| !is_own)
    }

    /// Whether its services may name an address themselves.
    pub fn allows(&self, address: IpAddr) -> bool {
        allows(&self.addresses_from, address)
    }
}

/// Whether an address is in one of these networks. One of IPv4 in IPv6 is that IPv4 address.
pub fn allows(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|cidr| cidr.contains(&address))
}

/// What no member may be called: commands mean all of them by it.
pub const EVERY_MEMBER: &str = "members";

/// A gateway of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// Its addresses, at least one.
    pub addresses: Vec<IpAddr>,
    /// The port on which it takes all traffic; `None` if it has those of the services.
    pub port: Option<u16>,
}

/// The seat of a member in [`Fleet::members`](super::Fleet::members).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberIdx(pub u8);

impl MemberIdx {
    /// Every index: zip it with anything that has one entry for each seat.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=u8::MAX).map(Self)
    }

    /// The index as an index.
    pub fn get(self) -> usize {
        usize::from(self.0)
    }
}

/// A set of members: a fixed bitset, the only set type of the query path.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct MemberSet([u64; 4]);

impl MemberSet {
    /// How many members a fleet may have.
    pub const CAPACITY: usize = 256;
    /// No member.
    pub const EMPTY: Self = Self([0; 4]);
    /// Every member.
    pub const ALL: Self = Self([u64::MAX; 4]);

    /// Adds a member.
    pub fn insert(&mut self, member: MemberIdx) {
        if let Some(word) = self.0.get_mut(usize::from(member.0 / 64)) {
            *word |= 1u64 << (member.0 % 64);
        }
    }

    /// Removes a member.
    pub fn remove(&mut self, member: MemberIdx) {
        if let Some(word) = self.0.get_mut(usize::from(member.0 / 64)) {
            *word &= !(1u64 << (member.0 % 64));
        }
    }

    /// Whether a member is in the set.
    pub fn contains(self, member: MemberIdx) -> bool {
        self.0
            .get(usize::from(member.0 / 64))
            .is_some_and(|word| word >> (member.0 % 64) & 1 == 1)
    }

    /// Whether no member is in the set.
    pub fn is_empty(self) -> bool {
        self.0 == [0; 4]
    }

    /// How many members are in the set.
    pub fn len(self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// The members, by their seats.
    pub fn iter(self) -> impl Iterator<Item = MemberIdx> {
        let mut words = self.0;
        (0u8..4).flat_map(move |index| {
            let mut word = words.get_mut(usize::from(index)).map_or(0, |word| *word);
            std::iter::from_fn(move || {
                let bit = u8::try_from(word.trailing_zeros())
                    .ok()
                    .filter(|bit| *bit < 64)?;
                word &= word - 1;
                Some(MemberIdx(index * 64 + bit))
            })
        })
    }
}

impl std::ops::BitAnd for MemberSet {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        let mut words = self.0;
        words
            .iter_mut()
            .zip(other.0)
            .for_each(|(word, other)| *word &= other);
        Self(words)
    }
}

impl std::ops::BitOr for MemberSet {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        let mut words = self.0;
        words
            .iter_mut()
            .zip(other.0)
            .for_each(|(word, other)| *word |= other);
        Self(words)
    }
}

impl std::ops::Not for MemberSet {
    type Output = Self;
    fn not(self) -> Self {
        Self(self.0.map(|word| !word))
    }
}

impl FromIterator<MemberIdx> for MemberSet {
    fn from_iter<I: IntoIterator<Item = MemberIdx>>(members: I) -> Self {
        let mut set = Self::EMPTY;
        for member in members {
            set.insert(member);
        }
        set
    }
}

impl fmt::Debug for MemberSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.iter().map(|member| member.0))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_in_the_order_of_seats() {
        let set: MemberSet = [200, 3, 64, 63].map(MemberIdx).into_iter().collect();
        assert_eq!(
            set.iter().map(|member| member.0).collect::<Vec<_>>(),
            [3, 63, 64, 200]
        );
        assert_eq!(set.len(), 4);
        assert!(set.contains(MemberIdx(200)) && !set.contains(MemberIdx(199)));
        assert!((set & !set).is_empty());
        assert_eq!(MemberSet::ALL.iter().count(), MemberSet::CAPACITY);
    }
}
