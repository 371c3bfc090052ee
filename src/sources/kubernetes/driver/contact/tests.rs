//! Losses and returns, with the time given.

use super::*;

/// How long a watch may be down in these tests.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long ServiceExports are waited for in these tests.
const OPTIONAL_WAIT: Duration = Duration::from_secs(10);

/// How long a member may list without progress in these tests.
const STALL: Duration = Duration::from_secs(60);

/// A member of two kinds, and a clock.
struct Member {
    /// What is tested.
    contact: Contact,
    /// The time.
    now: Instant,
}

impl Member {
    /// A member that nothing is known of.
    fn new() -> Self {
        let now = Instant::now();
        let kinds = [ObjectKind::Services, ObjectKind::Slices];
        Self {
            contact: Contact::new(&kinds, PATIENCE, OPTIONAL_WAIT, STALL, now),
            now,
        }
    }

    /// A member that has synced.
    fn live() -> Self {
        let mut member = Self::new();
        member.list(ObjectKind::Services).list(ObjectKind::Slices);
        member
            .contact
            .hear(ObjectKind::Exports, WatchStatus::Up, member.now);
        assert!(member.contact.may_sync(member.now));
        member.contact.synced();
        assert_eq!(member.said(), None);
        member
    }

    /// Time passes.
    fn wait(&mut self, seconds: u64) -> &mut Self {
        self.now += Duration::from_secs(seconds);
        self
    }

    /// A watch says something.
    fn hear(&mut self, kind: ObjectKind, status: WatchStatus) -> &mut Self {
        self.contact.hear(kind, status, self.now);
        self
    }

    /// A watch lists and starts.
    fn list(&mut self, kind: ObjectKind) -> &mut Self {
        self.hear(kind, WatchStatus::Queued)
            .hear(kind, WatchStatus::Listing)
            .hear(kind, WatchStatus::Up)
    }

    /// A heartbeat fails.
    fn miss(&mut self) -> &mut Self {
        self.contact.beat(Err("refused".to_owned()), self.now);
        self
    }

    /// What is said now.
    fn said(&mut self) -> Option<Change> {
        self.contact.evaluate(self.now)
    }

    /// The kind of loss that is said now.
    fn lost(&mut self) -> &'static str {
        match self.said() {
            Some(Change::Lost(Loss::Watch(_))) => "watch",
            Some(Change::Lost(Loss::Heartbeat(_))) => "heartbeat",
            Some(Change::Lost(Loss::Refused(_))) => "refused",
            Some(Change::Lost(Loss::Client(_))) => "client",
            other => panic!("{other:?}"),
        }
    }
}

/// A connection that is refused.
fn transport() -> WatchStatus {
    WatchStatus::Failed(Failure::Transport("connection refused".to_owned()))
}

/// A right that is missing.
fn refused() -> WatchStatus {
    WatchStatus::Failed(Failure::Refused {
        is_absent: false,
        said: "403: forbidden".to_owned(),
    })
}

#[test]
fn a_watch_that_is_down_for_five_seconds_is_a_loss() {
    let mut member = Member::live();
    member.hear(ObjectKind::Slices, WatchStatus::Ended("cut".to_owned()));
    assert_eq!(member.wait(4).said(), None);
    member.hear(ObjectKind::Slices, transport());
    assert_eq!(member.wait(1).lost(), "watch");
    assert_eq!(member.wait(60).said(), None, "it is said once");
}

#[test]
fn a_watch_that_starts_again_in_time_is_no_loss() {
    let mut member = Member::live();
    member.hear(ObjectKind::Slices, WatchStatus::Ended("cut".to_owned()));
    member.wait(4).hear(ObjectKind::Slices, WatchStatus::Up);
    assert_eq!(member.wait(10).said(), None);
    assert!(member.contact.passes_changes());
}

#[test]
fn three_failed_heartbeats_in_a_row_are_a_loss() {
    let mut member = Member::live();
    member.miss().miss();
    member.contact.beat(Ok(()), member.now);
    assert_eq!(member.miss().miss().said(), None);
    assert_eq!(member.miss().lost(), "heartbeat");
}

#[test]
fn watches_must_prove_themselves_after_lost_heartbeats() {
    let mut member = Member::live();
    member.miss().miss().miss();
    assert_eq!(member.lost(), "heartbeat");
    assert!(
        member.contact.beat(Ok(()), member.now),
        "they are told to start again"
    );
    assert_eq!(member.said(), None);
    member.hear(ObjectKind::Services, WatchStatus::Up);
    assert_eq!(member.said(), None);
    member.hear(ObjectKind::Slices, WatchStatus::Up);
    assert_eq!(member.said(), Some(Change::Resumed));
    assert!(member.contact.passes_changes());
}

#[test]
fn a_member_that_lists_anew_returns_and_must_sync() {
    let mut member = Member::live();
    member
        .hear(ObjectKind::Services, transport())
        .hear(ObjectKind::Slices, transport());
    assert_eq!(member.wait(5).lost(), "watch");
    member
        .wait(60)
        .hear(ObjectKind::Services, WatchStatus::Listing);
    assert!(!member.contact.passes_changes());
    assert_eq!(member.said(), None, "slices are still down");
    member.hear(ObjectKind::Slices, WatchStatus::Listing);
    assert_eq!(member.said(), Some(Change::Returning));
    member.hear(ObjectKind::Services, WatchStatus::Up);
    assert!(!member.contact.may_sync(member.now));
    member.hear(ObjectKind::Slices, WatchStatus::Up);
    assert!(member.contact.may_sync(member.now));
    member.contact.synced();
    assert_eq!(member.said(), None);
}

#[test]
fn a_return_that_breaks_off_is_a_loss_again() {
    let mut member = Member::live();
    member.hear(ObjectKind::Slices, transport());
    assert_eq!(member.wait(5).lost(), "watch");
    member.hear(ObjectKind::Slices, WatchStatus::Listing);
    assert_eq!(member.said(), Some(Change::Returning));
    member.hear(ObjectKind::Slices, transport());
    assert_eq!(member.wait(5).lost(), "watch");
    assert!(!member.contact.may_sync(member.now));
}

#[test]
fn a_long_list_with_progress_is_no_loss() {
    let mut member = Member::live();
    member.hear(ObjectKind::Slices, WatchStatus::Ended("expired".to_owned()));
    member.hear(ObjectKind::Slices, WatchStatus::Listing);
    for _ in 0..5 {
        assert_eq!(member.wait(4).said(), None);
        member.hear(ObjectKind::Slices, WatchStatus::Progress);
    }
    assert_eq!(member.wait(5).lost(), "watch");
}

#[test]
fn lists_that_lead_to_no_watch_are_a_loss() {
    let mut member = Member::live();
    let broken = || WatchStatus::Failed(Failure::Answer("500".to_owned()));
    member.hear(ObjectKind::Slices, broken());
    member
        .wait(3)
        .hear(ObjectKind::Slices, WatchStatus::Listing)
        .hear(ObjectKind::Slices, broken());
    member
        .wait(3)
        .hear(ObjectKind::Slices, WatchStatus::Listing)
        .hear(ObjectKind::Slices, broken());
    assert_eq!(member.lost(), "watch");
    member.hear(ObjectKind::Slices, WatchStatus::Listing);
    assert_eq!(
        member.wait(1).said(),
        None,
        "it does not seem to return either"
    );
}

#[test]
fn a_member_that_waits_for_its_turn_is_not_lost() {
    let mut member = Member::new();
    member
        .hear(ObjectKind::Services, WatchStatus::Queued)
        .hear(ObjectKind::Slices, WatchStatus::Queued);
    assert_eq!(member.wait(60).said(), None);
    member
        .hear(ObjectKind::Services, WatchStatus::Turn)
        .hear(ObjectKind::Slices, WatchStatus::Turn);
    assert_eq!(member.wait(4).said(), None);
    assert_eq!(member.wait(1).lost(), "watch");
}

#[test]
fn a_refused_kind_is_a_loss_at_once_until_it_is_watched() {
    let mut member = Member::live();
    member.hear(ObjectKind::Slices, refused());
    assert_eq!(member.lost(), "refused");
    member
        .wait(1)
        .hear(ObjectKind::Slices, WatchStatus::Listing);
    assert_eq!(
        member.said(),
        None,
        "a list without a watch would freeze the view"
    );
    member.hear(ObjectKind::Slices, WatchStatus::Up);
    assert_eq!(member.said(), Some(Change::Returning));
    assert!(member.contact.may_sync(member.now));
}

#[test]
fn credentials_that_are_not_accepted_are_a_loss_of_the_client() {
    let mut member = Member::live();
    let failure = Failure::Unauthorized("401".to_owned());
    member.hear(ObjectKind::Services, WatchStatus::Failed(failure));
    assert_eq!(member.wait(5).lost(), "client");
}

#[test]
fn service_exports_are_no_reason_for_a_loss() {
    let mut member = Member::live();
    member
        .hear(ObjectKind::Exports, refused())
        .hear(ObjectKind::Exports, transport());
    assert_eq!(member.wait(60).said(), None);
}

#[test]
fn a_first_sync_waits_for_service_exports_a_while() {
    let mut member = Member::new();
    member.list(ObjectKind::Services).list(ObjectKind::Slices);
    assert!(!member.contact.may_sync(member.now));
    member.wait(9);
    assert!(!member.contact.may_sync(member.now));
    member.wait(1);
    assert!(member.contact.may_sync(member.now));

    let mut denied = Member::new();
    denied
        .list(ObjectKind::Services)
        .list(ObjectKind::Slices)
        .hear(ObjectKind::Exports, refused());
    assert!(denied.contact.may_sync(denied.now));
}

#[test]
fn a_member_that_never_synced_says_why_and_then_why_else() {
    let mut member = Member::new();
    member
        .hear(ObjectKind::Services, transport())
        .hear(ObjectKind::Slices, transport());
    assert_eq!(member.wait(5).lost(), "watch");
    member.miss().miss().miss();
    assert_eq!(member.said(), None, "the watch is reason enough");
    member.hear(ObjectKind::Services, refused());
    assert_eq!(member.lost(), "refused");
}

#[test]
fn a_client_that_cannot_be_built_is_said_once() {
    let mut member = Member::new();
    let lost = member.contact.lose_client("no such context".to_owned());
    assert!(matches!(lost, Some(Change::Lost(Loss::Client(_)))));
    assert_eq!(
        member.contact.lose_client("no such context".to_owned()),
        None
    );
    member.contact.restart(member.now);
    assert_eq!(member.said(), None, "nothing has answered yet");
    member.hear(ObjectKind::Services, WatchStatus::Listing);
    assert_eq!(member.said(), Some(Change::Returning));
}

#[test]
fn a_list_that_is_wanted_is_void_once_the_member_is_lost() {
    let mut member = Member::live();
    assert!(member.contact.want_lists(member.now));
    assert!(!member.contact.want_lists(member.now), "it is under way");
    member
        .list(ObjectKind::Services)
        .contact
        .listed(ObjectKind::Services);
    assert!(!member.contact.take_lists(member.now));
    member.miss().miss().miss();
    assert_eq!(member.lost(), "heartbeat");
    assert!(!member.contact.awaits_lists());
    assert!(!member.contact.passes_changes(), "it has to say everything");
    assert!(!member.contact.want_lists(member.now));
    member.contact.beat(Ok(()), member.now);
    member
        .hear(ObjectKind::Services, WatchStatus::Up)
        .list(ObjectKind::Slices);
    assert_eq!(member.said(), Some(Change::Returning));
    assert!(member.contact.may_sync(member.now));
}

#[test]
fn a_member_that_lists_without_progress_begins_from_nothing_more_and_more_rarely() {
    let mut member = Member::live();
    assert!(member.contact.want_lists(member.now));
    member.wait(59);
    assert!(!member.contact.is_stuck(member.now));
    member
        .hear(ObjectKind::Slices, WatchStatus::Ended("wanted".to_owned()))
        .hear(ObjectKind::Slices, WatchStatus::Queued)
        .wait(600);
    assert!(
        !member.contact.is_stuck(member.now),
        "it waits for its turn"
    );
    member
        .hear(ObjectKind::Slices, WatchStatus::Listing)
        .wait(59);
    assert!(!member.contact.is_stuck(member.now), "a page has come");
    let mut waits = Vec::new();
    for _ in 0..8 {
        while !member.contact.is_stuck(member.now) {
            member.wait(1);
        }
        waits.push(member.contact.longest_stall().as_secs() / 60);
        member.contact.give_up();
        member.contact.restart(member.now);
        // Everything is listed, and what else it takes to sync does not come.
        member.list(ObjectKind::Services).list(ObjectKind::Slices);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 64]);
    member.contact.synced();
    assert_eq!(member.contact.longest_stall(), STALL);
}

#[test]
fn a_member_that_said_too_much_is_believed_once_it_has_kept_within_it_for_longer() {
    let mut member = Member::live();
    let flood = |member: &mut Member, after: u64| {
        let said = member.wait(after).said();
        assert!(!matches!(said, Some(Change::Returning)), "after {after} s");
        let now = member.now;
        let said = member.contact.exceed("its facts".to_owned(), now);
        member.contact.restart(now);
        member
            .wait(1)
            .list(ObjectKind::Services)
            .list(ObjectKind::Slices);
        said
    };
    assert!(matches!(flood(&mut member, 2), Some(Change::Lost(_))));
    assert_eq!(flood(&mut member, 4), None, "within its patience");
    assert_eq!(flood(&mut member, 7), None, "within twice the 4 s before");
    assert_eq!(flood(&mut member, 13), None, "within twice the 7 s before");
    assert_eq!(member.wait(25).said(), None);
    assert_eq!(member.wait(1).said(), Some(Change::Returning));
    assert!(!member.contact.passes_changes(), "it has to say everything");
    assert!(member.contact.may_sync(member.now));
}

#[test]
fn a_member_that_grew_for_long_is_believed_a_minute_after_it_shrank() {
    let mut member = Member::live();
    let now = member.wait(100_000).now;
    assert!(member.contact.exceed("its facts".to_owned(), now).is_some());
    member.contact.restart(now);
    member.list(ObjectKind::Services);
    assert_eq!(member.wait(600).said(), None, "slices are not listed");
    member.list(ObjectKind::Slices);
    assert_eq!(member.wait(59).said(), None);
    // A watch that starts again in time begins nothing anew.
    member.hear(
        ObjectKind::Slices,
        WatchStatus::Ended("its time".to_owned()),
    );
    assert_eq!(member.wait(1).said(), None);
    member.hear(ObjectKind::Slices, WatchStatus::Up);
    assert_eq!(member.said(), Some(Change::Returning));
}
