//! What caches may hold beside what is published: answers of services that have a lower TTL now, or
//! fewer members, or are gone. `safe at` waits for them.
//!
//! It may say too much, never too little: of a service that has left something behind all members
//! count, from the moment of the last such change on; after a start, every service counts for the
//! longest TTL that an earlier process has given, as if it had answered until then; with more than
//! [`LINGERING`] of them, those that are there count for every service, as long as the one that lives
//! longest.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::limits::LINGERING;
use crate::model::{MemberIdx, MemberSet, NamespacedName};
use crate::names::Label;
use crate::publish::disk::fact::Fact;
use crate::publish::outbox::Outbox;
use crate::snapshot::{Serial, ServiceEntry, Snapshot, SnapshotBuilder, renumbered};
use crate::wire::split_label;

/// Answers that were given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PastAnswers {
    /// The members that they may name, by the numbers of what is published.
    members: MemberSet,
    /// Their longest TTL, in seconds.
    ttl: u32,
    /// When none of them is in a cache any more.
    until: Instant,
    /// They may be of another service of the namespace than the name says.
    is_renamed: bool,
}

impl PastAnswers {
    /// Takes in what others say.
    fn add(&mut self, other: &Self) {
        self.members = self.members | other.members;
        self.ttl = self.ttl.max(other.ttl);
        self.until = self.until.max(other.until);
        self.is_renamed |= other.is_renamed;
    }

    /// Whether they may name any of these members. Where a member is gone, all are, whatever
    /// number it gets when it is back.
    fn names(&self, members: MemberSet) -> bool {
        self.members == MemberSet::ALL || !(self.members & members).is_empty()
    }
}

/// A namespace, and a name in it.
type Name = (Box<[u8]>, Box<[u8]>);

/// What caches may hold beside what is published.
#[derive(Debug, Default)]
pub(in crate::publish) struct Lingering {
    /// By the name of the service in answers.
    services: HashMap<Name, PastAnswers, foldhash::fast::RandomState>,
    /// Of every service.
    all: Option<PastAnswers>,
    /// When the first of them may be forgotten.
    due: Option<Instant>,
    /// The longest TTL of what is published, in seconds.
    published: u32,
    /// The longest TTL on disk, in seconds.
    kept: u32,
}

impl Lingering {
    /// What a process finds that starts: if one before it has answered, its answers.
    pub(in crate::publish) fn new(
        serial: Option<Serial>,
        kept: Option<u32>,
        builder: &SnapshotBuilder,
        now: Instant,
    ) -> Self {
        let mut lingering = Self::default();
        if serial.is_some() {
            // A build that kept no TTL has answered by the facts that it has left, and so has one
            // whose disk was full.
            let ttl = kept.unwrap_or_default().max(builder.longest_ttl());
            lingering.kept = kept.unwrap_or_default();
            lingering.add_all(answers(MemberSet::ALL, ttl, now));
        }
        lingering
    }

    /// Answers under a name were given out up to now. Returns whether there were too many.
    fn add(&mut self, name: Name, new: PastAnswers) -> bool {
        self.due = Some(self.due.map_or(new.until, |due| due.min(new.until)));
        if let Some(answers) = self.services.get_mut(&name) {
            answers.add(&new);
            return false;
        }
        let is_full = LINGERING.is_exceeded_by(self.services.len() as u64 + 1);
        if is_full {
            let all = std::mem::take(&mut self.services).into_values();
            for answers in all {
                self.add_all(answers);
            }
        }
        self.services.insert(name, new);
        is_full
    }

    /// Adds what was published under a name up to now, with these members. Returns whether there
    /// were too many.
    fn add_entry(&mut self, entry: &ServiceEntry, members: MemberSet, now: Instant) -> bool {
        let Some(name) = name_of(&entry.key) else {
            return false;
        };
        let is_renamed = entry.is_renamed();
        let answers = answers(members, entry.ttl, now);
        self.add(
            name,
            PastAnswers {
                is_renamed,
                ..answers
            },
        )
    }

    /// Adds answers that may be of any service and member.
    fn add_all(&mut self, answers: PastAnswers) {
        let answers = PastAnswers {
            members: MemberSet::ALL,
            ..answers
        };
        match &mut self.all {
            Some(all) => all.add(&answers),
            None => self.all = Some(answers),
        }
        self.due = Some(self.due.map_or(answers.until, |due| due.min(answers.until)));
    }

    /// Members have other numbers.
    fn renumber(&mut self, numbers: &[Option<MemberIdx>]) {
        for answers in self.services.values_mut() {
            if answers.members != MemberSet::ALL {
                answers.members = renumbered(answers.members, numbers);
            }
        }
    }

    /// Until when caches may hold an address of any of these members.
    pub(in crate::publish) fn of_members(&self, members: MemberSet) -> Option<Instant> {
        let named = self.services.values().filter(|a| a.names(members));
        named.chain(&self.all).map(|answers| answers.until).max()
    }

    /// Until when caches may hold an address of a service that is called so, or is named so.
    pub(in crate::publish) fn of_service(
        &self,
        name: &NamespacedName,
        called: Option<&Label>,
    ) -> Option<Instant> {
        let names = [Some(&name.name), called];
        let is_it = |(namespace, label): &Name, answers: &PastAnswers| {
            let mut names = names.into_iter().flatten();
            **namespace == *name.namespace.as_str().as_bytes()
                && (answers.is_renamed || names.any(|name| *name.as_str().as_bytes() == **label))
        };
        let services = self.services.iter();
        let named = services.filter_map(|(name, answers)| is_it(name, answers).then_some(answers));
        named.chain(&self.all).map(|answers| answers.until).max()
    }

    /// Forgets what is in no cache any more.
    fn forget(&mut self, now: Instant) {
        if self.due.is_none_or(|due| now < due) {
            return;
        }
        self.services.retain(|_, answers| now < answers.until);
        self.all = self.all.filter(|answers| now < answers.until);
        let left = self.services.values().chain(&self.all);
        self.due = left.map(|answers| answers.until).min();
    }

    /// The longest TTL that caches may have been given, in seconds.
    pub(in crate::publish) fn longest_ttl(&self) -> u32 {
        let left = self.services.values().chain(&self.all);
        let left = left.map(|answers| answers.ttl).max();
        left.unwrap_or(0).max(self.published)
    }

    /// Has the longest TTL written before answers have it.
    pub(in crate::publish) fn raise_longest_ttl(&mut self, out: &mut Outbox) {
        self.published = out.builder.longest_ttl();
        if self.published > self.kept {
            self.keep_longest_ttl(self.longest_ttl(), out);
        }
    }

    /// A snapshot has taken the place of another, which was answered from until now.
    pub(in crate::publish) fn follow(
        &mut self,
        before: &Snapshot,
        after: &Snapshot,
        out: &mut Outbox,
        now: Instant,
    ) {
        let left = out.builder.take_superseded();
        let mut is_full = false;
        if before.is_of_builder_of(after) {
            for entry in left {
                is_full |= self.add_entry(&entry, entry.members(), now);
            }
        } else {
            self.renumber(&before.numbers_in(after));
            for (entry, members) in before.superseded_by(after) {
                is_full |= self.add_entry(entry, members, now);
            }
        }
        if is_full {
            out.metrics.limit_exceeded(&LINGERING);
        }
    }

    /// Forgets what is in no cache any more, and has a lower TTL written then.
    pub(in crate::publish) fn settle(&mut self, out: &mut Outbox, now: Instant) {
        self.forget(now);
        let longest = self.longest_ttl();
        if longest != self.kept {
            self.keep_longest_ttl(longest, out);
        }
    }

    /// Has the longest TTL written that caches may have been given.
    fn keep_longest_ttl(&mut self, longest: u32, out: &mut Outbox) {
        self.kept = longest;
        out.keep_of_fleet(Fact::LongestTtl(longest));
    }
}

/// Answers that were given out up to now.
fn answers(members: MemberSet, ttl: u32, now: Instant) -> PastAnswers {
    PastAnswers {
        members,
        ttl,
        until: now + Duration::from_secs(ttl.into()),
        is_renamed: false,
    }
}

/// The name in the wire labels `service.ns.fed`.
fn name_of(key: &[u8]) -> Option<Name> {
    let (service, rest) = split_label(key)?;
    let (namespace, _) = split_label(rest)?;
    Some((namespace.into(), service.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        (b"ns".as_slice().into(), text.as_bytes().into())
    }

    fn named(namespace: &str, name: &str) -> NamespacedName {
        NamespacedName {
            namespace: namespace.parse().unwrap(),
            name: name.parse().unwrap(),
        }
    }

    fn of(members: &[u8]) -> MemberSet {
        members.iter().copied().map(MemberIdx).collect()
    }

    /// How many seconds are left, from a start.
    fn left(until: Option<Instant>, start: Instant) -> Option<u64> {
        until.map(|until| (until - start).as_secs())
    }

    #[test]
    fn answers_count_for_their_name_and_members_until_they_have_expired() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut lingering = Lingering::default();
        lingering.add(name("s"), answers(of(&[0, 1]), 300, at(0)));
        lingering.add(name("t"), answers(of(&[1, 2]), 30, at(10)));
        let members = |lingering: &Lingering, members| left(lingering.of_members(members), start);
        assert_eq!(members(&lingering, of(&[0])), Some(300));
        assert_eq!(members(&lingering, of(&[2])), Some(40));
        assert_eq!(members(&lingering, of(&[1, 2])), Some(300));
        assert_eq!(members(&lingering, of(&[3])), None);
        let service = |service| left(lingering.of_service(&service, None), start);
        assert_eq!(service(named("ns", "s")), Some(300));
        assert_eq!(service(named("ns", "u")), None);
        assert_eq!(service(named("other", "s")), None);
        let called = "s".parse().unwrap();
        let until = lingering.of_service(&named("ns", "u"), Some(&called));
        assert_eq!(left(until, start), Some(300));
        // What is said later counts from then on.
        lingering.add(name("t"), answers(of(&[1]), 20, at(35)));
        lingering.forget(at(54));
        assert_eq!(members(&lingering, of(&[2])), Some(55));
        lingering.forget(at(55));
        assert_eq!(members(&lingering, of(&[2])), None);
        assert_eq!(lingering.longest_ttl(), 300);
        lingering.forget(at(300));
        assert_eq!((lingering.due, lingering.longest_ttl()), (None, 0));
        assert!(lingering.services.is_empty());
    }

    #[test]
    fn what_was_called_otherwise_counts_for_its_namespace() {
        let start = Instant::now();
        let mut lingering = Lingering::default();
        let answers = PastAnswers {
            is_renamed: true,
            ..answers(of(&[0]), 60, start)
        };
        lingering.add(name("s"), answers);
        let service = |service| left(lingering.of_service(&service, None), start);
        assert_eq!(service(named("ns", "u")), Some(60));
        assert_eq!(service(named("other", "s")), None);
    }

    #[test]
    fn members_keep_their_answers_under_other_numbers_and_all_count_for_one_that_is_gone() {
        let start = Instant::now();
        let mut lingering = Lingering::default();
        lingering.add(name("s"), answers(of(&[0]), 60, start));
        lingering.add(name("t"), answers(of(&[2]), 30, start));
        lingering.renumber(&[Some(MemberIdx(1)), Some(MemberIdx(0)), None]);
        let members = |lingering: &Lingering, members| left(lingering.of_members(members), start);
        assert_eq!(members(&lingering, of(&[0])), Some(30));
        assert_eq!(members(&lingering, of(&[1])), Some(60));
        assert_eq!(members(&lingering, MemberSet::EMPTY), Some(30));
    }

    #[test]
    fn too_many_count_for_all() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut lingering = Lingering::default();
        let most = LINGERING.most;
        for number in 0..most {
            let ttl = if number == 7 { 300 } else { 30 };
            let is_full = lingering.add(name(&number.to_string()), answers(of(&[0]), ttl, at(0)));
            assert!(!is_full);
        }
        assert_eq!(lingering.of_members(of(&[1])), None);
        assert!(
            !lingering.add(name("0"), answers(of(&[0]), 30, at(1))),
            "it is there"
        );
        assert!(lingering.add(name("x"), answers(of(&[0]), 30, at(1))));
        assert_eq!(lingering.services.len(), 1);
        assert_eq!(left(lingering.of_members(of(&[1])), start), Some(300));
        let until = lingering.of_service(&named("other", "s"), None);
        assert_eq!(left(until, start), Some(300));
        lingering.forget(at(299));
        assert_eq!(lingering.longest_ttl(), 300);
        lingering.forget(at(300));
        assert_eq!(lingering.longest_ttl(), 0);
    }
}
