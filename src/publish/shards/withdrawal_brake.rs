//! The brake on withdrawals: what would take much away at once waits until it is confirmed. Pure: it
//! takes `now`, and never acts by itself.
//!
//! ```text
//!                  ┌─ a list that lacks more than half of what its member has
//!  a withdrawal ───┤
//!                  └─ a burst: more than `brake` percent of what its member has in a federation
//!                        │      within 10 s; or such bursts of more than half of the members meet
//!                        │
//!                        ▼         a list 5 s later that still lacks it, a probe, an operator
//!                    held back ───────────────────────────────────────────▶ withdrawn
//!                        │
//!                        └── the member has it again ──▶ as if nothing had been
//! ```
//!
//! A burst counts shards that went out of late and are still out: one that flaps counts once, or
//! not at all. What was confirmed does not count. Each member pays for its own burst alone. What is
//! held back of a member that is lost is let through when its hold passes.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::deadlines::Deadlines;
use super::key::{ShardKey, ShardUpdate};
use crate::model::{CONFIRM_DELAY, MemberIdx, MemberSet, NamespacedName, UnixSeconds};
use crate::publish::now::Now;

/// Withdrawals within this time of each other are one burst.
const WINDOW: Duration = Duration::from_secs(10);

/// Fewer withdrawals are no burst, whatever their share.
const FEWEST: usize = 8;

/// A federation, as the brake sees it.
#[derive(Debug, Clone)]
struct FederationLimit {
    /// The share of its member's shards, in percent, that may go out in one burst; 100 is all.
    percent: u8,
    /// Its shards, by member.
    counts: BTreeMap<MemberIdx, ShardCount>,
    /// The members of which more than that share went out of late.
    bursting: MemberSet,
    /// All shards that went out of late, and are out.
    recent: usize,
}

/// The shards of a member in a federation.
#[derive(Debug, Clone, Copy, Default)]
struct ShardCount {
    /// Those that are ready.
    published: usize,
    /// Those that went out of late, and are out.
    recent: usize,
}

impl ShardCount {
    /// All that it had a moment ago.
    fn all(self) -> usize {
        self.published + self.recent
    }
}

impl FederationLimit {
    /// Nothing is counted.
    fn new(percent: u8) -> Self {
        Self {
            percent,
            counts: BTreeMap::new(),
            bursting: MemberSet::EMPTY,
            recent: 0,
        }
    }

    /// Changes what is counted of a member.
    fn change(&mut self, member: MemberIdx, change: impl Fn(&mut ShardCount)) {
        let count = self.counts.entry(member).or_default();
        let before = count.recent;
        change(count);
        self.recent = (self.recent + count.recent) - before;
        if count.recent * 100 > usize::from(self.percent) * count.all() {
            self.bursting.insert(member);
        } else {
            self.bursting.remove(member);
        }
        if count.all() == 0 {
            self.counts.remove(&member);
        }
    }

    /// Why another withdrawal of a member is too much; `None` when it is not.
    fn refusal(&self, member: MemberIdx) -> Option<String> {
        if self.percent >= 100 || self.recent < FEWEST {
            return None;
        }
        let seconds = WINDOW.as_secs();
        let own = self.counts.get(&member).copied().unwrap_or_default();
        if own.recent >= FEWEST && self.bursting.contains(member) {
            let (recent, all) = (own.recent, own.all());
            return Some(format!(
                "{recent} of its {all} shards went out within {seconds} s"
            ));
        }
        let (bursting, all) = (self.bursting.iter().count(), self.counts.len());
        (bursting > all / 2).then(|| {
            let recent = self.recent;
            format!("{recent} shards of {bursting} of {all} members went out within {seconds} s")
        })
    }
}

/// Everything that is held back of one member.
#[derive(Debug)]
pub(in crate::publish) struct HeldBack {
    /// Since when anything is.
    pub(in crate::publish) since: UnixSeconds,
    /// Why the first of it is.
    pub(in crate::publish) why: String,
    /// Since when each is, and what its source says.
    shards: HashMap<NamespacedName, (Instant, ShardUpdate)>,
}

/// What is held back, and what went out of late.
#[derive(Debug, Default)]
pub(in crate::publish) struct WithdrawalBrake {
    /// By member; none of them empty.
    held: BTreeMap<MemberIdx, HeldBack>,
    /// The federations of each shard that went out of late.
    recent: HashMap<ShardKey, Box<[usize]>>,
    /// When each of them is no longer of late.
    order: Deadlines<ShardKey>,
    /// By federation, in configuration order.
    limits: Vec<FederationLimit>,
    /// Members whose source knows that what it says is whole: nothing of theirs is held back.
    exempt: MemberSet,
}

impl WithdrawalBrake {
    /// Nothing is held back. `percents` are the shares of the federations.
    pub(in crate::publish) fn new(percents: impl Iterator<Item = u8>) -> Self {
        Self {
            limits: percents.map(FederationLimit::new).collect(),
            ..Self::default()
        }
    }

    /// The same under other federations and numbers of members, with nothing counted; members
    /// without a number have nothing held back any more.
    pub(in crate::publish) fn renumbered(
        self,
        percents: impl Iterator<Item = u8>,
        number: impl Fn(MemberIdx) -> Option<MemberIdx>,
    ) -> Self {
        let held = self.held.into_iter();
        Self {
            held: held
                .filter_map(|(member, held)| Some((number(member)?, held)))
                .collect(),
            exempt: self.exempt.iter().filter_map(number).collect(),
            ..Self::new(percents)
        }
    }

    /// A shard of a member in these federations is there from the beginning.
    pub(in crate::publish) fn count(&mut self, member: MemberIdx, federations: &[usize]) {
        self.each(member, federations, |count| count.published += 1);
    }

    /// Follows a shard that may be published in other federations than it was. That it is in none any
    /// more may be part of a burst.
    pub(in crate::publish) fn moved(
        &mut self,
        key: &ShardKey,
        (was, is): (Vec<usize>, &[usize]),
        may_be_burst: bool,
        now: Instant,
    ) {
        if was == is {
            return;
        }
        if is.is_empty() && may_be_burst {
            self.burst(key, was, now);
        } else {
            self.unpublished(key.0, &was);
            if !is.is_empty() {
                self.published(key, is);
            }
        }
    }

    /// A shard in these federations is published from now on.
    fn published(&mut self, key: &ShardKey, federations: &[usize]) {
        self.forget(key);
        self.count(key.0, federations);
    }

    /// A shard of a member in these federations is no longer published, for a reason that is no burst.
    fn unpublished(&mut self, member: MemberIdx, federations: &[usize]) {
        self.each(member, federations, |count| {
            count.published = count.published.saturating_sub(1);
        });
    }

    /// A shard that was published in these federations is so no longer, which may be part of a burst.
    fn burst(&mut self, key: &ShardKey, federations: Vec<usize>, now: Instant) {
        self.forget(key);
        self.each(key.0, &federations, |count| {
            count.published = count.published.saturating_sub(1);
            count.recent += 1;
        });
        self.recent.insert(key.clone(), federations.into());
        self.order.set(key, now + WINDOW);
    }

    /// Why another withdrawal of a member in these federations is too much, and in which; `None` when
    /// it is not.
    pub(in crate::publish) fn is_too_much(
        &mut self,
        member: MemberIdx,
        federations: &[usize],
        now: Instant,
    ) -> Option<(usize, String)> {
        while let Some(key) = self.order.pop(now) {
            self.forget(&key);
        }
        federations.iter().find_map(|index| {
            let limit = self.limits.get(*index)?;
            Some((*index, limit.refusal(member)?))
        })
    }

    /// Whether lists are looked at for a member of these federations.
    pub(in crate::publish) fn is_on(&self, mut federations: impl Iterator<Item = usize>) -> bool {
        federations.any(|index| {
            self.limits
                .get(index)
                .is_some_and(|limit| limit.percent < 100)
        })
    }

    /// Whether a list that withdraws `lacking` of `all` services of its member takes too much.
    pub(in crate::publish) fn is_half(lacking: usize, all: usize) -> bool {
        lacking > all / 2
    }

    /// Whether nothing of a member is held back.
    pub(in crate::publish) fn is_exempt(&self, member: MemberIdx) -> bool {
        self.exempt.contains(member)
    }

    /// A source knows, or knows no more, that what it says of its member is whole.
    pub(in crate::publish) fn set_exempt(&mut self, member: MemberIdx, is_exempt: bool) {
        if is_exempt {
            self.exempt.insert(member);
        } else {
            self.exempt.remove(member);
        }
    }

    /// A member is gone: nothing is counted or held back of it any more.
    pub(in crate::publish) fn forget_member(&mut self, member: MemberIdx) {
        let recent = self.recent.keys().filter(|(of, _)| *of == member);
        for key in recent.cloned().collect::<Vec<_>>() {
            self.forget(&key);
        }
        self.uncount(member);
        self.held.remove(&member);
        self.exempt.remove(member);
    }

    /// Takes back that shards of a member are published, to be [counted](Self::count) anew.
    pub(in crate::publish) fn uncount(&mut self, member: MemberIdx) {
        for limit in &mut self.limits {
            limit.change(member, |count| count.published = 0);
        }
    }

    /// Holds a change back; one that is held back already is replaced, and its time stays. Returns
    /// whether it is the first of its member.
    pub(in crate::publish) fn hold(
        &mut self,
        key: &ShardKey,
        change: ShardUpdate,
        why: &str,
        now: Now,
    ) -> bool {
        let (member, name) = key;
        let is_first = !self.held.contains_key(member);
        let held = self.held.entry(*member).or_insert_with(|| HeldBack {
            since: now.wall,
            why: why.to_owned(),
            shards: HashMap::new(),
        });
        let since = held
            .shards
            .get(name)
            .map_or(now.instant, |(since, _)| *since);
        held.shards.insert(name.clone(), (since, change));
        is_first
    }

    /// Whether a change of a shard is held back.
    pub(in crate::publish) fn holds(&self, (member, name): &ShardKey) -> bool {
        let held = self.held.get(member);
        held.is_some_and(|held| held.shards.contains_key(name))
    }

    /// Whether a list may confirm what is held back of a shard.
    pub(in crate::publish) fn is_confirmed(&self, (member, name): &ShardKey, now: Instant) -> bool {
        let held = self.held.get(member);
        let held = held.and_then(|held| held.shards.get(name));
        held.is_some_and(|(since, _)| now >= *since + CONFIRM_DELAY)
    }

    /// Takes the change of a shard out, to be made or forgotten.
    pub(in crate::publish) fn take(&mut self, (member, name): &ShardKey) -> Option<ShardUpdate> {
        let held = self.held.get_mut(member)?;
        let (_, change) = held.shards.remove(name)?;
        if held.shards.is_empty() {
            self.held.remove(member);
        }
        Some(change)
    }

    /// Takes all changes of a member out.
    pub(in crate::publish) fn take_all(
        &mut self,
        member: MemberIdx,
    ) -> Vec<(NamespacedName, ShardUpdate)> {
        let held = self.held.remove(&member);
        let shards = held.into_iter().flat_map(|held| held.shards);
        shards.map(|(name, (_, change))| (name, change)).collect()
    }

    /// What is held back of a member.
    pub(in crate::publish) fn of(&self, member: MemberIdx) -> Option<&HeldBack> {
        self.held.get(&member)
    }

    /// The members of which something is held back.
    pub(in crate::publish) fn members(&self) -> impl Iterator<Item = MemberIdx> {
        self.held.keys().copied()
    }

    /// Everything that is held back.
    pub(in crate::publish) fn keys(&self) -> impl Iterator<Item = ShardKey> {
        let keys = |(member, held): (&MemberIdx, &HeldBack)| {
            let member = *member;
            let names: Vec<_> = held.shards.keys().cloned().collect();
            names.into_iter().map(move |name| (member, name))
        };
        self.held.iter().flat_map(keys)
    }

    /// A shard does not belong to a burst any more.
    fn forget(&mut self, key: &ShardKey) {
        if let Some(federations) = self.recent.remove(key) {
            self.order.clear(key);
            self.each(key.0, &federations, |count| count.recent -= 1);
        }
    }

    /// Changes the counts of a member in some federations.
    fn each(&mut self, member: MemberIdx, federations: &[usize], change: impl Fn(&mut ShardCount)) {
        for index in federations {
            if let Some(limit) = self.limits.get_mut(*index) {
                limit.change(member, &change);
            }
        }
    }
}

impl HeldBack {
    /// How many changes are held back.
    pub(in crate::publish) fn len(&self) -> usize {
        self.shards.len()
    }

    /// The services whose changes are held back.
    pub(in crate::publish) fn names(&self) -> impl Iterator<Item = &NamespacedName> {
        self.shards.keys()
    }
}
