//! From the facts of all members about one service to its entry in one federation.

use std::collections::BTreeSet;
use std::sync::Arc;

use smallvec::SmallVec;

use super::diagnostics::{Disagreement, Ignored};
use super::hostnames::HostAddresses;
use super::input::Input;
use super::judge::Judged;
use super::new_shard::NewShard;
use super::outside::{Outside, inside_that_counts};
use super::plans::PlanIdx;
use super::service::{NewEntry, ServiceEntry};
use super::ttl::seconds;
use crate::decide::PlanKey;
use crate::model::{Federation, MemberIdx, Policy, ProbeTarget, Service, Steering};
use crate::names::Label;
use crate::wire::NameBuf;

/// Compiles an entry, and finds what is to be probed for it; `None` when no member says anything that
/// concerns the federation.
pub(super) fn compile<'h>(
    input: &Input<'_>,
    resolved: impl Fn(&NameBuf) -> HostAddresses<'h>,
    intern: impl FnOnce(PlanKey) -> PlanIdx,
    judge: impl FnOnce(&mut [NewShard]) -> Judged,
) -> Option<(ServiceEntry, Vec<(MemberIdx, ProbeTarget)>)> {
    let mut known: SmallVec<[_; 4]> = SmallVec::new();
    let mut ignored = Vec::new();
    for (member, facts) in input.facts {
        match input.ignores(*member, facts) {
            None => known.push((*member, facts)),
            Some(reason) => ignored.push(Ignored {
                member: *member,
                reason,
            }),
        }
    }
    if known.is_empty() && ignored.is_empty() {
        return None;
    }
    let mut disagreements = BTreeSet::new();
    let steering: SmallVec<[&Steering; 4]> =
        known.iter().map(|(_, facts)| &facts.steering).collect();
    let plan = intern(plan_key(input.rules, &steering, &mut disagreements));
    let ttls = || steering.iter().filter_map(|steering| steering.ttl);
    if ttls().min() != ttls().max() {
        disagreements.insert(Disagreement::Ttl);
    }
    let ttl = seconds(ttls().min().unwrap_or(input.rules.ttl));
    let prefix = |s: &'_ Steering| s.dns_prefix.clone();
    let external = |s: &'_ Steering| s.external_name.clone();
    first(
        &steering,
        prefix,
        Disagreement::DnsPrefix,
        &mut disagreements,
    );
    first(
        &steering,
        external,
        Disagreement::ExternalName,
        &mut disagreements,
    );
    let (mut warnings, mut inside) = (Vec::new(), Vec::new());
    let mut shards: Vec<NewShard> = known
        .iter()
        .map(|(member, facts)| {
            let policy = input.fleet.addresses;
            let seen = facts.inside.as_deref();
            if let Some((counts, unused)) = seen.and_then(|seen| inside_that_counts(policy, seen)) {
                inside.push((*member, counts));
                warnings.extend(unused.warning().map(|warning| (*member, warning.into())));
            }
            let (shard, said) = shard(input, *member, facts, ttl, &resolved);
            warnings.extend(said.into_iter().map(|warning| (*member, warning.into())));
            shard
        })
        .collect();
    let judged = judge(&mut shards);
    warnings.extend(judged.warnings);
    // Those of one member stand together.
    warnings.sort_by_key(|(member, _)| *member);
    let entry = NewEntry {
        key: input.key(),
        federation: input.federation,
        plan,
        ttl,
        ignored,
        disagreements,
        overlay: judged.overlay,
        warnings,
        exceeded: judged.exceeded,
        inside,
    };
    Some((entry.with(&shards), judged.targets))
}

/// A member's shard: it is reached at its own way in, else at the member's gateway, else at its load
/// balancer, whichever it has. Beside it what is said of addresses that do not
/// count, and of host names without any.
fn shard<'h>(
    input: &Input<'_>,
    member: MemberIdx,
    facts: &Arc<Service>,
    ttl: u32,
    resolved: impl Fn(&NameBuf) -> HostAddresses<'h>,
) -> (NewShard, Vec<String>) {
    let configured = input.fleet.members.get(member);
    let gateway = configured.and_then(|member| member.gateway_of(facts));
    let mut outside = Outside::of(input.fleet.addresses, configured, facts, resolved);
    let warnings = outside.warnings();
    let shard = NewShard {
        member,
        ttl: ttl.min(outside.ttl),
        ipv4: outside.ipv4,
        ipv6: outside.ipv6,
        gateway_port: gateway.and_then(|gateway| gateway.port),
        facts: facts.clone(),
    };
    (shard, warnings)
}

/// What counts when members disagree (docs/names.md, decision 14).
fn plan_key(
    rules: &Federation,
    steering: &[&Steering],
    disagreements: &mut BTreeSet<Disagreement>,
) -> PlanKey {
    let policy = first(steering, |s| s.policy, Disagreement::Policy, disagreements);
    let policy = policy.unwrap_or(rules.policy);
    let order = first(
        steering,
        |s| s.order.as_deref(),
        Disagreement::Order,
        disagreements,
    );
    let order = order.unwrap_or(&rules.order);
    let when_all_down = first(
        steering,
        |s| s.when_all_down,
        Disagreement::WhenAllDown,
        disagreements,
    );
    let spill_over = first(
        steering,
        |s| s.spill_over,
        Disagreement::SpillOver,
        disagreements,
    );
    let srv = first(steering, |s| s.srv, Disagreement::Srv, disagreements);
    let most = || steering.iter().filter_map(|s| s.max_addresses);
    if most().min() != most().max() {
        disagreements.insert(Disagreement::MaxAddresses);
    }
    let sets = || {
        steering
            .iter()
            .filter_map(|s| s.fence.as_deref().map(BTreeSet::from_iter))
    };
    let fences: BTreeSet<BTreeSet<&Label>> = sets().collect();
    if fences.len() > 1 {
        disagreements.insert(Disagreement::Fence);
    }
    let federation = rules.fence.as_ref().map(BTreeSet::from_iter);
    let fence = sets()
        .chain(federation)
        .reduce(|all: BTreeSet<&Label>, next| &all & &next);
    PlanKey {
        policy,
        order: if policy == Policy::Failover {
            order.to_vec()
        } else {
            Vec::new()
        },
        fence: fence.map(|regions| regions.into_iter().cloned().collect()),
        max_addresses: most().min().or(rules.max_addresses),
        spill_over: (spill_over.or(rules.spill_over))
            .filter(|_| matches!(policy, Policy::Nearest | Policy::Failover)),
        srv: srv.unwrap_or(rules.srv),
        when_all_down: when_all_down.unwrap_or(rules.when_all_down),
    }
}

/// The first value that is set, and whether a later one differs.
fn first<'s, T: PartialEq>(
    steering: &[&'s Steering],
    value: impl Fn(&'s Steering) -> Option<T>,
    matter: Disagreement,
    disagreements: &mut BTreeSet<Disagreement>,
) -> Option<T> {
    let mut values = steering.iter().filter_map(|steering| value(steering));
    let first = values.next()?;
    if values.any(|other| other != first) {
        disagreements.insert(matter);
    }
    Some(first)
}
