//! What health overlays are computed from: evidence of probes, conditions of shards, shares, holds.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::health_overlay::{Condition, Shares};
use super::target_users::Map;
use crate::model::{Evidence, Finding, Findings, MemberIdx, NamespacedName, ProbeTarget, Verdict};

/// What counts of a target.
pub(super) struct TargetVerdict<'a> {
    /// The verdict.
    pub(super) verdict: Verdict,
    /// It proves that the target works.
    pub(super) proves: bool,
    /// For people; `None` where nothing is known but that it passes.
    pub(super) evidence: Option<&'a Evidence>,
}

impl<'a> From<&'a Evidence> for TargetVerdict<'a> {
    fn from(evidence: &'a Evidence) -> Self {
        Self {
            verdict: evidence.verdict,
            proves: evidence.proves(),
            evidence: Some(evidence),
        }
    }
}

/// What health overlays are computed from.
#[derive(Debug, Default)]
pub(super) struct HealthInputs {
    /// What probes say.
    pub(super) evidence: Map<ProbeTarget, Evidence>,
    /// What is known of addresses whose targets say nothing themselves.
    pub(super) findings: Findings,
    /// Conditions of shards.
    pub(super) conditions: HashMap<NamespacedName, Vec<(MemberIdx, Condition)>>,
    /// What operators leave.
    pub(super) shares: Shares,
    /// What is left of holds in each federation, in seconds.
    pub(super) hold_left: Vec<Option<u32>>,
}

impl HealthInputs {
    /// Sets or takes back what probes say of a target. Returns whether that changes anything.
    pub(super) fn set_evidence(
        &mut self,
        target: &ProbeTarget,
        evidence: Option<Evidence>,
    ) -> bool {
        if self.evidence.get(target) == evidence.as_ref() {
            return false;
        }
        match evidence {
            Some(evidence) => self.evidence.insert(target.clone(), evidence),
            None => self.evidence.remove(target),
        };
        true
    }

    /// What counts of a target: what its own probes say, before they have a verdict what is known of
    /// its address. That others pass there is nothing to one that has failed itself.
    pub(super) fn of(&self, target: &ProbeTarget) -> Option<TargetVerdict<'_>> {
        let own = self.evidence.get(target).map(TargetVerdict::from);
        let is_judged = own
            .as_ref()
            .is_some_and(|own| own.verdict != Verdict::Unknown);
        let known = self.findings.get(&target.address).filter(|_| !is_judged);
        let known =
            known.filter(|known| known.down.is_some() || (known.is_passing && own.is_none()));
        let known = known.map(|known| TargetVerdict {
            verdict: known.verdict(),
            proves: known.proves(),
            evidence: known.down.as_ref(),
        });
        known.or(own)
    }

    /// Sets or takes back what is known of an address. Returns whether another verdict counts now, or
    /// it proves something and did not, or the other way round.
    pub(super) fn set_finding(&mut self, address: SocketAddr, finding: Option<Finding>) -> bool {
        let counting = |finding: &Option<Finding>| {
            let finding = finding.as_ref();
            finding.map(|finding| (finding.verdict(), finding.proves()))
        };
        let nothing = (Verdict::Up, false);
        let is = counting(&finding).unwrap_or(nothing);
        let before = match finding {
            Some(finding) => self.findings.insert(address, finding),
            None => self.findings.remove(&address),
        };
        counting(&before).unwrap_or(nothing) != is
    }

    /// Sets or takes back a condition. Returns whether that changes anything.
    pub(super) fn set_condition(
        &mut self,
        member: MemberIdx,
        name: &NamespacedName,
        condition: Option<Condition>,
    ) -> bool {
        let all = self.conditions.entry(name.clone()).or_default();
        let place = all.iter().position(|(of, _)| *of == member);
        let before = place.map(|place| all.swap_remove(place).1);
        let has_changed = before != condition;
        all.extend(condition.map(|condition| (member, condition)));
        all.sort_by_key(|(of, _)| *of);
        if all.is_empty() {
            self.conditions.remove(name);
        }
        has_changed
    }
}
