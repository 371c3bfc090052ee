//! What follows from a change of a member's contact: logs, what is shown, what is kept.

use std::sync::Arc;

use tokio::time::Instant;

use super::profile::status;
use super::states::{ContactEvent, StateTransition};
use crate::model::{EventKind, MemberIdx, MemberState};
use crate::publish::disk::fact::Fact;
use crate::publish::members::FleetMembers;
use crate::publish::now::Now;
use crate::publish::outbox::Outbox;
use crate::publish::outbox::events::TransitionEvent;
use crate::publish::shards::FleetShards;

impl FleetMembers {
    /// Something happened to a member's contact.
    pub(in crate::publish) fn on_contact_event(
        &mut self,
        member: MemberIdx,
        event: ContactEvent,
        shards: &mut FleetShards,
        out: &mut Outbox,
        now: Now,
    ) {
        let braked = self.states.braked();
        let transitions = self.states.on_contact_event(member, event, now.instant);
        self.follow(&transitions, &braked, shards, out, now);
    }

    /// Does what is due.
    pub(in crate::publish) fn turn(
        &mut self,
        shards: &mut FleetShards,
        out: &mut Outbox,
        now: Now,
    ) {
        if self.hold_due.is_some_and(|due| due <= now.instant) {
            self.count_holds(out, now.instant);
        }
        let deadline = self.states.deadline();
        if deadline.is_some_and(|deadline| deadline <= now.instant) {
            self.settle(shards, out, now);
        }
    }

    /// When something is due next by itself.
    pub(in crate::publish) fn deadline(&self) -> Option<Instant> {
        let deadlines = [self.states.deadline(), self.hold_due];
        deadlines.into_iter().flatten().min()
    }

    /// Time has passed.
    fn settle(&mut self, shards: &mut FleetShards, out: &mut Outbox, now: Now) {
        let braked = self.states.braked();
        let transitions = self.states.settle(now.instant);
        self.follow(&transitions, &braked, shards, out, now);
    }

    /// Shows what has changed in the states. `braked` are the federations whose brake was on before.
    pub(in crate::publish) fn follow(
        &mut self,
        transitions: &[StateTransition],
        braked: &[usize],
        shards: &mut FleetShards,
        out: &mut Outbox,
        now: Now,
    ) {
        for transition in transitions {
            self.transit(*transition, out, now);
            if self.states.is_lost(transition.member) {
                let why = "its member is lost, and its hold has passed";
                shards.release_all(transition.member, (why, None), out, now);
            }
        }
        let federations = 0..out.builder.fleet().federations.len();
        let contacts = federations
            .clone()
            .map(|federation| self.states.contact(federation));
        out.is_dirty |= out.builder.set_contacts(contacts.collect());
        self.count_holds(out, now.instant);
        self.keep_contacts(out, now);
        self.show_outlooks(out, now);
        for federation in federations {
            let was_braked = braked.contains(&federation);
            if was_braked != self.states.is_braked(federation) {
                self.show_fleet_brake(federation, was_braked, out, now);
            }
        }
    }

    /// Has what has changed of the contact to members written. What withdraws one is on disk before
    /// answers follow.
    pub(in crate::publish) fn keep_contacts(&mut self, out: &mut Outbox, now: Now) {
        let fleet = Arc::clone(out.builder.fleet());
        let members = fleet.members.iter();
        for (index, member) in members {
            let Some(profile) = self.profiles.get_mut(&index) else {
                continue;
            };
            let contact = self.states.record(index, &fleet, now);
            if contact == profile.contact {
                continue;
            }
            let withdraws = contact.withdrawn() > profile.contact.withdrawn();
            let name = member.name.as_str();
            (out.record).member(name, contact.clone(), withdraws, now.instant);
            profile.contact = contact;
        }
    }

    /// Shows of each held member when it is withdrawn, if nothing else happens.
    fn show_outlooks(&mut self, out: &mut Outbox, now: Now) {
        let members: Vec<MemberIdx> = self.profiles.keys().copied().collect();
        for index in members {
            let is_held = self.states.state(index) == Some(MemberState::Held);
            let outlook = is_held.then(|| self.outlook(index, out, now)).flatten();
            if let Some(profile) = self.profiles.get_mut(&index)
                && profile.outlook != outlook
            {
                profile.outlook = outlook;
                self.show(index, out);
            }
        }
    }

    /// When a held member is withdrawn, if nothing else happens.
    fn outlook(&self, member: MemberIdx, out: &Outbox, now: Now) -> Option<String> {
        let federations: Vec<usize> = self.states.federations(member).collect();
        let braked = federations.iter().filter_map(|federation| {
            let (on, until) = self.states.brake(*federation)?;
            let name = &out.builder.fleet().federations.get(*federation)?.name;
            let (on, until) = (now.wall_of(on), now.wall_of(until));
            Some(format!("{name}: on since {on}, until {until} at most"))
        });
        let braked: Vec<String> = braked.collect();
        if !braked.is_empty() {
            let braked = braked.join("; ");
            return Some(format!(
                "most members were lost at once: none is withdrawn for now (brake of {braked})"
            ));
        }
        let passes = self.states.hold_passes(member)?;
        let at = now.wall_of(passes);
        Some(format!(
            "will be withdrawn at {at} where a live alternative is left"
        ))
    }

    /// The brake on lost members of a federation went on or off.
    fn show_fleet_brake(&self, federation: usize, was_braked: bool, out: &mut Outbox, now: Now) {
        out.metrics.set_braked(!self.states.braked().is_empty());
        let Some(rules) = out.builder.fleet().federations.get(federation) else {
            return;
        };
        let (from, to, why) = if was_braked {
            let why = "lost members are no longer most, or others were in contact for long enough: \
                       holds count again";
            ("on", "off", why)
        } else {
            let why = "most members were lost at once: none is withdrawn for now";
            ("off", "on", why)
        };
        let transited = TransitionEvent {
            kind: EventKind::Brake,
            subject: format!("members of {}", rules.name),
            from: from.to_owned(),
            to: to.to_owned(),
            why: why.to_owned(),
            by: None,
            is_worse: !was_braked,
        };
        out.transited(now, transited);
    }

    /// A member came into another state, or is withdrawn from another federation.
    fn transit(&mut self, transition: StateTransition, out: &mut Outbox, now: Now) {
        let StateTransition { member, from, to } = transition;
        let suppressed = self.states.suppressed(member);
        let Some(profile) = self.profiles.get_mut(&member) else {
            return;
        };
        let mut must_keep_seen = false;
        if from != to {
            profile.since = now.wall;
            must_keep_seen = from == MemberState::Ready && profile.kept.first_synced.is_some();
            if must_keep_seen {
                profile.kept.seen = Some(now.wall);
            }
        }
        match to {
            MemberState::Ready | MemberState::Syncing(_) => profile.reason = None,
            MemberState::NeverSynced if profile.reason.is_none() => {
                profile.reason = Some("not one complete list within sync-timeout".into());
            }
            MemberState::Returning => {
                if let Some((count, until)) = suppressed {
                    let left = until.duration_since(now.instant).as_secs();
                    profile.reason = Some(format!(
                        "back in contact, suppressed for {left} s after {count} withdrawals"
                    ));
                }
            }
            _ => {}
        }
        let reason = profile.reason.clone();
        if must_keep_seen {
            out.keep(member, Fact::Seen(now.wall));
        }
        self.show(member, out);
        let Some(name) = out.name(member) else {
            return;
        };
        let why = match to {
            _ if from == to => "its contact changed in one federation".to_owned(),
            MemberState::Lost => reason.map_or_else(
                || "its hold has passed".to_owned(),
                |reason| format!("its hold has passed: {reason}"),
            ),
            MemberState::Held | MemberState::NeverSynced => reason.unwrap_or_default(),
            MemberState::Ready if from == MemberState::Returning => "back in contact".to_owned(),
            MemberState::Ready => "in contact, its services are known".to_owned(),
            MemberState::Returning => reason
                .filter(|_| suppressed.is_some())
                .unwrap_or_else(|| "answers again, and is listing".to_owned()),
            MemberState::Syncing(_) => "its facts were another cluster's".to_owned(),
        };
        let is_worse = matches!(
            to,
            MemberState::Held | MemberState::Lost | MemberState::NeverSynced
        );
        let transited = TransitionEvent {
            kind: EventKind::Member,
            subject: name.to_string(),
            from: from.to_string(),
            to: to.to_string(),
            why,
            by: None,
            is_worse,
        };
        out.transited(now, transited);
    }

    /// Notes how long holds last yet; the last seconds are published one by one.
    fn count_holds(&mut self, out: &mut Outbox, now: Instant) {
        let federations = 0..out.builder.fleet().federations.len();
        let left = federations
            .clone()
            .map(|federation| self.states.hold_left(federation, now));
        let left: Vec<Option<u32>> = left.collect();
        let next = federations.filter_map(|federation| self.states.next_hold_left(federation, now));
        self.hold_due = next.min();
        out.is_dirty |= out.builder.set_hold_left(left);
    }

    /// Shows a member as it is now.
    pub(in crate::publish) fn show(&self, member: MemberIdx, out: &mut Outbox) {
        let (Some(name), Some(profile), Some(state)) = (
            out.name(member),
            self.profiles.get(&member),
            self.states.state(member),
        ) else {
            return;
        };
        let status = status(&name, profile, state);
        out.builder.set_status(member, status);
        out.is_dirty = true;
    }
}
