//! A service in one member and no other, and the pods of one of its host names.

use super::records::addresses::{self, Chosen, Own};
use super::records::ending::Ending;
use super::records::srv;
use super::reply::Reply;
use crate::decide::Trace;
use crate::model::{MemberSet, Pod};
use crate::snapshot::{Apex, ServiceEntry, Shard, Tree};

/// Answers for a pinned name, or for an SRV owner of it (docs/names.md, decision 7).
pub(super) fn answer_pinned<'s>(
    reply: &mut Reply<'s, '_>,
    apex: &'s Apex,
    entry: &'s ServiceEntry,
    shard: &Shard<'_>,
    port: Option<u16>,
) -> Ending<'s> {
    let chosen = Chosen::pinned(reply.snapshot, entry, shard);
    let answering = match port {
        Some(port) => srv::write_pinned(reply, apex, &chosen, shard, port),
        None => addresses::write(reply, &chosen, reply.at),
    };
    Ending::of(apex, entry, answering)
}

/// Answers for the pods of one host name, which only clients inside their member are given
/// (docs/names.md, decision 12), but in a clusterset, whose operator says that pods are routable in
/// it.
pub(super) fn answer_pods<'s, T: Trace>(
    reply: &mut Reply<'s, '_>,
    apex: &'s Apex,
    entry: &'s ServiceEntry,
    (shard, pods): (&Shard<'_>, &'s [Pod]),
    trace: &mut T,
) -> Ending<'s> {
    let member = shard.member;
    let vantage = reply.vantage();
    trace.vantage(&vantage);
    let is_reached = vantage.inside == Some(member) || apex.tree == Tree::Clusterset;
    let answering = if is_reached {
        trace.own(member);
        let members = MemberSet::from_iter([member]);
        let own = Own::of_pods(member, pods);
        let chosen = Chosen::new(reply.snapshot, entry, members).with_own(Some(own));
        addresses::write(reply, &chosen, reply.at)
    } else {
        None
    };
    Ending::of(apex, entry, answering)
}
