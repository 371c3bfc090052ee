//! How the writer sets what health overlays are computed from.

use std::net::SocketAddr;

use super::SnapshotBuilder;
use crate::model::{
    Evidence, Finding, Findings, MemberIdx, NamespacedName, ProbeTarget, ProbeTargets,
};
use crate::snapshot::health_overlay::{Condition, Shares};

impl SnapshotBuilder {
    /// What probes say of a target; `None` takes it back. Returns whether any service uses the
    /// target and anything changed.
    pub fn set_evidence(&mut self, target: &ProbeTarget, evidence: Option<Evidence>) -> bool {
        if !self.health_inputs.set_evidence(target, evidence) {
            return false;
        }
        let mut users = self
            .compilation
            .probing
            .users_of(target)
            .cloned()
            .peekable();
        let is_used = users.peek().is_some();
        self.changed.extend(users);
        is_used
    }

    /// What is known of an address and port, for targets without a verdict of their own; `None` takes
    /// it back. Returns whether any service may be answered otherwise.
    pub fn set_finding(&mut self, address: SocketAddr, finding: Option<Finding>) -> bool {
        if !self.health_inputs.set_finding(address, finding) {
            return false;
        }
        let users = self.compilation.probing.users_at(address).cloned();
        let before = self.changed.len();
        self.changed.extend(users);
        self.changed.len() > before
    }

    /// The same of all addresses at once, before the first snapshot.
    pub fn set_findings(&mut self, findings: Findings) {
        self.health_inputs.findings = findings;
    }

    /// What probes say of a target.
    pub fn evidence(&self, target: &ProbeTarget) -> Option<&Evidence> {
        self.health_inputs.evidence.get(target)
    }

    /// Everything that probes say, in no order.
    pub fn all_evidence(&self) -> impl Iterator<Item = (&ProbeTarget, &Evidence)> {
        self.health_inputs.evidence.iter()
    }

    /// Why a shard is out or suppressed; `None` takes it back. Returns whether anything changed.
    pub fn set_condition(
        &mut self,
        member: MemberIdx,
        name: &NamespacedName,
        condition: Option<Condition>,
    ) -> bool {
        let has_changed = self.health_inputs.set_condition(member, name, condition);
        if has_changed {
            self.changed.insert(name.clone());
        }
        has_changed
    }

    /// What operators leave of members and services. Returns whether anything changed.
    pub fn set_shares(&mut self, shares: Shares) -> bool {
        if self.health_inputs.shares == shares {
            return false;
        }
        self.changed
            .extend(self.health_inputs.shares.changed(&shares));
        self.health_inputs.shares = shares;
        self.compile_state(self.state.members.clone());
        true
    }

    /// How many seconds are left of the holds that pass next, for each federation in configuration
    /// order: no TTL of an answer that names a held member is longer. Returns whether anything
    /// changed.
    pub fn set_hold_left(&mut self, left: Vec<Option<u32>>) -> bool {
        if self.health_inputs.hold_left == left {
            return false;
        }
        self.health_inputs.hold_left = left;
        self.compile_state(self.state.members.clone());
        true
    }

    /// The addresses to probe, each once, as of the last snapshot: at most 65,536. The rest is in
    /// [`crate::snapshot::Counts::unprobed`], and has its turn when there is room.
    pub fn targets(&self) -> &ProbeTargets {
        self.compilation.probing.targets()
    }
}
