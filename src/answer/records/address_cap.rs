//! Caps the number of addresses in an answer; rendezvous hashing picks which.

use crate::decide::Draw;
use crate::model::MOST_ADDRESSES;

/// A cap on the addresses of one type in an answer. A client gets the same ones for the length of a time
/// slot, and when an address goes, one takes its place and the others stay.
#[derive(Debug, Clone, Copy)]
pub(super) struct AddressCap<'s> {
    /// How many.
    most: usize,
    /// The draw of the service for the client.
    draw: Draw<'s>,
}

impl<'s> AddressCap<'s> {
    /// At most `most`, which is no more than [`MOST_ADDRESSES`].
    pub(super) fn new(most: u8, draw: Draw<'s>) -> Self {
        Self {
            most: most.clamp(1, MOST_ADDRESSES).into(),
            draw,
        }
    }

    /// The highest draw of those of `addresses` that are taken; an address that is there twice counts
    /// once.
    pub(super) fn last(&self, addresses: impl Iterator<Item = impl AsRef<[u8]>>) -> u64 {
        let mut draws = [u64::MAX; MOST_ADDRESSES as usize];
        let Some(least) = draws.get_mut(..self.most) else {
            return u64::MAX;
        };
        for address in addresses {
            let draw = self.draw.of_address(address.as_ref());
            let place = least.partition_point(|other| *other < draw);
            if let Some(rest) = least.get_mut(place..)
                && rest.first().is_some_and(|next| *next != draw)
            {
                rest.rotate_right(1);
                rest.iter_mut().take(1).for_each(|place| *place = draw);
            }
        }
        least.last().copied().unwrap_or(u64::MAX)
    }

    /// Whether an address is taken, when `last` is the highest draw that is.
    pub(super) fn takes(&self, address: &[u8], last: u64) -> bool {
        self.draw.of_address(address) <= last
    }
}
