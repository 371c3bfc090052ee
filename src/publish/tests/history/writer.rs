//! The writer under test: it does one thing after the other, at moments that the history says. Its
//! files are real, and its threads are waited for where the time that they take could matter.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::step::{Reload, Said};
use crate::config::Config;
use crate::decide::{Eligible, eligible};
use crate::model::{
    Change, Check, Delta, Epoch, Fleet, HttpCheck, MemberIdx, MemberSet, NamespacedName, Pattern,
    Probe, ProbeTarget, ProbeTargets, Service, UnixSeconds,
};
use crate::publish::now::Now;
use crate::publish::tests::fixture::{config, federation, label, named, service};
use crate::publish::world::begin::FOLDER;
use crate::publish::writer::run::Core;
use crate::publish::writer::thread::prepare;
use crate::publish::{CommandRequest, OperatorCommand, Storage};
use crate::snapshot::Snapshot;
use crate::telemetry::{Metrics, clock};
use crate::wire::NameBuf;

/// The members.
pub(super) const MEMBERS: [&str; 3] = ["a", "b", "c"];

/// The federations: all members; `a` and `b`, with a hold that is longer than a brake.
pub(super) const FEDERATIONS: [&str; 2] = ["f", "g"];

/// How many members each has: the first ones.
pub(super) const SIZES: [usize; 2] = [3, 2];

/// Their holds in seconds.
const HOLDS: [u64; 2] = [10, 100];

/// Services of each member beside `s`.
pub(super) const OTHERS: usize = 10;

thread_local! {
    /// What the wall clock says.
    static WALL: Cell<u64> = const { Cell::new(0) };
}

/// What the wall clock says.
fn wall() -> UnixSeconds {
    UnixSeconds(WALL.get())
}

/// What differs between configurations.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    /// The members in their order.
    pub(super) order: Vec<usize>,
    /// The power of two that holds are multiplied by, and one more.
    longer: u32,
    /// Whether HTTP is asked.
    is_http: bool,
}

impl Rules {
    /// Those of the beginning.
    pub(super) fn new() -> Self {
        Self {
            order: (0..MEMBERS.len()).collect(),
            longer: 1,
            is_http: false,
        }
    }

    /// Those after a reload.
    pub(super) fn change(&mut self, reload: Reload) {
        match reload {
            Reload::Same => {}
            Reload::LongerHold => self.longer = (self.longer + 1).min(2),
            Reload::ShorterHold => self.longer = self.longer.saturating_sub(1),
            Reload::Order => self.order.rotate_left(1),
            Reload::Check => self.is_http = !self.is_http,
        }
    }

    /// The hold of a federation.
    pub(super) fn hold(&self, federation: usize) -> Duration {
        Duration::from_secs(HOLDS[federation] * 2_u64.pow(self.longer) / 2)
    }

    /// How addresses are probed.
    pub(super) fn probe(&self) -> Probe {
        let check = HttpCheck {
            tls: None,
            host: None,
            path: "/".into(),
            status: (200, 399),
        };
        Probe {
            check: if self.is_http {
                Check::Http(check)
            } else {
                Check::Tcp
            },
            ..Probe::default()
        }
    }

    /// The configuration.
    fn config(&self, folder: &Path) -> Arc<Config> {
        let names: Vec<&str> = self.order.iter().map(|who| MEMBERS[*who]).collect();
        let mut config = config(&names, folder);
        let federations = FEDERATIONS.iter().enumerate().map(|(index, name)| {
            let mut federation = federation(name, "*", self.hold(index).as_secs());
            let members = MEMBERS.iter().take(SIZES[index]);
            federation.members = members.map(|name| Pattern::new(name)).collect();
            federation.probe = self.probe();
            federation.brake = 25;
            federation
        });
        config.fleet = Arc::new(Fleet {
            federations: federations.collect(),
            ..(*config.fleet).clone()
        });
        Arc::new(config)
    }
}

/// The answer to `s` in a federation, before anything is known of the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// Who is eligible.
    pub(super) eligible: Vec<usize>,
    /// Who is left out as its hold has passed.
    pub(super) withdrawn: Vec<usize>,
    /// Whose shard is ready and has an address left.
    pub(super) available: Vec<usize>,
    /// Whose shard is damped.
    pub(super) damped: Vec<usize>,
    /// In how many seconds the first of those is not any more that went out too often.
    pub(super) undamped: Option<u64>,
}

/// The writer.
pub(super) struct Writer {
    /// What it does.
    pub(super) core: Core,
    /// What it wants probed.
    targets: watch::Receiver<ProbeTargets>,
    /// Its configuration.
    pub(super) rules: Rules,
    /// When the history began.
    begun: Instant,
    /// When things are looked after next, where that was put off.
    housekeeping: Instant,
    /// By how many seconds the wall clock was set.
    pub(super) set: i64,
}

impl Writer {
    /// Begins a process on what is in a folder.
    fn core(rules: &Rules, folder: &Path) -> (Core, watch::Receiver<ProbeTargets>) {
        let config = rules.config(folder);
        let facts = folder.join(FOLDER);
        std::fs::create_dir_all(&facts).unwrap();
        let metrics = Arc::new(Metrics::new());
        let (mut core, handle) =
            prepare(config, metrics, Storage::default(), &facts, wall).unwrap();
        let now = core.now();
        core.world.shards.count(&mut core.world.out, now);
        (core, handle.targets)
    }

    /// The first process.
    pub(super) fn new(folder: &Path) -> Self {
        let rules = Rules::new();
        WALL.set(1_800_000_000);
        let (core, targets) = Self::core(&rules, folder);
        let begun = clock::monotonic();
        Self {
            core,
            targets,
            rules,
            begun,
            housekeeping: begun,
            set: 0,
        }
    }

    /// Ends the process, sets the wall clock by so many seconds, and begins another.
    pub(super) fn restart(self, folder: &Path, is_clean: bool, by: i64) -> Self {
        let Self {
            mut core,
            rules,
            begun,
            set,
            housekeeping,
            ..
        } = self;
        if is_clean {
            core.finish();
        }
        core.world.out.close();
        WALL.set(WALL.get().checked_add_signed(by).unwrap());
        let (core, targets) = Self::core(&rules, folder);
        Self {
            core,
            targets,
            rules,
            begun,
            housekeeping,
            set: set + by,
        }
    }

    /// The number of a member.
    pub(super) fn index(&self, who: usize) -> MemberIdx {
        let members = &self.core.world.out.builder.fleet().members;
        members.find(&label(MEMBERS[who])).unwrap()
    }

    /// Ends the last process.
    pub(super) fn end(self) {
        self.core.world.out.close();
    }

    /// Milliseconds since the history began.
    pub(super) fn time(&self) -> u64 {
        let since = clock::monotonic().duration_since(self.begun);
        u64::try_from(since.as_millis()).unwrap()
    }

    /// Whether something is folded and not published.
    pub(super) fn is_unpublished(&self) -> bool {
        self.core.pace.due(clock::monotonic()).is_some()
    }

    /// Sets the wall clock.
    pub(super) fn set_wall(&self) {
        let real = 1_800_000_000 + self.time() / 1000;
        WALL.set(real.checked_add_signed(self.set).unwrap());
    }

    /// Lets time pass, to the next moment at which something is due, or by `most` at most.
    pub(super) async fn advance(&mut self, most: Duration) -> Duration {
        let now = self.core.now().instant;
        if most > Duration::from_secs(20) {
            // What is looked after once in a second takes most of the time that a history takes.
            if self.core.housekeeping != self.housekeeping {
                self.housekeeping = now + Duration::from_secs(10);
                self.core.housekeeping = self.housekeeping;
            }
        }
        let due = self.core.deadline(now).saturating_duration_since(now);
        let by = due.max(Duration::from_millis(1)).min(most);
        tokio::time::advance(by).await;
        self.set_wall();
        by
    }

    /// Does what is due now.
    pub(super) async fn settle(&mut self) {
        loop {
            let now = self.core.now();
            self.core.turn(now);
            let mut again = false;
            while self.core.world.out.record.wait(now.instant).is_some() {
                again = true;
                std::thread::yield_now();
            }
            if self.core.world.overrides.is_saving() {
                again = true;
                let written = self.core.world.overrides.saved().await;
                self.core.publish_decided(written);
            }
            if !again && self.core.deadline(now.instant) > now.instant {
                return;
            }
        }
    }

    /// A source says something.
    pub(super) fn say(&mut self, who: usize, change: Change) {
        let now = self.core.now();
        let delta = Delta::Member {
            member: label(MEMBERS[who]),
            epoch: Epoch(1),
            change,
        };
        self.core.world.fold(delta, now);
    }

    /// Something else arrives.
    pub(super) fn fold(&mut self, delta: Delta) {
        let now = self.core.now();
        self.core.world.fold(delta, now);
    }

    /// A new configuration arrives.
    pub(super) fn reload(&mut self, folder: &Path, reload: Reload) {
        self.rules.change(reload);
        let now = self.core.now();
        self.core.world.reconfigure(&self.rules.config(folder), now);
    }

    /// An operator gives a command.
    pub(super) fn command(&mut self, command: OperatorCommand) {
        let (reply, _) = oneshot::channel();
        let by = None;
        self.core.execute(CommandRequest { command, by, reply });
    }

    /// Whether answers are frozen.
    pub(super) fn is_frozen(&self) -> bool {
        self.core.world.overrides.is_frozen()
    }

    /// The target of `s` in a member.
    pub(super) fn target(&self, who: usize) -> ProbeTarget {
        ProbeTarget {
            address: (address(who), 80).into(),
            probe: Arc::new(self.rules.probe()),
        }
    }

    /// Whether a target is to be probed.
    pub(super) fn is_probed(&self, target: &ProbeTarget) -> bool {
        self.targets.borrow().contains(target)
    }

    /// The present answers, one for each federation.
    pub(super) fn answers(&self) -> Vec<Answer> {
        let snapshot = self.core.snapshots.load_full();
        let damping = &self.core.world.shards.damping;
        let now = Now {
            instant: clock::monotonic(),
            wall: wall(),
        };
        let left = |who: &usize| {
            let key = (self.index(*who), named("s"));
            let until = damping.condition(&key, now)?.damped_until?;
            Some(until.0.saturating_sub(now.wall.0))
        };
        let all = FEDERATIONS.iter().map(|name| answer(&snapshot, name));
        let all = all.map(|answer| Answer {
            undamped: answer.damped.iter().filter_map(left).min(),
            ..answer
        });
        all.collect()
    }
}

/// How many milliseconds ago a moment was.
pub(super) fn ago(at: Instant) -> u64 {
    let ago = clock::monotonic().duration_since(at);
    u64::try_from(ago.as_millis()).unwrap()
}

/// The answer in a federation: as answers are made.
fn answer(snapshot: &Snapshot, federation: &str) -> Answer {
    let whose = |members| whose(snapshot, members);
    let key = NameBuf::from_labels(["s", "ns", federation]).unwrap();
    let entry = snapshot.entry(key.as_wire().strip_suffix(&[0]).unwrap());
    let Some(entry) = entry else {
        return Answer {
            eligible: Vec::new(),
            withdrawn: Vec::new(),
            available: Vec::new(),
            damped: Vec::new(),
            undamped: None,
        };
    };
    let plan = snapshot.plan(entry.plan).unwrap();
    let health = snapshot.state().health_in(entry.federation);
    let overlay = || entry.overlay().map(|overlay| &overlay.sets);
    let draw = || unreachable!("no member is being drained");
    let found: Eligible = eligible(plan, &entry.health(), overlay, health, draw);
    Answer {
        eligible: whose(found.members),
        withdrawn: whose(found.withdrawn),
        available: whose(entry.health().available),
        damped: whose(overlay().map_or(MemberSet::EMPTY, |overlay| overlay.damped)),
        undamped: None,
    }
}

/// The members of a set, as the history numbers them. A frozen snapshot may have them in another
/// order than the configuration.
fn whose(snapshot: &Snapshot, members: MemberSet) -> Vec<usize> {
    let number = |member: MemberIdx| {
        let name = &snapshot.member(member).unwrap().name;
        MEMBERS.iter().position(|it| name.as_str() == *it)
    };
    let mut all: Vec<usize> = members.iter().filter_map(number).collect();
    all.sort_unstable();
    all
}

/// The address of `s` in a member.
fn address(who: usize) -> [u8; 4] {
    [192, 0, 2, u8::try_from(who).unwrap() + 1]
}

/// The name of another service than `s`.
pub(super) fn other(number: usize) -> NamespacedName {
    named(&format!("o{number}"))
}

/// Other services of a member, all ready.
pub(super) fn others(who: usize) -> Vec<(NamespacedName, Arc<Service>)> {
    let all = 0..OTHERS;
    all.map(|number| {
        let address = format!("10.0.{who}.{}", number + 1);
        (other(number), service(&address, 1))
    })
    .collect()
}

/// The facts of `s` in a member; `None` if it is absent.
pub(super) fn facts(who: usize, said: Said) -> Option<Arc<Service>> {
    let [a, b, c, d] = address(who);
    let ready = match said {
        Said::Ready => 1,
        Said::Unready => 0,
        Said::Absent => return None,
    };
    Some(service(&format!("{a}.{b}.{c}.{d}"), ready))
}
