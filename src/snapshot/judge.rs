//! Computes the health overlay of a service: which addresses are withheld, which shards are
//! suppressed, proven or draining.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use super::address_draw::draw_addresses;
use super::diagnostics::Exceeded;
use super::health_inputs::HealthInputs;
use super::health_overlay::{AllAddresses, HealthOverlay, UNSETTLED_TTL};
use super::input::Input;
use super::new_shard::NewShard;
use super::probing::Probes;
use crate::decide::{PartialFamilies, ShardOverlay};
use crate::model::limits::SHARD_ADDRESSES;
use crate::model::{Check, FULL_SHARE, IgnoredProbe, MemberIdx, MemberSet, ProbeTarget, Verdict};

/// What is said of members, in words.
pub(super) type Warnings = Vec<(MemberIdx, Box<str>)>;

/// What was found of the shards of a service.
pub(super) struct Judged {
    /// What is to be kept of it.
    pub(super) overlay: Option<Box<HealthOverlay>>,
    /// What is to be probed, with the members that it is of.
    pub(super) targets: Vec<(MemberIdx, ProbeTarget)>,
    /// What is said of members that ask for what they do not get.
    pub(super) warnings: Warnings,
    /// How many shards exceed a limit.
    pub(super) exceeded: Exceeded,
}

impl HealthInputs {
    /// Judges the shards of a service, which come with all their addresses: withholds those that are
    /// down, and damped ones where others of their family are left, and shortens TTLs while things
    /// are in motion.
    pub(super) fn judge(
        &self,
        input: &Input<'_>,
        probes: &Probes,
        shards: &mut [NewShard],
    ) -> Judged {
        let mut overlay = HealthOverlay::none();
        let (mut targets, mut warnings, mut exceeded) = (vec![], vec![], Exceeded::default());
        let (mut whole, mut probed) = (Vec::new(), Vec::new());
        let mut by_probes = MemberSet::EMPTY;
        let name = input.name;
        overlay.share = self.shares.of_service(name);
        for shard in &mut *shards {
            let first = targets.len();
            let found = (&mut targets, &mut warnings);
            self.find_targets(input, probes, shard, found, &mut exceeded);
            let (mut down, mut damped) = (HashSet::new(), HashSet::new());
            for (_, target) in targets.iter().skip(first) {
                let Some(counting) = self.of(target) else {
                    continue;
                };
                if counting.proves {
                    let is_tcp = target.probe.check == Check::Tcp;
                    note_proof(&mut overlay.sets, shard.member, is_tcp);
                }
                match counting.verdict {
                    Verdict::Unknown | Verdict::Up => {}
                    // It counts as up until it is down.
                    Verdict::Suspect => shard.ttl = shard.ttl.min(UNSETTLED_TTL),
                    Verdict::Down => drop(down.insert(target.address.ip())),
                    Verdict::Damped => drop(damped.insert(target.address.ip())),
                }
                if let Some(evidence) = counting.evidence
                    && (counting.verdict != Verdict::Up || !counting.proves)
                {
                    probed.push((shard.member, target.clone(), evidence.clone()));
                }
            }
            let (withheld, is_damped) = withheld(shard, down, &damped);
            if is_damped {
                by_probes.insert(shard.member);
            }
            let partial = &mut overlay.sets.partial;
            if withheld.is_empty() {
                note(
                    &mut partial.whole_ipv4,
                    shard.member,
                    !shard.ipv4.is_empty(),
                );
                note(
                    &mut partial.whole_ipv6,
                    shard.member,
                    !shard.ipv6.is_empty(),
                );
                continue;
            }
            let all = AllAddresses {
                member: shard.member,
                ipv4: shard.ipv4.as_slice().into(),
                ipv6: shard.ipv6.as_slice().into(),
            };
            if all.ipv4.len() + all.ipv6.len() == withheld.len() {
                overlay.dead.insert(shard.member);
                continue;
            }
            let is_left = |address: IpAddr| !withheld.contains(&address);
            shard.ipv4.retain(|address| is_left((*address).into()));
            shard.ipv6.retain(|address| is_left((*address).into()));
            let is_half = shard.ipv4.is_empty() != all.ipv4.is_empty()
                || shard.ipv6.is_empty() != all.ipv6.is_empty();
            let (with_ipv4, with_ipv6) = if is_half {
                (&mut partial.ipv4, &mut partial.ipv6)
            } else {
                (&mut partial.whole_ipv4, &mut partial.whole_ipv6)
            };
            note(with_ipv4, shard.member, !shard.ipv4.is_empty());
            note(with_ipv6, shard.member, !shard.ipv6.is_empty());
            whole.push(all);
        }
        let partial = &mut overlay.sets.partial;
        if (partial.ipv4 | partial.ipv6).is_empty() {
            // Who has both families counts only beside a shard that has lost one.
            *partial = PartialFamilies::default();
        }
        if overlay.share < FULL_SHARE {
            for shard in &mut *shards {
                shard.ttl = shard.ttl.min(UNSETTLED_TTL);
            }
        }
        overlay.weights = weights(shards);
        let known: MemberSet = shards.iter().map(|shard| shard.member).collect();
        if let Some(conditions) = self.conditions.get(name) {
            let mine = conditions.iter().filter(|(of, _)| known.contains(*of));
            overlay.conditions = mine.cloned().collect();
        }
        let damped = overlay.conditions.iter();
        let damped = damped.filter(|(_, condition)| condition.damped_until.is_some());
        let by_condition: MemberSet = damped.map(|(of, _)| *of).collect();
        overlay.sets.damped = by_condition | by_probes;
        overlay.sets.damped_by_probes = by_probes & !by_condition;
        overlay.whole = whole.into();
        overlay.probed = probed.into();
        Judged {
            overlay: (overlay != HealthOverlay::none()).then(|| Box::new(overlay)),
            targets,
            warnings,
            exceeded,
        }
    }

    /// Adds the targets of a shard that has all its addresses, and what is said of what it asks for.
    /// Of more addresses than it may have some are drawn.
    fn find_targets(
        &self,
        input: &Input<'_>,
        probes: &Probes,
        shard: &mut NewShard,
        (targets, warnings): (&mut Vec<(MemberIdx, ProbeTarget)>, &mut Warnings),
        exceeded: &mut Exceeded,
    ) {
        if !shard.has_address() {
            return;
        }
        let member = shard.member;
        let mut say = |warning: String| warnings.push((member, warning.into()));
        let probe = probes.of(input.rules, input.federation, shard, |ignored| {
            exceeded.hurried += usize::from(matches!(ignored, IgnoredProbe::Interval { .. }));
            say(ignored.to_string());
        });
        let target = |address: IpAddr| {
            let (probe, port) = probe.as_ref()?;
            Some(ProbeTarget {
                address: SocketAddr::new(address, *port),
                probe: Arc::clone(probe),
            })
        };
        if SHARD_ADDRESSES.length() < shard.ipv4.len().max(shard.ipv6.len()) {
            exceeded.overfull += 1;
            let verdict =
                |address| target(address).and_then(|target| Some(self.of(&target)?.verdict));
            let is_out = |verdict| matches!(verdict, Some(Verdict::Down | Verdict::Damped));
            let ipv4 = |ip: &Ipv4Addr| !is_out(verdict((*ip).into()));
            let ipv6 = |ip: &Ipv6Addr| !is_out(verdict((*ip).into()));
            let (ipv4, ipv6) = (shard.ipv4.iter().any(ipv4), shard.ipv6.iter().any(ipv6));
            // Where nothing else is left, damped ones are served.
            let is_dead = |address: IpAddr| match verdict(address) {
                Some(Verdict::Damped) if address.is_ipv4() => ipv4,
                Some(Verdict::Damped) => ipv6,
                other => other == Some(Verdict::Down),
            };
            draw_addresses(shard, &input.key(), is_dead)
                .into_iter()
                .for_each(say);
        }
        let ipv4 = shard.ipv4.iter().copied().map(IpAddr::V4);
        let addresses = ipv4.chain(shard.ipv6.iter().copied().map(IpAddr::V6));
        let targets_of = addresses.filter_map(target);
        targets.extend(targets_of.map(|target| (member, target)));
    }
}

/// The addresses of a shard to withhold: those that are down, and damped ones of a family of which
/// others are left. Also says whether damped ones are all that is left of a family: then they stay,
/// and the whole shard is suppressed, where something else is there.
fn withheld(
    shard: &NewShard,
    mut down: HashSet<IpAddr>,
    damped: &HashSet<IpAddr>,
) -> (HashSet<IpAddr>, bool) {
    if damped.is_empty() {
        return (down, false);
    }
    let mut is_damped = false;
    let ipv4: Vec<_> = shard.ipv4.iter().copied().map(IpAddr::V4).collect();
    let ipv6: Vec<_> = shard.ipv6.iter().copied().map(IpAddr::V6).collect();
    for family in [ipv4, ipv6] {
        let is_other = |address: &IpAddr| !down.contains(address) && !damped.contains(address);
        let is_any_other = family.iter().any(is_other);
        let mut damped = family.iter().filter(|address| damped.contains(*address));
        if is_any_other {
            down.extend(damped);
        } else {
            is_damped |= damped.next().is_some();
        }
    }
    (down, is_damped)
}

/// The weights of members that do not have weight 1.
fn weights(shards: &[NewShard]) -> Box<[(MemberIdx, u32)]> {
    let weights = shards
        .iter()
        .map(|shard| (shard.member, shard.facts.steering.weight.unwrap_or(1)));
    weights.filter(|(_, weight)| *weight != 1).collect()
}

/// Notes that an address of a member's shard passes, and by what.
fn note_proof(sets: &mut ShardOverlay, member: MemberIdx, is_tcp: bool) {
    let is_first = !sets.proven.contains(member);
    sets.proven.insert(member);
    if !is_tcp {
        sets.by_tcp.remove(member);
    } else if is_first {
        sets.by_tcp.insert(member);
    }
}

/// Puts a member into a set if it belongs there.
fn note(set: &mut MemberSet, member: MemberIdx, belongs: bool) {
    if belongs {
        set.insert(member);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_proven_by_more_than_tcp_anywhere_is_not_by_tcp_alone() {
        let check = |proofs: &[bool], by_tcp: bool| {
            let (mut sets, member) = (ShardOverlay::default(), MemberIdx(3));
            for is_tcp in proofs {
                note_proof(&mut sets, member, *is_tcp);
            }
            let proven = sets.proven.contains(member);
            assert_eq!(
                (proven, sets.by_tcp.contains(member)),
                (!proofs.is_empty(), by_tcp),
                "{proofs:?}"
            );
        };
        check(&[], false);
        check(&[true], true);
        check(&[true, true], true);
        check(&[false], false);
        check(&[true, false], false);
        check(&[false, true], false);
    }
}
