//! Answers that do not have all addresses: which ones they have, by lot.

use super::respond::Reply;
use crate::decide::Lots;
use crate::model::MOST_ADDRESSES;
use crate::snapshot::ServiceEntry;

/// The lots of a service for whoever asks.
pub(super) fn lots<'s>(reply: &Reply<'s, '_>, entry: &'s ServiceEntry) -> Lots<'s> {
    let state = reply.snapshot.state();
    let weights = entry.caution().map(|caution| &*caution.weights);
    Lots::new(
        &entry.key,
        reply.prefix(),
        (reply.client.now, entry.ttl),
        &state.seeds,
        weights.unwrap_or_default(),
        &state.shares,
    )
}

/// A limit of the addresses of one type in an answer. The same client has the same ones for the time
/// of a slot, and when an address goes, one takes its place and the others stay.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit<'s> {
    /// How many.
    most: usize,
    /// The lots of the service for the client.
    lots: Lots<'s>,
}

impl<'s> Limit<'s> {
    /// At most `most`, which is no more than [`MOST_ADDRESSES`].
    pub(super) fn new(most: u8, lots: Lots<'s>) -> Self {
        Self {
            most: most.clamp(1, MOST_ADDRESSES).into(),
            lots,
        }
    }

    /// The last lot that is in, of those of `addresses`; an address that is there twice counts once.
    pub(super) fn last(&self, addresses: impl Iterator<Item = impl AsRef<[u8]>>) -> u64 {
        let mut lots = [u64::MAX; MOST_ADDRESSES as usize];
        let Some(least) = lots.get_mut(..self.most) else {
            return u64::MAX;
        };
        for address in addresses {
            let lot = self.lots.of_address(address.as_ref());
            let place = least.partition_point(|other| *other < lot);
            if let Some(rest) = least.get_mut(place..)
                && rest.first().is_some_and(|next| *next != lot)
            {
                rest.rotate_right(1);
                rest.iter_mut().take(1).for_each(|place| *place = lot);
            }
        }
        least.last().copied().unwrap_or(u64::MAX)
    }

    /// Whether an address is in, when `last` is.
    pub(super) fn takes(&self, address: &[u8], last: u64) -> bool {
        self.lots.of_address(address) <= last
    }
}
