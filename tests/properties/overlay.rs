//! Probes, damping and drains: how a builder is told, and what follows for the oracle.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use gazetteer::model::{Evidence, FULL_SHARE, Probe, ProbeTarget, UnixSeconds, Verdict};
use gazetteer::snapshot::{Condition, Shares, SnapshotBuilder};

use crate::ask::CLIENT;
use crate::members::seat;
use crate::model::{index, key_of, member_name};
use crate::world::{Change, Fed, Shard, World};

impl World {
    /// The same world, with every member drained in part.
    pub(crate) fn with_drains(mut self) -> Self {
        let drained = (0..self.members.len()).map(|member| (member, FULL_SHARE / 2));
        self.shares = drained.collect();
        self
    }

    /// Tells a builder everything.
    pub(crate) fn overlay(&self, builder: &mut SnapshotBuilder) {
        for (address, verdict) in &self.verdicts {
            tell(builder, *address, Some(*verdict));
        }
        for key in &self.damped {
            if let Some(index) = seat(builder, key.2) {
                builder.set_condition(index, &key_of(*key), Some(condition()));
            }
        }
        self.share(builder);
    }

    /// Takes a change that is neither of facts nor of a state, and tells a builder.
    pub(crate) fn take(&mut self, change: &Change, builder: &mut SnapshotBuilder) {
        match change {
            Change::Verdict(address, Some(verdict)) => {
                self.verdicts.insert(*address, *verdict);
                tell(builder, *address, Some(*verdict));
            }
            Change::Verdict(address, None) => {
                self.verdicts.remove(address);
                tell(builder, *address, None);
            }
            Change::Damped(key, true) => {
                self.damped.insert(*key);
                builder.set_condition(index(key.2), &key_of(*key), Some(condition()));
            }
            Change::Damped(key, false) => {
                self.damped.remove(key);
                builder.set_condition(index(key.2), &key_of(*key), None);
            }
            Change::Share(member, share) => {
                self.shares.insert(*member, *share);
                self.share(builder);
            }
            Change::ServiceShare(key, share) => {
                self.service_shares.insert(*key, *share);
                self.share(builder);
            }
            Change::Shard(..) | Change::State(..) => {}
        }
    }

    /// Tells a builder what operators leave.
    fn share(&self, builder: &mut SnapshotBuilder) {
        let members = self.shares.iter();
        let services = self.service_shares.iter();
        let shares = Shares {
            members: members
                .filter_map(|(member, share)| Some((seat(builder, *member)?, *share)))
                .collect(),
            services: services
                .map(|((namespace, name), share)| (key_of((namespace, name, 0)), *share))
                .collect(),
        };
        builder.set_shares(shares);
    }

    /// Whether a member, or a service in all members, is not taken out.
    pub(crate) fn is_left(&self, member: usize, key: (&str, &str)) -> bool {
        self.shares.get(&member) != Some(&0) && self.service_shares.get(&key) != Some(&0)
    }

    /// What probes say of an address of a shard: nothing where none is sent.
    fn verdict(&self, fed: &Fed, shard: &Shard, address: IpAddr) -> Option<Verdict> {
        let is_probed = fed.is_probed && shard.port.is_some();
        self.verdicts.get(&address).copied().filter(|_| is_probed)
    }

    /// Whether probes of some address of a shard pass.
    pub(crate) fn is_proven(&self, fed: &Fed, shard: &Shard) -> bool {
        let passes = |address: &IpAddr| {
            let verdict = self.verdict(fed, shard, *address);
            matches!(
                verdict,
                Some(Verdict::Up | Verdict::Suspect | Verdict::Damped)
            )
        };
        shard.addresses.iter().any(passes)
    }

    /// The addresses of a shard that are not withheld.
    pub(crate) fn living(&self, fed: &Fed, shard: &Shard) -> BTreeSet<IpAddr> {
        let is_other = |address: &IpAddr| {
            let verdict = self.verdict(fed, shard, *address);
            !matches!(verdict, Some(Verdict::Down | Verdict::Damped))
        };
        // A damped one stays where no other of its family is left.
        let lives = |address: &IpAddr| {
            let of_family = |one: &&IpAddr| one.is_ipv4() == address.is_ipv4();
            let is_any_other = shard.addresses.iter().filter(of_family).any(is_other);
            let is_damped = self.verdict(fed, shard, *address) == Some(Verdict::Damped);
            is_other(address) || is_damped && !is_any_other
        };
        shard.addresses.iter().copied().filter(lives).collect()
    }

    /// Whether damped addresses are all that is left of a family of a shard.
    pub(crate) fn is_damped_by_probes(&self, fed: &Fed, shard: &Shard) -> bool {
        let is_damped =
            |address: &IpAddr| self.verdict(fed, shard, *address) == Some(Verdict::Damped);
        self.living(fed, shard).iter().any(is_damped)
    }

    /// Whether probes have taken all addresses of one family from a shard, and not all of both.
    pub(crate) fn is_half(&self, fed: &Fed, shard: &Shard) -> bool {
        let living = self.living(fed, shard);
        let has_lost =
            |is_v4: bool| has_family(&shard.addresses, is_v4) && !has_family(&living, is_v4);
        !living.is_empty() && (has_lost(true) || has_lost(false))
    }

    /// Leaves out half shards where whole ones have the family that they have left. That of the member
    /// `own`, which is reached from inside, is whole.
    pub(crate) fn keep_whole(
        &self,
        fed: &Fed,
        up: &mut Vec<(usize, &Shard)>,
        sure: &[usize],
        own: Option<usize>,
    ) {
        let is_half = |member: usize, shard| own != Some(member) && self.is_half(fed, shard);
        let is_covered = |is_v4: bool| {
            up.iter().any(|(member, shard)| {
                let addresses = if own == Some(*member) {
                    shard.reached()
                } else {
                    self.living(fed, shard)
                };
                !is_half(*member, shard) && has_family(&addresses, is_v4)
            })
        };
        let (ipv4, ipv6) = (is_covered(true), is_covered(false));
        let kept = up.iter().filter(|(member, shard)| {
            let living = self.living(fed, shard);
            let is_covered =
                ipv4 && has_family(&living, true) || ipv6 && has_family(&living, false);
            !is_half(*member, shard) || !is_covered
        });
        let kept: Vec<usize> = kept.map(|(member, _)| *member).collect();
        keep_if_any(up, sure, |member| kept.contains(&member));
    }

    /// The addresses that a shard has at a level: where all are withheld, only `last-known` asks.
    pub(crate) fn served(&self, fed: &Fed, shard: &Shard) -> BTreeSet<IpAddr> {
        let living = self.living(fed, shard);
        if living.is_empty() {
            shard.addresses.iter().copied().collect()
        } else {
            living
        }
    }

    /// Whether a member that is being drained keeps a service by the draw for [`CLIENT`].
    pub(crate) fn keeps_draw(&self, fed: &Fed, key: (&str, &str), member: usize) -> bool {
        let share = self.shares.get(&member).copied().unwrap_or(FULL_SHARE);
        u64::from(share) > draw(fed, key, member, 1) >> 49
    }
}

/// Whether there are addresses of a family.
fn has_family<'a>(addresses: impl IntoIterator<Item = &'a IpAddr>, is_v4: bool) -> bool {
    addresses
        .into_iter()
        .any(|address| address.is_ipv4() == is_v4)
}

/// Sets those aside that are not to be kept: if a sure one is left, or any where none was sure.
pub(crate) fn keep_if_any(
    shards: &mut Vec<(usize, &Shard)>,
    sure: &[usize],
    keep: impl Fn(usize) -> bool,
) {
    let is_sure = |(member, _): &&(usize, &Shard)| sure.contains(member);
    let mut left = shards.clone();
    left.retain(|(member, _)| keep(*member));
    let is_any_sure = shards.iter().any(|shard| is_sure(&shard));
    let stays = left.iter().any(|shard| !is_any_sure || is_sure(&shard));
    if stays {
        *shards = left;
    }
}

/// The one of several members that `weighted` gives [`CLIENT`].
pub(crate) fn heaviest(
    fed: &Fed,
    key: (&str, &str),
    members: impl Iterator<Item = (usize, u32)>,
) -> Option<usize> {
    let two_to_64 = 2f64.powi(64);
    let score = |(member, weight): (usize, u32)| {
        #[expect(
            clippy::cast_precision_loss,
            reason = "draws are compared, not counted"
        )]
        let part = draw(fed, key, member, 0) as f64 / two_to_64;
        (-part.ln() / f64::from(weight), member)
    };
    let scores = members.filter(|(_, weight)| *weight > 0).map(score);
    let least = scores.min_by(|(one, _), (other, _)| one.total_cmp(other));
    least.map(|(_, member)| member)
}

/// The draw of a member as decide/rendezvous.rs describes it; every TTL is 30 s.
fn draw(fed: &Fed, key: (&str, &str), member: usize, purpose: u64) -> u64 {
    let mut octets = Vec::new();
    for label in [key.1, key.0, fed.name] {
        octets.push(u8::try_from(label.len()).expect("labels are short"));
        octets.extend(label.bytes());
    }
    octets.extend([4, 127, 0, 0, 0, 0, 0, 0, 0]);
    octets.extend((CLIENT.now.0 / 30).to_be_bytes());
    let name = fnv(member_name(member).as_bytes());
    mix(fnv(&octets) ^ mix(name ^ purpose))
}

/// FNV-1a, 64 bits.
fn fnv(octets: &[u8]) -> u64 {
    let step = |hash: u64, octet: &u8| (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3);
    octets.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// The finalizer of `MurmurHash3`, 64 bits.
fn mix(hash: u64) -> u64 {
    let hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ hash >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ hash >> 33
}

/// Tells a builder what probes say of an address, at both ports that shards have.
fn tell(builder: &mut SnapshotBuilder, address: IpAddr, verdict: Option<Verdict>) {
    for port in [80, 8080] {
        let target = ProbeTarget {
            address: SocketAddr::new(address, port),
            probe: Arc::new(Probe::default()),
        };
        let evidence = verdict.map(|verdict| Evidence {
            verdict,
            since: UnixSeconds(1),
            seen: "refused".into(),
            unproven_since: None,
        });
        builder.set_evidence(&target, evidence);
    }
}

/// A shard is suppressed.
fn condition() -> Condition {
    Condition {
        since: UnixSeconds(1),
        damped_until: Some(UnixSeconds(2)),
        why: "withdrawn 4 times in 10 minutes".into(),
    }
}
