//! What is held back by the brake: what it takes to hold it, to show it, and to let it go.

use std::collections::HashSet;
use std::sync::Arc;

use tracing::info;

use super::key::{ShardKey, ShardUpdate};
use super::lists::ListedChange;
use super::withdrawal_brake::WithdrawalBrake;
use crate::model::{EventKind, MemberIdx, NamespacedName, Pattern, Peer};
use crate::publish::command::giver;
use crate::publish::now::Now;
use crate::publish::outbox::Outbox;
use crate::publish::outbox::events::TransitionEvent;
use crate::publish::shards::{FleetShards, standing_of};
use crate::snapshot::Condition;

/// Why something is no longer held back, and who gave the command for it, if somebody has.
type ReleaseReason<'w> = (&'w str, Option<Peer>);

/// Withdrawals that are made before anything else is looked at.
const TURN: usize = 1024;

impl FleetShards {
    /// Holds a withdrawal back, for a reason that its member may have had already.
    pub(super) fn hold_back(
        &mut self,
        key: &ShardKey,
        change: ShardUpdate,
        why: &str,
        out: &mut Outbox,
        now: Now,
    ) {
        let is_first = self.brake.hold(key, change, why, now);
        self.show_held_back(key, out, now);
        if is_first {
            brake_transited(key.0, ("off", "on"), (why, None), out, now);
        }
        self.is_brake_changed = true;
        out.is_dirty = true;
    }

    /// Says of a shard that its withdrawal is held back.
    pub(super) fn show_held_back(&mut self, key: &ShardKey, out: &mut Outbox, now: Now) {
        let Some(held) = self.brake.of(key.0) else {
            return;
        };
        let why = format!("withdrawal held back until confirmed: {}", held.why);
        let condition = Condition {
            since: held.since,
            damped_until: self
                .damping
                .condition(key, now)
                .and_then(|c| c.damped_until),
            why: why.into(),
        };
        out.set_condition(key, Some(condition));
    }

    /// A member has a shard again whose withdrawal is held back, if it is.
    pub(super) fn take_back(&mut self, key: &ShardKey, out: &mut Outbox, now: Now) {
        if self.brake.take(key).is_some() {
            let condition = self.damping.condition(key, now);
            out.set_condition(key, condition);
            self.let_go(key.0, ("the member has them again", None), out, now);
        }
    }

    /// Makes a withdrawal that was held back.
    fn release(&mut self, key: &ShardKey, why: ReleaseReason<'_>, out: &mut Outbox, now: Now) {
        let Some(change) = self.brake.take(key) else {
            return;
        };
        let condition = self.damping.condition(key, now);
        out.set_condition(key, condition);
        self.put(key, change, false, out, now);
        self.let_go(key.0, why, out, now);
    }

    /// Has all withdrawals of a member made that are held back. Returns how many.
    pub(in crate::publish) fn release_all(
        &mut self,
        member: MemberIdx,
        (why, by): ReleaseReason<'_>,
        out: &mut Outbox,
        now: Now,
    ) -> usize {
        let Some(held) = self.brake.of(member) else {
            return 0;
        };
        let why: Arc<str> = why.into();
        let names = held.names().map(|name| (member, name.clone()));
        let releases = names.map(|key| (key, Arc::clone(&why), by));
        let before = self.releases.waiting.len();
        self.releases.waiting.extend(releases);
        let count = self.releases.waiting.len() - before;
        self.fold_releases(out, now);
        count
    }

    /// Makes some of the withdrawals that are no longer held back.
    pub(super) fn fold_releases(&mut self, out: &mut Outbox, now: Now) {
        for _ in 0..TURN {
            let Some((key, why, by)) = self.releases.waiting.pop_front() else {
                return;
            };
            self.releases.done += 1;
            self.release(&key, (&why, by), out, now);
        }
    }

    /// Makes all of them.
    pub(in crate::publish) fn fold_all_releases(&mut self, out: &mut Outbox, now: Now) {
        while !self.releases.is_empty() {
            self.fold_releases(out, now);
        }
    }

    /// Something of a member is no longer held back.
    fn let_go(&mut self, member: MemberIdx, why: ReleaseReason<'_>, out: &mut Outbox, now: Now) {
        self.is_brake_changed = true;
        out.is_dirty = true;
        if self.brake.of(member).is_none() {
            brake_transited(member, ("on", "off"), why, out, now);
        }
    }

    /// Takes out of the withdrawals of a complete list what is not to be done yet, and gives back the
    /// rest. A list that comes long enough after the one that was held back, and says the same,
    /// confirms it. `before` is how many services the member had.
    pub(super) fn brake_list(
        &mut self,
        member: MemberIdx,
        lacking: Vec<ListedChange>,
        before: usize,
        out: &mut Outbox,
        now: Now,
    ) -> Vec<ListedChange> {
        let confirmed = self.compare(member, &lacking, out, now);
        let all = before.saturating_sub(confirmed.len());
        let is_new = |(name, _): &&ListedChange| !self.brake.holds(&(member, name.clone()));
        let new = lacking.iter().filter(is_new).count();
        let is_too_much = WithdrawalBrake::is_half(new, all) && self.is_brake_on(member, out);
        let list = is_too_much.then(|| format!("a list lacks {new} of {all} services"));
        let mut let_through = Vec::new();
        for (name, change) in lacking {
            let key = (member, name);
            if confirmed.contains(&key.1) {
                let condition = self.damping.condition(&key, now);
                self.brake.take(&key);
                out.set_condition(&key, condition);
                self.let_go(member, ("confirmed by a second list", None), out, now);
                let_through.push((key.1, change));
            } else if self.brake.holds(&key) {
                self.hold_back(&key, change, "", out, now);
            } else if let Some(why) = self.refusal(&key, list.as_deref(), out, now) {
                self.hold_back(&key, change, &why, out, now);
            } else {
                // It counts at once, for those that follow in the same list.
                self.replace(&key, change.clone(), true, out, now);
                let_through.push((key.1, change));
            }
        }
        let_through
    }

    /// Compares what is held back of a member with what its list lacks: forgets what it has again,
    /// and gives back what it confirms.
    fn compare(
        &mut self,
        member: MemberIdx,
        lacking: &[ListedChange],
        out: &mut Outbox,
        now: Now,
    ) -> HashSet<NamespacedName> {
        let held = self.brake.of(member);
        let held: Vec<_> = held.map_or_else(Vec::new, |held| held.names().cloned().collect());
        if held.is_empty() {
            return HashSet::new();
        }
        let lacking: HashSet<&NamespacedName> = lacking.iter().map(|(name, _)| name).collect();
        let mut confirmed = HashSet::new();
        for name in held {
            let key = (member, name);
            if !lacking.contains(&key.1) {
                self.take_back(&key, out, now);
            } else if self.brake.is_confirmed(&key, now.instant) {
                confirmed.insert(key.1);
            }
        }
        confirmed
    }

    /// Why a withdrawal by a list is not made: for what is wrong with the list as a whole, which a
    /// probe may contradict, or since it is one too many.
    fn refusal(
        &mut self,
        key: &ShardKey,
        list: Option<&str>,
        out: &mut Outbox,
        now: Now,
    ) -> Option<String> {
        let (member, name) = key;
        let old = out.builder.fact(*member, name).cloned();
        let Some(list) = list else {
            let from = standing_of(*member, old.as_deref(), out);
            return self.is_too_much(key, old.as_deref(), from, out, now);
        };
        let is_down = old.is_some_and(|old| self.addresses.is_down((*member, name), &old, out));
        (!is_down).then(|| list.to_owned())
    }

    /// A source knows, or knows no more, that what it says of its member is whole. Whatever was
    /// held back of what it said before is then right.
    pub(in crate::publish) fn mark(
        &mut self,
        member: MemberIdx,
        is_whole: bool,
        out: &mut Outbox,
        now: Now,
    ) {
        self.brake.set_exempt(member, is_whole);
        if is_whole {
            self.release_all(
                member,
                ("confirmed: the facts file is complete", None),
                out,
                now,
            );
        }
    }

    /// Whether the lists of a member are looked at.
    fn is_brake_on(&self, member: MemberIdx, out: &Outbox) -> bool {
        let Some(name) = out.name(member).filter(|_| !self.brake.is_exempt(member)) else {
            return false;
        };
        let federations = out.builder.fleet().federations.iter().enumerate();
        let its = federations.filter(|(_, it)| Pattern::any(&it.members, &name));
        self.brake.is_on(its.map(|(index, _)| index))
    }

    /// Makes the withdrawals that probes confirm.
    pub(super) fn confirm_down(&mut self, out: &mut Outbox, now: Now) {
        let down: Vec<ShardKey> = self
            .brake
            .keys()
            .filter(|(member, name)| {
                let facts = out.builder.fact(*member, name);
                facts.is_some_and(|facts| self.addresses.is_down((*member, name), facts, out))
            })
            .collect();
        for key in down {
            self.release(&key, ("confirmed by probes", None), out, now);
        }
    }

    /// An operator says that what is held back of a member is right. Returns how many withdrawals
    /// were.
    pub(in crate::publish) fn confirm(
        &mut self,
        member: MemberIdx,
        by: Option<Peer>,
        out: &mut Outbox,
        now: Now,
    ) -> usize {
        let who = giver(by);
        let why = format!("{who} has confirmed them");
        let count = self.release_all(member, (&why, by), out, now);
        let member = out.name(member).map(tracing::field::display);
        info!(member, withdrawals = count, "confirmed by {who}");
        count
    }

    /// The facts of a member are gone as a whole: nothing is held back of it any more.
    pub(super) fn forget_held_back(&mut self, member: MemberIdx, out: &mut Outbox, now: Now) {
        if !self.brake.take_all(member).is_empty() {
            self.let_go(member, ("the facts are discarded", None), out, now);
        }
    }

    /// Whether more or less is held back than when this was last asked.
    pub(in crate::publish) fn take_brake_changed(&mut self) -> bool {
        std::mem::take(&mut self.is_brake_changed)
    }
}

/// The brake of a member goes on or off.
fn brake_transited(
    member: MemberIdx,
    (from, to): (&str, &str),
    (why, by): ReleaseReason<'_>,
    out: &mut Outbox,
    now: Now,
) {
    let Some(name) = out.name(member) else {
        return;
    };
    let transited = TransitionEvent {
        kind: EventKind::Brake,
        subject: name.to_string(),
        from: from.to_owned(),
        to: to.to_owned(),
        why: why.to_owned(),
        by,
        is_worse: to == "on",
    };
    out.transited(now, transited);
}
