//! Small fleets, services and a running writer.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, DnssecSettings, Listen, MemberSource, Source};
use crate::decide::eligible;
use crate::keys::KeysByZone;
use crate::model::{
    Change, Check, Delta, Endpoints, Epoch, Export, ExportMode, Federation, Fleet, HostNames,
    Identity, Member, MemberIdx, MemberState, NameServer, NamespacedName, Pattern, Policy, Port,
    Probe, Protocol, Service, ServiceKind, Spec, SrvForm, Steering, UnixSeconds, WayIn,
    WhenAllDown,
};
use crate::names::Label;
use crate::publish::world::begin::FOLDER;
use crate::publish::writer::run::Core;
use crate::publish::writer::thread::prepare;
use crate::publish::{
    CommandOutcome, CommandRefused, CommandRequest, Handle, OperatorCommand, Storage,
};
use crate::snapshot::Snapshot;
use crate::telemetry::Metrics;
use crate::wire::NameBuf;

/// A label.
pub(super) fn label(text: &str) -> Label {
    text.parse().unwrap()
}

/// `ns/<name>`.
pub(super) fn named(name: &str) -> NamespacedName {
    NamespacedName {
        namespace: label("ns"),
        name: label(name),
    }
}

/// A federation of the members that match `pattern`.
pub(super) fn federation(name: &str, pattern: &str, hold: u64) -> Federation {
    let apex: NameBuf = "example.com".parse().unwrap();
    Federation {
        name: label(name),
        nameservers: vec![NameServer {
            name: "ns1.example.com".parse().unwrap(),
            addresses: vec!["192.0.2.1".parse().unwrap()],
        }],
        hostmaster: "hostmaster.example.com".parse().unwrap(),
        apex,
        clusterset: None,
        export: ExportMode::LoadBalancers,
        ttl: Duration::from_secs(30),
        negative_ttl: Duration::from_secs(5),
        apex_ttl: Duration::from_secs(3600),
        policy: Policy::Spread,
        order: Vec::new(),
        fence: None,
        when_all_down: WhenAllDown::NoData,
        max_addresses: None,
        spill_over: None,
        srv: SrvForm::Shared,
        hold: Duration::from_secs(hold),
        tcp_proof: Duration::from_secs(86_400),
        sync_timeout: Duration::from_secs(30),
        probe: Probe {
            check: Check::None,
            ..Probe::default()
        },
        brake: 100,
        probe_ports: Vec::new(),
        members: vec![Pattern::new(pattern)],
        namespaces: vec![Pattern::new("*")],
    }
}

/// A fleet of these members in one federation `f` with a hold of 60 s.
pub(super) fn fleet(members: &[&str]) -> Fleet {
    let member = |name: &&str| Member {
        name: label(name),
        region: None,
        zones: Vec::new(),
        namespaces: vec![Pattern::new("*")],
        cluster_domain: None,
        gateway: None,
        addresses_from: Vec::new(),
    };
    Fleet {
        federations: vec![federation("f", "*", 60)],
        members: members.iter().map(member).collect(),
        ..Fleet::default()
    }
}

/// A configuration of these members, each from an API.
pub(super) fn config(members: &[&str], state_dir: &Path) -> Config {
    let source = |name: &&str| MemberSource {
        member: label(name),
        has_topology: false,
        facts_limit: 1 << 30,
        renews: true,
        addresses_from: Vec::new(),
        front: None,
        source: Source::InCluster,
    };
    Config {
        path: "gazetteer.toml".into(),
        state_dir: state_dir.into(),
        resolvers: Vec::new(),
        listen: Listen {
            dns: Vec::new(),
            admin: None,
            admin_hosts: Vec::new(),
            trusted: Vec::new(),
            nsid: None,
            has_client_name: false,
            workers: 1,
            tcp_connections: 1,
            tcp_connections_per_client: 1,
            tcp_idle: Duration::from_secs(1),
            udp_receive_buffer: None,
        },
        clients: crate::config::ClientRules::default(),
        fleet: Arc::new(fleet(members)),
        sources: members.iter().map(source).collect(),
        geoip: None,
        membership: crate::config::Membership::default(),
        shutdown_delay: Duration::ZERO,
        dnssec: DnssecSettings::default(),
        zones: Vec::new(),
        account: crate::config::Account::default(),
    }
}

/// A load balancer service with one address and this many ready endpoints of two.
pub(in super::super) fn service(address: &str, ready: u32) -> Arc<Service> {
    let spec = Spec {
        kind: ServiceKind::LoadBalancer,
        export: Export::Unsaid,
        allow_without_endpoints: false,
        has_external_ips: false,
        federations: None,
        ports: Box::new([Port {
            name: None,
            protocol: Protocol::Tcp,
            port: 80,
            outside: 80,
        }]),
        way_in: WayIn::Usual,
        steering: Steering::default(),
    };
    Arc::new(Service {
        spec: spec.into(),
        addresses: [address.parse().unwrap()].into_iter().collect(),
        hostnames: HostNames::default(),
        endpoints: Endpoints { ready, total: 2 },
        inside: None,
    })
}

/// A writer that runs on the test's runtime.
pub(super) struct Running {
    /// What it shares.
    pub(super) handle: Handle,
    /// What it counts.
    pub(super) metrics: Arc<Metrics>,
    /// Where it is told what zones are signed with.
    pub(super) keys: watch::Sender<Arc<KeysByZone>>,
    stop: CancellationToken,
    task: JoinSet<Core>,
}

impl Running {
    /// Starts a writer on `config`.
    pub(super) fn start(config: Config) -> Self {
        Self::start_at(config, || UnixSeconds(1_800_000_000))
    }

    /// The same, with another wall clock.
    pub(super) fn start_at(config: Config, wall: fn() -> UnixSeconds) -> Self {
        let folder = config.state_dir.join(FOLDER);
        std::fs::create_dir_all(&folder).unwrap();
        let metrics = Arc::new(Metrics::new());
        let (mut core, mut handle) = prepare(
            Arc::new(config),
            metrics.clone(),
            Storage::default(),
            &folder,
            wall,
        )
        .unwrap();
        let (deltas_to, deltas) = mpsc::channel(1024);
        let (configs_to, configs) = mpsc::channel(4);
        handle.deltas = deltas_to;
        handle.configs = configs_to;
        let (commands_to, commands) = mpsc::channel(4);
        handle.commands = commands_to;
        let (host_to, host) = mpsc::channel(4);
        handle.host_overrides = host_to;
        let (keys_to, keys) = watch::channel(Arc::default());
        core.keys = keys;
        let (stop, mut task) = (CancellationToken::new(), JoinSet::new());
        task.spawn(core.run(deltas, configs, commands, host, stop.clone()));
        Self {
            handle,
            metrics,
            keys: keys_to,
            stop,
            task,
        }
    }

    /// Stops the writer and waits until everything is on disk.
    pub(super) async fn stop(mut self) {
        self.stop.cancel();
        let core = self.task.join_next().await.unwrap().unwrap();
        core.world.out.close();
    }

    /// Sends a change of a member in the first epoch.
    pub(super) async fn change(&self, member: &str, change: Change) {
        self.change_in(1, member, change).await;
    }

    /// Sends a change of a member.
    pub(super) async fn change_in(&self, epoch: u64, member: &str, change: Change) {
        let delta = Delta::Member {
            member: label(member),
            epoch: Epoch(epoch),
            change,
        };
        self.handle.deltas.send(delta).await.unwrap();
    }

    /// Says which cluster a member is, and lists one service `s` with this address.
    pub(super) async fn sync(&self, member: &str, address: &str) {
        let origin = format!("https://{member}");
        self.change(
            member,
            Change::Identity(Identity {
                origin,
                ..Identity::default()
            }),
        )
        .await;
        self.change(
            member,
            Change::Synced(vec![(named("s"), service(address, 1))]),
        )
        .await;
    }

    /// Gives a command and waits for the outcome.
    pub(super) async fn ask(
        &self,
        command: OperatorCommand,
    ) -> Result<CommandOutcome, CommandRefused> {
        let (reply, outcome) = oneshot::channel();
        let by = None;
        let order = CommandRequest { command, by, reply };
        self.handle.commands.send(order).await.unwrap();
        outcome.await.unwrap()
    }

    /// The present snapshot, once everything sent has been folded and what is at once is out.
    pub(super) async fn settled(&self) -> Arc<Snapshot> {
        after(1).await;
        self.handle.snapshots.load_full()
    }

    /// The state of a member in the present snapshot.
    pub(super) async fn state(&self, member: u8) -> MemberState {
        self.settled()
            .await
            .member(crate::model::MemberIdx(member))
            .unwrap()
            .state
    }
}

/// Runs what a property says, on a clock of its own that stands still.
pub(super) fn paused<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(test)
}

/// Lets the clock of the test go on.
pub(super) async fn after(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

/// The members that a service is available in, by its name in federation `f`.
pub(super) fn available(snapshot: &Arc<Snapshot>, name: &str) -> Vec<u8> {
    let key = NameBuf::from_labels([name, "ns", "f"]).unwrap();
    let key = key.as_wire().strip_suffix(&[0]).unwrap();
    let entry = snapshot.entry(key);
    entry.map_or_else(Vec::new, |entry| {
        entry
            .health()
            .available
            .iter()
            .map(|MemberIdx(m)| m)
            .collect()
    })
}

/// The members that answer for a service at its global name, by its name in federation `f`.
pub(super) fn answering(snapshot: &Arc<Snapshot>, name: &str) -> Vec<u8> {
    let key = NameBuf::from_labels([name, "ns", "f"]).unwrap();
    let Some(entry) = snapshot.entry(key.as_wire().strip_suffix(&[0]).unwrap()) else {
        return Vec::new();
    };
    let plan = snapshot.plan(entry.plan).unwrap();
    let health = snapshot.state().health_in(entry.federation);
    let overlay = || entry.overlay().map(|overlay| &overlay.sets);
    let draw = || unreachable!("nothing is being drained");
    let eligible = eligible(plan, &entry.health(), overlay, health, draw);
    let members = eligible.members.iter();
    members.map(|MemberIdx(member)| member).collect()
}

/// Whether a service exists in federation `f`.
pub(super) fn exists(snapshot: &Arc<Snapshot>, name: &str) -> bool {
    let key = NameBuf::from_labels([name, "ns", "f"]).unwrap();
    snapshot
        .entry(key.as_wire().strip_suffix(&[0]).unwrap())
        .is_some_and(crate::snapshot::ServiceEntry::exists)
}
