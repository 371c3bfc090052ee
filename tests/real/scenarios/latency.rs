//! How long a change takes to reach answers.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use futures::StreamExt;
use hickory_proto::rr::RecordType;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{WatchEvent, WatchParams};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::api::runtime;
use crate::dns::Client;
use crate::files;
use crate::fleet::Fleet;
use crate::gazetteer::{Gazetteer, Setup, within};
use crate::member::Member;
use crate::objects::slices;
use crate::report_line;

/// Changes that are measured.
const CHANGES: usize = 240;
/// An answer that takes longer is a failure; all else is a figure to read.
const LIMIT: Duration = Duration::from_secs(5);

/// When the endpoint was seen ready, or not ready.
type Sight = (Instant, bool);

/// Patches one slice again and again, and reports write → event, event → answer and write → answer.
pub(crate) fn report(fleet: &Fleet) {
    let [ew1b, ..] = &fleet.members;
    // Alone it answers as soon as it is ready: what flaps waits only where another one stands in.
    ew1b.simple_service("latency", "web", 1);
    let gazetteer = Gazetteer::start(fleet, &Setup::all(fleet).federation("brake = \"100%\""));
    let zone = within("latency", "web", "europe-west1-b");
    gazetteer.until_answers(&zone, &format!("A {}", ew1b.balancer(1)));

    let stop = Arc::new(AtomicBool::new(false));
    let (answered, answers) = mpsc::channel();
    let poll = {
        let (stop, server) = (Arc::clone(&stop), gazetteer.dns);
        std::thread::spawn(move || poll(server, &zone, &answered, &stop))
    };
    let (reported, events) = mpsc::channel();
    let watch = watch(ew1b, reported);
    let samples = measure(ew1b, &events, &answers);
    stop.store(true, Ordering::Relaxed);
    watch.abort();
    let queries = poll.join().expect("poll of answers");
    publish(&samples, queries);
}

/// Asks without a pause, and tells when the answer changes between the end of the chain and its own address; gives
/// the number of queries.
fn poll(
    server: std::net::SocketAddr,
    zone: &str,
    changes: &Sender<Sight>,
    stop: &AtomicBool,
) -> u64 {
    let client = Client::new(server);
    let (mut last, mut queries) = (true, 0);
    while !stop.load(Ordering::Relaxed) {
        queries += 1;
        let Ok(answer) = client.ask(zone, RecordType::A) else {
            continue;
        };
        let own = answer.aliases.is_empty();
        if own != last {
            last = own;
            if changes.send((Instant::now(), own)).is_err() {
                break;
            }
        }
    }
    queries
}

/// A bare watch of the same slices, which tells when the endpoint changes.
fn watch(member: &Member, changes: Sender<Sight>) -> tokio::task::JoinHandle<()> {
    let list = member.api.get(&slices("latency")).expect("list");
    let version = list["metadata"]["resourceVersion"]
        .as_str()
        .expect("version")
        .to_owned();
    let api = kube::Api::<EndpointSlice>::namespaced(member.api.client(), "latency");
    runtime().spawn(async move {
        let parameters = WatchParams::default().timeout(290);
        let stream = api.watch(&parameters, &version).await.expect("watch");
        let mut stream = std::pin::pin!(stream);
        while let Some(event) = stream.next().await {
            let now = Instant::now();
            let Ok(WatchEvent::Modified(slice)) = event else {
                continue;
            };
            let endpoint = slice.endpoints.first();
            let conditions = endpoint.and_then(|endpoint| endpoint.conditions.as_ref());
            let ready = conditions.and_then(|conditions| conditions.ready);
            if changes.send((now, ready != Some(false))).is_err() {
                break;
            }
        }
    })
}

/// One change, in milliseconds.
struct Sample {
    /// From the request to the test's own event.
    write_event: f64,
    /// From that event to the first right answer; less than zero when gazetteer was told first.
    event_answer: f64,
    /// From the request to the first right answer.
    write_answer: f64,
}

/// One of a sample's figures.
type Figure = fn(&Sample) -> f64;

/// Makes the changes, one after the other.
fn measure(member: &Member, events: &Receiver<Sight>, answers: &Receiver<Sight>) -> Vec<Sample> {
    let path = format!("{}/web-1", slices("latency"));
    let mut samples = Vec::with_capacity(CHANGES);
    for change in 0..CHANGES {
        let ready = change % 2 == 1;
        let endpoint = json!({"addresses": ["10.1.0.1"], "conditions": {"ready": ready}});
        let write = Instant::now();
        member.api.patch(&path, &json!({"endpoints": [endpoint]}));
        let seen = |source: &Receiver<Sight>, what| {
            let sight = source.recv_timeout(LIMIT);
            let (at, state) =
                sight.unwrap_or_else(|_| panic!("change {change}: no {what} within {LIMIT:?}"));
            assert_eq!(state, ready, "change {change}: {what} of another change");
            at
        };
        let event = seen(events, "event");
        let answer = seen(answers, "right answer");
        samples.push(Sample {
            write_event: milliseconds(write, event),
            event_answer: milliseconds(event, answer),
            write_answer: milliseconds(write, answer),
        });
        // Changes come at uneven times, so that no timer of the daemon keeps step with them.
        std::thread::sleep(Duration::from_millis(5 + (change as u64 * 7) % 31));
    }
    samples
}

/// The time between two moments, in either order.
fn milliseconds(from: Instant, to: Instant) -> f64 {
    let forth = to.saturating_duration_since(from).as_secs_f64();
    let back = from.saturating_duration_since(to).as_secs_f64();
    (forth - back) * 1000.0
}

/// Prints the figures and writes them to `target/real-latency.json`.
fn publish(samples: &[Sample], queries: u64) {
    let profile = if cfg!(debug_assertions) {
        "dev"
    } else {
        "release"
    };
    report_line(&format!(
        "latency over {} changes, {profile} profile, {queries} queries, milliseconds",
        samples.len()
    ));
    let mut file = json!({"changes": samples.len(), "profile": profile, "queries": queries});
    let figures: [(&str, Figure); 3] = [
        ("write-event", |sample| sample.write_event),
        ("event-answer", |sample| sample.event_answer),
        ("write-answer", |sample| sample.write_answer),
    ];
    for (name, figure) in figures {
        let mut values: Vec<f64> = samples.iter().map(figure).collect();
        values.sort_by(f64::total_cmp);
        let [p50, p90, p99, max] = [50, 90, 99, 100].map(|percent| percentile(&values, percent));
        report_line(&format!(
            "  {name:<13} p50 {p50:7.2}  p90 {p90:7.2}  p99 {p99:7.2}  max {max:7.2}"
        ));
        file[name] = json!({"p50": p50, "p90": p90, "p99": p99, "max": max});
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("target folder");
    files::write(&target.join("real-latency.json"), pretty(&file));
}

/// The nearest-rank percentile of sorted values.
fn percentile(values: &[f64], percent: usize) -> f64 {
    let rank = (values.len() * percent).div_ceil(100).max(1);
    values[rank - 1]
}

/// JSON for people.
fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("JSON") + "\n"
}
