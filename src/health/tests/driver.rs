//! Times, holds and what is said, with time stopped and scripted answers.

mod known;

use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::health::thread::keep;
use crate::model::{Probe, UnixSeconds, Verdict};

/// What comes of probes, by address, and how long that takes.
type Answers = Arc<Mutex<HashMap<SocketAddr, (ProbeOutcome, Duration)>>>;

/// The thing under test, with its surroundings.
struct World {
    /// What is wanted.
    wanted: watch::Sender<ProbeTargets>,
    /// What is known from before.
    known: watch::Sender<Findings>,
    /// It was said that first probes are through, and when.
    first_probes: Option<Instant>,
    /// What comes of probes.
    answers: Answers,
    /// What was asked, and when.
    asked: mpsc::UnboundedReceiver<(SocketAddr, Instant)>,
    /// What was said.
    deltas: mpsc::Receiver<Delta>,
    /// What was counted.
    metrics: Arc<Metrics>,
    /// Runs it.
    _tasks: JoinSet<()>,
}

/// How long a probe takes that nobody answers.
const SILENCE: Duration = Duration::from_secs(1);

/// A pass.
fn pass() -> (ProbeOutcome, Duration) {
    (ProbeOutcome::Passed("connected".into()), Duration::ZERO)
}

/// A failure that says something.
fn refused() -> (ProbeOutcome, Duration) {
    (ProbeOutcome::Answered("refused".into()), Duration::ZERO)
}

/// A failure that says nothing.
fn silent() -> (ProbeOutcome, Duration) {
    (ProbeOutcome::Silent("timed out after 1s".into()), SILENCE)
}

/// Target number `n`, probed every `seconds`.
fn target(n: u16, seconds: u64) -> ProbeTarget {
    let probe = Probe {
        interval: Duration::from_secs(seconds),
        ..Probe::default()
    };
    ProbeTarget {
        address: SocketAddr::from(([127, 0, 0, 1], n)),
        probe: Arc::new(probe),
    }
}

/// Starts with these targets, all of which pass; those without an answer panic.
fn world(targets: &[ProbeTarget], at_once: usize, room: usize) -> World {
    knowing(targets, Findings::default(), at_once, room)
}

/// The same, when something is known from before.
fn knowing(targets: &[ProbeTarget], findings: Findings, at_once: usize, room: usize) -> World {
    let answers: Answers = Arc::default();
    for target in targets {
        answers.lock().insert(target.address, pass());
    }
    let (asking, asked) = mpsc::unbounded_channel();
    let (saying, deltas) = mpsc::channel(room);
    let (wanted, receiver) = watch::channel(targets.iter().cloned().collect());
    let metrics = Arc::new(Metrics::new());
    let script = Arc::clone(&answers);
    let ask = move |target: ProbeTarget| {
        let (script, asking) = (Arc::clone(&script), asking.clone());
        async move {
            asking.send((target.address, Instant::now())).unwrap();
            let answer = script.lock().get(&target.address).cloned();
            let (outcome, delay) = answer.expect("an answer, or else a panic is wanted");
            tokio::time::sleep(delay).await;
            outcome
        }
    };
    let counted = Arc::clone(&metrics);
    let (known, findings) = watch::channel(findings);
    let driver = move || {
        Driver::new(
            saying.clone(),
            findings.clone(),
            Arc::clone(&counted),
            at_once,
        )
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(keep(receiver, driver, ask, CancellationToken::new()));
    World {
        wanted,
        known,
        first_probes: None,
        answers,
        asked,
        deltas,
        metrics,
        _tasks: tasks,
    }
}

impl World {
    /// What is said next: port, verdict, and what was seen.
    async fn said(&mut self) -> Vec<(u16, Option<Verdict>)> {
        let said = loop {
            match self.deltas.recv().await {
                Some(Delta::Probed(said)) => break said,
                Some(Delta::FirstProbes) => self.first_probes = Some(Instant::now()),
                _ => panic!("nothing is said any more"),
            }
        };
        let said = said.into_iter();
        said.map(|(target, evidence)| (target.address.port(), evidence.map(|e| e.verdict)))
            .collect()
    }

    /// What is said within so many seconds.
    async fn said_within(&mut self, seconds: u64) -> Vec<(u16, Option<Verdict>)> {
        let end = Instant::now() + Duration::from_secs(seconds);
        let mut all = Vec::new();
        while let Ok(said) = tokio::time::timeout_at(end, self.said()).await {
            all.extend(said);
        }
        all
    }

    /// Makes probes of a port come out so.
    fn answer(&self, port: u16, answer: (ProbeOutcome, Duration)) {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        self.answers.lock().insert(address, answer);
    }

    /// Whether the metrics have a line.
    fn shows(&self, line: &str) -> bool {
        let text = self.metrics.render(UnixSeconds(0));
        text.lines().any(|other| other == line)
    }
}

#[tokio::test(start_paused = true)]
async fn starts_are_spread_and_never_late() {
    let targets: Vec<_> = (1..=1000).map(|n| target(n, 2)).collect();
    let mut world = world(&targets, 100, 1000);
    let begin = Instant::now();
    world.said_within(20).await;
    let mut starts: HashMap<SocketAddr, Vec<Instant>> = HashMap::new();
    let mut slots = [0; 100];
    while let Ok((address, at)) = world.asked.try_recv() {
        starts.entry(address).or_default().push(at);
        let slot = (at - begin).as_millis() / 200;
        slots[usize::try_from(slot).unwrap().min(99)] += 1;
    }
    assert_eq!(starts.len(), 1000);
    let (least, most) = (Duration::from_millis(1899), Duration::from_millis(2002));
    for times in starts.values() {
        assert!(times[0] - begin <= most);
        assert!(
            times
                .windows(2)
                .all(|pair| (least..=most).contains(&(pair[1] - pair[0])))
        );
    }
    // About 102 in each fifth of a second.
    assert!(slots.iter().all(|n| (50..200).contains(n)), "{slots:?}");
    assert!(world.shows("gazetteer_health_targets{verdict=\"up\"} 1000"));
}

#[tokio::test(start_paused = true)]
async fn transitions_are_said_once_and_what_goes_is_taken_back() {
    let targets = [target(1, 2), target(2, 2)];
    let mut world = world(&targets, 10, 10);
    world.answer(2, silent());
    let first = world.said_within(10).await;
    assert!(
        first.contains(&(1, Some(Verdict::Up))) && first.contains(&(2, Some(Verdict::Unknown)))
    );
    assert_eq!(first.len(), 2);
    world.answer(1, refused());
    let expected = [(1, Some(Verdict::Suspect)), (1, Some(Verdict::Down))];
    assert_eq!(world.said_within(20).await, expected);
    world.answer(1, pass());
    assert_eq!(world.said_within(20).await, [(1, Some(Verdict::Up))]);
    world.wanted.send_modify(|wanted| {
        wanted.remove(&targets[0]);
    });
    assert_eq!(world.said_within(5).await, [(1, None)]);
    assert!(world.shows("gazetteer_health_targets{verdict=\"up\"} 0"));
    assert!(world.shows("gazetteer_health_targets{verdict=\"unknown\"} 1"));
    while world.asked.try_recv().is_ok() {}
    world.said_within(10).await;
    while let Ok((address, _)) = world.asked.try_recv() {
        assert_eq!(address.port(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_worsens_while_nothing_is_heard() {
    let targets: Vec<_> = (1..=4).map(|n| target(n, 2)).collect();
    let mut world = world(&targets, 10, 10);
    assert_eq!(world.said_within(5).await.len(), 4);
    (1..=4).for_each(|n| world.answer(n, silent()));
    let said = world.said_within(60).await;
    // Suspect, and seven seconds after their last pass that is too old to prove anything.
    assert_eq!(said.len(), 8);
    assert!(
        said.iter()
            .all(|(_, verdict)| *verdict == Some(Verdict::Suspect))
    );
    assert!(world.shows("gazetteer_health_verdicts_suspended{family=\"ipv4\"} 1"));
    // The network is back, and two targets are really gone: a single failure that began since is
    // enough, and one that began before is not.
    world.answer(1, pass());
    world.answer(2, pass());
    assert!(
        world
            .said()
            .await
            .iter()
            .all(|(_, verdict)| *verdict == Some(Verdict::Up))
    );
    let back = Instant::now();
    let mut down = Vec::new();
    while down.len() < 2 {
        for (port, verdict) in world.said().await {
            if verdict == Some(Verdict::Down) {
                let began = Instant::now() - SILENCE;
                assert!(began >= back && began - back <= Duration::from_millis(3001));
                down.push(port);
            }
        }
    }
    down.sort_unstable();
    assert_eq!(down, [3, 4]);
    assert!(world.shows("gazetteer_health_verdicts_suspended{family=\"ipv4\"} 0"));
    // Nothing is held for a family without targets.
    (1..=4).for_each(|n| world.answer(n, silent()));
    world.said_within(10).await;
    assert!(world.shows("gazetteer_health_verdicts_suspended{family=\"ipv4\"} 1"));
    world.wanted.send_replace(ProbeTargets::new());
    assert_eq!(world.said_within(1).await.len(), 4);
    assert!(world.shows("gazetteer_health_verdicts_suspended{family=\"ipv4\"} 0"));
}

#[tokio::test(start_paused = true)]
async fn a_slow_target_is_asked_early_when_others_need_it_as_a_witness() {
    let mut world = world(&[target(1, 2), target(2, 600)], 10, 10);
    assert_eq!(world.said_within(601).await.len(), 2);
    world.answer(1, silent());
    let begin = Instant::now();
    assert_eq!(world.said().await, [(1, Some(Verdict::Suspect))]);
    assert_eq!(world.said().await, [(1, Some(Verdict::Down))]);
    assert!(
        begin.elapsed() <= Duration::from_millis(7010),
        "{:?}",
        begin.elapsed()
    );
    world.answer(1, pass());
    assert_eq!(world.said_within(10).await, [(1, Some(Verdict::Up))]);
    // It does not answer either: then it is the network.
    world.answer(1, silent());
    world.answer(2, silent());
    let mut said = world.said_within(30).await;
    said.sort_by_key(|(port, _)| *port);
    assert_eq!(
        said,
        [
            (1, Some(Verdict::Suspect)),
            // Its last pass has grown too old.
            (1, Some(Verdict::Suspect)),
            (2, Some(Verdict::Suspect))
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_our_own_host_cannot_do_says_nothing() {
    let mut world = world(&[target(1, 2)], 10, 10);
    assert_eq!(world.said_within(5).await, [(1, Some(Verdict::Up))]);
    world.answer(1, (ProbeOutcome::Local("no file".into()), Duration::ZERO));
    // Nothing but that its last pass is no proof any more.
    let Some(Delta::Probed(said)) = world.deltas.recv().await else {
        panic!("nothing is said any more");
    };
    let [(_, Some(evidence))] = &*said else {
        panic!("{said:?}");
    };
    assert_eq!((evidence.verdict, evidence.proves()), (Verdict::Up, false));
    assert_eq!(world.said_within(60).await, []);
    assert!(world.shows("gazetteer_health_targets{verdict=\"up\"} 1"));
    // The next pass is one again.
    world.answer(1, pass());
    assert_eq!(world.said_within(5).await, [(1, Some(Verdict::Up))]);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_asked_too_late_loses_its_proof_by_time() {
    let mut world = world(&[target(1, 2)], 1, 10);
    assert_eq!(world.said_within(5).await, [(1, Some(Verdict::Up))]);
    let begin = Instant::now();
    // Its probe does not end, as nothing does on an overloaded machine.
    world.answer(
        1,
        (
            ProbeOutcome::Passed("late".into()),
            Duration::from_secs(100),
        ),
    );
    let Some(Delta::Probed(said)) = world.deltas.recv().await else {
        panic!("nothing is said any more");
    };
    assert!(
        said.iter()
            .all(|(_, evidence)| !evidence.as_ref().unwrap().proves())
    );
    assert!(begin.elapsed() <= Probe::default().proof());
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_has_to_wait_is_late_and_not_lost() {
    let targets: Vec<_> = (1..=20).map(|n| target(n, 2)).collect();
    let mut world = world(&targets, 2, 100);
    (1..=20).for_each(|n| world.answer(n, silent()));
    world.said_within(60).await;
    let mut starts = HashMap::<_, u32>::new();
    while let Ok((address, _)) = world.asked.try_recv() {
        *starts.entry(address).or_default() += 1;
    }
    // Two a second, in turn.
    assert_eq!(starts.len(), 20);
    assert!(starts.values().all(|n| (4..=8).contains(n)), "{starts:?}");
    let text = world.metrics.render(UnixSeconds(0));
    let bucket = "gazetteer_health_start_lateness_seconds_bucket{le=\"1\"} ";
    let early = text
        .lines()
        .find_map(|line| line.strip_prefix(bucket))
        .unwrap();
    assert!(early.parse::<u32>().unwrap() < 40, "{early}");
}

#[tokio::test(start_paused = true)]
async fn a_target_keeps_its_verdict_when_only_its_times_change() {
    let mut world = world(&[target(1, 2), target(2, 2)], 10, 10);
    assert_eq!(world.said_within(5).await.len(), 2);
    world.answer(1, silent());
    assert_eq!(world.said_within(10).await.len(), 2);
    let new = target(1, 3);
    world
        .wanted
        .send_replace([new.clone(), target(2, 2)].into_iter().collect());
    let Some(Delta::Probed(said)) = world.deltas.recv().await else {
        panic!("nothing is said any more");
    };
    assert_eq!(said.len(), 2);
    for (target, evidence) in said {
        let expected = (target == new).then_some(Verdict::Down);
        assert_eq!(evidence.map(|evidence| evidence.verdict), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_of_each_target_is_said_when_the_writer_has_been_slow() {
    let mut world = world(&[target(1, 2), target(2, 2), target(3, 2)], 10, 1);
    // Nobody receives: the first delta is in the channel, what follows is collected.
    tokio::time::sleep(Duration::from_secs(5)).await;
    world.answer(1, refused());
    tokio::time::sleep(Duration::from_secs(10)).await;
    let mut last = HashMap::new();
    last.extend(world.said_within(1).await);
    assert_eq!(last[&1], Some(Verdict::Down));
    assert_eq!(last[&2], Some(Verdict::Up));
    assert_eq!(world.said_within(10).await, []);
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_of_its_own_probing_begins_anew() {
    let mut world = world(&[target(1, 2)], 10, 10);
    assert_eq!(world.said_within(5).await, [(1, Some(Verdict::Up))]);
    world.answers.lock().clear();
    assert_eq!(world.said_within(4).await, []);
    assert!(world.shows("gazetteer_health_targets{verdict=\"up\"} 1"));
    world.answer(1, pass());
    assert_eq!(world.said_within(10).await, [(1, Some(Verdict::Up))]);
}
