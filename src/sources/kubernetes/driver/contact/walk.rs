//! Every order of what may happen to a member, to a depth: wherever that leads, nothing that was not
//! passed on is forgotten, and an API that answers from then on has its member back.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::*;

/// How many events deep, from a member that nothing is known of, and from one that is in contact.
const DEPTH: usize = 7;

/// Rounds in which an API that answers everything has its member in contact; one takes a second, and
/// each kind goes on by a step in it.
const ROUNDS: usize = 12;

/// Rounds more after it said more than is kept: seconds that it must keep within that at most.
const PROOF: usize = 60;

/// Time passes by so much at once: it is also the patience, and half of how long ServiceExports are
/// waited for.
const STEP: Duration = Duration::from_secs(5);

/// The needed kinds.
const KINDS: [ObjectKind; 2] = [ObjectKind::Services, ObjectKind::Slices];

/// Where the task that follows a kind is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    /// Before a list.
    Idle,
    /// It waits for its turn.
    Queued,
    /// Pages come.
    Listing,
    /// The list is complete, or the watch has ended: the next start goes on from there.
    Starting,
    /// It is watching.
    Watching,
}

/// A task that follows a kind.
#[derive(Debug, Clone, Copy, Hash)]
struct Follower {
    /// Where it is.
    place: Place,
    /// It has been told to list anew, and has not begun.
    is_told: bool,
}

/// What may happen.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// [`STEP`] passes.
    Time,
    /// The writer wants another list.
    Wanted,
    /// A heartbeat.
    Beat(bool),
    /// The task of a kind goes on, or fails.
    Goes(usize, bool),
    /// Another page comes.
    Page(usize),
    /// ServiceExports are listed and watched, or fail.
    Exports(bool),
    /// There is more than is kept.
    Excess,
}

/// A member and what works for it.
#[derive(Debug, Clone)]
struct Model {
    /// What is tested.
    contact: Contact,
    /// The tasks.
    followers: [Follower; 2],
    /// A list was not passed on, and not everything was said since.
    is_owed: bool,
    /// The time.
    now: Instant,
}

impl Model {
    /// A member that nothing is known of.
    fn new(now: Instant) -> Self {
        let follower = Follower {
            place: Place::Idle,
            is_told: false,
        };
        Self {
            contact: Contact::new(&KINDS, STEP, STEP * 2, STEP * 4, now),
            followers: [follower; 2],
            is_owed: false,
            now,
        }
    }

    /// A member that has synced.
    fn live(now: Instant) -> Self {
        let mut model = Self::new(now);
        model.step(Event::Exports(true));
        while !model.is_settled() {
            model.step(Event::Goes(0, true));
            model.step(Event::Goes(1, true));
        }
        model
    }

    /// Something happens; the session judges after it.
    fn step(&mut self, event: Event) {
        match event {
            Event::Time => self.now += STEP,
            Event::Wanted => {
                if self.contact.want_lists(self.now) {
                    for follower in &mut self.followers {
                        follower.is_told = true;
                    }
                }
            }
            Event::Beat(is_answered) => {
                let result = is_answered.then_some(()).ok_or_else(String::new);
                if self.contact.beat(result, self.now) {
                    for kind in 0..KINDS.len() {
                        let is_watching = self.followers[kind].place == Place::Watching;
                        if is_watching && !self.followers[kind].is_told {
                            self.become_at(
                                kind,
                                Place::Starting,
                                WatchStatus::Ended(String::new()),
                            );
                        }
                    }
                }
            }
            Event::Goes(kind, true) => self.go_on(kind),
            Event::Goes(kind, false) => {
                let next = match self.followers[kind].place {
                    Place::Watching => Place::Starting,
                    _ => Place::Idle,
                };
                let failure = Failure::Transport(String::new());
                self.become_at(kind, next, WatchStatus::Failed(failure));
            }
            Event::Page(kind) => self
                .contact
                .hear(KINDS[kind], WatchStatus::Progress, self.now),
            Event::Exports(true) => {
                self.contact
                    .hear(ObjectKind::Exports, WatchStatus::Listing, self.now);
                self.end_list(ObjectKind::Exports);
                self.contact
                    .hear(ObjectKind::Exports, WatchStatus::Up, self.now);
            }
            Event::Exports(false) => {
                let failure = Failure::Transport(String::new());
                self.contact
                    .hear(ObjectKind::Exports, WatchStatus::Failed(failure), self.now);
            }
            Event::Excess => {
                let _ = self.contact.exceed(String::new(), self.now);
                self.begin_anew();
            }
        }
        self.judge();
    }

    /// The task of a kind goes on by a step.
    fn go_on(&mut self, kind: usize) {
        match self.followers[kind].place {
            Place::Idle => {
                self.followers[kind].is_told = false;
                self.become_at(kind, Place::Queued, WatchStatus::Queued);
            }
            Place::Queued => self.become_at(kind, Place::Listing, WatchStatus::Listing),
            Place::Listing => {
                self.followers[kind].place = Place::Starting;
                self.end_list(KINDS[kind]);
            }
            Place::Starting => self.become_at(kind, Place::Watching, WatchStatus::Up),
            Place::Watching if self.followers[kind].is_told => {
                self.become_at(kind, Place::Idle, WatchStatus::Ended(String::new()));
            }
            Place::Watching => {}
        }
    }

    /// The task of a kind says something.
    fn become_at(&mut self, kind: usize, place: Place, status: WatchStatus) {
        self.followers[kind].place = place;
        self.contact.hear(KINDS[kind], status, self.now);
    }

    /// A list is complete, as the session takes it in.
    fn end_list(&mut self, kind: ObjectKind) {
        self.contact.listed(kind);
        if !self.contact.passes_changes() || self.contact.awaits_lists() {
            self.is_owed = true;
        }
    }

    /// What the session does after each report.
    fn judge(&mut self) {
        let mut said = 0;
        while self.contact.evaluate(self.now).is_some() {
            said += 1;
            assert!(said < 4, "it says one thing after the other: {self:#?}");
        }
        if self.contact.take_lists(self.now) {
            self.is_owed = false;
        }
        if self.contact.may_sync(self.now) {
            self.contact.synced();
            self.is_owed = false;
        }
        if self.contact.is_stuck(self.now) {
            self.contact.give_up();
            self.begin_anew();
        }
    }

    /// Another session begins.
    fn begin_anew(&mut self) {
        self.contact.restart(self.now);
        *self = Self {
            contact: self.contact.clone(),
            is_owed: self.is_owed,
            ..Self::new(self.now)
        };
    }

    /// Rounds in which it is settled once the API answers everything.
    fn rounds(&self) -> usize {
        let proof = self.contact.excess.as_ref().map_or(0, |_| PROOF);
        ROUNDS + proof
    }

    /// Whether the member is in contact, and nothing waits for anything.
    fn is_settled(&self) -> bool {
        self.contact.state == State::Live
            && self.contact.passes_changes()
            && !self.contact.awaits_lists()
            && self.followers.iter().all(|it| it.place == Place::Watching)
    }

    /// The state, with ages in place of times: those above all bounds are the same.
    fn key(&self) -> u64 {
        let text = format!("{:?} {:?} {}", self.contact, self.followers, self.is_owed);
        let seconds = |text: &str| text.parse::<i64>().expect("seconds");
        let now = format!("{:?}", self.now);
        let (_, now) = now.split_once("tv_sec: ").expect("an Instant");
        let now = seconds(now.split_once(',').expect("nanoseconds").0);
        let mut hasher = DefaultHasher::new();
        for (part, piece) in text.split("tv_sec: ").enumerate() {
            match piece.split_once(',').filter(|_| part > 0) {
                Some((at, rest)) => ((now - seconds(at)).min(60), rest).hash(&mut hasher),
                None => piece.hash(&mut hasher),
            }
        }
        hasher.finish()
    }

    /// What may happen now.
    fn events(&self) -> Vec<Event> {
        let mut events = vec![
            Event::Time,
            Event::Wanted,
            Event::Beat(true),
            Event::Beat(false),
            Event::Exports(true),
            Event::Exports(false),
            Event::Excess,
        ];
        for (kind, follower) in self.followers.iter().enumerate() {
            events.extend([Event::Goes(kind, true), Event::Goes(kind, false)]);
            events.extend((follower.place == Place::Listing).then_some(Event::Page(kind)));
        }
        events
    }

    /// The API answers everything from now on: the rounds until the member is settled.
    fn recover(mut self) -> usize {
        let begun = self.clone();
        for round in 0..self.rounds() {
            if self.is_settled() {
                return round;
            }
            self.now += Duration::from_secs(1);
            self.step(Event::Beat(true));
            self.step(Event::Exports(true));
            for kind in 0..KINDS.len() {
                self.step(Event::Goes(kind, true));
            }
        }
        panic!("it never settles: {begun:#?}\nbecomes {self:#?}");
    }
}

#[test]
fn from_wherever_it_is_a_member_comes_back() {
    let mut seen = HashSet::new();
    let now = Instant::now();
    let mut edge = vec![Model::new(now), Model::live(now)];
    let mut longest = 0;
    for _ in 0..DEPTH {
        let mut next = Vec::new();
        for model in edge {
            for event in model.events() {
                let mut model = model.clone();
                model.step(event);
                if !seen.insert(model.key()) {
                    continue;
                }
                let waits = model.contact.needs_sync || model.contact.awaits_lists();
                assert!(!model.is_owed || waits, "it forgets a list: {model:#?}");
                let rounds = model.clone().recover();
                longest = longest.max((rounds + ROUNDS).saturating_sub(model.rounds()));
                next.push(model);
            }
        }
        edge = next;
    }
    // What was seen: 70,683 states, and 8 rounds at most, with those of a proof not counted.
    assert!(longest < ROUNDS, "{longest} rounds");
    assert!(seen.len() > 10_000, "the walk is short");
}
