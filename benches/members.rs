//! What a member of ten services costs that joins a running writer, beside a small world and a large
//! one: `cargo bench --bench members`, or `-- 10000 100000` for worlds of as many services. A million
//! needs 3 GiB of memory.
#![expect(clippy::print_stdout, reason = "its figures are what it is for")]

#[expect(dead_code, reason = "the other benches use the rest")]
mod world;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use gazetteer::config::{self, Config, MemberSource, Source};
use gazetteer::model::{
    Change, Delta, Epoch, Fleet, Identity, Member, MemberIdx, NamespacedName, Pattern, Service,
};
use gazetteer::names::Label;
use gazetteer::publish::{self, Handle, Storage, Writer};
use gazetteer::telemetry::{Metrics, clock};

/// How many members join and leave again, one after the other.
const JOINS: usize = 30;

/// How many services each has.
const SERVICES: u32 = 10;

/// How often a service of another member changes meanwhile.
const EVERY: Duration = Duration::from_millis(2);

/// How long is waited for anything.
const DEADLINE: Duration = Duration::from_secs(120);

fn main() {
    println!("medians (worst) of {JOINS} members of {SERVICES} services that join and leave again");
    println!(
        "| services | joined until served ms | writer's CPU ms | left, CPU ms | another's change meanwhile ms | \
         the same, quiet ms | resident MiB | grew by KiB | peak KiB |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let given: Vec<u32> = std::env::args()
        .filter_map(|text| text.parse().ok())
        .collect();
    let worlds = if given.is_empty() {
        vec![10_000, 1_000_000]
    } else {
        given
    };
    for services in worlds {
        measure(services);
    }
}

/// Measures a world, and prints its row.
fn measure(services: u32) {
    let folder = tempfile::tempdir().expect("a folder");
    let town = Town::new(folder.path(), services);
    let quiet = town.delays(|| thread::sleep(Duration::from_secs(3)));
    // What the first members make room for stays.
    for turn in 0..3 {
        town.join(turn);
        town.leave();
    }
    thread::sleep(Duration::from_secs(2));
    let before = resident("VmRSS");
    fs::File::options()
        .write(true)
        .open("/proc/self/clear_refs")
        .and_then(|mut file| std::io::Write::write_all(&mut file, b"5"))
        .expect("the peak is reset");
    let (mut served, mut joined, mut left) = (Vec::new(), Vec::new(), Vec::new());
    let meanwhile = town.delays(|| {
        for turn in 0..JOINS {
            let (begin, cpu) = (clock::monotonic(), writer_cpu());
            town.join(turn);
            served.push(begin.elapsed());
            joined.push(writer_cpu().saturating_sub(cpu));
            let cpu = writer_cpu();
            town.leave();
            left.push(writer_cpu().saturating_sub(cpu));
        }
    });
    let peak = resident("VmHWM").saturating_sub(before);
    thread::sleep(Duration::from_secs(2));
    let grew = resident("VmRSS").saturating_sub(before);
    println!(
        "| {services} | {} | {} | {} | {} | {} | {} | {grew} | {peak} |",
        shown(served),
        shown(joined),
        shown(left),
        shown(meanwhile),
        shown(quiet),
        before / 1024,
    );
    town.writer.stop();
}

/// A median and the worst, in milliseconds.
fn shown(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let millis = |time: Option<&Duration>| time.map_or(0.0, Duration::as_secs_f64) * 1e3;
    let (median, worst) = (times.get(times.len() / 2), times.last());
    format!("{:.2} ({:.2})", millis(median), millis(worst))
}

/// A figure of this process, in KiB.
fn resident(what: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix(what)?.strip_prefix(':'));
    let figure = line.and_then(|line| line.split_whitespace().next());
    figure
        .and_then(|figure| figure.parse().ok())
        .unwrap_or_default()
}

/// The processor's time that the thread of the writer has had.
fn writer_cpu() -> Duration {
    let threads = fs::read_dir("/proc/self/task").expect("Linux").flatten();
    let paths = threads.map(|thread| thread.path());
    let is_it = |path: &std::path::PathBuf| {
        fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim() == "publish")
    };
    let times = paths.filter(is_it).filter_map(|path| {
        let text = fs::read_to_string(path.join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    // A world's writer ends before the next one's begins.
    Duration::from_nanos(times.sum())
}

/// A running writer with its world.
struct Town {
    handle: Handle,
    writer: Writer,
    /// Without the member that joins.
    config: Config,
}

impl Town {
    /// A world of so many services, each in three members.
    fn new(folder: &Path, services: u32) -> Self {
        let text = "version = \"v1\"\nstate-dir = \"state\"\nlisten.dns = [\"127.0.0.1:0\"]\n\
            [[federation]]\nname = \"f\"\napex = \"example.com\"\n\
            nameservers = [{ name = \"ns.example.net\" }]\n";
        let parsed = config::parse(text, &folder.join("g.toml")).expect("it is right");
        let config = Config {
            fleet: Arc::new(world::fleet()),
            ..parsed
        };
        let config = with_sources(config);
        let (handle, writer) = publish::spawn(
            Arc::new(config.clone()),
            Arc::new(Metrics::new()),
            Storage::default(),
            tokio::sync::watch::channel(Arc::default()).1,
        )
        .expect("a writer");
        let town = Self {
            handle,
            writer,
            config,
        };
        for member in (0..world::MEMBERS).map(MemberIdx) {
            let theirs =
                (0..services).filter(|index| world::members_of(*index).any(|it| it == member));
            let facts = theirs.map(|index| (world::name(index), world::service(index, member, 3)));
            let name = town.name_of(member);
            town.syncs(&name, u64::from(member.0) + 1, facts.collect());
        }
        until("all are there", || {
            let snapshot = town.handle.snapshots.load();
            let services = usize::try_from(services).expect("it fits");
            snapshot.counts().services == services && *town.handle.ready.borrow()
        });
        town
    }

    /// Tells a change.
    fn says(&self, member: &Label, epoch: u64, change: Change) {
        let delta = Delta::Member {
            member: member.clone(),
            epoch: Epoch(epoch),
            change,
        };
        let sent = self.handle.deltas.blocking_send(delta);
        sent.expect("the writer runs");
    }

    /// A member lists its services for the first time.
    fn syncs(&self, member: &Label, epoch: u64, facts: Vec<(NamespacedName, Arc<Service>)>) {
        let identity = Identity {
            origin: format!("https://{member}.example"),
            uid: Some(member.to_string()),
            version: None,
        };
        self.says(member, epoch, Change::Identity(identity));
        self.says(member, epoch, Change::Synced(facts));
    }

    /// Takes another configuration.
    fn takes(&self, config: Config) {
        let sent = self.handle.configs.blocking_send(Arc::new(config));
        sent.expect("the writer runs");
    }

    /// A member joins: half of its services are others' too.
    fn join(&self, turn: usize) {
        let name: Label = "newcomer".parse().expect("a label");
        let fleet = &self.config.fleet;
        let newcomer = Member {
            name: name.clone(),
            region: Some("region-1".parse().expect("a label")),
            zones: Vec::new(),
            namespaces: vec![Pattern::new("*")],
            cluster_domain: None,
            gateway: None,
            addresses_from: Vec::new(),
        };
        let members = fleet.members.iter().map(|(_, member)| member.clone());
        let fleet = Fleet {
            members: members.chain([newcomer]).collect(),
            ..(**fleet).clone()
        };
        self.takes(with_sources(Config {
            fleet: Arc::new(fleet),
            ..self.config.clone()
        }));
        let own = |index: u32| NamespacedName {
            namespace: "namespace-own".parse().expect("a label"),
            name: format!("own-{index}").parse().expect("a label"),
        };
        let seat = MemberIdx(world::MEMBERS);
        let facts = (0..SERVICES).map(|index| {
            let name = if index % 2 == 0 {
                world::name(index * 997)
            } else {
                own(index)
            };
            (name, world::service(index, seat, 3))
        });
        let before = self.handle.snapshots.load().counts().services;
        let epoch = 100 + u64::try_from(turn).expect("it fits");
        self.syncs(&name, epoch, facts.collect());
        let own = usize::try_from(SERVICES / 2).expect("it fits");
        until("it is served", || {
            self.handle.snapshots.load().counts().services == before + own
        });
    }

    /// It leaves again.
    fn leave(&self) {
        let before = self.handle.snapshots.load().counts().services;
        self.takes(self.config.clone());
        let own = usize::try_from(SERVICES / 2).expect("it fits");
        until("it is gone", || {
            self.handle.snapshots.load().counts().services == before - own
        });
    }

    /// How long changes of another member take until they are served, while something is done.
    fn delays(&self, done: impl FnOnce()) -> Vec<Duration> {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let changing = scope.spawn(|| self.change(&is_over));
            done();
            is_over.store(true, Ordering::Relaxed);
            changing.join().expect("it measures")
        })
    }

    /// What a member of the world is called.
    fn name_of(&self, member: MemberIdx) -> Label {
        let members = &self.config.fleet.members;
        members.get(member).expect("a member").name.clone()
    }

    /// Changes a service again and again.
    fn change(&self, is_over: &AtomicBool) -> Vec<Duration> {
        let (index, member) = (7919, world::members_of(7919).next().expect("a member"));
        let name = self.name_of(member);
        let key = key(&world::name(index));
        let mut delays = Vec::new();
        let mut turn = 0;
        while !is_over.load(Ordering::Relaxed) {
            turn += 1;
            // Two or more are ready: what takes something away would wait for what puts it back.
            let ready = 2 + turn % 100;
            let begin = clock::monotonic();
            let service = world::service(index, member, ready);
            let change = Change::Upsert(world::name(index), service);
            self.says(&name, u64::from(member.0) + 1, change);
            until("it is served", || {
                let snapshot = self.handle.snapshots.load();
                let entry = snapshot.entry(&key);
                entry.is_some_and(|entry| entry.endpoints(member).ready == ready)
            });
            delays.push(begin.elapsed());
            thread::sleep(EVERY);
        }
        delays
    }
}

/// The wire labels `service.ns.fed` of a service.
fn key(name: &NamespacedName) -> Vec<u8> {
    let labels = [name.name.as_str(), name.namespace.as_str(), "federation"];
    let label = |label: &str| {
        let length = u8::try_from(label.len()).expect("a label");
        [&[length], label.as_bytes()].concat()
    };
    labels.map(label).concat()
}

/// Waits until something is so.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let begin = clock::monotonic();
    while !is_so() {
        assert!(begin.elapsed() < DEADLINE, "{what}");
        thread::sleep(Duration::from_micros(50));
    }
}

/// With a source for each member.
fn with_sources(config: Config) -> Config {
    let members = config.fleet.members.iter();
    let sources = members.map(|(_, member)| MemberSource {
        member: member.name.clone(),
        has_topology: true,
        facts_limit: 1 << 40,
        renews: false,
        addresses_from: Vec::new(),
        front: None,
        source: Source::InCluster,
    });
    Config {
        sources: sources.collect(),
        ..config
    }
}
