//! Many members that join at once, and what that costs: until all are Ready, while somebody is answered.
//!
//! `GAZETTEER_MANY=100x1000 cargo test --release --test kubernetes many -- --nocapture` is 100 members of
//! 1,000 services each, and `1x100000` one of as many; without it there are few.

use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RecordType};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::daemon::Daemon;
use crate::fake_apiserver::{FakeApi, Resource, write};
use crate::member::{kubeconfig, service, slice};
use crate::program::{beginning, clusters};

/// Between two queries.
const PAUSE: Duration = Duration::from_millis(1);

/// How long a quiet run is.
const QUIET: Duration = Duration::from_secs(5);

/// How long all may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// How many members of how many services.
fn size() -> (usize, usize) {
    let Ok(text) = std::env::var("GAZETTEER_MANY") else {
        return (5, 20);
    };
    let (members, services) = text.split_once('x').expect("MEMBERSxSERVICES");
    let number = |text: &str| text.parse().expect("a number");
    (number(members), number(services))
}

/// The API server of a member; all its services are its own.
fn furnished(member: usize, services: usize) -> FakeApi {
    let api = FakeApi::start();
    let uid = format!("uid-{member}");
    api.apply(
        Resource::Services,
        json!({"metadata": {"namespace": "default", "name": "kubernetes", "uid": uid}}),
    );
    for index in 0..services {
        let name = format!("s-{member}-{index}");
        let mut object = service(&name);
        object["metadata"]["annotations"] = json!({"gazetteer.dev/export": "true"});
        let [_, a, b, c] = u32::try_from(index).expect("it fits").to_be_bytes();
        object["status"]["loadBalancer"]["ingress"][0]["ip"] =
            json!(format!("{}.{a}.{b}.{c}", 11 + member));
        api.apply(Resource::Services, object);
        api.apply(Resource::EndpointSlices, slice(&name, 2));
    }
    api
}

/// The processor's time that a process has had, and what it has in memory, in MiB.
fn cost(daemon: &Daemon) -> (Duration, u64, u64) {
    let root = format!("/proc/{}", daemon.pid());
    let threads = fs::read_dir(format!("{root}/task"))
        .expect("it runs")
        .flatten();
    let times = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    let status = fs::read_to_string(format!("{root}/status")).expect("it runs");
    let figure = |what: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(what));
        let figure = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        figure.unwrap_or_default() / 1024
    };
    (
        Duration::from_nanos(times.sum()),
        figure("VmRSS:"),
        figure("VmHWM:"),
    )
}

/// Asks for a name of a member that was there before, at a steady rate, while `done`; returns how long
/// each answer took from when it was due.
fn answered(daemon: &Daemon, done: impl FnOnce()) -> Vec<Duration> {
    let mut query = Message::query();
    let name = Name::from_ascii("s.n.f.svc.example.com.").expect("a name");
    query.add_query(Query::query(name, RecordType::A));
    let query = query.to_vec().expect("a message");
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(daemon.dns).expect("an address");
    socket
        .set_read_timeout(Some(Duration::from_secs(5)))
        .expect("a limit");
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut took = Vec::new();
            let mut due = Instant::now();
            let mut octets = [0; 4096];
            while !is_over.load(Ordering::Relaxed) {
                thread::sleep(due.saturating_duration_since(Instant::now()));
                socket.send(&query).expect("it is sent");
                let length = socket.recv(&mut octets).expect("an answer");
                took.push(due.elapsed());
                let answer = octets.get(..length).map(Message::from_vec);
                let answer = answer.expect("it fits").expect("a message");
                assert_eq!(answer.answers.len(), 1, "{answer:?}");
                due = (due + PAUSE).max(Instant::now());
            }
            took
        });
        done();
        is_over.store(true, Ordering::Relaxed);
        asking.join().expect("all answers were right")
    })
}

/// The median, the 99th percentile and the worst.
fn shown(mut took: Vec<Duration>) -> String {
    took.sort_unstable();
    let at = |share: usize| {
        took.get(took.len() * share / 100)
            .copied()
            .unwrap_or_default()
    };
    let (p50, p99) = (at(50), at(99));
    let worst = took.last().copied().unwrap_or_default();
    format!(
        "p50 {p50:?}, p99 {p99:?}, worst {worst:?} of {}",
        took.len()
    )
}

/// How many members are Ready, and how many services these have.
fn ready(folder: &Path) -> (usize, u64) {
    let shown = clusters(folder);
    let all = shown.as_array().into_iter().flatten();
    let ready: Vec<&Value> = all.filter(|it| it["status"] == "Ready").collect();
    let services = ready
        .iter()
        .map(|it| it["services"].as_u64().unwrap_or_default());
    (ready.len(), services.sum())
}

#[test]
#[expect(clippy::print_stdout, reason = "its figures are what it is for")]
fn many_members_join_at_once_and_delay_nobody() {
    let (members, services) = size();
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let own = "[[member]]\nname = \"own\"\nsource = { file = \"own.facts\" }\n";
    write(&folder.join("g.toml"), &(beginning("") + own));
    let facts = "[[service]]\nnamespace = \"n\"\nname = \"s\"\naddresses = [\"203.0.113.1\"]\n";
    write(&folder.join("own.facts"), facts);
    fs::create_dir(folder.join("members.d")).unwrap();
    let apis: Vec<FakeApi> = (0..members)
        .map(|member| furnished(member, services))
        .collect();
    for (member, api) in apis.iter().enumerate() {
        let own = folder.join(format!("m{member}"));
        fs::create_dir(&own).unwrap();
        kubeconfig(&own, "fake", &json!({"server": api.url()}), &json!({}));
    }

    let daemon = Daemon::start(folder, "g.toml").ready();
    let quiet = answered(&daemon, || thread::sleep(QUIET));
    println!("quiet: {}", shown(quiet));
    let (cpu, resident, _) = cost(&daemon);
    println!("before: {resident} MiB");
    let begin = Instant::now();
    let meanwhile = answered(&daemon, || {
        for member in 0..members {
            let fragment = format!(
                "version = \"v1\"\nname = \"m{member}\"\n\
                 source = {{ kubeconfig = \"../m{member}/kubeconfig\", context = \"fake\" }}\n"
            );
            write(&folder.join(format!("members.d/m{member}.toml")), &fragment);
        }
        let all = u64::try_from(members * services + 1).expect("it fits");
        while ready(folder) != (members + 1, all) {
            assert!(begin.elapsed() < PATIENCE, "{:?}", ready(folder));
            thread::sleep(Duration::from_millis(50));
        }
        println!(
            "{members} members of {services} services: Ready after {:?}",
            begin.elapsed()
        );
    });
    println!("meanwhile: {}", shown(meanwhile));
    let (after, _, peak) = cost(&daemon);
    // What the lists took is given back.
    if std::env::var_os("GAZETTEER_MANY").is_some() {
        thread::sleep(QUIET);
    }
    let (_, resident, _) = cost(&daemon);
    println!(
        "CPU {:?}, {resident} MiB, peak {peak} MiB",
        after.saturating_sub(cpu)
    );
}
