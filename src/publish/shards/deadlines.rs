//! Moments at which something is due, one for each key: what is put off takes no room twice.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use tokio::time::Instant;

/// At most one moment for each key. Every change costs O(log n).
#[derive(Debug)]
pub(in crate::publish) struct Deadlines<K> {
    /// When each key is due.
    at: HashMap<K, Instant>,
    /// The same in order of time.
    order: BTreeSet<(Instant, K)>,
}

impl<K> Default for Deadlines<K> {
    fn default() -> Self {
        Self {
            at: HashMap::new(),
            order: BTreeSet::new(),
        }
    }
}

impl<K: Clone + Eq + Hash + Ord> Deadlines<K> {
    /// Sets when a key is due, in place of what was set before.
    pub(in crate::publish) fn set(&mut self, key: &K, due: Instant) {
        self.clear(key);
        self.at.insert(key.clone(), due);
        self.order.insert((due, key.clone()));
    }

    /// The key is never due.
    pub(in crate::publish) fn clear(&mut self, key: &K) {
        if let Some(due) = self.at.remove(key) {
            self.order.remove(&(due, key.clone()));
        }
    }

    /// The next moment.
    pub(in crate::publish) fn next(&self) -> Option<Instant> {
        self.order.first().map(|(due, _)| *due)
    }

    /// Takes one key that is due, the oldest first.
    pub(in crate::publish) fn pop(&mut self, now: Instant) -> Option<K> {
        if self.next()? > now {
            return None;
        }
        let (_, key) = self.order.pop_first()?;
        self.at.remove(&key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_key_is_due_once_and_at_the_last_moment_set() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut deadlines = Deadlines::default();
        for second in [5, 1, 3] {
            deadlines.set(&"a", at(second));
        }
        deadlines.set(&"b", at(2));
        deadlines.set(&"c", at(1));
        deadlines.clear(&"c");
        assert_eq!(deadlines.next(), Some(at(2)));
        assert_eq!(deadlines.pop(at(1)), None);
        assert_eq!(deadlines.pop(at(9)), Some("b"));
        assert_eq!(deadlines.pop(at(9)), Some("a"));
        assert_eq!((deadlines.pop(at(9)), deadlines.at.len()), (None, 0));
    }
}
