//! From what members say about a service to its entries: what compiling reads and does not change,
//! so that many services can be compiled at once.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::model::{Fleet, MemberIdx, NamespacedName, ProbeTarget};
use crate::snapshot::apex::FederationIdx;
use crate::snapshot::apexes::Apexes;
use crate::snapshot::compile::compile;
use crate::snapshot::facts::Shards;
use crate::snapshot::health_inputs::HealthInputs;
use crate::snapshot::hostnames::{HostAddresses, Hostnames};
use crate::snapshot::input::Input;
use crate::snapshot::naming::prefix_of;
use crate::snapshot::plans::Plans;
use crate::snapshot::probing::Probes;
use crate::snapshot::scopes::Scopes;
use crate::snapshot::service::ServiceEntry;

/// What compiling reads.
pub(super) struct Compiler<'b> {
    pub(super) fleet: &'b Fleet,
    pub(super) apexes: &'b Apexes,
    pub(super) scopes: &'b Scopes,
    pub(super) hostnames: &'b Hostnames,
    pub(super) health_inputs: &'b HealthInputs,
    pub(super) plans: &'b Plans,
    pub(super) probes: &'b Probes,
}

/// An entry, and what is to be probed for it, with the members that it is of.
pub(super) struct CompiledService {
    pub(super) entry: Arc<ServiceEntry>,
    pub(super) targets: Vec<(MemberIdx, ProbeTarget)>,
    /// It asks for a prefix.
    pub(super) has_prefix: bool,
}

/// A service that is compiled for the first time, in each federation that has it.
pub(super) struct NewService<'f> {
    pub(super) name: &'f NamespacedName,
    pub(super) compiled: SmallVec<[(FederationIdx, CompiledService); 1]>,
}

impl Compiler<'_> {
    /// Compiles a service in one federation, under a name; `None` when no member says anything that
    /// concerns the federation.
    pub(super) fn compile(
        &self,
        federation: FederationIdx,
        (name, facts): (&NamespacedName, &Shards),
        published: &NamespacedName,
    ) -> Option<CompiledService> {
        let rules = self.fleet.federations.get(federation.get())?;
        let input = Input {
            fleet: self.fleet,
            federation,
            rules,
            members: self.apexes.federation(federation)?.members,
            name,
            label: &published.name,
            facts,
        };
        let resolved = |hostname: &_| {
            if self.apexes.holds(hostname) {
                HostAddresses::Own
            } else {
                self.hostnames.get(hostname)
            }
        };
        let (entry, targets) = compile(
            &input,
            resolved,
            |key| self.plans.intern(key, self.scopes, self.fleet),
            |shards| self.health_inputs.judge(&input, self.probes, shards),
        )?;
        Some(CompiledService {
            has_prefix: prefix_of(Some(&entry)).is_some(),
            entry: Arc::new(entry),
            targets,
        })
    }

    /// Compiles a service under its own name in each federation that has it.
    pub(super) fn compile_everywhere<'f>(
        &self,
        (name, facts): (&'f NamespacedName, &'f Shards),
    ) -> NewService<'f> {
        let federations = (0..self.fleet.federations.len()).map(FederationIdx::new);
        let compiled = federations.filter_map(|federation| {
            let compiled = self.compile(federation, (name, facts), name)?;
            Some((federation, compiled))
        });
        let compiled = compiled.collect();
        NewService { name, compiled }
    }
}
