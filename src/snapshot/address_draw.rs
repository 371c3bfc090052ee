//! Which addresses count of a shard that has more of them than an answer could ever hold: a draw
//! that every replica makes alike.

use std::net::IpAddr;

use smallvec::{Array, SmallVec};

use super::new_shard::NewShard;
use crate::decide::draw_of_address;
use crate::model::limits::SHARD_ADDRESSES;

/// Keeps, of each family of which a shard has more than [`SHARD_ADDRESSES`], as many addresses that
/// are not found dead, and the dead ones that were drawn before the last of these: they stay probed,
/// and come back. Returns what is said of it. Costs O(n log n) of a shard that is too large.
pub(super) fn draw_addresses(
    shard: &mut NewShard,
    key: &[u8],
    is_dead: impl Fn(IpAddr) -> bool,
) -> Option<String> {
    let before = shard.ipv4.len() + shard.ipv6.len();
    let is_any = keep(&mut shard.ipv4, |address| {
        (
            draw_of_address(key, &address.octets()),
            is_dead(address.into()),
        )
    }) | keep(&mut shard.ipv6, |address| {
        (
            draw_of_address(key, &address.octets()),
            is_dead(address.into()),
        )
    });
    is_any.then(|| {
        format!(
            "{before} addresses: at most {} of each family count, drawn of those not found dead",
            SHARD_ADDRESSES.most
        )
    })
}

/// The same for one family. Returns whether there were more.
fn keep<A: Ord + Copy>(
    addresses: &mut SmallVec<impl Array<Item = A>>,
    judge: impl Fn(A) -> (u64, bool),
) -> bool {
    let most = SHARD_ADDRESSES.length();
    if addresses.len() <= most {
        return false;
    }
    let mut drawn: Vec<_> = addresses
        .iter()
        .map(|address| (judge(*address), *address))
        .collect();
    drawn.sort_unstable_by_key(|((number, _), address)| (*number, *address));
    let mut alive = 0;
    let end = drawn.iter().position(|((_, is_dead), _)| {
        alive += usize::from(!is_dead);
        alive > most
    });
    drawn.truncate(end.unwrap_or(drawn.len()));
    addresses.clear();
    addresses.extend(drawn.into_iter().map(|(_, address)| address));
    addresses.sort_unstable();
    true
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::Ipv4Addr;

    use super::*;

    fn kept(count: u32, dead: &BTreeSet<Ipv4Addr>) -> Vec<Ipv4Addr> {
        let first = u32::from(Ipv4Addr::new(198, 18, 0, 0));
        let all = (0..count).map(|number| Ipv4Addr::from(first + number));
        let mut all: SmallVec<[Ipv4Addr; 4]> = all.collect();
        keep(&mut all, |address| {
            (
                draw_of_address(b"key", &address.octets()),
                dead.contains(&address),
            )
        });
        all.to_vec()
    }

    #[test]
    fn as_many_as_the_limit_are_drawn_of_those_that_live() {
        let most = SHARD_ADDRESSES.length();
        let none = BTreeSet::new();
        assert_eq!(kept(4096, &none).len(), most);
        let first = kept(10_000, &none);
        assert_eq!(first.len(), most);
        assert!(first.is_sorted());
        // Some of those die: as many others come, and all that were there stay.
        let dead: BTreeSet<_> = first.iter().copied().step_by(4).collect();
        let later = kept(10_000, &dead);
        assert!(first.iter().all(|address| later.contains(address)));
        let living = later.iter().filter(|address| !dead.contains(address));
        assert_eq!(living.count(), most);
        // When all die, all are asked.
        let all = kept(5_000, &none).into_iter().chain(kept(10_000, &none));
        let all: BTreeSet<_> = all.collect();
        assert!(kept(5_000, &all).len() > most);
    }
}
