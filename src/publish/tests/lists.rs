//! Long lists: other members are not kept waiting, and what the member says since comes after.

use std::path::Path;
use std::sync::Arc;

use super::fixture::{config, label, named, service};
use crate::model::{
    Change, Delta, Epoch, Joined, MemberIdx, MemberState, NamespacedName, Service, UnixSeconds,
};
use crate::publish::Storage;
use crate::publish::shards::lists::SLICE;
use crate::publish::world::begin::FOLDER;
use crate::publish::writer::run::Core;
use crate::publish::writer::thread::prepare;
use crate::telemetry::Metrics;

/// Members `a` and `b`.
const A: MemberIdx = MemberIdx(0);
const B: MemberIdx = MemberIdx(1);

/// A writer of members `a` and `b` that does what the test says.
struct Stepped(Core);

impl Stepped {
    fn new(folder: &Path) -> Self {
        let config = Arc::new(config(&["a", "b"], folder));
        let folder = config.state_dir.join(FOLDER);
        std::fs::create_dir_all(&folder).unwrap();
        let wall = || UnixSeconds(1_800_000_000);
        let (core, _) = prepare(
            config,
            Arc::new(Metrics::new()),
            Storage::default(),
            &folder,
            wall,
        )
        .unwrap();
        Self(core)
    }

    fn say(&mut self, member: &str, change: Change) {
        let delta = Delta::Member {
            member: label(member),
            epoch: Epoch(1),
            change,
        };
        let now = self.0.now();
        self.0.world.fold(delta, now);
    }

    fn fold_lists(&mut self) {
        let now = self.0.now();
        self.0.world.fold_lists(now);
    }

    fn has(&self, member: MemberIdx, name: &str) -> bool {
        self.0
            .world
            .out
            .builder
            .fact(member, &named(name))
            .is_some()
    }

    fn state(&self, member: MemberIdx) -> Option<MemberState> {
        self.0.world.members.states.state(member)
    }

    fn end(self) {
        self.0.world.out.close();
    }
}

/// A list that takes this many slices, and then one service more: `s0` to `last`.
fn list(slices: usize) -> Vec<(NamespacedName, Arc<Service>)> {
    let names = (0..slices * SLICE).map(|index| format!("s{index}"));
    let names = names.chain(["last".to_owned()]);
    names
        .map(|name| (named(&name), service("192.0.2.1", 1)))
        .collect()
}

#[test]
fn a_list_is_folded_in_slices_and_other_members_speak_between_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Stepped::new(folder.path());
    let old = vec![(named("old"), service("192.0.2.1", 1))];
    writer.say("a", Change::Synced(old));
    writer.say("a", Change::Returning);
    writer.say("a", Change::Synced(list(2)));
    assert!(writer.has(A, "s0") && !writer.has(A, "last"));
    let new = vec![(named("new"), service("192.0.2.2", 1))];
    writer.say("b", Change::Synced(new));
    assert!(writer.has(B, "new"));
    assert_eq!(writer.state(B), Some(MemberState::Ready));
    writer.fold_lists();
    // What the list lacks is there until its end.
    assert!(!writer.has(A, "last") && writer.has(A, "old"));
    writer.fold_lists();
    assert!(writer.has(A, "last") && !writer.has(A, "old"));
    writer.end();
}

#[test]
fn a_member_is_in_sync_at_the_end_of_its_list_and_heard_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Stepped::new(folder.path());
    writer.say("a", Change::Synced(list(1)));
    // Were these folded before the end of the list, it would undo both.
    let late = Change::Upsert(named("late"), service("192.0.2.1", 1));
    writer.say("a", late);
    let other = Change::Upsert(named("last"), service("192.0.2.9", 1));
    writer.say("a", other);
    assert!(!writer.has(A, "late"));
    assert_eq!(writer.state(A), Some(MemberState::Syncing(Joined::AtStart)));
    writer.fold_lists();
    assert_eq!(writer.state(A), Some(MemberState::Ready));
    assert!(writer.has(A, "late"));
    let last = writer.0.world.out.builder.fact(A, &named("last"));
    assert_eq!(last, Some(&service("192.0.2.9", 1)));
    writer.end();
}

#[test]
fn a_member_that_says_too_much_meanwhile_has_its_list_folded_to_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Stepped::new(folder.path());
    writer.say("a", Change::Synced(list(3)));
    for number in 0..2 * SLICE {
        let again = Change::Upsert(named("again"), service("192.0.2.1", 1));
        writer.say("a", again);
        assert!(number < SLICE || writer.has(A, "last"));
    }
    assert!(writer.has(A, "again"));
    writer.end();
}
