//! What the writer looks after once in a second.

use std::time::Duration;

use crate::model::limits::{MEMBER_HOSTNAMES, PROBE_INTERVAL, SHARD_ADDRESSES};
use crate::publish::disk::fact::MemberMeta;
use crate::publish::disk::files::{FileOwner, MemberImage};
use crate::publish::now::Now;
use crate::publish::world::World;
use crate::snapshot::{Counts, Snapshot};
use crate::telemetry::SnapshotSums;

/// How often the time of live facts is written down.
const SEEN: Duration = Duration::from_secs(60);

impl World {
    /// Looks after everything.
    pub(in crate::publish) fn run_housekeeping(&mut self, now: Now) {
        self.shards
            .addresses
            .forget_hostnames(&mut self.out, now.instant);
        self.overrides.lingering.settle(&mut self.out, now.instant);
        self.rewrite_stale_files(now);
        self.look_after_findings(now);
        if self.seen <= now.instant {
            self.seen = now.instant + SEEN;
            self.members.keep_seen(&mut self.out, now.wall);
        }
    }

    /// Looks after what is known of addresses, and has all findings written anew if that is owed.
    pub(in crate::publish) fn look_after_findings(&mut self, now: Now) {
        let Self {
            members,
            shards,
            out,
            ..
        } = self;
        let known = &mut shards.addresses.findings;
        known.look_after(out, now);
        if !out.record.is_owed(known.findings(), now.instant) {
            return;
        }
        let found = (
            shards.addresses.findings.findings(),
            shards.addresses.findings.asked(),
        );
        let others = (members.records(out, now), shards.records(out, now));
        let here = out.builder.fleet().locality.clone();
        (out.record).write(here.as_ref(), found, others, now.instant, now.wall);
    }

    /// Has files written anew that are behind.
    pub(in crate::publish) fn rewrite_stale_files(&mut self, now: Now) {
        for owner in self.out.stale_files(now.instant) {
            match &owner {
                FileOwner::Fleet => {
                    let names = self.shards.addresses.hostnames();
                    let names = names.map(|(name, to)| (name.clone(), Some(to.clone())));
                    let kept = MemberMeta {
                        serial: self.serial,
                        longest_ttl: Some(self.overrides.lingering.longest_ttl()),
                        hostnames: names.collect(),
                        ..MemberMeta::default()
                    };
                    self.out.replace_file(
                        &owner,
                        MemberImage {
                            kept,
                            services: Vec::new(),
                        },
                    );
                }
                FileOwner::Member(name) => match self.members.index.get(name) {
                    Some(&member) => {
                        if let Some(profile) = self.members.profiles.get(&member) {
                            self.out.keep_whole(member, &profile.kept);
                        }
                    }
                    None => self.out.remove_file(name.clone()),
                },
            }
        }
    }

    /// Keeps facts off the disk after the last publication of what is frozen.
    pub(in crate::publish) fn follow_freeze(&mut self, was_frozen: bool) {
        if !was_frozen && self.overrides.is_frozen() {
            self.out.set_frozen(true);
        }
    }

    /// Shows members as they are, and lets their facts to the disk, once answers are not frozen.
    pub(in crate::publish) fn follow_thaw(&mut self, was_frozen: bool, now: Now) {
        if was_frozen && !self.overrides.is_frozen() {
            self.out.set_frozen(false);
            self.rewrite_stale_files(now);
            self.look_after_findings(now);
            self.members.show_all(&mut self.out);
        }
    }

    /// Looks after ends and shares of what operators have decided, once in a second.
    pub(in crate::publish) fn oversee(&mut self, published: &Snapshot, now: Now) {
        if self.overrides.is_saving() {
            return;
        }
        let was_frozen = self.overrides.is_frozen();
        let Self { overrides, out, .. } = self;
        overrides.end_what_is_over(published, out, now);
        self.follow_thaw(was_frozen, now);
        let Self { overrides, out, .. } = self;
        out.is_dirty |= overrides.apply_shares(published, out, now);
        overrides.catch_up(now.instant);
    }

    /// Counts limits that more of what facts ask for exceeds than before.
    pub(in crate::publish) fn count_exceeded(&self, before: &Counts, now: &Counts) {
        let rises = [
            (&SHARD_ADDRESSES, before.overfull, now.overfull),
            (&PROBE_INTERVAL, before.hurried, now.hurried),
            (&MEMBER_HOSTNAMES, before.unresolved, now.unresolved),
        ];
        for (limit, before, now) in rises {
            let more = now.saturating_sub(before);
            self.out.metrics.limit_exceeded_often(limit, more as u64);
        }
    }

    /// Shows the sums of a snapshot.
    pub(in crate::publish) fn measure(&mut self, snapshot: &Snapshot) {
        let counts = snapshot.counts();
        let federations = snapshot.fleet().federations.iter();
        let names = federations.map(|federation| federation.name.as_str());
        self.out.metrics.published(&SnapshotSums {
            generation: snapshot.generation().0,
            serial: snapshot.serial().0,
            services: counts.services,
            without_member: names.zip(counts.without_member.iter().copied()).collect(),
            ignored: counts.ignored,
            unpublished: counts.unpublished,
            disagreeing: counts.disagreeing,
            unprobed: counts.unprobed,
            contested: snapshot.vantages().contested().len(),
        });
        self.tell_contested(snapshot);
    }

    /// Shows the gauges of every member, and of shards.
    pub(in crate::publish) fn show_gauges(&self, snapshot: &Snapshot) {
        self.out.metrics.set_damped(self.shards.damped());
        self.members.show_gauges(snapshot, &self.out);
    }
}
