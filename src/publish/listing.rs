//! Complete lists of members, folded in slices: a first list of a million services takes seconds,
//! and changes of other members go out between its slices.
//!
//! What a member says after its list waits for the end of it. Only there is what it lacks removed
//! and its member in sync.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use tracing::info;

use super::fact::Fact;
use super::files::{Owner, Whole};
use super::lists::{Listed, Listing, SLICE};
use super::now::Now;
use super::states::Happening;
use super::world::World;
use crate::model::{Change, MemberIdx, NamespacedName, Service};

/// How many changes of a member may wait for its list: when as many do, it is folded to its end.
const WAITING: usize = 4096;

impl World {
    /// A complete list.
    pub(super) fn sync(
        &mut self,
        member: MemberIdx,
        services: Vec<(NamespacedName, Arc<Service>)>,
        now: Now,
    ) {
        self.losses.cancel_member(member);
        let listing = Listing {
            services,
            before: self.out.builder.count(member),
            folded: 0,
            changed: Vec::new(),
            lacking: Vec::new(),
            waiting: VecDeque::new(),
        };
        self.lists.0.insert(member, listing);
        self.fold_list(member, now);
    }

    /// Folds a change of a member, after its list if one is being folded.
    pub(super) fn take(&mut self, member: MemberIdx, change: Change, now: Now) {
        let Some(listing) = self.lists.0.get_mut(&member) else {
            return self.change(member, change, now);
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
        let Some(mut listing) = self.lists.0.remove(&member) else {
            return;
        };
        let slice = listing.services.iter().enumerate();
        for (place, (name, service)) in slice.skip(listing.folded).take(SLICE) {
            let key = (member, name.clone());
            if self.withdraws(&key, service) {
                listing.lacking.push(place);
            } else if self.replace(&key, Some(Arc::clone(service)), false, now) {
                listing.changed.push(place);
            }
        }
        listing.folded += SLICE;
        if listing.folded < listing.services.len() {
            self.lists.0.insert(member, listing);
            return;
        }
        let waiting = std::mem::take(&mut listing.waiting);
        self.end_list(member, listing, now);
        for change in waiting {
            // A list among them may be long too.
            self.take(member, change, now);
        }
    }

    /// Folds the end of a list: what is not in it is gone, unless the brake holds that back, and the
    /// member is in sync.
    fn end_list(&mut self, member: MemberIdx, listing: Listing, now: Now) {
        let withdrawn = self.fold_lacking(member, &listing, now);
        let services = listing.services;
        let Some(profile) = self.profiles.get_mut(member.get()) else {
            return;
        };
        profile.kept.seen = Some(now.wall);
        let is_first = profile.kept.first_synced.is_none();
        profile.kept.first_synced.get_or_insert(now.wall);
        let kept = profile.kept.clone();
        let name = self.out.name(member);
        let (total, count) = (services.len(), listing.changed.len() + withdrawn.len());
        if count <= total / 2 {
            let changed = listing.changed.iter();
            let changed = changed.filter_map(|place| services.get(*place)).cloned();
            let changed = changed.map(|(name, facts)| Fact::Service(name, facts));
            let first = is_first.then_some(Fact::FirstSynced(now.wall));
            let withdrawn = withdrawn.into_iter();
            let withdrawn = withdrawn.map(|(name, change)| Fact::of(name, change));
            for fact in withdrawn
                .chain(changed)
                .chain(first)
                .chain([Fact::Seen(now.wall)])
            {
                self.out.keep(member, fact);
            }
        } else if self.brake.of(member).is_some() {
            self.out.keep_whole(member, &kept);
        } else if let Some(name) = &name {
            let whole = Whole { kept, services };
            self.out.disk.replace(&Owner::Member(name.clone()), whole);
        }
        info!(
            member = name.map(tracing::field::display),
            services = total,
            changed = count,
            "synced"
        );
        self.out.is_dirty = true;
        self.happen(member, Happening::Synced, now);
        if is_first {
            self.show(member);
        }
    }

    /// Makes the withdrawals of a list, as far as the brake lets it, and says which.
    fn fold_lacking(&mut self, member: MemberIdx, listing: &Listing, now: Now) -> Vec<Listed> {
        let unready = listing.lacking.iter();
        let unready = unready.filter_map(|place| listing.services.get(*place));
        let mut lacking: Vec<Listed> = unready
            .map(|(name, facts)| (name.clone(), Some(Arc::clone(facts))))
            .collect();
        // Every service of the list is there, so it is complete when the numbers are the same.
        if self.out.builder.count(member) != listing.services.len() {
            let listed: HashSet<_> = listing.services.iter().map(|(name, _)| name).collect();
            let all = self.out.builder.facts(member).map(|(name, _)| name);
            let gone = all.filter(|name| !listed.contains(name));
            lacking.extend(gone.map(|name| (name.clone(), None)));
        }
        let profile = self.profiles.get(member.get());
        if profile.is_some_and(|profile| profile.kept.first_synced.is_some()) {
            lacking = self.brake_list(member, lacking, listing.before, now);
        }
        for (name, change) in &lacking {
            self.replace(&(member, name.clone()), change.clone(), false, now);
        }
        lacking
    }
}
