//! What the writer looks after once in a second.

use std::time::Duration;

use tokio::time::Instant;

use super::begin::members;
use super::fact::{Fact, Kept};
use super::files::{Owner, Whole};
use super::world::{Now, World};
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
        self.forget_lingering(now.instant);
        self.pay_disk(now);
        self.look_after_findings(now);
        if self.seen <= now.instant {
            self.seen = now.instant + SEEN;
            self.keep_seen(now.wall);
        }
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
                self.disk
                    .append(&Owner::Member(member.name.clone()), Fact::Seen(wall));
            }
        }
    }

    /// Forgets the addresses of host names that no service has named for long.
    fn forget_hostnames(&mut self, now: Instant) {
        let disk = &mut self.disk;
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
        for owner in self.disk.owed(now.instant) {
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
                    self.disk.replace(
                        &owner,
                        Whole {
                            kept,
                            services: Vec::new(),
                        },
                    );
                }
                Owner::Member(name) => match self.index.get(name) {
                    Some(&member) => self.keep_whole(member),
                    None => self.disk.remove(&owner),
                },
            }
        }
    }

    /// Shows every member's gauges.
    pub(super) fn show_gauges(&self, snapshot: &Snapshot) {
        self.metrics.set_damped(self.damping.damped());
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
            self.metrics.set_member(member.name.as_str(), &gauges);
        }
    }
}
