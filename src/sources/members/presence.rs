//! Who is still a member: nothing that a folder or a host fails to say removes one. Pure: it takes
//! `now`, and never acts by itself.
//!
//! ```text
//!                 not in a list          a list 5 s later lacks it too
//!  present ──────────────────▶ absent ──────────────────────────────────▶ gone
//!     ▲                          │  too many at once: no member left, or more than half within 10 s
//!     └────── in a list ─────────┤
//!                                ▼         an operator confirms
//!                            withheld ─────────────────────────────────▶ gone
//! ```
//!
//! Those that go at once are counted over all origins, and so are those who stay.
//!
//! Somebody whose absence an operator has said to be meant is gone with the first list that lacks it,
//! and does not count among those that go at once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::CONFIRM_DELAY;

/// Members that go within this time of each other go at once.
const WINDOW: Duration = Duration::from_secs(10);

/// Fewer that go at once are not too many, unless none is left.
const FEWEST: usize = 2;

/// For how long an absence is meant that does not come.
const MEANT: Duration = Duration::from_secs(300);

/// What there is of the members of other origins, for those who go at once: they are counted over all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OtherOrigins {
    /// How many there are.
    pub members: usize,
    /// How many of them may be gone.
    pub absent: usize,
    /// How many went of late.
    pub recent: usize,
}

impl std::ops::Add for OtherOrigins {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            members: self.members + other.members,
            absent: self.absent + other.absent,
            recent: self.recent + other.recent,
        }
    }
}

/// Members that went of late.
#[derive(Debug, Clone, Default)]
pub struct RecentDepartures(VecDeque<Instant>);

impl RecentDepartures {
    /// One goes now.
    pub fn push(&mut self, now: Instant) {
        self.0.push_back(now);
    }

    /// How many went that go at once with one that goes now.
    pub fn count(&self, now: Instant) -> usize {
        let recent = self.0.iter().rev();
        recent.take_while(|at| now < **at + WINDOW).count()
    }

    /// Forgets those that do not.
    fn forget(&mut self, now: Instant) {
        while self.0.front().is_some_and(|at| now >= *at + WINDOW) {
            self.0.pop_front();
        }
    }
}

/// Who of an origin is known, and who was not in its last list. `K` is what it calls them by.
#[derive(Debug)]
pub struct Presence<K> {
    /// Known ones, with since when each is absent, if it is.
    known: BTreeMap<K, Option<Instant>>,
    /// Those that stay until an operator confirms that they are gone.
    withheld: BTreeSet<K>,
    /// Those whose absence is meant, with until when.
    meant: BTreeMap<K, Instant>,
    /// When those went that went of late.
    recent: RecentDepartures,
}

impl<K: Ord + Clone> Default for Presence<K> {
    fn default() -> Self {
        Self {
            known: BTreeMap::new(),
            withheld: BTreeSet::new(),
            meant: BTreeMap::new(),
            recent: RecentDepartures::default(),
        }
    }
}

impl<K: Ord + Clone> Presence<K> {
    /// Somebody is known, though no list of this process has had it yet.
    pub fn remember(&mut self, one: K) {
        self.known.entry(one).or_default();
    }

    /// An operator says that the absence of somebody is meant, or will be.
    pub fn mean(&mut self, one: K, now: Instant) {
        if self.known.contains_key(&one) {
            self.meant.insert(one, now + MEANT);
        }
    }

    /// A whole list. `others` is what there is of other origins. Returns those that are gone now.
    pub fn listed(&mut self, list: &BTreeSet<K>, others: OtherOrigins, now: Instant) -> Vec<K> {
        for one in list {
            self.known.insert(one.clone(), None);
            self.withheld.remove(one);
        }
        self.meant.retain(|_, until| now < *until);
        let meant = self.meant.keys().filter(|one| !list.contains(one));
        let meant: Vec<K> = meant.cloned().collect();
        for one in &meant {
            self.meant.remove(one);
            self.known.remove(one);
            self.withheld.remove(one);
        }
        let mut gone = self.listed_unasked(list, others, now);
        gone.extend(meant);
        gone
    }

    /// Of those whose absence nobody has said to be meant.
    fn listed_unasked(&mut self, list: &BTreeSet<K>, others: OtherOrigins, now: Instant) -> Vec<K> {
        let mut gone = Vec::new();
        for (one, since) in &mut self.known {
            if list.contains(one) {
                continue;
            }
            let since = *since.get_or_insert(now);
            if now >= since + CONFIRM_DELAY && !self.withheld.contains(one) {
                gone.push(one.clone());
            }
        }
        self.let_go(gone, others, now)
    }

    /// Somebody is there.
    pub fn seen(&mut self, one: K) {
        self.withheld.remove(&one);
        self.known.insert(one, None);
    }

    /// Somebody was said to be gone, which needs no second list. `others` is what there is of other origins.
    /// Returns those that are gone now.
    pub fn deleted(&mut self, one: &K, others: OtherOrigins, now: Instant) -> Vec<K> {
        let Some(since) = self.known.get_mut(one) else {
            return Vec::new();
        };
        since.get_or_insert(now);
        if self.meant.remove(one).is_some_and(|until| now < until) {
            self.known.remove(one);
            self.withheld.remove(one);
            return vec![one.clone()];
        }
        if self.withheld.contains(one) {
            return Vec::new();
        }
        self.let_go(vec![one.clone()], others, now)
    }

    /// Lets those go that are gone, unless they are too many at once: then they stay until an operator
    /// confirms it.
    fn let_go(&mut self, gone: Vec<K>, others: OtherOrigins, now: Instant) -> Vec<K> {
        self.recent.forget(now);
        // What else is absent counts too: it goes, or is withheld, within the same seconds.
        let absent = self.known.values().flatten().count() + others.absent;
        let all = self.known.len() + others.members;
        let recent = self.recent.count(now) + others.recent;
        let going = absent + recent;
        let is_half = going >= FEWEST && 2 * going > all + recent;
        if !gone.is_empty() && (is_half || absent >= all) {
            self.withheld.extend(gone);
            return Vec::new();
        }
        self.remove(gone, now)
    }

    /// An operator confirms that those are gone that are withheld. Returns them.
    pub fn confirm(&mut self) -> Vec<K> {
        let gone: Vec<K> = std::mem::take(&mut self.withheld).into_iter().collect();
        for one in &gone {
            self.known.remove(one);
        }
        gone
    }

    /// What there is of this origin, for another one.
    pub fn for_others(&self, now: Instant) -> OtherOrigins {
        let absent = self.known.iter();
        let absent = absent.filter(|(one, since)| since.is_some() && !self.meant.contains_key(one));
        OtherOrigins {
            members: self.known.len(),
            absent: absent.count(),
            recent: self.recent.count(now),
        }
    }

    /// Those that stay until an operator confirms that they are gone.
    pub fn withheld(&self) -> &BTreeSet<K> {
        &self.withheld
    }

    /// When another list is wanted, if anybody is absent.
    pub fn due(&self) -> Option<Instant> {
        let absent = self.known.iter();
        let due = absent.filter_map(|(one, since)| {
            let since = (*since)?;
            if self.meant.contains_key(one) {
                return Some(since);
            }
            (!self.withheld.contains(one)).then(|| since + CONFIRM_DELAY)
        });
        due.min()
    }

    /// Forgets those that are gone.
    fn remove(&mut self, gone: Vec<K>, now: Instant) -> Vec<K> {
        for one in &gone {
            self.known.remove(one);
            self.recent.push(now);
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// There are no other origins.
    const NONE: OtherOrigins = OtherOrigins {
        members: 0,
        absent: 0,
        recent: 0,
    };

    fn set(names: &'static str) -> BTreeSet<&'static str> {
        names.split_whitespace().collect()
    }

    #[test]
    fn one_goes_after_a_second_list_and_comes_back_before_it() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut presence = Presence::default();
        assert!(presence.listed(&set("a b c"), NONE, at(0)).is_empty());
        assert_eq!(presence.due(), None);
        assert!(presence.listed(&set("a b"), NONE, at(1)).is_empty());
        assert_eq!(presence.due(), Some(at(6)));
        assert!(presence.listed(&set("a b c"), NONE, at(5)).is_empty());
        assert!(presence.listed(&set("a b"), NONE, at(7)).is_empty());
        assert!(presence.listed(&set("a b"), NONE, at(11)).is_empty());
        assert_eq!(presence.listed(&set("a b"), NONE, at(12)), ["c"]);
        assert_eq!(presence.due(), None);
    }

    #[test]
    fn too_many_at_once_stay_until_confirmed() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut presence = Presence::default();
        presence.listed(&set("a b c"), NONE, at(0));
        presence.listed(&set(""), NONE, at(1));
        assert!(presence.listed(&set(""), NONE, at(7)).is_empty());
        assert_eq!(*presence.withheld(), set("a b c"));
        // One that is back is no longer asked about.
        presence.listed(&set("b"), NONE, at(8));
        assert_eq!(presence.confirm(), ["a", "c"]);
        assert!(presence.listed(&set("b"), NONE, at(60)).is_empty());
        assert!(presence.withheld().is_empty());
        // The last one of all stays too, and goes where others are left.
        presence.listed(&set(""), NONE, at(61));
        assert!(presence.listed(&set(""), NONE, at(66)).is_empty());
        assert_eq!(presence.confirm(), ["b"]);
        let three = OtherOrigins { members: 3, ..NONE };
        presence.listed(&set("d"), three, at(70));
        presence.listed(&set(""), three, at(71));
        assert_eq!(presence.listed(&set(""), three, at(76)), ["d"]);
    }

    #[test]
    fn one_that_is_said_to_be_gone_goes_at_once_unless_too_many_do() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut presence = Presence::default();
        presence.listed(&set("a b c d e"), NONE, at(0));
        assert_eq!(presence.deleted(&"a", NONE, at(1)), ["a"]);
        assert!(presence.deleted(&"x", NONE, at(1)).is_empty());
        assert_eq!(presence.deleted(&"b", NONE, at(2)), ["b"]);
        assert!(presence.deleted(&"c", NONE, at(3)).is_empty());
        assert_eq!(*presence.withheld(), set("c"));
        presence.seen("c");
        assert!(presence.withheld().is_empty());
        assert_eq!(presence.due(), None);
        // The last one stays, however it goes.
        let mut presence = Presence::default();
        presence.seen("a");
        assert!(presence.deleted(&"a", NONE, at(60)).is_empty());
        assert_eq!(presence.confirm(), ["a"]);
        // Unless that is meant.
        presence.seen("a");
        presence.mean("a", at(70));
        assert_eq!(presence.deleted(&"a", NONE, at(71)), ["a"]);
        assert!(presence.withheld().is_empty());
    }

    #[test]
    fn who_is_meant_to_be_gone_goes_at_once_and_counts_for_no_brake() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut presence = Presence::default();
        presence.listed(&set("a b c d"), NONE, at(0));
        presence.mean("a", at(0));
        presence.mean("x", at(0));
        assert!(presence.listed(&set("a b c d"), NONE, at(1)).is_empty());
        assert_eq!(presence.listed(&set("b c d"), NONE, at(2)), ["a"]);
        // It was absent before it was said.
        presence.listed(&set("c d"), NONE, at(3));
        presence.mean("b", at(4));
        assert_eq!(presence.due(), Some(at(3)));
        assert_eq!(presence.listed(&set("c d"), NONE, at(4)), ["b"]);
        // Neither makes one that goes by itself too many.
        presence.listed(&set("d"), NONE, at(5));
        assert_eq!(presence.listed(&set("d"), NONE, at(10)), ["c"]);
        // Nor does the last one of all wait, nor one that is withheld.
        presence.listed(&set(""), NONE, at(20));
        assert!(presence.listed(&set(""), NONE, at(25)).is_empty());
        assert_eq!(*presence.withheld(), set("d"));
        presence.mean("d", at(26));
        assert_eq!(presence.listed(&set(""), NONE, at(26)), ["d"]);
        assert!(presence.withheld().is_empty());
        // What is meant and does not come is no longer meant after a while.
        presence.listed(&set("e f"), NONE, at(30));
        presence.mean("e", at(30));
        assert!(presence.listed(&set("f"), NONE, at(330)).is_empty());
    }

    #[test]
    fn those_that_go_at_once_are_counted_over_all_origins() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let (mut one, mut other) = (Presence::default(), Presence::default());
        one.listed(&set("a b c d e"), NONE, at(0));
        other.listed(&set("v w x y z"), NONE, at(0));
        // Three of ten, and three more five seconds later.
        one.listed(&set("d e"), other.for_others(at(10)), at(10));
        let gone = one.listed(&set("d e"), other.for_others(at(15)), at(15));
        assert_eq!(gone, ["a", "b", "c"]);
        other.listed(&set("y z"), one.for_others(at(16)), at(16));
        let gone = other.listed(&set("y z"), one.for_others(at(21)), at(21));
        assert!(gone.is_empty());
        assert_eq!(*other.withheld(), set("v w x"));
        other.listed(&set("v w x y z"), one.for_others(at(22)), at(22));
        // Both at once.
        one.listed(&set("a b c d e"), other.for_others(at(40)), at(40));
        one.listed(&set("d e"), other.for_others(at(41)), at(41));
        other.listed(&set("y z"), one.for_others(at(42)), at(42));
        assert!(
            one.listed(&set("d e"), other.for_others(at(46)), at(46))
                .is_empty()
        );
        // Three of four, as the last one is left to another origin.
        let left = OtherOrigins { members: 1, ..NONE };
        let mut last = Presence::default();
        last.listed(&set("a"), left, at(60));
        assert_eq!(last.deleted(&"a", left, at(61)), ["a"]);
        last.seen("a");
        let leaving = OtherOrigins { absent: 1, ..left };
        assert!(last.deleted(&"a", leaving, at(80)).is_empty());
        // Nobody counts whose absence is meant.
        last.mean("a", at(81));
        assert_eq!(last.for_others(at(81)).absent, 0);
    }

    #[test]
    fn they_go_one_after_the_other_up_to_half() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut presence = Presence::default();
        presence.listed(&set("a b c d"), NONE, at(0));
        presence.listed(&set("b c d"), NONE, at(1));
        assert_eq!(presence.listed(&set("c d"), NONE, at(6)), ["a"]);
        // Half of the four that there were within 10 s.
        assert_eq!(presence.listed(&set("c d"), NONE, at(11)), ["b"]);
        presence.listed(&set("d"), NONE, at(11));
        assert!(presence.listed(&set("d"), NONE, at(16)).is_empty());
        assert_eq!(*presence.withheld(), set("c"));
    }
}
