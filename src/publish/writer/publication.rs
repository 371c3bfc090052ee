//! Publications: a new snapshot is made, takes the place of the one before, and all who follow it are
//! told.

use std::sync::Arc;

use tokio::time::Instant;
use tracing::{info, warn};

use super::run::Core;
use crate::model::OverridesNews;
use crate::publish::disk::fact::Fact;
use crate::publish::now::Now;
use crate::publish::overrides::WrittenCommand;
use crate::publish::world::World;
use crate::publish::zone_keys::zone_keys;
use crate::telemetry::clock;

impl Core {
    /// Puts in force what a command has decided, once that is on disk, publishes it, and answers whoever
    /// gave the command.
    pub(in crate::publish) fn publish_decided(&mut self, written: Option<WrittenCommand>) {
        let Some((order, written)) = written else {
            return;
        };
        let outcome = written.map(|()| {
            let now = self.now();
            let was_frozen = self.world.overrides.is_frozen();
            let World { overrides, out, .. } = &mut self.world;
            let outcome = overrides.put_in_force(&order, &self.snapshots.load(), out, now);
            self.world.follow_thaw(was_frozen, now);
            // The last publication before a freeze, or the first after a thaw, is due too.
            if !was_frozen || !self.world.overrides.is_frozen() {
                self.publish(now);
            }
            self.world.follow_freeze(was_frozen);
            outcome
        });
        // Whoever asked may have gone away; the command is obeyed all the same.
        drop(order.request.reply.send(outcome));
    }

    /// Takes in what is heard of the overrides of a host cluster.
    pub(in crate::publish) fn hear_host(&mut self, news: OverridesNews) {
        let now = self.now();
        let overrides = &mut self.world.overrides;
        let (moment, ahead) = (overrides.clock.now(now.instant), overrides.clock.ahead());
        match overrides.host.hear(news, moment, ahead) {
            Some(Ok(what)) => info!("{what}"),
            Some(Err(trouble)) => warn!("{trouble}"),
            None => {}
        }
        self.follow_host(now);
        // How the host is known is news too.
        let World { overrides, out, .. } = &mut self.world;
        out.is_dirty |= overrides.apply_shares(&self.snapshots.load_full(), out, now);
    }

    /// Puts in force what a host cluster has by now, publishes it, and has it written.
    pub(in crate::publish) fn follow_host(&mut self, now: Now) {
        let was_frozen = self.world.overrides.is_frozen();
        let published = self.snapshots.load_full();
        let World { overrides, out, .. } = &mut self.world;
        if overrides.follow_host(&published, out, now) {
            out.is_dirty |= overrides.apply_shares(&published, out, now);
            drop(published);
            self.world.follow_thaw(was_frozen, now);
            // The last publication before a freeze, or the first after a thaw, is due too.
            if !was_frozen || !self.world.overrides.is_frozen() {
                self.publish(now);
            }
            self.world.follow_freeze(was_frozen);
        }
        self.confirm_for_host(now);
        let World { overrides, out, .. } = &mut self.world;
        overrides.keep_host(out, now.instant);
    }

    /// Takes what zones are signed with, and publishes it: also while answers are frozen, since keys go by
    /// the clock and what caches have of them.
    pub(in crate::publish) fn take_keys(&mut self) {
        let told = Arc::clone(&self.keys.borrow_and_update());
        if told.is_empty() && self.world.keys.is_empty() {
            return;
        }
        let now = self.now();
        self.world.keys = told;
        self.world.sign();
        if self.world.overrides.is_frozen() {
            let keys = zone_keys(&self.world.config, &self.world.keys);
            let signed = self.snapshots.load().with_zone_keys(keys);
            let before = self.snapshots.swap(Arc::new(signed));
            self.retired.push(before);
            self.retired.sweep();
        } else {
            self.publish(now);
        }
    }

    /// Publishes what was folded and what is in force.
    pub(in crate::publish) fn publish(&mut self, now: Now) {
        self.publish_hostnames(now.instant);
        let World { overrides, out, .. } = &mut self.world;
        overrides.apply_shares(&self.snapshots.load_full(), out, now);
        self.publish_unconfirmed();
        let serial = self.serial.publish(now.instant, now.wall);
        if self.world.serial.replace(serial) != Some(serial) {
            self.world.out.keep_of_fleet(Fact::Serial(serial));
        }
        self.generation.0 += 1;
        let snapshot = self.world.out.builder.snapshot(self.generation, serial);
        self.publish_targets();
        self.world.measure(&snapshot);
        let World { overrides, out, .. } = &mut self.world;
        overrides.lingering.raise_longest_ttl(out);
        let snapshot = Arc::new(snapshot);
        let before = self.snapshots.swap(Arc::clone(&snapshot));
        self.world
            .count_exceeded(before.counts(), snapshot.counts());
        let replaced = clock::monotonic();
        let World { overrides, out, .. } = &mut self.world;
        overrides
            .lingering
            .follow(&before, &snapshot, out, replaced);
        self.retired.push(before);
        self.retired.sweep();
        self.pace.published(now.instant);
        self.world.out.is_dirty = false;
        self.become_ready(now.instant);
        self.answer_confirmed();
    }

    /// Tells what to probe, when the set has changed.
    fn publish_targets(&mut self) {
        let targets = self.world.out.builder.targets();
        self.targets.send_if_modified(|told| {
            let is_new = !told.ptr_eq(targets);
            if is_new {
                told.clone_from(targets);
            }
            is_new
        });
    }

    /// Tells which members are to be listed anew, when the set has changed.
    pub(super) fn publish_unconfirmed(&mut self) {
        let World {
            members,
            shards,
            out,
            ..
        } = &mut self.world;
        if let Some(members) = members.show_brake(shards, out) {
            self.unconfirmed.send_replace(Arc::new(members));
        }
    }

    /// Tells which host names to resolve, when the set has changed.
    pub(super) fn publish_hostnames(&mut self, now: Instant) {
        let World { shards, out, .. } = &mut self.world;
        if let Some(names) = shards.addresses.wanted_hostnames(out, now) {
            self.hostnames.send_replace(Arc::new(names));
        }
    }
}
