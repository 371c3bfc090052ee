//! The world of a soak, and what happens to it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::RecordType;
use serde_json::json;
use tokio::time::Instant;

use crate::api::{load_balancer, slice};
use crate::clients::{self, Harm};
use crate::daemon::Daemon;
use crate::dns::Client;
use crate::fake_apiserver::{FakeApi, Resource};
use crate::load::{Load, Question};
use crate::loopback;
use crate::place::Place;
use crate::ports::Port;
use crate::program;
use crate::random::Random;
use crate::truth::{Thresholds, Truth};
use crate::verdict::Verdict;
use crate::wait::{START, until};

/// How many members there are.
const MEMBERS: usize = 3;
/// The port of every load balancer.
const PORT: u16 = 8099;
/// The port of the daemon.
const DNS: u16 = 5300;
/// The services of every member.
const SERVICES: [&str; 3] = ["web", "api", "mail"];
/// How soon a killed daemon is to answer again.
const RESTART: Duration = Duration::from_secs(3);
/// How much longer than otherwise a change may take that is made while an API server returns.
const RETURN: Duration = Duration::from_secs(1);

/// Something that is to be undone at a moment.
struct Later {
    /// When.
    at: Instant,
    /// What.
    what: Undo,
}

/// What undoes an event.
enum Undo {
    /// The API server of a member answers again.
    Api(usize),
    /// So do the load balancers of a member.
    Data(usize),
    /// A service of a member is ready again.
    Ready(usize, &'static str),
    /// A service of a member was made not ready so long ago that no answer may name it.
    Withdrawn(usize, &'static str),
    /// The disk has space.
    Disk,
    /// Strangers go away.
    Strangers,
}

/// How often each event happened.
#[derive(Debug, Default)]
struct Counts {
    /// API servers killed.
    apis_killed: usize,
    /// API servers stopped.
    apis_stopped: usize,
    /// Load balancers of a member dead.
    data_planes: usize,
    /// Services not ready.
    changes: usize,
    /// Deaths of the daemon.
    restarts: usize,
    /// Jumps of its clock.
    jumps: usize,
    /// Disks filled.
    disks: usize,
    /// Floods.
    floods: usize,
    /// The longest time until the first answer of a restart.
    slowest_restart: Duration,
}

/// A soak that runs.
pub(crate) struct Soak {
    /// The members.
    apis: Vec<FakeApi>,
    /// The load balancers of each member; none while they are dead.
    ports: Vec<Vec<Port>>,
    /// What is true.
    truth: Arc<Truth>,
    /// Where it runs.
    place: Place,
    /// The daemon; `None` while it is dead.
    daemon: Option<Daemon>,
    /// Where it answers.
    server: SocketAddr,
    /// The queries.
    load: Option<Load>,
    /// The addresses of the members.
    addresses: [Ipv4Addr; MEMBERS],
    /// Strangers.
    strangers: (Vec<Harm>, Vec<TcpStream>),
    /// What is to be undone.
    later: Vec<Later>,
    /// What happened.
    counts: Counts,
}

/// The global name of a service.
fn global(service: &str) -> String {
    format!("{service}.my-namespace.my-federation.svc.example.com")
}

impl Soak {
    /// Starts members, daemon and load.
    pub(crate) fn start() -> Self {
        let [server, a, b, c] = loopback::addresses([9, 1, 2, 3], &[PORT, DNS]);
        let (place, addresses) = (Place::new(), [a, b, c]);
        let interval = Duration::from_millis(500);
        let thresholds = Thresholds::new(interval, Duration::from_millis(300), 2, 1);
        let mut soak = Self {
            apis: (0..MEMBERS).map(|_| FakeApi::start()).collect(),
            ports: (0..MEMBERS).map(|_| Vec::new()).collect(),
            truth: Arc::new(Truth::new(thresholds)),
            place,
            daemon: None,
            server: (server, DNS).into(),
            load: None,
            addresses,
            strangers: Default::default(),
            later: Vec::new(),
            counts: Counts::default(),
        };
        for member in 0..MEMBERS {
            soak.fill(member);
        }
        soak.configure();
        soak.daemon = Some(soak.place.start().ready());
        until("every load balancer has passed a probe", START, || {
            let daemon = soak.daemon.as_ref().ok_or("none")?;
            let (_, metrics) = daemon.get("/metrics").ok_or("no metrics")?;
            let up = format!("gazetteer_health_targets{{verdict=\"up\"}} {MEMBERS}");
            metrics.contains(&up).then_some(()).ok_or(metrics)
        });
        let questions = SERVICES.iter().flat_map(|service| {
            let regions = ["", ".r0", ".r1", ".r2"];
            regions.map(|region| Question {
                name: global(service).replace(".example", &format!("{region}.example")),
                kind: RecordType::A,
                service: (*service).to_owned(),
            })
        });
        soak.load = Some(Load::start(soak.server, questions.collect()));
        soak
    }

    /// Gives a member its objects and its load balancer.
    fn fill(&mut self, member: usize) {
        let (api, address) = (&self.apis[member], self.addresses[member]);
        let identity = json!({"metadata": {
            "namespace": "default", "name": "kubernetes", "uid": format!("cluster-{member}"),
        }});
        api.apply(Resource::Services, identity);
        let listed = BTreeSet::from([IpAddr::V4(address)]);
        for service in SERVICES {
            let mut object = load_balancer(service, &[&address.to_string()], &json!({}));
            object["spec"]["ports"][0]["port"] = json!(PORT);
            api.apply(Resource::Services, object);
            api.apply(Resource::EndpointSlices, slice(service));
            self.truth.set_shard(service, member, &listed);
        }
        self.ports[member].push(Port::open(address, PORT));
        self.truth.set_port(address.into(), true);
    }

    /// Writes configuration and kubeconfigs.
    fn configure(&self) {
        let mut text = format!(
            r#"version = "v1"
state-dir = "state"
shutdown-delay = "0s"

[listen]
dns = ["{}"]
admin = "127.0.0.1:0"

[[federation]]
name = "my-federation"
apex = "example.com"
nameservers = [{{ name = "ns1.example.com", addresses = ["192.0.2.53"] }}]
probe = {{ kind = "tcp", interval = "500ms", timeout = "300ms", down = 2, up = 1 }}
"#,
            self.server
        );
        for (member, api) in self.apis.iter().enumerate() {
            let folder = self.place.path().join(format!("m{member}"));
            std::fs::create_dir_all(&folder).expect("a folder");
            let path = api.kubeconfig(&folder);
            write!(
                text,
                "\n[[member]]\nname = \"m{member}\"\nregion = \"r{member}\"\nzones = [\"z{member}\"]\n\
                 source = {{ kubeconfig = \"{}\", context = \"fake\" }}\n",
                path.display()
            )
            .expect("text");
        }
        program::replace(&self.place.path().join("gazetteer.toml"), &text);
    }

    /// Lets things happen for so long.
    pub(crate) fn run(&mut self, span: Duration, random: &mut Random) {
        let end = Instant::now() + span;
        while Instant::now() < end {
            self.happen(random);
            let next = Instant::now() + random.span(200, 1500);
            while Instant::now() < next {
                self.undo(false);
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        self.undo(true);
    }

    /// Whether something of this kind is to be undone.
    fn is_due(&self, what: impl Fn(&Undo) -> bool) -> bool {
        self.later.iter().any(|later| what(&later.what))
    }

    /// Undoes something in a while.
    fn after(&mut self, span: Duration, what: Undo) {
        let at = Instant::now() + span;
        self.later.push(Later { at, what });
    }

    /// One event.
    fn happen(&mut self, random: &mut Random) {
        let member = random.below(MEMBERS);
        let service = SERVICES[random.below(SERVICES.len())];
        match random.below(12) {
            0 | 1 => self.lose_api(member, random),
            // One member at a time: what is true of two is that nobody is healthy.
            2 | 3 if !self.is_due(|undo| matches!(undo, Undo::Data(_))) => {
                self.counts.data_planes += 1;
                self.ports[member].clear();
                self.truth.set_port(self.addresses[member].into(), false);
                self.after(random.span(2000, 8000), Undo::Data(member));
            }
            4..=6 if !self.is_due(|undo| matches!(undo, Undo::Api(of) if *of == member)) => {
                self.withdraw(member, service, random);
            }
            7 => self.die(),
            8 => {
                self.counts.jumps += 1;
                let offsets = ["+3650d", "-300d", "+1h", "-1h", "+0"];
                self.place.set_clock(offsets[random.below(offsets.len())]);
            }
            9 if !self.is_due(|undo| matches!(undo, Undo::Disk)) => {
                self.counts.disks += 1;
                self.place.set_full(true);
                self.after(random.span(1000, 5000), Undo::Disk);
            }
            10 | 11 if !self.is_due(|undo| matches!(undo, Undo::Strangers)) => {
                self.flood(random);
            }
            _ => {}
        }
    }

    /// The API server of a member is killed, or stands still.
    fn lose_api(&mut self, member: usize, random: &mut Random) {
        if self.is_due(|undo| matches!(undo, Undo::Api(of) if *of == member)) {
            return;
        }
        if random.below(2) == 0 {
            self.counts.apis_killed += 1;
            self.apis[member].kill();
        } else {
            self.counts.apis_stopped += 1;
            self.apis[member].script(|script| script.hangs = true);
        }
        self.after(random.span(500, 6000), Undo::Api(member));
    }

    /// A service of a member is not ready for a while.
    fn withdraw(&mut self, member: usize, service: &'static str, random: &mut Random) {
        let of = |undo: &Undo| matches!(undo, Undo::Ready(_, of) | Undo::Withdrawn(_, of) if *of == service);
        if self.is_due(of) {
            return;
        }
        self.counts.changes += 1;
        self.set_ready(member, service, false);
        // A little late: the API server may have returned just now.
        self.after(RETURN, Undo::Withdrawn(member, service));
        self.after(random.span(3000, 8000), Undo::Ready(member, service));
    }

    /// Makes the one endpoint of a service ready, or not.
    fn set_ready(&self, member: usize, service: &str, is_ready: bool) {
        let mut object = slice(service);
        object["endpoints"][0]["conditions"]["ready"] = json!(is_ready);
        self.apis[member].apply(Resource::EndpointSlices, object);
    }

    /// The daemon is killed and started again.
    fn die(&mut self) {
        // What is not on disk while nobody can be asked is nowhere.
        if self.is_due(|undo| matches!(undo, Undo::Api(_) | Undo::Disk | Undo::Withdrawn(..))) {
            return;
        }
        let load = self.load.as_ref().expect("it runs");
        load.pause();
        self.counts.restarts += 1;
        self.strangers = Default::default();
        drop(self.daemon.take());
        let start = Instant::now();
        self.daemon = Some(self.place.start());
        let client = Client::new(self.server);
        until("an answer after a restart", RESTART, || {
            client.ask(&global("web"), RecordType::A).map(drop)
        });
        self.counts.slowest_restart = self.counts.slowest_restart.max(start.elapsed());
        load.resume();
    }

    /// Strangers come for a while.
    fn flood(&mut self, random: &mut Random) {
        self.counts.floods += 1;
        let (server, name) = (self.server, global("web"));
        let (harm, streams) = &mut self.strangers;
        match random.below(4) {
            0 => harm.push(clients::flood(server, &name, 1)),
            1 => harm.push(clients::pipelines(server, &name, 2)),
            2 => streams.extend(clients::idle(server, 60)),
            _ => {
                let admin = self.daemon.as_ref().expect("it runs").admin;
                streams.extend(clients::idle(admin, 100));
            }
        }
        self.after(random.span(500, 3000), Undo::Strangers);
    }

    /// Undoes what is due, or everything.
    fn undo(&mut self, everything: bool) {
        let now = Instant::now();
        let due = |later: &Later| everything || later.at <= now;
        let (due, later) = self.later.drain(..).partition(due);
        self.later = later;
        for Later { what, .. } in due {
            match what {
                Undo::Api(member) => {
                    self.apis[member].kill();
                    self.apis[member].script(|script| script.hangs = false);
                    self.apis[member].resume();
                }
                Undo::Data(member) => {
                    let address = self.addresses[member];
                    self.ports[member].push(Port::open(address, PORT));
                    self.truth.set_port(address.into(), true);
                }
                Undo::Ready(member, service) => {
                    self.set_ready(member, service, true);
                    self.truth.set_readiness(service, member, true);
                }
                Undo::Withdrawn(member, service) => {
                    self.truth.set_readiness(service, member, false);
                }
                Undo::Disk => self.place.set_full(false),
                Undo::Strangers => self.strangers = Default::default(),
            }
        }
    }

    /// Ends it, judges every answer, and says what happened.
    pub(crate) fn finish(mut self) -> String {
        let load = self.load.take().expect("it runs");
        let (questions, samples) = load.stop();
        let verdict = Verdict::on(&questions, &samples, &self.truth);
        let report = format!("{:?}\n{verdict}", self.counts);
        if let Some(daemon) = &mut self.daemon {
            daemon.signal("TERM");
            assert!(daemon.end().success(), "it ends as it should");
        }
        assert!(verdict.is_right(), "{report}\n{}", verdict.wrong());
        report
    }
}
