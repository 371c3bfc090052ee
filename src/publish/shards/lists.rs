//! The lists of members that are being folded, and what waits for them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::key::ShardUpdate;
use crate::model::{Change, MemberIdx, NamespacedName, Service};

/// A change that a complete list makes.
pub(in crate::publish) type ListedChange = (NamespacedName, ShardUpdate);

/// Services of a list that are folded before anything else is looked at: some milliseconds.
pub(in crate::publish) const SLICE: usize = 4096;

/// How many changes of a member may wait for its list: when as many do, it is folded to its end.
pub(in crate::publish) const WAITING: usize = 4096;

/// A list that is being folded.
#[derive(Debug)]
pub(in crate::publish) struct Listing {
    /// All services of the member.
    pub(in crate::publish) services: Vec<(NamespacedName, Arc<Service>)>,
    /// How many services the member had before.
    pub(in crate::publish) before: usize,
    /// How many of the list are folded.
    pub(in crate::publish) folded: usize,
    /// The places of those that were new or have changed.
    pub(in crate::publish) changed: Vec<usize>,
    /// The places of those that would be withdrawn: that waits for the end of the list.
    pub(in crate::publish) lacking: Vec<usize>,
    /// What the member said since, in order.
    pub(in crate::publish) waiting: VecDeque<Change>,
}

/// The lists that are being folded.
#[derive(Debug, Default)]
pub(in crate::publish) struct Lists(pub(in crate::publish) BTreeMap<MemberIdx, Listing>);

impl Lists {
    /// Whether there is any.
    pub(in crate::publish) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
