//! What is to be probed, and who uses it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use parking_lot::Mutex;

use super::apexes::FederationIdx;
use super::service::NewShard;
use crate::model::{Check, Fleet, NamespacedName, Probe, Target, Targets};

/// How many targets there are at most.
pub(super) const MOST_TARGETS: usize = 65_536;

/// How many services that found no room are remembered.
const MOST_WAITING: usize = 4096;

/// A hash map of the writer.
pub(super) type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// A service in a federation.
type User = (FederationIdx, NamespacedName);

/// What is to be probed, and who uses it.
#[derive(Debug, Default)]
pub(super) struct Probing {
    /// Who uses each target.
    users: Map<Target, HashSet<User, foldhash::fast::RandomState>>,
    /// The targets of each user that has some.
    of: Map<User, Box<[Target]>>,
    /// The keys of `users`.
    targets: Targets,
    /// How each address and port is probed: the keys of `users`, by where they are.
    at: Map<SocketAddr, Vec<Arc<Probe>>>,
    /// Services some of whose targets found no room, the one that has waited longest first.
    waiting: VecDeque<NamespacedName>,
}

impl Probing {
    /// The services that use a target.
    pub(super) fn users_of(&self, target: &Target) -> impl Iterator<Item = &NamespacedName> {
        let users = self.users.get(target).into_iter().flatten();
        users.map(|(_, name)| name)
    }

    /// The services that use any target at an address and port.
    pub(super) fn users_at(&self, address: SocketAddr) -> impl Iterator<Item = &NamespacedName> {
        let probes = self.at.get(&address).into_iter().flatten();
        let targets = probes.map(move |probe| Target {
            address,
            probe: Arc::clone(probe),
        });
        let users = targets.filter_map(|target| self.users.get(&target));
        users.flatten().map(|(_, name)| name)
    }

    /// A target is there now.
    fn add(&mut self, target: &Target) {
        self.targets.insert(target.clone());
        let probes = self.at.entry(target.address).or_default();
        probes.push(Arc::clone(&target.probe));
    }

    /// A target that nothing uses any more goes.
    fn remove(&mut self, target: &Target) {
        self.users.remove(target);
        self.targets.remove(target);
        if let Some(probes) = self.at.get_mut(&target.address) {
            probes.retain(|probe| *probe != target.probe);
            if probes.is_empty() {
                self.at.remove(&target.address);
            }
        }
    }

    /// Everything that is to be probed.
    pub(super) fn targets(&self) -> &Targets {
        &self.targets
    }

    /// A service uses these targets from now on, and no others. Returns how many found no room.
    pub(super) fn use_targets(
        &mut self,
        federation: FederationIdx,
        name: &NamespacedName,
        wanted: Vec<Target>,
    ) -> usize {
        if self.of.is_empty() && wanted.is_empty() {
            return 0;
        }
        let user = (federation, name.clone());
        let old = self.of.remove(&user).unwrap_or_default();
        if old.is_empty() && wanted.is_empty() {
            return 0;
        }
        let kept: HashSet<&Target> = if old.is_empty() {
            HashSet::new()
        } else {
            wanted.iter().collect()
        };
        for target in old.iter().filter(|target| !kept.contains(target)) {
            if let Some(users) = self.users.get_mut(target) {
                users.remove(&user);
                if users.is_empty() {
                    self.remove(target);
                }
            }
        }
        let mut refused = 0;
        let mut used = Vec::with_capacity(wanted.len());
        for target in wanted {
            if let Some(users) = self.users.get_mut(&target) {
                users.insert(user.clone());
            } else if self.users.len() < MOST_TARGETS {
                self.add(&target);
                let users = self.users.entry(target.clone()).or_default();
                users.insert(user.clone());
            } else {
                refused += 1;
                continue;
            }
            used.push(target);
        }
        if refused > 0 && self.waiting.len() < MOST_WAITING {
            self.waiting.push_back(name.clone());
        }
        if !used.is_empty() {
            self.of.insert(user, used.into());
        }
        refused
    }

    /// Services that waited for room, as many as there may be room for now.
    pub(super) fn admit(&mut self) -> Vec<NamespacedName> {
        let room = MOST_TARGETS.saturating_sub(self.users.len());
        let count = room.min(self.waiting.len());
        self.waiting.drain(..count).collect()
    }
}

/// How the services of each federation are probed, every distinct probe once.
#[derive(Debug, Default)]
pub(super) struct Probes {
    /// Those of the federations, in configuration order.
    federations: Vec<Spec>,
    /// Those that services say something of. Several threads may ask for them at the first
    /// compilation.
    special: Mutex<HashSet<Arc<Probe>>>,
}

/// A probe and its port.
#[derive(Debug, Clone)]
struct Spec {
    /// With no port: that is in the address of a target, so that targets alike are one.
    probe: Arc<Probe>,
    /// `None` is the first TCP port of the service.
    port: Option<u16>,
}

impl Probes {
    /// Those of a fleet.
    pub(super) fn compile(fleet: &Fleet) -> Self {
        let mut probes = Self::default();
        for federation in &fleet.federations {
            let spec = probes.intern(federation.probe.clone());
            probes.federations.push(spec);
        }
        probes
    }

    /// Every probe alike is one.
    fn intern(&self, mut probe: Probe) -> Spec {
        let port = probe.port.take();
        let mut special = self.special.lock();
        let known = special.get(&probe).map(Arc::clone);
        let probe = known.unwrap_or_else(|| {
            // Those that no target has any more go when there are many.
            if special.len() >= 64 && special.len().is_power_of_two() {
                special.retain(|probe| Arc::strong_count(probe) > 1);
            }
            let probe = Arc::new(probe);
            special.insert(Arc::clone(&probe));
            probe
        });
        Spec { probe, port }
    }

    /// Adds the targets of a shard that has all its addresses: none where nothing is asked, or where
    /// there is no TCP port to ask.
    pub(super) fn targets(
        &self,
        fleet: &Fleet,
        federation: FederationIdx,
        shard: &NewShard,
        targets: &mut Vec<Target>,
    ) {
        let facts = &shard.facts;
        if !shard.has_address() {
            return;
        }
        let own = facts.steering.probe.as_ref().and_then(|settings| {
            let base = fleet.federations.get(federation.get())?;
            Some(self.intern(base.probe.with(settings)))
        });
        let spec = own.as_ref().or(self.federations.get(federation.get()));
        let Some(Spec { probe, port }) = spec.filter(|spec| spec.probe.check != Check::None) else {
            return;
        };
        let port = port.or(shard.gateway_port);
        let Some(port) = port.or_else(|| facts.first_tcp_port()) else {
            return;
        };
        let ipv4 = shard.ipv4.iter().copied().map(IpAddr::V4);
        let addresses = ipv4.chain(shard.ipv6.iter().copied().map(IpAddr::V6));
        targets.extend(addresses.map(|address| Target {
            address: SocketAddr::new(address, port),
            probe: Arc::clone(probe),
        }));
    }
}
