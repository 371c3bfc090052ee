//! Complete lists of members. A first list is folded in slices: with a million services it takes
//! seconds, and changes of other members go out between them.
//!
//! What a member says after its first list waits for the end of it. Only there is what it lacks
//! removed and its member in sync. Later lists hardly change anything, and the brake judges each as
//! a whole.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use tracing::info;

use super::confirm::Listed;
use super::fact::Fact;
use super::files::{Owner, Whole};
use super::states::Happening;
use super::world::{Now, World};
use crate::model::{Change, MemberIdx, NamespacedName, Service};

/// Services of a list that are folded before anything else is looked at: some milliseconds.
pub(super) const SLICE: usize = 4096;

/// How many changes of a member may wait for its list: when as many do, it is folded to its end.
const WAITING: usize = 4096;

/// A list that is being folded.
#[derive(Debug)]
struct Listing {
    /// All services of the member.
    services: Vec<(NamespacedName, Arc<Service>)>,
    /// How many of them are folded.
    folded: usize,
    /// The places of those that were new or have changed.
    changed: Vec<usize>,
    /// What the member said since, in order.
    waiting: VecDeque<Change>,
}

/// The lists that are being folded.
#[derive(Debug, Default)]
pub(super) struct Lists(BTreeMap<MemberIdx, Listing>);

impl Lists {
    /// Whether there is any.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl World {
    /// A complete list.
    pub(super) fn sync(
        &mut self,
        member: MemberIdx,
        services: Vec<(NamespacedName, Arc<Service>)>,
        now: Now,
    ) {
        self.losses.cancel_member(member);
        let profile = self.profiles.get(member.get());
        if profile.is_some_and(|profile| profile.kept.first_synced.is_some()) {
            self.relist(member, services, now);
            return;
        }
        let listing = Listing {
            services,
            folded: 0,
            changed: Vec::new(),
            waiting: VecDeque::new(),
        };
        self.lists.0.insert(member, listing);
        self.fold_list(member, now);
    }

    /// Folds a change of a member, after its list if one is being folded.
    pub(super) fn take(&mut self, member: MemberIdx, change: Change, now: Now) {
        let Some(listing) = self.lists.0.get_mut(&member) else {
            self.change(member, change, now);
            return;
        };
        listing.waiting.push_back(change);
        while let Some(listing) = self.lists.0.get(&member)
            && listing.waiting.len() >= WAITING
        {
            self.fold_list(member, now);
        }
    }

    /// Folds a slice of each list.
    pub(super) fn fold_lists(&mut self, now: Now) {
        let members: Vec<MemberIdx> = self.lists.0.keys().copied().collect();
        for member in members {
            self.fold_list(member, now);
        }
    }

    /// Folds every list to its end.
    pub(super) fn fold_all_lists(&mut self, now: Now) {
        while !self.lists.is_empty() {
            self.fold_lists(now);
        }
    }

    /// Folds a slice of a list, and after its end what the member said since.
    fn fold_list(&mut self, member: MemberIdx, now: Now) {
        // Taken out while it is folded, which needs everything else.
        let Some(mut listing) = self.lists.0.remove(&member) else {
            return;
        };
        let slice = listing.services.iter().enumerate();
        for (place, (name, service)) in slice.skip(listing.folded).take(SLICE) {
            let key = (member, name.clone());
            if self.replace(&key, Some(Arc::clone(service)), false, now) {
                listing.changed.push(place);
            }
        }
        listing.folded += SLICE;
        if listing.folded < listing.services.len() {
            self.lists.0.insert(member, listing);
            return;
        }
        self.end_list(member, listing.services, &listing.changed, now);
        for change in listing.waiting {
            // A list among them may be long too.
            self.take(member, change, now);
        }
    }

    /// Folds the end of a first list: what is not in it is gone.
    fn end_list(
        &mut self,
        member: MemberIdx,
        services: Vec<(NamespacedName, Arc<Service>)>,
        changed: &[usize],
        now: Now,
    ) {
        let gone = self.unlisted(member, &services, services.len());
        for name in &gone {
            self.replace(&(member, name.clone()), None, false, now);
        }
        let (total, count) = (services.len(), changed.len() + gone.len());
        let Some(profile) = self.profiles.get_mut(member.get()) else {
            return;
        };
        profile.kept.seen = Some(now.wall);
        profile.kept.first_synced = Some(now.wall);
        let kept = profile.kept.clone();
        if let Some(name) = self.name(member) {
            let whole = Whole { kept, services };
            self.disk.replace(&Owner::Member(name), whole);
        }
        self.in_sync(member, total, count, now);
        self.show(member);
    }

    /// Folds a list that is not the first: what is not in it is gone, unless the brake holds that
    /// back.
    fn relist(
        &mut self,
        member: MemberIdx,
        services: Vec<(NamespacedName, Arc<Service>)>,
        now: Now,
    ) {
        let known = services.iter();
        let known = known.filter(|(name, _)| self.builder.fact(member, name).is_some());
        let gone = self.unlisted(member, &services, known.count());
        let mut changes: Vec<Listed> = gone.into_iter().map(|name| (name, None)).collect();
        let total = services.len();
        for (name, service) in services {
            if self.builder.fact(member, &name) != Some(&service) {
                changes.push((name, Some(service)));
            }
        }
        self.brake_list(member, &mut changes, now);
        let mut changed = Vec::with_capacity(changes.len() + 1);
        for (name, change) in changes {
            changed.push(match &change {
                Some(service) => Fact::Service(name.clone(), Arc::clone(service)),
                None => Fact::Gone(name.clone()),
            });
            self.replace(&(member, name), change, false, now);
        }
        let count = changed.len();
        let Some(profile) = self.profiles.get_mut(member.get()) else {
            return;
        };
        profile.kept.seen = Some(now.wall);
        changed.push(Fact::Seen(now.wall));
        if count > total / 2 {
            self.keep_whole(member);
        } else {
            for fact in changed {
                self.keep(member, fact);
            }
        }
        self.in_sync(member, total, count, now);
    }

    /// The services of a member that are not in its list, of which it has `known` already.
    fn unlisted(
        &self,
        member: MemberIdx,
        services: &[(NamespacedName, Arc<Service>)],
        known: usize,
    ) -> Vec<NamespacedName> {
        // As a rule there are none, and then there is no need to look through all services.
        if self.builder.count(member) == known {
            return Vec::new();
        }
        let listed: HashSet<&NamespacedName> = services.iter().map(|(name, _)| name).collect();
        let all = self.builder.facts(member).map(|(name, _)| name);
        all.filter(|name| !listed.contains(name)).cloned().collect()
    }

    /// A list has come to its end.
    fn in_sync(&mut self, member: MemberIdx, services: usize, changed: usize, now: Now) {
        let name = self.name(member);
        info!(
            member = name.map(tracing::field::display),
            services, changed, "synced"
        );
        self.is_dirty = true;
        self.happen(member, Happening::Synced, now);
    }
}
