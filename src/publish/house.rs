//! What the writer looks after once in a second.

use std::time::Duration;

use tokio::time::Instant;

use super::begin::members;
use super::fact::{Fact, Kept};
use super::files::{Owner, Whole};
use super::now::Now;
use super::world::World;
use crate::model::{MemberState, UnixSeconds};
use crate::snapshot::Snapshot;
use crate::telemetry::MemberGauges;

/// How often the time of live facts is written down.
const SEEN: Duration = Duration::from_secs(60);

/// How long the addresses of a host name are kept after no service names it.
const UNWANTED: Duration = Duration::from_secs(600);

impl World {
    /// Looks after everything.
    pub(super) fn keep_house(&mut self, now: Now) {
        self.forget_hostnames(now.instant);
        self.lingering.settle(&mut self.out, now.instant);
        self.pay_disk(now);
        self.look_after_findings(now);
        if self.seen <= now.instant {
            self.seen = now.instant + SEEN;
            self.keep_seen(now.wall);
        }
    }

    /// Looks after what is known of addresses, and has all findings written anew if that is owed.
    pub(super) fn look_after_findings(&mut self, now: Now) {
        self.known.look_after(&mut self.out, now);
        if !self.out.record.is_owed(self.known.findings(), now.instant) {
            return;
        }
        let members = members(&self.config).zip(&self.profiles);
        let members =
            members.map(|((_, member), it)| (member.name.to_string(), it.contact.clone()));
        let shards = self.damping.records(now);
        let shards = shards.filter_map(|(key, record)| Some((self.key_on_disk(key)?, record)));
        let others = (members.collect(), shards.collect());
        let found = (self.known.findings(), self.known.asked());
        let here = self.config.fleet.locality.as_ref();
        (self.out.record).write(here, found, others, now.instant, now.wall);
    }

    /// Writes down that the facts of all ready members are live now.
    pub(super) fn keep_seen(&mut self, wall: UnixSeconds) {
        for (index, member) in members(&self.config) {
            let Some(profile) = self.profiles.get_mut(index.get()) else {
                continue;
            };
            let is_ready = self.states.state(index) == Some(MemberState::Ready);
            if is_ready {
                profile.kept.seen = Some(wall);
                self.out
                    .disk
                    .append(&Owner::Member(member.name.clone()), Fact::Seen(wall));
            }
        }
    }

    /// Forgets the addresses of host names that no service has named for long.
    fn forget_hostnames(&mut self, now: Instant) {
        let disk = &mut self.out.disk;
        self.hostnames.retain(|name, (_, unwanted)| {
            let is_kept = unwanted.is_none_or(|since| now < since + UNWANTED);
            if !is_kept {
                disk.append(&Owner::Fleet, Fact::Hostname(name.clone(), None));
            }
            is_kept
        });
    }

    /// Has files written anew that are behind.
    pub(super) fn pay_disk(&mut self, now: Now) {
        for owner in self.out.disk.owed(now.instant) {
            match &owner {
                Owner::Fleet => {
                    let names = self.hostnames.iter();
                    let names = names.map(|(name, (to, _))| (name.clone(), Some(to.clone())));
                    let kept = Kept {
                        serial: self.serial,
                        longest_ttl: Some(self.lingering.longest_ttl()),
                        hostnames: names.collect(),
                        ..Kept::default()
                    };
                    self.out.disk.replace(
                        &owner,
                        Whole {
                            kept,
                            services: Vec::new(),
                        },
                    );
                }
                Owner::Member(name) => match self.index.get(name) {
                    Some(&member) => {
                        if let Some(profile) = self.profiles.get(member.get()) {
                            self.out.keep_whole(member, &profile.kept);
                        }
                    }
                    None => self.out.disk.remove(&owner),
                },
            }
        }
    }

    /// Shows every member's gauges.
    pub(super) fn show_gauges(&self, snapshot: &Snapshot) {
        self.out.metrics.set_damped(self.damping.damped());
        for (index, member) in members(&self.config) {
            let (Some(state), Some(profile)) =
                (self.states.state(index), self.profiles.get(index.get()))
            else {
                continue;
            };
            let last_live = profile.kept.seen.filter(|_| state != MemberState::Ready);
            let gauges = MemberGauges {
                state,
                last_live,
                services: snapshot.exported(index),
                warnings: profile.warnings.len(),
            };
            self.out.metrics.set_member(member.name.as_str(), &gauges);
        }
    }
}
