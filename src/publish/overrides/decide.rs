//! Decides upon commands: what would be in force, until when caches may still name what is drained, and
//! which commands are refused.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::decision::{both, decided, later};
use super::targets::{meant, meant_as_published};
use crate::model::limits::DRAINS;
use crate::model::{Drain, Freeze, MemberSet, OverrideTarget, Overrides, UnixSeconds};
use crate::names::Label;
use crate::publish::command::{CommandRefused, CommandRequest, OperatorCommand};
use crate::publish::now::Now;
use crate::publish::outbox::Outbox;
use crate::publish::overrides::{OverrideState, PendingCommand};
use crate::snapshot::{Snapshot, UNSETTLED_TTL};

/// How much later than computed a share may be in answers: the clock is looked at once in a second,
/// and moments are whole seconds.
const LATE: Duration = Duration::from_secs(2);

/// How many known names an error tells.
const NEAR: usize = 3;

/// Among how many services they are sought at most: the writer has other things to do.
const NEAR_AMONG: usize = 10_000;

impl OverrideState {
    /// Decides upon a command and has the outcome written; one that is refused changes nothing.
    /// `published` is the snapshot whose answers may be in caches.
    pub(in crate::publish) fn decide(
        &mut self,
        request: CommandRequest,
        published: &Snapshot,
        out: &Outbox,
        now: Now,
    ) {
        match self.after(&request.command, out, self.clock.now(now.instant)) {
            Ok(next) => {
                let mut written = next.clone();
                let elsewhere = self.host.now.frozen;
                self.fill_safe(&mut written, elsewhere, published, out, now.instant);
                self.save(written, Some(PendingCommand { request, next }));
            }
            // Whoever asked may have gone away.
            Err(refused) => drop(request.reply.send(Err(refused))),
        }
    }

    /// What would be in force after a command; moments that caches decide are left open.
    fn after(
        &self,
        command: &OperatorCommand,
        out: &Outbox,
        now: UnixSeconds,
    ) -> Result<Overrides, CommandRefused> {
        if let OperatorCommand::Drain { target, .. } = command {
            check_known(target, out)?;
        }
        let host = &self.host.now;
        let of_host = |what| Err(CommandRefused::OfHost { what });
        match decided(&self.now, host.frozen, command, now) {
            Err(CommandRefused::TooMany) => {
                out.metrics.limit_exceeded(&DRAINS);
                Err(CommandRefused::TooMany)
            }
            Err(CommandRefused::NotOut { target, .. }) if host.drain(&target).is_some() => {
                of_host(format!("{target} is drained"))
            }
            Err(CommandRefused::NotFrozen) if host.frozen.is_some() => {
                of_host("answers are frozen".to_owned())
            }
            decided => decided,
        }
    }

    /// Fills in the moments after which nothing of what is drained can be in a cache, unless answers are
    /// frozen, by these or by `elsewhere`. `published` is the snapshot whose answers may be there.
    pub(super) fn fill_safe(
        &self,
        overrides: &mut Overrides,
        elsewhere: Option<Freeze>,
        published: &Snapshot,
        out: &Outbox,
        now: Instant,
    ) {
        if both(overrides.frozen, elsewhere).is_some() {
            return;
        }
        let moment = self.clock.now(now);
        for drain in &mut overrides.drains {
            if drain.safe_at.is_none() {
                let ttl = self.longest_left(published, &drain.target, out, now);
                drain.safe_at = Some(safe_at(drain, ttl, moment));
            }
        }
    }

    /// A place that is drained has other members: their addresses may be in caches too.
    pub(super) fn widen(
        &mut self,
        target: &OverrideTarget,
        published: &Snapshot,
        out: &Outbox,
        now: Instant,
    ) {
        let ttl = self.longest_left(published, target, out, now);
        let moment = self.clock.now(now);
        let drains = self.now.drains.iter_mut();
        let drains = drains.chain(&mut self.host.now.drains);
        for drain in drains.filter(|drain| drain.target == *target) {
            let safe = safe_at(drain, ttl, moment);
            drain.safe_at = drain.safe_at.map(|before| before.max(safe));
        }
    }

    /// For how many seconds at most a cache may still name what a target means.
    fn longest_left(
        &self,
        published: &Snapshot,
        target: &OverrideTarget,
        out: &Outbox,
        now: Instant,
    ) -> u32 {
        let lingering = &self.lingering;
        let (ttl, until) = if let OverrideTarget::Service(name) = target {
            let called = published.renamed(name);
            (
                published.longest_ttl_of(name),
                lingering.of_service(name, called),
            )
        } else {
            // What is published may be of another configuration, which numbers them otherwise.
            let meant = meant(target, out.builder.fleet(), &out.builder);
            let names: Vec<_> = meant.iter().filter_map(|m| out.name(m)).collect();
            let members = published.fleet().members.iter();
            let members = members.filter(|(_, member)| names.contains(&member.name));
            let members: MemberSet = members.map(|(index, _)| index).collect();
            let members = members | meant_as_published(target, published);
            (
                published.longest_ttl(members),
                lingering.of_members(members),
            )
        };
        let left = until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        let whole = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        ttl.max(u32::try_from(whole).unwrap_or(u32::MAX))
    }
}

/// After which moment no unexpired answer can name what a drain has taken out: answers from before
/// it have at most `ttl` seconds left, those of its time [`UNSETTLED_TTL`].
fn safe_at(drain: &Drain, ttl: u32, now: UnixSeconds) -> UnixSeconds {
    let before = later(now, Duration::from_secs(u64::from(ttl)));
    let during = drain.out_at().filter(|_| !drain.over.is_zero());
    let during = during.map(|out| later(out, Duration::from_secs(u64::from(UNSETTLED_TTL))));
    later(during.map_or(before, |during| during.max(before)), LATE)
}

/// Fails for a target that means nothing here.
pub(in crate::publish) fn check_known(
    target: &OverrideTarget,
    out: &Outbox,
) -> Result<(), CommandRefused> {
    let fleet = out.builder.fleet();
    let members = || fleet.members.iter().map(|(index, _)| index);
    let unknown = |kind, name: String, known: BTreeSet<String>| {
        Err(CommandRefused::Unknown {
            kind,
            near: near(&name, known),
            name,
        })
    };
    match target {
        OverrideTarget::Member(member) if fleet.members.find(member).is_none() => {
            let names = fleet
                .members
                .iter()
                .map(|(_, member)| member.name.to_string());
            let known = names.collect();
            unknown("member", member.to_string(), known)
        }
        OverrideTarget::Region(region) => {
            let known = places(out)
                .map(|(region, _)| region)
                .collect::<BTreeSet<_>>();
            if known.contains(region) {
                return Ok(());
            }
            let known = known.into_iter().map(|region| region.to_string()).collect();
            unknown("region", region.to_string(), known)
        }
        OverrideTarget::Zone(zone) => {
            let zones = places(out).filter_map(|(_, zone)| zone);
            let known = zones.collect::<BTreeSet<_>>();
            if known.contains(zone) {
                return Ok(());
            }
            let known = known.into_iter().map(|zone| zone.to_string()).collect();
            unknown("zone", zone.to_string(), known)
        }
        OverrideTarget::Service(name) => {
            let mut services = members().flat_map(|member| {
                let facts = out.builder.facts(member);
                facts.map(|(name, _)| name)
            });
            let is_known = |member| out.builder.fact(member, name).is_some();
            if members().any(is_known) {
                return Ok(());
            }
            let known = services.by_ref().take(NEAR_AMONG);
            let known = known.map(ToString::to_string).collect();
            unknown("service", name.to_string(), known)
        }
        OverrideTarget::Member(_) => Ok(()),
    }
}

/// Every known region, and zone with its region.
fn places(out: &Outbox) -> impl Iterator<Item = (Label, Option<Label>)> {
    let fleet = out.builder.fleet();
    let configured = fleet.regions.iter().flat_map(|region| {
        let zones = region.zones.iter().cloned().map(Some);
        let places = [None].into_iter().chain(zones);
        places.map(|zone| (region.name.clone(), zone))
    });
    let topologies = fleet.members.iter();
    let topologies = topologies.filter_map(|(index, _)| out.builder.topology(index));
    configured.chain(topologies.flat_map(|topology| topology.known.iter().cloned()))
}

/// The known names that are most like one, the most similar first.
fn near(name: &str, known: BTreeSet<String>) -> Vec<String> {
    let mut scored: Vec<_> = known
        .into_iter()
        .map(|known| (strsim::jaro_winkler(&known, name), known))
        .collect();
    scored.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    scored.truncate(NEAR);
    scored.into_iter().map(|(_, known)| known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_similar_names_come_first() {
        let known = ["gce-asia", "gce-europe", "gce-us", "on-premises"];
        let known = known.map(str::to_owned).into_iter().collect();
        let near = near("gce-eurpoe", known);
        assert_eq!(near.len(), 3);
        assert_eq!(near[0], "gce-europe");
    }
}
