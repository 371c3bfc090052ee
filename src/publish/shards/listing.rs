//! Complete lists of members, folded in slices: a first list of a million services takes seconds,
//! and changes of other members go out between its slices.
//!
//! What a member says after its list waits for the end of it. Only there is what it lacks removed
//! and its member in sync.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use tracing::info;

use super::lists::{ListedChange, Listing, SLICE};
use crate::model::{MemberIdx, NamespacedName, Service};
use crate::publish::disk::fact::{Fact, MemberMeta};
use crate::publish::disk::files::{FileOwner, MemberImage};
use crate::publish::now::Now;
use crate::publish::outbox::Outbox;
use crate::publish::shards::{FleetShards, standing_of};

impl FleetShards {
    /// A member has a complete list: what was kept back of it for a moment is in it, or gone.
    pub(in crate::publish) fn begin_list(
        &mut self,
        member: MemberIdx,
        services: Vec<(NamespacedName, Arc<Service>)>,
        out: &Outbox,
    ) -> Listing {
        self.pending.cancel_member(member);
        Listing {
            services,
            before: out.builder.count(member),
            folded: 0,
            changed: Vec::new(),
            lacking: Vec::new(),
            waiting: VecDeque::new(),
        }
    }

    /// Folds a slice of a list. What would be withdrawn waits for its end. Returns whether that has come.
    pub(in crate::publish) fn apply_slice(
        &mut self,
        member: MemberIdx,
        listing: &mut Listing,
        out: &mut Outbox,
        now: Now,
    ) -> bool {
        let slice = listing.services.iter().enumerate();
        for (place, (name, service)) in slice.skip(listing.folded).take(SLICE) {
            let key = (member, name.clone());
            let old = out.builder.fact(member, name).map(|facts| &**facts);
            let to = standing_of(member, Some(service), out);
            if standing_of(member, old, out).withdraws(to) {
                listing.lacking.push(place);
            } else if self.replace(&key, Some(Arc::clone(service)), false, out, now) {
                listing.changed.push(place);
            }
        }
        listing.folded += SLICE;
        listing.folded >= listing.services.len()
    }

    /// Folds the end of a list: what is not in it is gone, unless the brake holds that back; and has the
    /// list written, with what is kept of its member besides.
    pub(in crate::publish) fn end_list(
        &mut self,
        member: MemberIdx,
        listing: Listing,
        (kept, is_first): (MemberMeta, bool),
        out: &mut Outbox,
        now: Now,
    ) {
        let withdrawn = self.apply_lacking(member, &listing, is_first, out, now);
        let services = listing.services;
        let name = out.name(member);
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
                out.keep(member, fact);
            }
        } else if self.brake.of(member).is_some() {
            out.keep_whole(member, &kept);
        } else if let Some(name) = &name {
            let whole = MemberImage { kept, services };
            out.replace_file(&FileOwner::Member(name.clone()), whole);
        }
        info!(
            member = name.map(tracing::field::display),
            services = total,
            changed = count,
            "synced"
        );
        out.is_dirty = true;
    }

    /// Makes the withdrawals of a list, as far as the brake lets it, and says which.
    fn apply_lacking(
        &mut self,
        member: MemberIdx,
        listing: &Listing,
        is_first: bool,
        out: &mut Outbox,
        now: Now,
    ) -> Vec<ListedChange> {
        let unready = listing.lacking.iter();
        let unready = unready.filter_map(|place| listing.services.get(*place));
        let mut lacking: Vec<ListedChange> = unready
            .map(|(name, facts)| (name.clone(), Some(Arc::clone(facts))))
            .collect();
        // Every service of the list is there, so it is complete when the numbers are the same.
        if out.builder.count(member) != listing.services.len() {
            let listed: HashSet<_> = listing.services.iter().map(|(name, _)| name).collect();
            let all = out.builder.facts(member).map(|(name, _)| name);
            let gone = all.filter(|name| !listed.contains(name));
            lacking.extend(gone.map(|name| (name.clone(), None)));
        }
        if !is_first {
            lacking = self.brake_list(member, lacking, listing.before, out, now);
        }
        for (name, change) in &lacking {
            self.replace(&(member, name.clone()), change.clone(), false, out, now);
        }
        lacking
    }
}
