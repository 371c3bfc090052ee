//! A service at a level: the members that answer, the chain of CNAMEs to their level, and its records.

use super::choice::{LEVELS, Levels};
use super::records::addresses::Chosen;
use super::records::ending::Ending;
use super::records::srv::Srv;
use super::records::srv_targets::SrvTargets;
use super::records::{addresses, clusterset};
use super::reply::Reply;
use crate::decide::{Plan, Trace};
use crate::model::{MemberSet, SrvForm};
use crate::snapshot::{Apex, NamedPort, Scope, ScopeIdx, ServiceEntry, Tree};
use crate::vantage::Vantage;
use crate::wire::{MAX_NAME, NameParts, Owner, rrtype};

/// Where the chain of a name begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    /// The level.
    scope: ScopeIdx,
    /// The name asked is an alias of that level's name.
    is_alias: bool,
    /// Where the client stands, if that is known already.
    vantage: Option<Vantage>,
}

impl Start {
    /// The name asked is that of a level.
    pub(super) fn at(scope: ScopeIdx) -> Self {
        Self {
            scope,
            is_alias: false,
            vantage: None,
        }
    }

    /// The name asked is an alias of that of a level.
    pub(super) fn alias(scope: ScopeIdx, vantage: Option<Vantage>) -> Self {
        Self {
            scope,
            is_alias: true,
            vantage,
        }
    }
}

/// A service at a level of an apex, or the SRV owner of one of its ports there.
pub(super) struct LevelAnswer<'s> {
    /// The apex.
    pub(super) apex: &'s Apex,
    /// The service.
    pub(super) entry: &'s ServiceEntry,
    /// Where its chain begins.
    pub(super) start: Start,
    /// The port of an SRV owner.
    pub(super) port: Option<&'s NamedPort>,
}

impl<'s> LevelAnswer<'s> {
    /// Answers: chooses members, and writes the chain to their level and their records there.
    pub(super) fn answer<T: Trace>(&self, reply: &mut Reply<'s, '_>, trace: &mut T) -> Ending<'s> {
        let Self { apex, entry, .. } = *self;
        let snapshot = reply.snapshot;
        let Some(plan) = snapshot.plan(entry.plan) else {
            return Ending::NotReady;
        };
        let levels = Levels {
            entry,
            plan,
            scopes: self.scopes(reply),
            vantage: self.start.vantage,
            is_listed: self.port.is_some() && is_by_member(plan, apex),
        };
        if levels.scopes.first().is_some_and(Option::is_none) {
            // An alias of names that are all too long to exist.
            return Ending::NoData(reply.apex.unwrap_or(apex), Some(entry.federation));
        }
        let choice = levels.choose(reply, trace);
        let sync = snapshot.state().federation(entry.federation);
        let is_down = choice.chosen.members.is_empty();
        if is_down && sync.is_syncing_from_start() {
            return Ending::NotReady;
        }
        let ttl = if is_down {
            apex.negative_ttl
        } else {
            choice.chosen.ttl
        };
        // Those that are there come first.
        let end = levels.scopes.get(choice.level).copied().flatten();
        reply.signing.end_scope = end;
        let first = usize::from(!self.start.is_alias);
        let mut owner = reply.at;
        if let Some(scopes @ [_, ..]) = levels.scopes.get(first..=choice.level) {
            let end = self.write_chain(reply, ttl, scopes.iter().flatten().copied());
            let Some(end) = end else {
                return Ending::Complete;
            };
            owner = end;
            reply.signing.end = Some(end);
        }
        if is_down {
            return Ending::Down {
                apex,
                federation: entry.federation,
                plan,
                is_fenced: choice.is_fenced,
            };
        }
        let Some(end) = end else {
            return Ending::Complete;
        };
        let answering = self.write_records(reply, &choice.chosen, (owner, end), choice.is_listed);
        Ending::of(apex, entry, answering)
    }

    /// The levels whose names exist, from the first on.
    #[inline]
    fn scopes(&self, reply: &Reply<'s, '_>) -> [Option<&'s Scope>; LEVELS] {
        let prefix = self.port.map_or(0, |port| port.labels.len());
        // The name asked fits; that of a clusterset is not made of the key.
        let fixed = match self.apex.tree {
            Tree::Clusterset => 0,
            _ => prefix + self.entry.key.len() + self.apex.name.as_wire().len(),
        };
        let mut scopes = [None; LEVELS];
        // A fallback skips a level whose name would be over 255 octets (docs/names.md, D.11.10).
        let published = reply
            .snapshot
            .scopes()
            .chain(self.start.scope)
            .filter(|scope| fixed + scope.path.len() <= MAX_NAME);
        for (place, scope) in scopes.iter_mut().zip(published) {
            *place = Some(scope);
        }
        scopes
    }

    /// Writes the CNAMEs from the name asked to the names of levels, one after the other. Returns the
    /// name at the end; `None` when the first CNAME alone is asked for.
    #[inline]
    fn write_chain(
        &self,
        reply: &mut Reply<'s, '_>,
        ttl: u32,
        scopes: impl Iterator<Item = &'s Scope>,
    ) -> Option<Owner> {
        let prefix = self.port.map_or(&[][..], |port| &port.labels);
        let key = &*self.entry.key;
        let mut owner = reply.at;
        let mut apex_at = reply.asked_apex(self.apex);
        for scope in scopes {
            let suffix = match apex_at {
                Some(_) => &[],
                None => self.apex.name.without_root(),
            };
            let target = NameParts::new([prefix, key, &scope.path, suffix], apex_at);
            owner = reply.response.cname(owner, ttl, &target);
            if apex_at.is_none() {
                apex_at = Some(owner.skip(prefix.len() + key.len() + scope.path.len()));
                reply.chain_apex = apex_at;
            }
            if matches!(reply.query.qtype, rrtype::CNAME | rrtype::ANY) {
                return None;
            }
        }
        Some(owner)
    }

    /// Writes the records at `owner`, the name of a populated level or one of its SRV owners. Returns
    /// the members in them, `None` for no record.
    #[inline]
    fn write_records(
        &self,
        reply: &mut Reply<'s, '_>,
        chosen: &Chosen<'s>,
        (owner, scope): (Owner, &'s Scope),
        is_listed: bool,
    ) -> Option<MemberSet> {
        let is_clusterset = self.apex.tree == Tree::Clusterset;
        match self.port {
            None => match addresses::write(reply, chosen, owner) {
                None if is_clusterset => clusterset::write_ports(reply, self.apex, chosen),
                members => members,
            },
            Some(port) if is_clusterset => clusterset::write_port(reply, self.apex, chosen, port),
            Some(port) => {
                let targets = SrvTargets::at(reply.snapshot, self.apex, self.entry, scope);
                let srv = Srv::asked(reply, targets, chosen, owner)?;
                if is_listed {
                    srv.write_by_member(reply, port)
                } else {
                    srv.write_port(reply, port)
                }
            }
        }
    }
}

/// Whether SRV records lead to members one by one (docs/names.md, decision 19). A clusterset has
/// names of its own, and one target for each of its services.
#[inline]
fn is_by_member(plan: &Plan, apex: &Apex) -> bool {
    plan.srv == SrvForm::Members && apex.tree != Tree::Clusterset
}
