//! What is to be probed, and who uses it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use super::apexes::FederationIdx;
use super::service::NewShard;
use crate::model::{Federation, Fleet, NamespacedName, Probe, Target, Targets};

/// How many targets there are at most.
pub(super) const MOST_TARGETS: usize = 65_536;

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
    at: Map<SocketAddr, HashSet<Arc<Probe>>>,
    /// Users some of whose targets found no room.
    waiting: Waiting,
}

/// Users that wait for room, the one that has waited longest first.
#[derive(Debug, Default)]
struct Waiting {
    by_turn: BTreeMap<u64, User>,
    turns: Map<User, u64>,
    /// The last turn given.
    last: u64,
}

impl Waiting {
    /// A user waits, or does no more.
    fn set(&mut self, user: &User, waits: bool) {
        if waits {
            if !self.turns.contains_key(user) {
                self.last += 1;
                self.turns.insert(user.clone(), self.last);
                self.by_turn.insert(self.last, user.clone());
            }
        } else if let Some(turn) = self.turns.remove(user) {
            self.by_turn.remove(&turn);
        }
    }

    /// The first one, which waits no more.
    fn pop(&mut self) -> Option<NamespacedName> {
        let (_, user) = self.by_turn.pop_first()?;
        self.turns.remove(&user);
        Some(user.1)
    }
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
        probes.insert(Arc::clone(&target.probe));
    }

    /// A target that nothing uses any more goes.
    fn remove(&mut self, target: &Target) {
        self.users.remove(target);
        self.targets.remove(target);
        if let Some(probes) = self.at.get_mut(&target.address) {
            probes.remove(&target.probe);
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
        if self.of.is_empty() && self.waiting.turns.is_empty() && wanted.is_empty() {
            return 0;
        }
        let user = (federation, name.clone());
        let old = self.of.remove(&user).unwrap_or_default();
        if old.is_empty() && wanted.is_empty() {
            self.waiting.set(&user, false);
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
        self.waiting.set(&user, refused > 0);
        if !used.is_empty() {
            self.of.insert(user, used.into());
        }
        refused
    }

    /// Services that waited for room, as many as there may be room for now. They are to be compiled
    /// anew, and then to be asked for again: each takes room or waits no more, so that this ends.
    pub(super) fn admit(&mut self) -> Vec<NamespacedName> {
        let room = MOST_TARGETS.saturating_sub(self.users.len());
        let waiting = std::iter::from_fn(|| self.waiting.pop());
        waiting.take(room).collect()
    }
}

/// How the services of each federation are probed, every distinct probe once.
#[derive(Debug, Default)]
pub(super) struct Probes {
    /// Those of the federations, in configuration order, with no port: that is in the address of a
    /// target, so that targets alike are one.
    federations: Vec<Arc<Probe>>,
    /// Those that services say something of. Several threads may ask for them at the first
    /// compilation.
    special: Mutex<HashSet<Arc<Probe>>>,
}

impl Probes {
    /// Those of a fleet.
    pub(super) fn compile(fleet: &Fleet) -> Self {
        let mut probes = Self::default();
        for federation in &fleet.federations {
            let probe = probes.intern(federation.probe.clone());
            probes.federations.push(probe);
        }
        probes
    }

    /// Every probe alike is one.
    fn intern(&self, mut probe: Probe) -> Arc<Probe> {
        probe.port = None;
        let mut special = self.special.lock();
        let known = special.get(&probe).map(Arc::clone);
        known.unwrap_or_else(|| {
            // Those that no target has any more go when there are many.
            if special.len() >= 64 && special.len().is_power_of_two() {
                special.retain(|probe| Arc::strong_count(probe) > 1);
            }
            let probe = Arc::new(probe);
            special.insert(Arc::clone(&probe));
            probe
        })
    }

    /// How the addresses of a shard are probed: with what, and at which port. `None` where nothing is
    /// asked, or where there is no TCP port to ask. What the member asks for in vain goes to `say`.
    pub(super) fn of(
        &self,
        rules: &Federation,
        federation: FederationIdx,
        shard: &NewShard,
        say: impl FnMut(String),
    ) -> Option<(Arc<Probe>, u16)> {
        let (probe, port) = rules.probe_of(&shard.facts, shard.gateway_port, say)?;
        let probe = match probe {
            Cow::Owned(own) => self.intern(own),
            Cow::Borrowed(_) => Arc::clone(self.federations.get(federation.get())?),
        };
        Some((probe, port))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn whoever_found_no_room_is_probed_when_there_is_some() {
        const ALL: u32 = 74_000;
        let probe = Arc::new(Probe::default());
        let federation = FederationIdx::new(0);
        let name = |number: u32| NamespacedName {
            namespace: "n".parse().unwrap(),
            name: format!("s{number}").parse().unwrap(),
        };
        let target = |number: u32| Target {
            address: (Ipv4Addr::from(0x0b00_0000 + number), 80).into(),
            probe: Arc::clone(&probe),
        };
        let mut probing = Probing::default();
        let mut refused = 0;
        for number in 0..ALL {
            refused += probing.use_targets(federation, &name(number), vec![target(number)]);
        }
        assert_eq!(refused, 74_000 - MOST_TARGETS);
        assert!(probing.admit().is_empty());
        // The last ones that wait go, and the first that are probed.
        for number in (0..10_000).chain(72_000..ALL) {
            probing.use_targets(federation, &name(number), Vec::new());
        }
        loop {
            let admitted = probing.admit();
            if admitted.is_empty() {
                break;
            }
            for name in admitted {
                let number = name.name.as_str()[1..].parse().unwrap();
                probing.use_targets(federation, &name, vec![target(number)]);
            }
        }
        assert_eq!(probing.targets().len(), 62_000);
        assert!(probing.waiting.by_turn.is_empty() && probing.waiting.turns.is_empty());
    }
}
