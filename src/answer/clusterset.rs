//! A service in a clusterset (docs/names.md, D.3, N8; the DNS specification of the Multi-Cluster
//! Services API, KEP-1645).
//!
//! A service is what it is at the global level of its federation, but a headless one has all ready
//! pods of all members that export it: whoever configures a clusterset says that pods are routable in
//! it. No name means one member alone; where ports differ SRV records point to the pinned names in
//! the federation's own apex.

use super::choice::choose_pods;
use super::level::{LevelAnswer, Start};
use super::records::clusterset::{write_all_pods, write_pods_of_port};
use super::records::ending::Ending;
use super::reply::Reply;
use crate::decide::Trace;
use crate::snapshot::{Apex, NamedPort, Scopes, ServiceEntry};

/// Answers for a service, or for the SRV owner of one of its ports.
pub(super) fn answer<'s, T: Trace>(
    reply: &mut Reply<'s, '_>,
    apex: &'s Apex,
    entry: &'s ServiceEntry,
    port: Option<&'s NamedPort>,
    trace: &mut T,
) -> Ending<'s> {
    if entry.is_headless() {
        return answer_pods(reply, apex, entry, port, trace);
    }
    let start = Start::at(Scopes::GLOBAL);
    let level = LevelAnswer {
        apex,
        entry,
        start,
        port,
    };
    level.answer(reply, trace)
}

/// Answers for a headless service, whoever asks: all its pods that take traffic in eligible members.
#[inline(never)]
fn answer_pods<'s, T: Trace>(
    reply: &mut Reply<'s, '_>,
    apex: &'s Apex,
    entry: &'s ServiceEntry,
    port: Option<&NamedPort>,
    trace: &mut T,
) -> Ending<'s> {
    let snapshot = reply.snapshot;
    let Some(plan) = snapshot.plan(entry.plan) else {
        return Ending::NotReady;
    };
    let choice = choose_pods(reply, entry, plan, trace);
    if choice.chosen.members.is_empty() {
        let sync = snapshot.state().federation(entry.federation);
        if sync.is_syncing_from_start() {
            return Ending::NotReady;
        }
        return Ending::Down {
            apex,
            federation: entry.federation,
            plan,
            is_fenced: choice.is_fenced,
        };
    }
    let answering = match port {
        Some(port) => write_pods_of_port(reply, apex, &choice.chosen, port),
        None => write_all_pods(reply, apex, &choice.chosen),
    };
    Ending::of(apex, entry, answering)
}
