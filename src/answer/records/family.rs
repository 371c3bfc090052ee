//! What A and AAAA records have in common.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::{MemberIdx, MemberSet};
use crate::snapshot::{AllAddresses, ServiceEntry, ipv4, ipv6};
use crate::wire::{Owner, ResponseWriter};

/// An address of one family.
pub(in crate::answer) trait Address: Copy + Eq + 'static {
    /// The address in network order.
    type Octets: AsRef<[u8]> + Copy;

    /// Whether the family is IPv4.
    const IS_IPV4: bool;

    /// Octets of a record whose owner is a pointer.
    const LENGTH: usize;

    /// The address, if it is of the family.
    fn of(address: IpAddr) -> Option<Self>;

    /// The address in network order.
    fn octets(self) -> Self::Octets;

    /// Its 128 bits, the lower ones zero where it has fewer.
    fn bits(self) -> u128;

    /// The addresses that each of `members` has for clients outside, in configuration order.
    fn of_members(
        entry: &ServiceEntry,
        members: MemberSet,
    ) -> impl Iterator<Item = (MemberIdx, &[Self])>;

    /// Those of a shard some of whose addresses are withheld.
    fn of_whole(whole: &AllAddresses) -> &[Self];

    /// Writes its record.
    fn write(self, response: &mut ResponseWriter<'_>, owner: Owner, ttl: u32);
}

impl Address for Ipv4Addr {
    type Octets = [u8; 4];

    const IS_IPV4: bool = true;

    const LENGTH: usize = 16;

    #[inline]
    fn of(address: IpAddr) -> Option<Self> {
        ipv4(address)
    }

    #[inline]
    fn octets(self) -> [u8; 4] {
        Ipv4Addr::octets(&self)
    }

    #[inline]
    fn bits(self) -> u128 {
        u128::from(self.to_bits()) << 96
    }

    #[inline]
    fn of_members(
        entry: &ServiceEntry,
        members: MemberSet,
    ) -> impl Iterator<Item = (MemberIdx, &[Self])> {
        entry.ipv4_of(members)
    }

    #[inline]
    fn of_whole(whole: &AllAddresses) -> &[Self] {
        &whole.ipv4
    }

    #[inline]
    fn write(self, response: &mut ResponseWriter<'_>, owner: Owner, ttl: u32) {
        response.a(owner, ttl, self);
    }
}

impl Address for Ipv6Addr {
    type Octets = [u8; 16];

    const IS_IPV4: bool = false;

    const LENGTH: usize = 28;

    #[inline]
    fn of(address: IpAddr) -> Option<Self> {
        ipv6(address)
    }

    #[inline]
    fn octets(self) -> [u8; 16] {
        Ipv6Addr::octets(&self)
    }

    #[inline]
    fn bits(self) -> u128 {
        self.to_bits()
    }

    #[inline]
    fn of_members(
        entry: &ServiceEntry,
        members: MemberSet,
    ) -> impl Iterator<Item = (MemberIdx, &[Self])> {
        entry.ipv6_of(members)
    }

    #[inline]
    fn of_whole(whole: &AllAddresses) -> &[Self] {
        &whole.ipv6
    }

    #[inline]
    fn write(self, response: &mut ResponseWriter<'_>, owner: Owner, ttl: u32) {
        response.aaaa(owner, ttl, self);
    }
}
