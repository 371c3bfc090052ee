//! The objects of one kind, kept through relists.

use std::collections::{HashMap, HashSet};

use kube::runtime::watcher::Event;

use super::super::convert::{ConvertedObject, ObjectContent, ObjectKey};
use super::observation::{ObjectKind, Warning};
use super::size::{ENTRY, Size, key_size};
use crate::model::kept;

/// The objects of one kind that say something.
#[derive(Debug)]
pub(super) struct Objects<T> {
    /// Which kind.
    kind: ObjectKind,
    /// What each says.
    facts: HashMap<ObjectKey, T>,
    /// The objects of a list that has begun and not ended.
    listed: Option<HashSet<ObjectKey>>,
    /// Whether a list has ended.
    is_complete: bool,
    /// The warnings last said of each object.
    warned: HashMap<ObjectKey, Vec<String>>,
    /// Octets that all of these hold, about.
    octets: usize,
}

/// One object's change.
#[derive(Debug)]
pub(super) struct Diff<'a, T> {
    /// What it said.
    pub(super) old: Option<T>,
    /// What it says.
    pub(super) new: Option<&'a T>,
}

impl<T: PartialEq + Size> Objects<T> {
    /// No objects.
    pub(super) fn new(kind: ObjectKind) -> Self {
        Self {
            kind,
            facts: HashMap::new(),
            listed: None,
            is_complete: false,
            warned: HashMap::new(),
            octets: 0,
        }
    }

    /// How many objects are kept, or were listed.
    pub(super) fn count(&self) -> usize {
        let listed = self.listed.as_ref().map_or(0, HashSet::len);
        self.facts.len().max(listed)
    }

    /// Octets that they hold, about.
    pub(super) fn octets(&self) -> usize {
        self.octets
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

    /// The objects, each with what it says.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&ObjectKey, &T)> {
        self.facts.iter()
    }

    /// Takes an event in: the objects that really changed, and new warnings.
    ///
    /// A list that begins again before it ended starts over; what it lacks goes only when it ends.
    pub(super) fn take(
        &mut self,
        event: Event<ConvertedObject<T>>,
        warnings: &mut Vec<Warning>,
    ) -> Vec<Diff<'_, T>> {
        match event {
            Event::Init => {
                self.forget_list();
                self.listed = Some(HashSet::new());
                Vec::new()
            }
            Event::InitApply(seen) => {
                if let Some(listed) = &mut self.listed
                    && listed.insert(seen.key.clone())
                {
                    self.octets += key_size(&seen.key);
                }
                self.apply(seen, warnings)
            }
            Event::Apply(seen) => self.apply(seen, warnings),
            Event::Delete(seen) => {
                self.forget_warnings(&seen.key);
                if let Some(listed) = &mut self.listed
                    && listed.remove(&seen.key)
                {
                    self.octets = self.octets.saturating_sub(key_size(&seen.key));
                }
                gone(self.remove(&seen.key)).collect()
            }
            Event::InitDone => {
                self.is_complete = true;
                let listed = self.forget_list();
                let is_gone = |key: &ObjectKey| !listed.contains(key);
                for (key, texts) in self.warned.extract_if(|key, _| is_gone(key)) {
                    self.octets = self.octets.saturating_sub(warned_size(&key, &texts));
                }
                let facts = self.facts.extract_if(|key, _| is_gone(key));
                let octets = &mut self.octets;
                facts
                    .flat_map(|(key, old)| {
                        *octets = octets.saturating_sub(facts_size(&key, &old));
                        gone(Some(old))
                    })
                    .collect()
            }
        }
    }

    /// Takes what one object says now.
    fn apply(
        &mut self,
        mut seen: ConvertedObject<T>,
        warnings: &mut Vec<Warning>,
    ) -> Vec<Diff<'_, T>> {
        keep_few(&mut seen.warnings);
        self.warn(&seen, warnings);
        let ConvertedObject { key, content, .. } = seen;
        match content {
            ObjectContent::Unreadable => Vec::new(),
            ObjectContent::Nothing => gone(self.remove(&key)).collect(),
            ObjectContent::Facts(new) if self.facts.get(&key) == Some(&new) => Vec::new(),
            ObjectContent::Facts(new) => {
                let old = self.remove(&key);
                self.octets += facts_size(&key, &new);
                self.facts.insert(key.clone(), new);
                let new = self.facts.get(&key);
                vec![Diff { old, new }]
            }
        }
    }

    /// Removes what an object said.
    fn remove(&mut self, key: &ObjectKey) -> Option<T> {
        let old = self.facts.remove(key)?;
        self.octets = self.octets.saturating_sub(facts_size(key, &old));
        Some(old)
    }

    /// Forgets the warnings of an object.
    fn forget_warnings(&mut self, key: &ObjectKey) {
        if let Some(texts) = self.warned.remove(key) {
            self.octets = self.octets.saturating_sub(warned_size(key, &texts));
        }
    }

    /// Forgets a list that has begun: what was in it.
    fn forget_list(&mut self) -> HashSet<ObjectKey> {
        let listed = self.listed.take().unwrap_or_default();
        let octets: usize = listed.iter().map(key_size).sum();
        self.octets = self.octets.saturating_sub(octets);
        listed
    }

    /// Passes on the warnings of an object, if they are not those of last time.
    fn warn(&mut self, seen: &ConvertedObject<T>, warnings: &mut Vec<Warning>) {
        if seen.warnings.is_empty() {
            self.forget_warnings(&seen.key);
            return;
        }
        if self.warned.get(&seen.key) == Some(&seen.warnings) {
            return;
        }
        self.forget_warnings(&seen.key);
        self.octets += warned_size(&seen.key, &seen.warnings);
        self.warned.insert(seen.key.clone(), seen.warnings.clone());
        warnings.extend(seen.warnings.iter().map(|text| Warning {
            kind: self.kind,
            object: seen.key.clone(),
            text: text.clone(),
            is_malformed: matches!(seen.content, ObjectContent::Unreadable),
        }));
    }
}

/// Warnings of one object that are kept and said.
const WARNINGS: usize = 16;

/// Cuts warnings, and leaves out what nobody reads.
fn keep_few(warnings: &mut Vec<String>) {
    let more = warnings.len().saturating_sub(WARNINGS);
    warnings.truncate(WARNINGS);
    for warning in &mut *warnings {
        *warning = kept(warning);
    }
    if more > 0 {
        warnings.push(format!("and {more} warnings more"));
    }
}

/// The change of an object that said `old` and says nothing now.
fn gone<'a, T: 'a>(old: Option<T>) -> impl Iterator<Item = Diff<'a, T>> {
    old.into_iter().map(|old| Diff {
        old: Some(old),
        new: None,
    })
}

/// Octets that facts hold with their place in the table, about.
fn facts_size<T: Size>(key: &ObjectKey, facts: &T) -> usize {
    key_size(key) + size_of::<T>() + facts.octets()
}

/// Octets that warnings hold with their place in the table, about.
fn warned_size(key: &ObjectKey, texts: &[String]) -> usize {
    let texts: usize = texts.iter().map(|text| text.len() + ENTRY).sum();
    key_size(key) + texts
}
