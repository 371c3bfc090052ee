//! What is to be probed, and who uses it.

use std::borrow::Cow;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use super::apex::FederationIdx;
use super::fair_share::FairShare;
use super::new_shard::NewShard;
use super::target_users::{MOST_TARGETS, Map, TargetUser};
use crate::model::{
    Federation, Fleet, IgnoredProbe, MemberIdx, NamespacedName, Probe, ProbeTarget, ProbeTargets,
};

/// What is to be probed, and who uses it.
#[derive(Debug, Default)]
pub(super) struct Probing {
    /// Who uses each target.
    users: Map<ProbeTarget, Used>,
    /// The targets of each user that has some.
    of: Map<TargetUser, Box<[ProbeTarget]>>,
    /// The keys of `users`.
    targets: ProbeTargets,
    /// How each address and port is probed: the keys of `users`, by where they are.
    at: Map<SocketAddr, HashSet<Arc<Probe>>>,
    /// How room is shared out among members.
    fair: FairShare,
    /// Users that have lost a target to another member.
    displaced: Vec<NamespacedName>,
}

/// Who uses a target.
#[derive(Debug)]
struct Used {
    by: HashSet<TargetUser, foldhash::fast::RandomState>,
    /// The member that it counts for: the first one that had it.
    member: MemberIdx,
    /// The number under which that member holds room for it.
    number: u64,
}

impl Probing {
    /// The services that use a target.
    pub(super) fn users_of(&self, target: &ProbeTarget) -> impl Iterator<Item = &NamespacedName> {
        let users = self.users.get(target).into_iter().flat_map(|used| &used.by);
        users.map(|(_, name)| name)
    }

    /// The services that use any target at an address and port.
    pub(super) fn users_at(&self, address: SocketAddr) -> impl Iterator<Item = &NamespacedName> {
        let probes = self.at.get(&address).into_iter().flatten();
        let targets = probes.map(move |probe| ProbeTarget {
            address,
            probe: Arc::clone(probe),
        });
        let users = targets.filter_map(|target| self.users.get(&target));
        users.flat_map(|used| &used.by).map(|(_, name)| name)
    }

    /// A target of a member is there now, for a first user.
    fn add(&mut self, member: MemberIdx, target: &ProbeTarget, user: &TargetUser) {
        self.targets.insert(target.clone());
        let probes = self.at.entry(target.address).or_default();
        probes.insert(Arc::clone(&target.probe));
        let number = self.fair.hold(member, target.clone());
        let by = [user.clone()].into_iter().collect();
        let used = Used { by, member, number };
        self.users.insert(target.clone(), used);
    }

    /// A target that nothing uses any more goes, or one that has to. Returns who used it.
    fn remove(&mut self, target: &ProbeTarget) -> Option<Used> {
        let used = self.users.remove(target)?;
        self.fair.release(used.member, used.number);
        self.targets.remove(target);
        if let Some(probes) = self.at.get_mut(&target.address) {
            probes.remove(&target.probe);
            if probes.is_empty() {
                self.at.remove(&target.address);
            }
        }
        Some(used)
    }

    /// Whether there is room for a new target of a member. When all is taken a member that holds more
    /// gives way.
    fn has_room(&mut self, member: MemberIdx) -> bool {
        if self.users.len() < MOST_TARGETS {
            return true;
        }
        let Some(target) = self.fair.to_displace(member) else {
            return false;
        };
        let used = self.remove(&target);
        let names = used.into_iter().flat_map(|used| used.by);
        self.displaced.extend(names.map(|(_, name)| name));
        true
    }

    /// Everything that is to be probed.
    pub(super) fn targets(&self) -> &ProbeTargets {
        &self.targets
    }

    /// A service uses these targets of members from now on, and no others. Returns the members of those
    /// that found no room, one for each.
    pub(super) fn use_targets(
        &mut self,
        federation: FederationIdx,
        name: &NamespacedName,
        wanted: Vec<(MemberIdx, ProbeTarget)>,
    ) -> Vec<MemberIdx> {
        let mut refused = Vec::new();
        if self.of.is_empty() && self.fair.is_idle() && wanted.is_empty() {
            return refused;
        }
        let user = (federation, name.clone());
        let old = self.of.remove(&user).unwrap_or_default();
        if old.is_empty() && wanted.is_empty() {
            self.fair.wait(&user, &[]);
            return refused;
        }
        let kept: HashSet<&ProbeTarget> = if old.is_empty() {
            HashSet::new()
        } else {
            wanted.iter().map(|(_, target)| target).collect()
        };
        for target in old.iter().filter(|target| !kept.contains(target)) {
            // One that had to give way has no users any more.
            if let Some(used) = self.users.get_mut(target) {
                used.by.remove(&user);
                if used.by.is_empty() {
                    self.remove(target);
                }
            }
        }
        let mut used = Vec::with_capacity(wanted.len());
        for (member, target) in wanted {
            if let Some(known) = self.users.get_mut(&target) {
                known.by.insert(user.clone());
            } else if self.has_room(member) {
                self.add(member, &target, &user);
            } else {
                refused.push(member);
                continue;
            }
            used.push(target);
        }
        self.fair.wait(&user, &refused);
        if !used.is_empty() {
            self.of.insert(user, used.into());
        }
        refused
    }

    /// Services that have lost room, and those that waited for some, as many as may get it now. They are
    /// to be compiled anew, and then to be asked for again: each gets room, of which there is less or
    /// which is shared out more evenly then, or waits no more, so that this ends.
    pub(super) fn admit(&mut self) -> Vec<NamespacedName> {
        let room = MOST_TARGETS.saturating_sub(self.users.len());
        let mut names = std::mem::take(&mut self.displaced);
        let admitted = self.fair.admit(room).into_iter();
        names.extend(admitted.map(|(_, name)| name));
        names
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
        say: impl FnMut(IgnoredProbe),
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

    /// Services with a target each, of which each member has its own.
    struct World {
        probing: Probing,
        probe: Arc<Probe>,
    }

    impl World {
        fn new() -> Self {
            Self {
                probing: Probing::default(),
                probe: Arc::default(),
            }
        }

        fn name(member: u8, number: u32) -> NamespacedName {
            NamespacedName {
                namespace: format!("n{member}").parse().unwrap(),
                name: format!("s{number}").parse().unwrap(),
            }
        }

        /// A service has its target, or none. Returns whether it found no room.
        fn set(&mut self, member: u8, number: u32, has: bool) -> bool {
            let name = Self::name(member, number);
            let address = Ipv4Addr::from(0x0b00_0000 + (u32::from(member) << 20) + number);
            let target = ProbeTarget {
                address: (address, 80).into(),
                probe: Arc::clone(&self.probe),
            };
            let wanted = has.then_some((MemberIdx(member), target));
            let wanted = wanted.into_iter().collect();
            let federation = FederationIdx::new(0);
            !(self.probing.use_targets(federation, &name, wanted)).is_empty()
        }

        /// Compiles anew what is to be, until nothing is. Returns how many that were.
        fn settle(&mut self) -> usize {
            let mut compiled = 0;
            loop {
                let admitted = self.probing.admit();
                if admitted.is_empty() {
                    return compiled;
                }
                compiled += admitted.len();
                for name in admitted {
                    let member = name.namespace.as_str()[1..].parse().unwrap();
                    let number = name.name.as_str()[1..].parse().unwrap();
                    self.set(member, number, true);
                }
            }
        }

        /// How many targets a member has.
        fn held(&self, member: u8) -> usize {
            let used = self.probing.users.values();
            let held = used.filter(|used| used.member == MemberIdx(member)).count();
            assert_eq!(self.probing.users.len(), self.probing.targets().len());
            held
        }
    }

    #[test]
    fn whoever_found_no_room_is_probed_when_there_is_some() {
        const ALL: u32 = 74_000;
        let mut world = World::new();
        let refused = (0..ALL).filter(|number| world.set(0, *number, true));
        assert_eq!(refused.count(), 74_000 - MOST_TARGETS);
        assert_eq!(world.settle(), 0);
        // The last ones that wait go, and the first that are probed.
        for number in (0..10_000).chain(72_000..ALL) {
            world.set(0, number, false);
        }
        world.settle();
        assert_eq!(world.held(0), 62_000);
        assert!(world.probing.fair.is_idle());
    }

    #[test]
    fn a_member_that_takes_everything_gives_way() {
        let mut world = World::new();
        for number in 0..70_000 {
            world.set(0, number, true);
        }
        assert_eq!(world.settle(), 0);
        // A small member has all that it wants, at the cost of the last that came.
        for number in 0..1_000 {
            assert!(!world.set(1, number, true));
        }
        assert_eq!(world.settle(), 1_000);
        assert_eq!(
            [world.held(0), world.held(1)],
            [MOST_TARGETS - 1_000, 1_000]
        );
        assert!(!world.set(0, 0, true));
        // One that wants as much has as much.
        for number in 0..70_000 {
            world.set(2, number, true);
        }
        world.settle();
        let half = (MOST_TARGETS - 1_000) / 2;
        assert_eq!(
            [0, 1, 2].map(|member| world.held(member)),
            [half, 1_000, half]
        );
        // Room that a member gives back while another takes it at once is still shared out.
        for number in 0..20_000 {
            world.set(2, number, false);
        }
        for number in 70_000..90_000 {
            world.set(0, number, true);
        }
        world.settle();
        assert_eq!(
            [0, 1, 2].map(|member| world.held(member)),
            [half, 1_000, half]
        );
        // And none is left unused.
        for number in 0..70_000 {
            world.set(2, number, false);
        }
        world.settle();
        assert_eq!(world.held(0), MOST_TARGETS - 1_000);
        for number in 0..90_000 {
            world.set(0, number, false);
            world.set(1, number, false);
        }
        assert_eq!(world.settle(), 0);
        assert!(world.probing.targets().is_empty() && world.probing.fair.is_idle());
    }

    #[test]
    fn a_target_of_several_members_is_one_and_counts_for_the_first() {
        let mut world = World::new();
        let shared = ProbeTarget {
            address: (Ipv4Addr::LOCALHOST, 80).into(),
            probe: Arc::clone(&world.probe),
        };
        let wanted = [0, 1].map(|member| (MemberIdx(member), shared.clone()));
        let (federation, name) = (FederationIdx::new(0), World::name(0, 0));
        let probing = &mut world.probing;
        let refused = probing.use_targets(federation, &name, wanted.into());
        assert!(refused.is_empty());
        assert_eq!([world.held(0), world.held(1)], [1, 0]);
        world.probing.use_targets(federation, &name, Vec::new());
        assert!(world.probing.targets().is_empty() && world.probing.at.is_empty());
    }
}
