//! The members that one kind of object gives: who is there, and what each says. Asks nobody.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;
use tracing::{info, warn};

use super::super::{OtherOrigins, Presence};
use crate::config::{MemberObject, ObjectMember};

/// What an object is.
#[derive(Debug)]
pub(super) enum ObjectReading {
    /// Members, each with why it cannot be reached, if it cannot.
    Members(Vec<(ObjectMember, Option<String>)>),
    /// None of ours, and no mistake.
    Ignored,
    /// It should be a member and is not, for this reason. What it said before stays.
    Wrong(String),
}

/// The members that one kind of object gives.
#[derive(Debug, Default)]
pub(super) struct ObjectOrigin {
    /// Who is there, and who may be gone.
    pub(super) presence: Presence<MemberObject>,
    /// What their objects say.
    members: BTreeMap<MemberObject, ObjectMember>,
    /// What is wrong with objects, by their names.
    wrong: BTreeMap<String, BTreeSet<String>>,
    /// Objects that are none of ours.
    ignored: BTreeSet<String>,
}

/// What changes by a piece of news.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct OriginChange {
    /// Who is gone.
    pub(super) gone: Vec<MemberObject>,
    /// Members are others than before, or say other things.
    pub(super) is_due: bool,
}

impl ObjectOrigin {
    /// A member is known of before a restart.
    pub(super) fn remember(&mut self, member: ObjectMember) {
        self.presence.remember(member.object.clone());
        self.members.insert(member.object.clone(), member);
    }

    /// The members.
    pub(super) fn members(&self) -> impl Iterator<Item = &ObjectMember> {
        self.members.values()
    }

    /// What is wrong with objects.
    pub(super) fn wrong(&self) -> impl Iterator<Item = &String> {
        self.wrong.values().flatten()
    }

    /// How many objects are wrong, and how many are none of ours.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.wrong.len(), self.ignored.len())
    }

    /// All objects, by name. `others` is what there is of other origins.
    pub(super) fn listed(
        &mut self,
        objects: Vec<(String, ObjectReading)>,
        others: OtherOrigins,
        now: Instant,
    ) -> OriginChange {
        let names: BTreeSet<String> = objects.iter().map(|(name, _)| name.clone()).collect();
        self.wrong.retain(|name, _| names.contains(name));
        self.ignored.retain(|name| names.contains(name));
        let mut there = BTreeSet::new();
        let mut is_due = false;
        for (name, object) in objects {
            if let ObjectReading::Wrong(_) = &object {
                there.extend(self.of_object(&name));
            }
            is_due |= self.take(name, object, &mut there);
        }
        let withheld = self.presence.withheld().clone();
        let gone = self.presence.listed(&there, others, now);
        is_due |= withheld != *self.presence.withheld();
        self.forget(gone, is_due, "its object is gone")
    }

    /// An object as it is now.
    pub(super) fn applied(
        &mut self,
        name: String,
        object: ObjectReading,
        others: OtherOrigins,
        now: Instant,
    ) -> OriginChange {
        let before = self.of_object(&name);
        let is_wrong = matches!(object, ObjectReading::Wrong(_));
        let mut there = BTreeSet::new();
        let withheld = self.presence.withheld().clone();
        let is_due = self.take(name, object, &mut there);
        for one in &there {
            self.presence.seen(one.clone());
        }
        let gone = before.into_iter();
        let gone = gone.filter(|one| !is_wrong && !there.contains(one));
        let gone: Vec<_> = gone.collect();
        self.go(&gone, is_due, &withheld, others, now)
    }

    /// An object that is there is read again, as how its members are reached is another thing now.
    pub(super) fn reread(&mut self, name: String, object: ObjectReading) {
        self.take(name, object, &mut BTreeSet::new());
    }

    /// An object is gone.
    pub(super) fn deleted(
        &mut self,
        name: &str,
        others: OtherOrigins,
        now: Instant,
    ) -> OriginChange {
        self.wrong.remove(name);
        self.ignored.remove(name);
        let withheld = self.presence.withheld().clone();
        let gone = self.of_object(name);
        self.go(&gone, false, &withheld, others, now)
    }

    /// An operator says that the absence of the member of this name is meant.
    pub(super) fn mean(&mut self, name: &str, now: Instant) {
        let called = self.members.values().filter(|one| one.name == name);
        for one in called {
            self.presence.mean(one.object.clone(), now);
        }
    }

    /// An operator confirms that those are gone that are withheld.
    pub(super) fn confirm(&mut self) -> OriginChange {
        let gone = self.presence.confirm();
        let is_due = !gone.is_empty();
        self.forget(gone, is_due, "an operator confirms that it is gone")
    }

    /// The members of one object.
    fn of_object(&self, wanted: &str) -> Vec<MemberObject> {
        let of = self.members.keys().filter(|object| {
            let (MemberObject::Secret { name, .. } | MemberObject::Profile { name, .. }) = object;
            name == wanted
        });
        of.cloned().collect()
    }

    /// Takes in what an object says; its members are put into `there`. Returns whether that is news.
    fn take(
        &mut self,
        name: String,
        object: ObjectReading,
        there: &mut BTreeSet<MemberObject>,
    ) -> bool {
        let mut wrong = BTreeSet::new();
        let mut is_due = false;
        self.ignored.remove(&name);
        match object {
            ObjectReading::Ignored => drop(self.ignored.insert(name.clone())),
            ObjectReading::Wrong(why) => drop(wrong.insert(why)),
            ObjectReading::Members(members) => {
                for (member, why) in members {
                    wrong.extend(why);
                    there.insert(member.object.clone());
                    let before = self.members.get(&member.object);
                    is_due |= before != Some(&member);
                    self.members.insert(member.object.clone(), member);
                }
            }
        }
        if wrong.is_empty() {
            self.wrong.remove(&name);
        } else if self.wrong.get(&name) != Some(&wrong) {
            for why in &wrong {
                warn!(why, "object of the host cluster refused");
            }
            self.wrong.insert(name, wrong);
        }
        is_due
    }

    /// Has members go whose objects were said to be gone.
    fn go(
        &mut self,
        gone: &[MemberObject],
        is_due: bool,
        withheld: &BTreeSet<MemberObject>,
        others: OtherOrigins,
        now: Instant,
    ) -> OriginChange {
        let gone = gone.iter();
        let gone = gone.flat_map(|one| self.presence.deleted(one, others, now));
        let gone: Vec<_> = gone.collect();
        let is_due = is_due || withheld != self.presence.withheld();
        self.forget(gone, is_due, "its object was deleted")
    }

    /// Forgets members that are gone.
    fn forget(&mut self, gone: Vec<MemberObject>, is_due: bool, why: &str) -> OriginChange {
        for one in &gone {
            info!(object = %one, why, "member of the host cluster removed");
            self.members.remove(one);
        }
        let is_due = is_due || !gone.is_empty();
        OriginChange { gone, is_due }
    }
}
