//! The objects of one kind, kept through relists.

use std::collections::{HashMap, HashSet};

use kube::runtime::watcher::Event;

use super::super::convert::{ObjectKey, Said, Seen};
use super::{Kind, Warning};

/// The objects of one kind that say something.
#[derive(Debug)]
pub(super) struct Objects<T> {
    /// Which kind.
    kind: Kind,
    /// What each says.
    facts: HashMap<ObjectKey, T>,
    /// The objects of a list that has begun and not ended.
    listed: Option<HashSet<ObjectKey>>,
    /// Whether a list has ended.
    is_complete: bool,
    /// The warnings last said of each object.
    warned: HashMap<ObjectKey, Vec<String>>,
}

/// One object's change.
#[derive(Debug)]
pub(super) struct Diff<'a, T> {
    /// What it said.
    pub(super) old: Option<T>,
    /// What it says.
    pub(super) new: Option<&'a T>,
}

impl<T: PartialEq> Objects<T> {
    /// No objects.
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            facts: HashMap::new(),
            listed: None,
            is_complete: false,
            warned: HashMap::new(),
        }
    }

    /// Whether a list has ended.
    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// What an object says.
    pub(super) fn get(&self, key: &str) -> Option<&T> {
        self.facts.get(key)
    }

    /// What the objects say.
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.facts.values()
    }

    /// Takes an event in: the objects that really changed, and new warnings.
    ///
    /// A list that begins again before it ended starts over; what it lacks goes only when it ends.
    pub(super) fn take(
        &mut self,
        event: Event<Seen<T>>,
        warnings: &mut Vec<Warning>,
    ) -> Vec<Diff<'_, T>> {
        match event {
            Event::Init => {
                self.listed = Some(HashSet::new());
                Vec::new()
            }
            Event::InitApply(seen) => {
                if let Some(listed) = &mut self.listed {
                    listed.insert(seen.key.clone());
                }
                self.apply(seen, warnings)
            }
            Event::Apply(seen) => self.apply(seen, warnings),
            Event::Delete(seen) => {
                self.warned.remove(&seen.key);
                if let Some(listed) = &mut self.listed {
                    listed.remove(&seen.key);
                }
                let old = self.facts.remove(&seen.key);
                gone(old).collect()
            }
            Event::InitDone => {
                self.is_complete = true;
                let listed = self.listed.take().unwrap_or_default();
                self.warned.retain(|key, _| listed.contains(key));
                self.facts
                    .extract_if(|key, _| !listed.contains(key))
                    .flat_map(|(_, old)| gone(Some(old)))
                    .collect()
            }
        }
    }

    /// Takes what one object says now.
    fn apply(&mut self, seen: Seen<T>, warnings: &mut Vec<Warning>) -> Vec<Diff<'_, T>> {
        self.warn(&seen, warnings);
        let Seen { key, said, .. } = seen;
        match said {
            Said::Unreadable => Vec::new(),
            Said::Nothing => gone(self.facts.remove(&key)).collect(),
            Said::Facts(new) if self.facts.get(&key) == Some(&new) => Vec::new(),
            Said::Facts(new) => {
                let old = self.facts.insert(key.clone(), new);
                let new = self.facts.get(&key);
                vec![Diff { old, new }]
            }
        }
    }

    /// Passes on the warnings of an object, if they are not those of last time.
    fn warn(&mut self, seen: &Seen<T>, warnings: &mut Vec<Warning>) {
        if seen.warnings.is_empty() {
            self.warned.remove(&seen.key);
            return;
        }
        if self.warned.get(&seen.key) == Some(&seen.warnings) {
            return;
        }
        self.warned.insert(seen.key.clone(), seen.warnings.clone());
        warnings.extend(seen.warnings.iter().map(|text| Warning {
            kind: self.kind,
            object: seen.key.clone(),
            text: text.clone(),
            is_malformed: matches!(seen.said, Said::Unreadable),
        }));
    }
}

/// The change of an object that said `old` and says nothing now.
fn gone<'a, T: 'a>(old: Option<T>) -> impl Iterator<Item = Diff<'a, T>> {
    old.into_iter().map(|old| Diff {
        old: Some(old),
        new: None,
    })
}
