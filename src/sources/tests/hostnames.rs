//! The times of lookups, with time stopped and a scripted resolver.

use std::net::Ipv4Addr;

use parking_lot::Mutex;
use tokio::task::JoinSet;

use super::fair_queue::AT_ONCE;
use super::known::QueryOutcome;
use super::*;
use crate::model::MemberIdx;

/// These names, of one member.
fn of_member(member: u8, names: impl IntoIterator<Item = NameBuf>) -> BTreeMap<NameBuf, MemberSet> {
    let members: MemberSet = [MemberIdx(member)].into_iter().collect();
    names.into_iter().map(|name| (name, members)).collect()
}

/// A name in `example.`.
fn name(label: &str) -> NameBuf {
    NameBuf::from_labels([label, "example"]).unwrap()
}

/// A resolver that tells what it was asked and answers what it is told to.
#[derive(Clone)]
struct Script {
    /// The answer to A; AAAA is absent.
    ipv4: Arc<Mutex<QueryOutcome<Ipv4Addr>>>,
    /// How long an answer takes.
    delay: Duration,
    /// Every question: the name and its time.
    asked: mpsc::UnboundedSender<(NameBuf, Instant)>,
}

impl Script {
    /// Answers a question.
    async fn ask(self, hostname: NameBuf) -> Answers {
        self.asked.send((hostname, Instant::now())).unwrap();
        tokio::time::sleep(self.delay).await;
        Answers {
            ipv4: self.ipv4.lock().clone(),
            ipv6: QueryOutcome::Absent("NODATA".into()),
        }
    }
}

/// The thing under test, with its surroundings.
struct World {
    /// Says that there are other resolvers.
    swapped: Arc<Notify>,
    /// What is wanted.
    wanted: watch::Sender<Arc<BTreeMap<NameBuf, MemberSet>>>,
    /// The answer to A.
    ipv4: Arc<Mutex<QueryOutcome<Ipv4Addr>>>,
    /// What was asked.
    asked: mpsc::UnboundedReceiver<(NameBuf, Instant)>,
    /// What was said.
    deltas: mpsc::Receiver<Delta>,
    /// Runs it.
    tasks: JoinSet<Stopped>,
}

/// Starts with `labels` wanted and `own.example` an own apex.
fn world(labels: &[&str], delay: Duration) -> World {
    let (asking, asked) = mpsc::unbounded_channel();
    let (sender, deltas) = mpsc::channel(64);
    let set = of_member(0, labels.iter().map(|label| name(label)));
    let (wanted, receiver) = watch::channel(Arc::new(set));
    let script = Script {
        ipv4: Arc::new(Mutex::new(found(1, 60))),
        delay,
        asked: asking,
    };
    let ipv4 = Arc::clone(&script.ipv4);
    let names = Names::new(vec![name("own")], sender);
    let mut tasks = JoinSet::new();
    let swapped = Arc::new(Notify::new());
    let swaps = Arc::clone(&swapped);
    tasks.spawn(async move {
        let ask = |hostname| script.clone().ask(hostname);
        names.run(receiver, ask, &swaps).await
    });
    World {
        swapped,
        wanted,
        ipv4,
        asked,
        deltas,
        tasks,
    }
}

/// One address.
fn found(host: u8, ttl: u64) -> QueryOutcome<Ipv4Addr> {
    QueryOutcome::Found(vec![[192, 0, 2, host].into()], Duration::from_secs(ttl))
}

/// What is said of the name `a`.
fn said(hosts: &[u8], ttl: u64) -> Delta {
    Delta::Hostname {
        hostname: name("a"),
        ipv4: hosts.iter().map(|host| [192, 0, 2, *host].into()).collect(),
        ipv6: Box::default(),
        ttl: Duration::from_secs(ttl),
    }
}

#[tokio::test(start_paused = true)]
async fn names_are_asked_again_at_their_ttl() {
    let mut world = world(&["a"], Duration::ZERO);
    let (_, first) = world.asked.recv().await.unwrap();
    assert_eq!(world.deltas.recv().await, Some(said(&[1], 60)));
    *world.ipv4.lock() = found(2, 20);
    let (_, second) = world.asked.recv().await.unwrap();
    let pause = second.duration_since(first);
    assert!(
        pause >= Duration::from_secs(54) && pause <= Duration::from_secs(61),
        "{pause:?}"
    );
    assert_eq!(world.deltas.recv().await, Some(said(&[2], 20)));
    let (_, third) = world.asked.recv().await.unwrap();
    let pause = third.duration_since(second);
    assert!(
        pause >= Duration::from_secs(18) && pause <= Duration::from_secs(21),
        "{pause:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_vanished_name_loses_its_addresses_after_five_minutes() {
    let mut world = world(&["a"], Duration::ZERO);
    assert_eq!(world.deltas.recv().await, Some(said(&[1], 60)));
    let (_, start) = world.asked.recv().await.unwrap();
    *world.ipv4.lock() = QueryOutcome::Failed("SERVFAIL".into());
    for _ in 0..50 {
        world.asked.recv().await.unwrap();
    }
    assert!(world.deltas.try_recv().is_err());
    assert!(start.elapsed() > Duration::from_secs(600));
    *world.ipv4.lock() = QueryOutcome::Absent("NODATA".into());
    let (_, absent) = world.asked.recv().await.unwrap();
    let why = Delta::Unresolved {
        hostname: name("a"),
        why: Some("NODATA".into()),
    };
    assert_eq!(world.deltas.recv().await, Some(why));
    assert_eq!(world.deltas.recv().await, Some(said(&[], 0)));
    let pause = absent.elapsed();
    assert!(
        pause >= Duration::from_secs(300) && pause <= Duration::from_secs(331),
        "{pause:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn own_names_are_not_asked_for_and_unwanted_ones_no_more() {
    let mut world = world(&["own", "a"], Duration::ZERO);
    assert_eq!(world.asked.recv().await.unwrap().0, name("a"));
    world
        .wanted
        .send_replace(Arc::new(of_member(0, [name("b"), name("own")])));
    for _ in 0..5 {
        assert_eq!(world.asked.recv().await.unwrap().0, name("b"));
    }
    drop(world.wanted);
    assert!(world.tasks.join_next().await.unwrap().is_ok());
    while let Some((asked, _)) = world.asked.recv().await {
        assert_eq!(asked, name("b"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_bounded_number_of_names_is_asked_for_at_once() {
    let labels: Vec<String> = (0..40).map(|number| format!("n{number}")).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let mut world = world(&labels, Duration::from_secs(1));
    let mut seconds = BTreeMap::new();
    let (_, start) = world.asked.recv().await.unwrap();
    *seconds.entry(0).or_insert(0) += 1;
    for _ in 1..40 {
        let (_, at) = world.asked.recv().await.unwrap();
        *seconds
            .entry(at.duration_since(start).as_secs())
            .or_insert(0) += 1;
    }
    assert_eq!(seconds, [(0, 16), (1, 16), (2, 8)].into());
}

#[tokio::test(start_paused = true)]
async fn no_member_waits_for_the_many_names_of_others() {
    let many = (0..1000).map(|number| name(&format!("n{number}")));
    let mut world = world(&[], Duration::from_secs(10));
    let mut wanted = of_member(0, many);
    world.wanted.send_replace(Arc::new(wanted.clone()));
    let (_, start) = world.asked.recv().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut asked = 1;
    while world.asked.try_recv().is_ok() {
        asked += 1;
    }
    assert_eq!(asked, AT_ONCE / 2, "the greedy member has half");
    // One name of a second member, two of a third, and one that it shares with the first.
    let shared = name("n999");
    wanted.extend(of_member(1, [name("a")]));
    wanted.extend(of_member(2, [name("b"), name("c")]));
    wanted.insert(shared.clone(), [0, 2].map(MemberIdx).into_iter().collect());
    world.wanted.send_replace(Arc::new(wanted));
    let mut others = BTreeMap::new();
    for _ in 0..4 {
        let (hostname, at) = world.asked.recv().await.unwrap();
        others.insert(hostname, at.duration_since(start).as_secs());
    }
    let expected = [name("a"), name("b"), name("c"), shared].map(|name| (name, 1));
    assert_eq!(others, expected.into());
}

#[tokio::test(start_paused = true)]
async fn what_has_no_address_is_told_once_with_why() {
    let mut world = world(&["a"], Duration::ZERO);
    *world.ipv4.lock() = QueryOutcome::Failed("SERVFAIL".into());
    let why = |why: Option<&str>| Delta::Unresolved {
        hostname: name("a"),
        why: why.map(Into::into),
    };
    let first = Some("A: SERVFAIL; AAAA: NODATA");
    assert_eq!(world.deltas.recv().await, Some(why(first)));
    for _ in 0..5 {
        world.asked.recv().await.unwrap();
    }
    assert!(world.deltas.try_recv().is_err());
    *world.ipv4.lock() = found(1, 60);
    assert_eq!(world.deltas.recv().await, Some(why(None)));
    assert_eq!(world.deltas.recv().await, Some(said(&[1], 60)));
}

#[tokio::test(start_paused = true)]
async fn other_resolvers_are_asked_at_once_for_what_waits_or_failed() {
    let mut world = world(&["a"], Duration::from_secs(8));
    let (_, first) = world.asked.recv().await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    world.swapped.notify_one();
    let (_, second) = world.asked.recv().await.unwrap();
    assert_eq!(second.duration_since(first), Duration::from_secs(2));
    *world.ipv4.lock() = QueryOutcome::Failed("SERVFAIL".into());
    tokio::time::sleep(Duration::from_secs(9)).await;
    world.swapped.notify_one();
    let (_, third) = world.asked.recv().await.unwrap();
    assert_eq!(third.duration_since(second), Duration::from_secs(9));
}
