//! Two of three members are dead for long beside one that lives, and the daemon restarts meanwhile.

use std::time::Duration;

use crate::clusters::Shown;
use crate::fleet::Fleet;
use crate::gazetteer::{Gazetteer, Setup, global, within};
use crate::report_line;
use crate::timeline::{Served, Span, Timeline};
use crate::wait::{SOON, throughout};

/// The namespace of the scenario.
const NAMESPACE: &str = "outage";

/// How many seconds the two members are to be dead at least. With it, `hold` is a minute, the brake is
/// waited for to its end, and the daemon restarts in the middle; without it, `hold` is short, the
/// first restart ends the brake, and a second one comes once the two are withdrawn.
const LENGTH: &str = "GAZETTEER_OUTAGE_SECONDS";

/// How long the brake is on beside a member that stays in contact.
const BRAKE: Duration = Duration::from_secs(60);

/// How long it may take at most until an API server that is killed is known to be lost.
const NOTICED: Duration = SOON;

/// For how long nobody is withdrawn before the first restart of the short one: longer than its `hold`,
/// and than it takes until it is on disk that the brake is on, a second.
const BRAKED: Duration = Duration::from_secs(6);

/// For how long nothing may change after the second restart of the short one.
const STEADY: Duration = Duration::from_secs(5);

/// How long a restart may leave queries unanswered.
const RESTART: Duration = Duration::from_secs(5);

/// While the brake is on nobody is withdrawn; then the two are, where the third has the service, and
/// stay so over a restart, until each is in contact again. What only the dead have is served all the
/// time, and what only the living one has never changes.
pub(crate) fn two_of_three(fleet: &Fleet) {
    let [ew1b, ew1d, _] = &fleet.members;
    for member in &fleet.members {
        member.simple_service(NAMESPACE, "web", 1);
    }
    ew1b.simple_service(NAMESPACE, "one", 2);
    ew1b.simple_service(NAMESPACE, "two", 3);
    ew1d.simple_service(NAMESPACE, "two", 3);
    let length = std::env::var(LENGTH).ok().map(|text| {
        let seconds = text.parse();
        Duration::from_secs(seconds.unwrap_or_else(|_| panic!("{LENGTH}={text} is no number")))
    });
    let hold = Duration::from_secs(if length.is_some() { 60 } else { 4 });
    let setup = Setup::all(fleet).federation(&format!("hold = \"{}s\"", hold.as_secs()));
    let gazetteer = Gazetteer::start(fleet, &setup);
    let answers = Answers::of(fleet);
    gazetteer.until_answers(&answers.all, &answers.three);
    gazetteer.until_answers(&answers.two, &answers.of_two);

    let timeline = Timeline::start(&gazetteer, &answers.names());
    let (moments, gazetteer) = run(fleet, gazetteer, &timeline, &answers, hold, length);
    gazetteer.until_held(&answers.two, &answers.of_two, false);
    let served = timeline.stop();
    report_line(&format!(
        "two of three members are dead for {} s, hold is {} s:",
        moments.length.as_secs(),
        hold.as_secs()
    ));
    served.report();
    answers.assert_served(&served, &moments);
}

/// When what may be served changes.
struct Moments {
    /// The two are withdrawn.
    withdrawal: Span,
    /// Each is in contact again.
    returns: [Span; 2],
    /// For how long they were dead.
    length: Duration,
}

/// Kills the API servers of two members, restarts the daemon meanwhile, and starts them again.
fn run(
    fleet: &Fleet,
    mut gazetteer: Gazetteer,
    timeline: &Timeline,
    answers: &Answers,
    hold: Duration,
    length: Option<Duration>,
) -> (Moments, Gazetteer) {
    let [ew1b, ew1d, _] = &fleet.members;
    let killed = timeline.note("the API servers of ew1b and ew1d are killed");
    ew1b.kill_server();
    ew1d.kill_server();
    let is_braked = |shown: &Shown| shown.status == "Held" && shown.reason.contains("brake");
    for member in [ew1b, ew1d] {
        gazetteer.until_shown(member.name, "held by the brake", NOTICED, is_braked);
    }
    let (earliest, at_most) = if length.is_some() {
        (killed + BRAKE + hold, BRAKE + hold)
    } else {
        throughout("nobody is withdrawn", BRAKED, || {
            gazetteer.check(&answers.all, &answers.three)
        });
        let restarted = timeline.note("the daemon is killed and starts again");
        gazetteer = gazetteer.restart_after_kill();
        (restarted + hold, hold)
    };
    gazetteer.until_within(&answers.all, &answers.left, at_most + SOON);
    let withdrawn = timeline.note("the two are withdrawn");
    let half = length.map_or(withdrawn, |length| killed + length / 2);
    answers.assert_left(&gazetteer, half.saturating_sub(withdrawn));
    timeline.note("the daemon is killed and starts again");
    gazetteer = gazetteer.restart_after_kill();
    gazetteer.until_answers(&answers.two, &answers.of_two);
    let again = timeline.note("the daemon answers again");
    let end = length.map_or(again + STEADY, |length| killed + length);
    answers.assert_left(&gazetteer, end.saturating_sub(again));
    let returns = [(ew1b, &answers.back), (ew1d, &answers.three)];
    let returns = returns.map(|(member, answer)| {
        let starts = timeline.note(format!("the API server of {} starts", member.name));
        member.start_server();
        timeline.note("the API server is ready");
        gazetteer.until_held(&answers.all, answer, false);
        Span::from(starts)
    });
    let moments = Moments {
        withdrawal: Span {
            from: earliest,
            until: withdrawn + SOON,
        },
        returns,
        length: end.saturating_sub(killed),
    };
    (moments, gazetteer)
}

/// The names that are asked, and how they may be answered.
struct Answers {
    /// A service that all three have.
    all: String,
    /// One that only the first dead one has.
    one: String,
    /// One that only the two dead ones have.
    two: String,
    /// That of all three.
    three: String,
    /// Of those, what is left while two are withdrawn.
    left: String,
    /// What is left once the first is back.
    back: String,
    /// That of the first dead one.
    of_one: String,
    /// That of both.
    of_two: String,
    /// That of the first, of what both have, while only the second is withdrawn.
    of_two_back: String,
    /// That of the first alone, of what all have.
    of_zone: String,
}

impl Answers {
    /// Those on these members.
    fn of(fleet: &Fleet) -> Self {
        let [ew1b, ew1d, ue1b] = &fleet.members;
        let [b, d, u] = [ew1b, ew1d, ue1b].map(|member| member.balancer(1));
        let (both_b, both_d) = (ew1b.balancer(3), ew1d.balancer(3));
        Self {
            all: global(NAMESPACE, "web"),
            one: global(NAMESPACE, "one"),
            two: global(NAMESPACE, "two"),
            three: format!("A {b} {d} {u}"),
            left: format!("A {u}"),
            back: format!("A {b} {u}"),
            of_one: format!("A {}", ew1b.balancer(2)),
            of_two: format!("A {both_b} {both_d}"),
            of_two_back: format!("A {both_b}"),
            of_zone: format!("A {b}"),
        }
    }

    /// The names, with what reports call them.
    fn names(&self) -> [(&'static str, String); 5] {
        let zone = |zone| within(NAMESPACE, "web", zone);
        [
            ("in all three", self.all.clone()),
            ("in a dead one", self.one.clone()),
            ("in both dead ones", self.two.clone()),
            ("in the zone of a dead one", zone("europe-west1-b")),
            ("in the zone of the living one", zone("us-east1-b")),
        ]
    }

    /// For so long the two are withdrawn, and served where nothing else is left.
    fn assert_left(&self, gazetteer: &Gazetteer, span: Duration) {
        throughout("what is left is served", span, || {
            gazetteer.check(&self.all, &self.left)?;
            gazetteer.check(&self.one, &self.of_one)?;
            gazetteer.check(&self.two, &self.of_two)
        });
    }

    /// Every answer was one that the rules give at that moment.
    fn assert_served(&self, served: &Served, moments: &Moments) {
        let begins = Span::BEGINNING;
        let (withdrawal, [first, second]) = (moments.withdrawal, moments.returns);
        let expected = [
            (begins, &*self.three),
            (withdrawal, &self.left),
            (first, &self.back),
            (second, &self.three),
        ];
        served.assert_answers("in all three", &expected);
        served.assert_answers("in a dead one", &[(begins, &self.of_one)]);
        // Once one of them is back, something sure is left.
        let expected = [
            (begins, &*self.of_two),
            (first, &self.of_two_back),
            (second, &self.of_two),
        ];
        served.assert_answers("in both dead ones", &expected);
        let region = within(NAMESPACE, "web", "europe-west1");
        let elsewhere = format!("CNAME {region} CNAME {} {}", self.all, self.left);
        let expected = [
            (begins, &*self.of_zone),
            (withdrawal, &elsewhere),
            (first, &self.of_zone),
        ];
        served.assert_answers("in the zone of a dead one", &expected);
        served.assert_answers("in the zone of the living one", &[(begins, &self.left)]);
        let silence = served.silence();
        assert!(silence < 2 * RESTART, "unanswered for {silence:?}");
    }
}
