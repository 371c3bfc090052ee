//! What is known of addresses: verdicts of probes, shown and kept, and what host names resolve to.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::time::Instant;
use tracing::debug;

use super::findings::KnownFindings;
use crate::model::{
    EventKind, Evidence, MemberIdx, MemberSet, NamespacedName, ProbeTarget, Service, Verdict,
};
use crate::publish::disk::fact::Fact;
use crate::publish::now::Now;
use crate::publish::outbox::events::TransitionEvent;
use crate::publish::outbox::{Outbox, TargetChange};

use crate::snapshot::Resolved;
use crate::wire::NameBuf;

/// What a host name resolved to, and since when no service names it.
type ResolvedHostnames = BTreeMap<NameBuf, (Resolved, Option<Instant>)>;

/// How long the addresses of a host name are kept after no service names it.
const UNWANTED: Duration = Duration::from_secs(600);

/// What is known of addresses.
#[derive(Debug)]
pub(in crate::publish) struct KnownAddresses {
    /// What probes have found.
    pub(in crate::publish) findings: KnownFindings,
    /// What host names resolved to.
    hostnames: ResolvedHostnames,
}

impl KnownAddresses {
    /// What an earlier process has left.
    pub(in crate::publish) fn new(findings: KnownFindings, hostnames: ResolvedHostnames) -> Self {
        Self {
            findings,
            hostnames,
        }
    }

    /// Folds what probes have found. Returns whether anything is down.
    pub(in crate::publish) fn probed(
        &mut self,
        found: Vec<(ProbeTarget, Option<Evidence>)>,
        out: &mut Outbox,
        now: Now,
    ) -> bool {
        let mut is_any_down = false;
        for (target, evidence) in found {
            let before = out.builder.evidence(&target).cloned();
            let finding =
                (self.findings).find(&target, before.as_ref(), evidence.as_ref(), out, now);
            let before = before.map(|evidence| evidence.verdict);
            let shown = evidence.as_ref();
            let transition = shown.and_then(|shown| transition(&target, before, shown, out));
            is_any_down |= shown.is_some_and(|shown| shown.verdict == Verdict::Down);
            let change = TargetChange {
                evidence,
                finding,
                transition,
            };
            out.change_target(&target, change, now);
        }
        self.findings.tell();
        is_any_down
    }

    /// Whether a probe says that a shard is down: any of its addresses, at the port that is probed
    /// in any of its federations.
    pub(in crate::publish) fn is_down(
        &self,
        (member, name): (MemberIdx, &NamespacedName),
        facts: &Service,
        out: &Outbox,
    ) -> bool {
        if self.findings.is_none_down() {
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
        let fleet = out.builder.fleet();
        let configured = fleet.members.get(member);
        let gateway = configured.and_then(|member| member.gateway_of(facts));
        let gateway_port = gateway.and_then(|gateway| gateway.port);
        let federations = out.builder.federations_of(member, name, facts);
        let mut ports = federations.into_iter().filter_map(|index| {
            let federation = fleet.federations.get(index)?;
            let (_, port) = federation.probe_of(facts, gateway_port, drop)?;
            Some(port)
        });
        ports.any(|port| {
            let is_down = |address: &IpAddr| {
                let address = SocketAddr::new(*address, port);
                self.findings.is_down(address)
            };
            addresses.iter().any(is_down)
        })
    }

    /// A host name was resolved.
    pub(in crate::publish) fn resolve(
        &mut self,
        hostname: &NameBuf,
        resolved: Option<Resolved>,
        out: &mut Outbox,
    ) {
        let before = self.hostnames.get(hostname).map(|(before, _)| before);
        if before != resolved.as_ref() {
            let fact = Fact::Hostname(hostname.clone(), resolved.clone());
            out.keep_of_fleet(fact);
        }
        match resolved.clone() {
            Some(resolved) => self.hostnames.insert(hostname.clone(), (resolved, None)),
            None => self.hostnames.remove(hostname),
        };
        out.is_dirty |= out.builder.set_hostname(hostname, resolved);
    }

    /// The host names that services name, with the members of these, if that has changed. One that is
    /// back, before the source of addresses could notice that it was gone, has its addresses at once.
    pub(in crate::publish) fn wanted_hostnames(
        &mut self,
        out: &mut Outbox,
        now: Instant,
    ) -> Option<BTreeMap<NameBuf, MemberSet>> {
        if !out.builder.take_hostnames_changed() {
            return None;
        }
        let wanted = out.builder.hostnames();
        let (mut names, mut unresolved) = (BTreeMap::new(), Vec::new());
        for (name, members, resolved) in wanted {
            names.insert(name.clone(), members);
            if resolved.is_none()
                && let Some((resolved, _)) = self.hostnames.get(name)
            {
                unresolved.push((name.clone(), resolved.clone()));
            }
        }
        for (name, resolved) in unresolved {
            out.builder.set_hostname(&name, Some(resolved));
        }
        for (name, (_, unwanted)) in &mut self.hostnames {
            *unwanted = if names.contains_key(name) {
                None
            } else {
                unwanted.or(Some(now))
            };
        }
        Some(names)
    }

    /// Forgets the addresses of host names that no service has named for long.
    pub(in crate::publish) fn forget_hostnames(&mut self, out: &mut Outbox, now: Instant) {
        self.hostnames.retain(|name, (_, unwanted)| {
            let is_kept = unwanted.is_none_or(|since| now < since + UNWANTED);
            if !is_kept {
                out.keep_of_fleet(Fact::Hostname(name.clone(), None));
            }
            is_kept
        });
    }

    /// What host names resolved to.
    pub(in crate::publish) fn hostnames(&self) -> impl Iterator<Item = (&NameBuf, &Resolved)> {
        let hostnames = self.hostnames.iter();
        hostnames.map(|(name, (resolved, _))| (name, resolved))
    }
}

/// What a new verdict changes, as an event. Being suspect is counted, and no event: most suspects pass
/// the next probe. Neither is the first pass of a target: everything passes once at a start.
fn transition(
    target: &ProbeTarget,
    before: Option<Verdict>,
    evidence: &Evidence,
    out: &Outbox,
) -> Option<TransitionEvent> {
    let to = evidence.verdict;
    let from = before.filter(|from| *from != to && *from != Verdict::Unknown)?;
    if counts_as_up(from) && counts_as_up(to) {
        debug!(target = %target.address, seen = %evidence.seen, from = text(from), to = text(to));
        out.count_transition(EventKind::Target);
        return None;
    }
    Some(TransitionEvent {
        kind: EventKind::Target,
        subject: target.address.to_string(),
        from: text(from).to_owned(),
        to: text(to).to_owned(),
        why: evidence.seen.to_string(),
        by: None,
        is_worse: !counts_as_up(to),
    })
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
