//! Ten thousand probed targets: what they cost, how late probes start, and how soon a target that
//! is gone is down. `cargo bench --bench health`; it needs 15,000 open files.
#![expect(clippy::print_stdout, reason = "its figures are what it is for")]

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use gazetteer::health;
use gazetteer::model::{
    Delta, Evidence, Findings, Probe, ProbeTarget, ProbeTargets, UnixSeconds, Verdict,
};
use gazetteer::telemetry::{Metrics, clock};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// How long the steady state is measured.
const STEADY: Duration = Duration::from_secs(20);

/// Targets that stay, that are closed, and that stop to answer.
const TARGETS: [u16; 3] = [8000, 1000, 1000];

/// How many connections may wait for a server.
const BACKLOG: u32 = 4096;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(measure());
}

/// Measures everything, and prints it.
async fn measure() {
    let probe = Arc::new(Probe::default());
    let listeners = TARGETS.map(|_| Arc::new(listen()));
    let ports: Vec<_> = listeners
        .iter()
        .map(|listener| listener.local_addr().expect("bound").port())
        .collect();
    let mut targets = ProbeTargets::new();
    for (net, (count, port)) in (1..).zip(TARGETS.into_iter().zip(ports)) {
        for n in 0..count {
            let [high, low] = n.to_be_bytes();
            let address = SocketAddr::from((Ipv4Addr::new(127, net, high, low), port));
            let probe = Arc::clone(&probe);
            targets.insert(ProbeTarget { address, probe });
        }
    }
    let [staying, closing, silent] = listeners;
    let _serving = serve(staying);
    let accepting = serve(Arc::clone(&silent));
    let closing = serve(closing);
    let metrics = Arc::new(Metrics::new());
    let (_wanted, wanted) = watch::channel(targets);
    let (said, mut heard) = mpsc::channel(1024);
    let cancel = CancellationToken::new();
    let known = watch::channel(Findings::default()).1;
    let running =
        health::spawn(wanted, known, said, Arc::clone(&metrics), cancel).expect("a thread");

    let all = usize::from(TARGETS.iter().sum::<u16>());
    let up = collect(&mut heard, Verdict::Up, all, Duration::from_secs(10)).await;
    assert_eq!(up.len(), all, "every target passes");
    let (before, cpu, begin) = (lateness(&metrics), cpu(), clock::monotonic());
    let quiet = collect(&mut heard, Verdict::Down, 1, STEADY).await;
    assert!(quiet.is_empty(), "nothing is down");
    let elapsed = begin.elapsed();
    let cpu = self::cpu().saturating_sub(cpu).as_secs_f64() / elapsed.as_secs_f64();
    println!(
        "{all} targets, every {:?}, for {elapsed:.1?}",
        probe.interval
    );
    println!("share of a core: {:.1} %", cpu * 100.0);
    print_lateness(&before, &lateness(&metrics));

    drop(closing);
    print_withdrawals("closed", TARGETS[1], &mut heard).await;
    // It listens, and as nobody accepts, it does not answer when two connections wait.
    drop(accepting);
    SockRef::from(&*silent).listen(1).expect("it listens");
    print_withdrawals("silent", TARGETS[2], &mut heard).await;
    running.stop();
}

/// Listens at every address of this host.
fn listen() -> TcpListener {
    let socket = TcpSocket::new_v4().expect("a socket");
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    socket.bind(any).expect("a free port");
    socket.listen(BACKLOG).expect("a listener")
}

/// Accepts connections and drops them, until it is dropped itself.
fn serve(listener: Arc<TcpListener>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { while listener.accept().await.is_ok() {} });
    tasks
}

/// Waits until so many targets have a verdict, or for `limit`, and gives when each had it.
async fn collect(
    heard: &mut mpsc::Receiver<Delta>,
    verdict: Verdict,
    count: usize,
    limit: Duration,
) -> Vec<Instant> {
    let end = clock::monotonic() + limit;
    let mut times = Vec::new();
    while times.len() < count
        && let Ok(Some(Delta::Probed(news))) = timeout_at(end, heard.recv()).await
    {
        let now = clock::monotonic();
        let of = |evidence: &Evidence| evidence.verdict == verdict;
        let news = news.iter().filter_map(|(_, evidence)| evidence.as_ref());
        times.extend(news.filter(|evidence| of(evidence)).map(|_| now));
    }
    times
}

/// Waits until targets that have just gone are down, and prints how long that took.
async fn print_withdrawals(what: &str, count: u16, heard: &mut mpsc::Receiver<Delta>) {
    let Probe {
        interval,
        timeout,
        down,
        ..
    } = Probe::default();
    let limit = interval * u32::from(down) + timeout;
    let begin = clock::monotonic();
    let down = collect(heard, Verdict::Down, count.into(), limit * 3).await;
    let late = down.iter().filter(|at| **at - begin > limit).count();
    let missing = usize::from(count) - down.len();
    let after = |part: usize| {
        let at = down.get(down.len() * part / 100).or(down.last());
        at.map_or(f64::NAN, |at| (*at - begin).as_secs_f64())
    };
    println!(
        "{what}: down after p50 {:.2} s, p99 {:.2} s, max {:.2} s of {limit:?}; late {late}, never {missing}",
        after(50),
        after(99),
        after(100),
    );
}

/// Processor time of the thread that probes.
fn cpu() -> Duration {
    let threads = fs::read_dir("/proc/self/task").expect("Linux");
    let own = threads.flatten().find(|thread| {
        let name = fs::read_to_string(thread.path().join("comm"));
        name.is_ok_and(|name| name.trim() == "health")
    });
    let path = own.expect("the thread runs").path().join("schedstat");
    let times = fs::read_to_string(path).expect("it still runs");
    let nanoseconds = times.split(' ').next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanoseconds.expect("a number"))
}

/// How late probes started: the counts of the histogram, by its bounds.
fn lateness(metrics: &Metrics) -> Vec<(String, u64)> {
    let text = metrics.render(UnixSeconds(0));
    let buckets = text.lines().filter_map(|line| {
        let rest = line.strip_prefix("gazetteer_health_start_lateness_seconds_bucket{le=\"")?;
        let (bound, count) = rest.split_once("\"} ")?;
        Some((bound.to_owned(), count.parse().ok()?))
    });
    buckets.collect()
}

/// Prints what was added to the histogram.
fn print_lateness(before: &[(String, u64)], after: &[(String, u64)]) {
    let added: Vec<_> = after
        .iter()
        .zip(before)
        .map(|((bound, after), (_, before))| (bound, after - before))
        .collect();
    let all = added.last().map_or(0, |(_, all)| *all);
    println!("probes: {all}");
    for (name, share) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
        #[expect(clippy::cast_precision_loss, reason = "thousands")]
        let within = added.iter().find(|(_, n)| *n as f64 >= share * all as f64);
        let bound = within.map_or("none", |(bound, _)| bound);
        println!("start late by, {name}: at most {bound} s");
    }
}
