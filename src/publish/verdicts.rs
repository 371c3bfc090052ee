//! What probes have found: verdicts of targets, folded, shown, and counted for the brake.

use std::net::{IpAddr, SocketAddr};

use tracing::debug;

use super::events::Transited;
use super::now::Now;
use super::world::World;
use crate::model::{EventKind, Evidence, MemberIdx, NamespacedName, Service, Target, Verdict};

impl World {
    /// Folds what probes have found.
    pub(super) fn probed(&mut self, found: Vec<(Target, Option<Evidence>)>, now: Now) {
        let mut is_any_down = false;
        for (target, evidence) in found {
            let before = self.out.builder.evidence(&target).cloned();
            let (known, out) = (&mut self.known, &mut self.out);
            known.find(&target, before.as_ref(), evidence.as_ref(), out, now);
            let before = before.map(|evidence| evidence.verdict);
            if let Some(evidence) = &evidence {
                self.judge(&target, before, evidence, now);
                is_any_down |= evidence.verdict == Verdict::Down;
            }
            self.out.is_dirty |= self.out.builder.set_evidence(&target, evidence);
        }
        self.known.tell();
        if is_any_down {
            self.confirm_down(now);
        }
    }

    /// Shows what a new verdict changes. Being suspect is counted, and no event: most suspects pass
    /// the next probe. Neither is the first pass of a target: everything passes once at a start.
    fn judge(&mut self, target: &Target, before: Option<Verdict>, evidence: &Evidence, now: Now) {
        let to = evidence.verdict;
        let Some(from) = before.filter(|from| *from != to && *from != Verdict::Unknown) else {
            return;
        };
        if counts_as_up(from) && counts_as_up(to) {
            debug!(target = %target.address, seen = %evidence.seen, from = text(from), to = text(to));
            self.out.transits.count(EventKind::Target);
            return;
        }
        let transited = Transited {
            kind: EventKind::Target,
            subject: target.address.to_string(),
            from: text(from).to_owned(),
            to: text(to).to_owned(),
            why: evidence.seen.to_string(),
            by: None,
            is_worse: !counts_as_up(to),
        };
        self.out.transited(now, transited);
    }

    /// Whether a probe says that a shard is down: any of its addresses, at the port that is probed
    /// in any of its federations.
    pub(super) fn is_down(
        &self,
        member: MemberIdx,
        name: &NamespacedName,
        facts: &Service,
    ) -> bool {
        if self.known.is_none_down() {
            return false;
        }
        let resolved = facts
            .hostnames
            .iter()
            .filter_map(|name| self.hostnames.get(name));
        let resolved = resolved.flat_map(|(to, _)| {
            let ipv4 = to.ipv4.iter().copied().map(IpAddr::V4);
            ipv4.chain(to.ipv6.iter().copied().map(IpAddr::V6))
        });
        let addresses: Vec<IpAddr> = facts.addresses.iter().copied().chain(resolved).collect();
        let configured = self.config.fleet.members.get(member.get());
        let gateway = configured.and_then(|member| member.gateway.as_ref());
        let gateway_port = gateway.and_then(|gateway| gateway.port);
        let federations = self.out.builder.federations_of(member, name, facts);
        let mut ports = federations.into_iter().filter_map(|index| {
            let federation = self.config.fleet.federations.get(index)?;
            let (_, port) = federation.probe_of(facts, gateway_port, drop)?;
            Some(port)
        });
        ports.any(|port| {
            let is_down = |address: &IpAddr| {
                let address = SocketAddr::new(*address, port);
                self.known.is_down(address)
            };
            addresses.iter().any(is_down)
        })
    }
}

/// Whether a verdict counts as up.
fn counts_as_up(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Up | Verdict::Suspect | Verdict::Unknown)
}

/// A verdict as events name it.
fn text(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Up => "up",
        Verdict::Suspect => "suspect",
        Verdict::Down => "down",
        Verdict::Damped => "damped",
        Verdict::Unknown => "unknown",
    }
}
