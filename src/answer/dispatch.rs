//! Who answers for what a name is.

use super::level::{LevelAnswer, Start};
use super::records::ending::{self, Ending};
use super::records::statics;
use super::reply::Reply;
use super::subject::Subject;
use super::{apex, clusterset, dnssec_types, local, member};
use crate::decide::Trace;
use crate::snapshot::{Apex, Scopes};

/// Writes everything but the OPT record.
pub(super) fn answer<'s, T: Trace>(
    reply: &mut Reply<'s, '_>,
    apex: &'s Apex,
    subject: &Subject<'s>,
    trace: &mut T,
) {
    let special = dnssec_types::answer(reply, apex, subject);
    let ending = special.unwrap_or_else(|| by_subject(reply, apex, subject, trace));
    ending::finish(reply, &ending, subject);
}

/// Writes the records of what a name is.
#[inline]
fn by_subject<'s, T: Trace>(
    reply: &mut Reply<'s, '_>,
    apex: &'s Apex,
    subject: &Subject<'s>,
    trace: &mut T,
) -> Ending<'s> {
    match *subject {
        Subject::Apex => apex::answer_apex(reply, apex),
        Subject::Fixed(name) => apex::answer_fixed(reply, apex, name),
        Subject::EmptyNonTerminal => Ending::NoData(apex, None),
        Subject::Level { entry, scope, port } => {
            let start = Start::at(scope);
            let level = LevelAnswer {
                apex,
                entry,
                start,
                port,
            };
            level.answer(reply, trace)
        }
        Subject::Prefixed { entry } => {
            let start = Start::alias(Scopes::GLOBAL, None);
            let level = LevelAnswer {
                apex,
                entry,
                start,
                port: None,
            };
            level.answer(reply, trace)
        }
        Subject::Local { entry, port } => local::answer(reply, apex, entry, port, trace),
        Subject::Clusterset { entry, port } => clusterset::answer(reply, apex, entry, port, trace),
        Subject::Pinned { entry, shard, port } => {
            member::answer_pinned(reply, apex, entry, &shard, port)
        }
        Subject::Pods { entry, shard, pods } => {
            member::answer_pods(reply, apex, entry, (&shard, pods), trace)
        }
        Subject::Static { node, is_wildcard } => {
            // A wildcard makes names without end.
            reply.signing.is_endless |= is_wildcard;
            statics::write(reply, apex, node)
        }
        Subject::Renamed { node, .. } => statics::write(reply, apex, node),
        Subject::Aliased { alias, entry, node } => {
            match entry.filter(|_| alias.takes(reply.query.qtype)) {
                Some(entry) => LevelAnswer {
                    apex,
                    entry,
                    start: Start::at(Scopes::GLOBAL),
                    port: None,
                }
                .answer(reply, trace),
                None if reply.qname.label_count() == apex.labels => apex::answer_apex(reply, apex),
                None => statics::write(reply, apex, node),
            }
        }
        Subject::Delegated { node, skip } => statics::write_referral(reply, apex, (node, skip)),
        Subject::Absent { federation } => Ending::NxDomain(apex, federation),
        Subject::NotReady => Ending::NotReady,
    }
}
