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
    recent: VecDeque<Instant>,
}

impl<K: Ord + Clone> Default for Presence<K> {
    fn default() -> Self {
        Self {
            known: BTreeMap::new(),
            withheld: BTreeSet::new(),
            meant: BTreeMap::new(),
            recent: VecDeque::new(),
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

    /// A whole list. `others` are members of other origins. Returns those that are gone now.
    pub fn listed(&mut self, list: &BTreeSet<K>, others: usize, now: Instant) -> Vec<K> {
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
    fn listed_unasked(&mut self, list: &BTreeSet<K>, others: usize, now: Instant) -> Vec<K> {
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

    /// Somebody was said to be gone, which needs no second list. `others` are members of other origins.
    /// Returns those that are gone now.
    pub fn deleted(&mut self, one: &K, others: usize, now: Instant) -> Vec<K> {
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
    fn let_go(&mut self, gone: Vec<K>, others: usize, now: Instant) -> Vec<K> {
        while self.recent.front().is_some_and(|at| now >= *at + WINDOW) {
            self.recent.pop_front();
        }
        // What else is absent counts too: it goes, or is withheld, within the same seconds.
        let absent = self.known.values().flatten().count();
        let all = self.known.len() + others;
        let going = absent + self.recent.len();
        let is_half = going >= FEWEST && 2 * going > all + self.recent.len();
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
            self.recent.push_back(now);
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &'static str) -> BTreeSet<&'static str> {
        names.split_whitespace().collect()
    }

    #[test]
    fn one_goes_after_a_second_list_and_comes_back_before_it() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut presence = Presence::default();
        assert!(presence.listed(&set("a b c"), 0, at(0)).is_empty());
        assert_eq!(presence.due(), None);
        assert!(presence.listed(&set("a b"), 0, at(1)).is_empty());
        assert_eq!(presence.due(), Some(at(6)));
        assert!(presence.listed(&set("a b c"), 0, at(5)).is_empty());
        assert!(presence.listed(&set("a b"), 0, at(7)).is_empty());
        assert!(presence.listed(&set("a b"), 0, at(11)).is_empty());
        assert_eq!(presence.listed(&set("a b"), 0, at(12)), ["c"]);
        assert_eq!(presence.due(), None);
    }

    #[test]
    fn too_many_at_once_stay_until_confirmed() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut presence = Presence::default();
        presence.listed(&set("a b c"), 0, at(0));
        presence.listed(&set(""), 0, at(1));
        assert!(presence.listed(&set(""), 0, at(7)).is_empty());
        assert_eq!(*presence.withheld(), set("a b c"));
        // One that is back is no longer asked about.
        presence.listed(&set("b"), 0, at(8));
        assert_eq!(presence.confirm(), ["a", "c"]);
        assert!(presence.listed(&set("b"), 0, at(60)).is_empty());
        assert!(presence.withheld().is_empty());
        // The last one of all stays too, and goes where others are left.
        presence.listed(&set(""), 0, at(61));
        assert!(presence.listed(&set(""), 0, at(66)).is_empty());
        assert_eq!(presence.confirm(), ["b"]);
        presence.listed(&set("d"), 3, at(70));
        presence.listed(&set(""), 3, at(71));
        assert_eq!(presence.listed(&set(""), 3, at(76)), ["d"]);
    }

    #[test]
    fn one_that_is_said_to_be_gone_goes_at_once_unless_too_many_do() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut presence = Presence::default();
        presence.listed(&set("a b c d e"), 0, at(0));
        assert_eq!(presence.deleted(&"a", 0, at(1)), ["a"]);
        assert!(presence.deleted(&"x", 0, at(1)).is_empty());
        assert_eq!(presence.deleted(&"b", 0, at(2)), ["b"]);
        assert!(presence.deleted(&"c", 0, at(3)).is_empty());
        assert_eq!(*presence.withheld(), set("c"));
        presence.seen("c");
        assert!(presence.withheld().is_empty());
        assert_eq!(presence.due(), None);
        // The last one stays, however it goes.
        let mut presence = Presence::default();
        presence.seen("a");
        assert!(presence.deleted(&"a", 0, at(60)).is_empty());
        assert_eq!(presence.confirm(), ["a"]);
        // Unless that is meant.
        presence.seen("a");
        presence.mean("a", at(70));
        assert_eq!(presence.deleted(&"a", 0, at(71)), ["a"]);
        assert!(presence.withheld().is_empty());
    }

    #[test]
    fn who_is_meant_to_be_gone_goes_at_once_and_counts_for_no_brake() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut presence = Presence::default();
        presence.listed(&set("a b c d"), 0, at(0));
        presence.mean("a", at(0));
        presence.mean("x", at(0));
        assert!(presence.listed(&set("a b c d"), 0, at(1)).is_empty());
        assert_eq!(presence.listed(&set("b c d"), 0, at(2)), ["a"]);
        // It was absent before it was said.
        presence.listed(&set("c d"), 0, at(3));
        presence.mean("b", at(4));
        assert_eq!(presence.due(), Some(at(3)));
        assert_eq!(presence.listed(&set("c d"), 0, at(4)), ["b"]);
        // Neither makes one that goes by itself too many.
        presence.listed(&set("d"), 0, at(5));
        assert_eq!(presence.listed(&set("d"), 0, at(10)), ["c"]);
        // Nor does the last one of all wait, nor one that is withheld.
        presence.listed(&set(""), 0, at(20));
        assert!(presence.listed(&set(""), 0, at(25)).is_empty());
        assert_eq!(*presence.withheld(), set("d"));
        presence.mean("d", at(26));
        assert_eq!(presence.listed(&set(""), 0, at(26)), ["d"]);
        assert!(presence.withheld().is_empty());
        // What is meant and does not come is no longer meant after a while.
        presence.listed(&set("e f"), 0, at(30));
        presence.mean("e", at(30));
        assert!(presence.listed(&set("f"), 0, at(330)).is_empty());
    }

    #[test]
    fn they_go_one_after_the_other_up_to_half() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut presence = Presence::default();
        presence.listed(&set("a b c d"), 0, at(0));
        presence.listed(&set("b c d"), 0, at(1));
        assert_eq!(presence.listed(&set("c d"), 0, at(6)), ["a"]);
        // Half of the four that there were within 10 s.
        assert_eq!(presence.listed(&set("c d"), 0, at(11)), ["b"]);
        presence.listed(&set("d"), 0, at(11));
        assert!(presence.listed(&set("d"), 0, at(16)).is_empty());
        assert_eq!(*presence.withheld(), set("c"));
    }
}
