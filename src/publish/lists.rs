//! The lists of members that are being folded, and what waits for them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::key::ShardFacts;
use crate::model::{Change, MemberIdx, NamespacedName, Service};

/// A change that a complete list makes.
pub(super) type Listed = (NamespacedName, ShardFacts);

/// Services of a list that are folded before anything else is looked at: some milliseconds.
pub(super) const SLICE: usize = 4096;

/// How many changes of a member may wait for its list: when as many do, it is folded to its end.
pub(super) const WAITING: usize = 4096;

/// A list that is being folded.
#[derive(Debug)]
pub(super) struct Listing {
    /// All services of the member.
    pub(super) services: Vec<(NamespacedName, Arc<Service>)>,
    /// How many services the member had before.
    pub(super) before: usize,
    /// How many of the list are folded.
    pub(super) folded: usize,
    /// The places of those that were new or have changed.
    pub(super) changed: Vec<usize>,
    /// The places of those that would be withdrawn: that waits for the end of the list.
    pub(super) lacking: Vec<usize>,
    /// What the member said since, in order.
    pub(super) waiting: VecDeque<Change>,
}

/// The lists that are being folded.
#[derive(Debug, Default)]
pub(super) struct Lists(pub(super) BTreeMap<MemberIdx, Listing>);

impl Lists {
    /// Whether there is any.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
