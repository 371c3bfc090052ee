//! What there is: members with API servers and load balancers, a resolver, a daemon, its clients.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::RecordType;
use parking_lot::Mutex;
use serde_json::json;
use tokio::time::Instant;

use crate::api::{load_balancer, slice};
use crate::daemon::Daemon;
use crate::dns::Client;
use crate::fake_apiserver::{FakeApi, Resource};
use crate::history::History;
use crate::knowledge::{Knowledge, Subject};
use crate::load::{Load, Question};
use crate::loopback;
use crate::place::Place;
use crate::ports::Port;
use crate::program;
use crate::responder::Responder;
use crate::truth::Thresholds;
use crate::wait::{SOON, START, until};
use crate::witness::Witness;

/// How many members there are.
pub(crate) const MEMBERS: usize = 3;
/// The services of every member: so many that the death of a load balancer takes away more at once
/// than is let through without confirmation.
pub(crate) const SERVICES: [&str; 10] = [
    "web", "api", "mail", "shop", "news", "feed", "play", "chat", "maps", "auth",
];
/// The port of every load balancer.
const PORT: u16 = 8099;
/// The port of the daemon.
const DNS: u16 = 5300;
/// The host name that the load balancer of the last member has instead of an address.
const HOST_NAME: &str = "balancer.example.net";

/// Everything that runs.
pub(crate) struct World {
    /// The members.
    pub(crate) apis: Vec<FakeApi>,
    /// The load balancer of each member; none while it is dead.
    pub(crate) ports: Vec<Option<Port>>,
    /// The addresses of the load balancers.
    pub(crate) addresses: [Ipv4Addr; MEMBERS],
    /// The resolver of the host name.
    resolver: Responder,
    /// What the daemon must know.
    pub(crate) knowledge: Knowledge,
    /// Where it runs.
    pub(crate) place: Place,
    /// The daemon; `None` while it is dead.
    daemon: Option<Daemon>,
    /// When it was killed, and until when it need not answer.
    pub(crate) outages: Vec<(Instant, Instant)>,
    /// The longest time from a start to the first answer.
    pub(crate) slowest_start: Duration,
    /// Where it answers.
    pub(crate) server: SocketAddr,
    /// Its admin address, for who asks it for reasons.
    admin: Arc<Mutex<Option<SocketAddr>>>,
    /// What happened.
    pub(crate) history: Arc<History>,
}

/// The global name of a service.
pub(crate) fn global(service: &str) -> String {
    format!("{service}.my-namespace.my-federation.svc.example.com")
}

impl World {
    /// Starts members and daemon, and waits until all that there is has passed a probe.
    pub(crate) fn start(history: &Arc<History>) -> Self {
        let [server, a, b, c] = loopback::addresses([9, 1, 2, 3], &[PORT, DNS]);
        let interval = Duration::from_millis(500);
        let thresholds = Thresholds::new(interval, Duration::from_millis(300), 2, 1);
        let mut world = Self {
            apis: (0..MEMBERS).map(|_| FakeApi::start()).collect(),
            ports: [a, b, c].map(|to| Some(Port::open(to, PORT))).into(),
            addresses: [a, b, c],
            resolver: Responder::start(HOST_NAME, 5),
            knowledge: Knowledge::new(thresholds, MEMBERS),
            place: Place::new(),
            daemon: None,
            outages: Vec::new(),
            slowest_start: Duration::ZERO,
            server: (server, DNS).into(),
            admin: Arc::default(),
            history: Arc::clone(history),
        };
        world.set_resolver(true);
        for member in 0..MEMBERS {
            world.fill(member);
        }
        world.configure();
        let daemon = world.place.start().ready();
        until("every load balancer has passed a probe", START, || {
            let (_, metrics) = daemon.get("/metrics").ok_or("no metrics")?;
            let up = format!("gazetteer_health_targets{{verdict=\"up\"}} {MEMBERS}");
            metrics.contains(&up).then_some(()).ok_or(metrics)
        });
        *world.admin.lock() = Some(daemon.admin);
        world.daemon = Some(daemon);
        world.knowledge.set_alive(true);
        world
    }

    /// Gives a member its objects.
    fn fill(&mut self, member: usize) {
        let (api, address) = (&self.apis[member], self.addresses[member]);
        let identity = json!({"metadata": {
            "namespace": "default", "name": "kubernetes", "uid": format!("cluster-{member}"),
        }});
        api.apply(Resource::Services, identity);
        for service in SERVICES {
            let mut object = load_balancer(service, &[&address.to_string()], &json!({}));
            object["spec"]["ports"][0]["port"] = json!(PORT);
            if member == MEMBERS - 1 {
                object["status"]["loadBalancer"]["ingress"] = json!([{ "hostname": HOST_NAME }]);
            }
            api.apply(Resource::Services, object);
            api.apply(Resource::EndpointSlices, slice(service));
            self.knowledge.add(service, member, address);
        }
    }

    /// Writes configuration and kubeconfigs.
    fn configure(&self) {
        let (server, resolver) = (self.server, self.resolver.address);
        let mut text = format!(
            r#"version = "v1"
state-dir = "state"
shutdown-delay = "0s"
resolver = ["{resolver}"]

[listen]
dns = ["{server}"]
admin = "127.0.0.1:0"

[[federation]]
name = "my-federation"
apex = "example.com"
nameservers = [{{ name = "ns1.example.com", addresses = ["192.0.2.53"] }}]
hold = "3s"
probe = {{ kind = "tcp", interval = "500ms", timeout = "300ms", down = 2, up = 1 }}
"#
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

    /// Asks for every name, without a pause.
    pub(crate) fn ask(&self) -> Load {
        let questions = SERVICES.iter().flat_map(|service| {
            let regions = ["", ".r0", ".r1", ".r2"];
            regions.map(|region| Question {
                name: global(service).replace(".example", &format!("{region}.example")),
                kind: RecordType::A,
                service: (*service).to_owned(),
            })
        });
        Load::start(self.server, questions.collect())
    }

    /// Asks the daemon for its reasons.
    pub(crate) fn witness(&self) -> Witness {
        Witness::start(Arc::clone(&self.admin), Arc::clone(&self.history))
    }

    /// The load balancer of a member lives, or dies.
    pub(crate) fn set_load_balancer(&mut self, member: usize, lives: bool) {
        let address = self.addresses[member];
        self.ports[member] = lives.then(|| Port::open(address, PORT));
        self.knowledge.change(Subject::Open(address), lives);
    }

    /// The one endpoint of a service of a member is ready, or not.
    pub(crate) fn set_ready(&mut self, service: &'static str, member: usize, is_ready: bool) {
        let mut object = slice(service);
        object["endpoints"][0]["conditions"]["ready"] = json!(is_ready);
        self.apis[member].apply(Resource::EndpointSlices, object);
        self.knowledge
            .change(Subject::Ready(service, member), is_ready);
    }

    /// The resolver answers, or fails.
    pub(crate) fn set_resolver(&self, answers: bool) {
        if answers {
            self.resolver
                .set(&[&self.addresses[MEMBERS - 1].to_string()]);
        } else {
            self.resolver.fail();
        }
    }

    /// The disk has room, or is full.
    pub(crate) fn set_disk(&mut self, has_room: bool) {
        self.place.set_full(!has_room);
        self.knowledge.set_disk(has_room);
    }

    /// Kills the daemon and starts it again. Queries are to be answered from a second after the start;
    /// those before may be lost.
    pub(crate) fn restart(&mut self) {
        let killed = Instant::now();
        *self.admin.lock() = None;
        if let Some(mut daemon) = self.daemon.take() {
            drop(daemon.process.kill());
            drop(daemon.process.wait());
            for line in &daemon.logs {
                self.history.note(&line);
            }
        }
        self.knowledge.set_alive(false);
        let start = Instant::now();
        self.outages.push((killed, start + Duration::from_secs(1)));
        let daemon = self.place.start();
        let client = Client::new(self.server);
        until("an answer after a restart", SOON, || {
            client.ask(&global("web"), RecordType::A).map(drop)
        });
        self.slowest_start = self.slowest_start.max(start.elapsed());
        *self.admin.lock() = Some(daemon.admin);
        self.daemon = Some(daemon);
        self.knowledge.set_alive(true);
    }

    /// Takes notice of what became known, and of what the daemon logs.
    pub(crate) fn tick(&mut self) {
        self.knowledge.tick();
        if let Some(daemon) = &self.daemon {
            for line in daemon.logs.try_iter() {
                self.history.note(&line);
            }
        }
    }

    /// The admin address.
    pub(crate) fn admin(&self) -> SocketAddr {
        self.daemon.as_ref().expect("it runs").admin
    }

    /// Ends the daemon as a service manager does.
    pub(crate) fn end(&mut self) {
        let mut daemon = self.daemon.take().expect("it runs");
        daemon.signal("TERM");
        assert!(daemon.end().success(), "it ends as it should");
    }
}
