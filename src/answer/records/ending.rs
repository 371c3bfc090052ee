//! The end of an answer: what follows the records, or stands in their place.

use super::denial::{self, Denied};
use super::rrsig::sign_section;
use super::soa;
use crate::answer::reply::Reply;
use crate::answer::subject::Subject;
use crate::decide::Plan;
use crate::model::{MemberSet, WhenAllDown};
use crate::snapshot::{Apex, FederationIdx, ServiceEntry};
use crate::wire::{NameParts, Owner, ede, rcode, rrtype};

/// How an answer ends. The federation of a negative one is that whose facts it rests on, if any.
pub(in crate::answer) enum Ending<'s> {
    /// Everything is written.
    Complete,
    /// Records were written from facts of these members.
    Records(MemberSet),
    /// The name of a service has no records of the type: NODATA, or HINFO for ANY (RFC 8482).
    NoRecords(&'s Apex, FederationIdx),
    /// No member of a service is eligible (docs/names.md, decision 2).
    Down {
        /// The apex of the name without records.
        apex: &'s Apex,
        /// The service's federation.
        federation: FederationIdx,
        /// What says whether the name exists all the same.
        plan: &'s Plan,
        /// Some members outside the fence would be eligible.
        is_fenced: bool,
    },
    /// The name exists, records of the type do not (RFC 2308).
    NoData(&'s Apex, Option<FederationIdx>),
    /// The name does not exist (RFC 2308).
    NxDomain(&'s Apex, Option<FederationIdx>),
    /// The apex is signed and has no usable key.
    NoKeys,
    /// The type can not be asked for.
    InvalidType,
    /// Too little is known yet for a negative answer (docs/names.md, decision 10).
    NotReady,
}

impl<'s> Ending<'s> {
    /// The end of an answer for a service: `answering` are the members whose records were written,
    /// `None` for no record.
    #[inline]
    pub(in crate::answer) fn of(
        apex: &'s Apex,
        entry: &ServiceEntry,
        answering: Option<MemberSet>,
    ) -> Self {
        match answering {
            Some(members) => Self::Records(members),
            None => Self::NoRecords(apex, entry.federation),
        }
    }
}

/// Ends an answer.
#[inline]
pub(in crate::answer) fn finish(
    reply: &mut Reply<'_, '_>,
    ending: &Ending<'_>,
    subject: &Subject<'_>,
) {
    if reply.signing.keys.is_some()
        && matches!(reply.query.qtype, rrtype::NSEC | rrtype::RRSIG)
        && answer_nsec(reply, ending, subject)
    {
        return;
    }
    match *ending {
        Ending::Complete => {}
        Ending::Records(members) => note_stale(reply, members),
        Ending::NoRecords(apex, _) if reply.query.qtype == rrtype::ANY => {
            let ttl = apex.negative_ttl;
            reply.response.hinfo(reply.at, ttl, b"RFC8482", b"");
        }
        Ending::NoRecords(apex, federation) => {
            write_negative(reply, apex, Some(federation), (subject, Denied::Type));
        }
        Ending::Down {
            apex,
            federation,
            plan,
            is_fenced,
        } => {
            if is_fenced {
                let text = "no eligible member within the fence";
                reply.errors.push(ede::OTHER, text);
            }
            write_negative(reply, apex, Some(federation), (subject, denied_down(plan)));
        }
        Ending::NoData(apex, federation) => {
            write_negative(reply, apex, federation, (subject, Denied::Type));
        }
        Ending::NxDomain(apex, federation) => {
            reply.signing.is_endless = true;
            write_negative(reply, apex, federation, (subject, Denied::Name));
        }
        Ending::NoKeys => {
            reply.response.set_rcode(rcode::SERVFAIL);
            reply.errors.push(ede::DNSKEY_MISSING, "");
        }
        Ending::InvalidType => {
            reply.response.set_rcode(rcode::FORMERR);
            reply.errors.push(ede::INVALID_QUERY_TYPE, "");
        }
        Ending::NotReady => {
            reply.response.set_rcode(rcode::SERVFAIL);
            reply.errors.push(ede::NOT_READY, "first sync");
        }
    }
}

/// Adds an extended error when facts of a member that is not live are in the answer (RFC 8914, code
/// 3).
fn note_stale(reply: &mut Reply<'_, '_>, members: MemberSet) {
    if !(members & reply.snapshot.state().health.stale).is_empty() {
        reply.errors.push(ede::STALE_ANSWER, "");
    }
}

/// Writes the SOA record of a negative answer (RFC 2308), with an extended error when facts that it
/// rests on are of a member that is not live (RFC 8914, code 19).
fn write_negative(
    reply: &mut Reply<'_, '_>,
    apex: &Apex,
    federation: Option<FederationIdx>,
    (subject, denied): (&Subject<'_>, Denied),
) {
    let is_signed = reply.signing.is_wanted && reply.snapshot.keys_of(apex).is_some();
    // A signed denial says in its NSEC record that there is no such name. That it may say so in the
    // response code too, a client has to tell (RFC 9824 section 5.1).
    if denied == Denied::Name && (!is_signed || is_compact_ok(reply)) {
        reply.response.set_rcode(rcode::NXDOMAIN);
    }
    let stale = federation.map(|federation| reply.snapshot.state().federation(federation).stale);
    if stale.is_some_and(|stale| !stale.is_empty()) {
        reply.errors.push(ede::STALE_NXDOMAIN_ANSWER, "");
    }
    sign_section(reply);
    reply.response.begin_authority();
    let owner = apex_owner(reply, apex);
    soa::write(reply, owner, apex, apex.negative_ttl);
    if is_signed {
        let owner = reply.signing.end.unwrap_or(reply.at);
        let types = denial::types(reply, subject, denied);
        denial::write(reply, (apex, owner), &types);
    }
}

/// Whether the client takes NXDOMAIN beside a compact denial.
fn is_compact_ok(reply: &Reply<'_, '_>) -> bool {
    let edns = reply.query.edns.as_ref();
    edns.is_some_and(|edns| edns.compact_ok)
}

/// What is denied when no member of a service is eligible.
fn denied_down(plan: &Plan) -> Denied {
    match plan.when_all_down {
        WhenAllDown::NxDomain => Denied::Name,
        WhenAllDown::NoData | WhenAllDown::LastKnown => Denied::Type,
    }
}

/// Answers with the NSEC record of the name asked, or its signature. Returns whether it has one.
#[cold]
fn answer_nsec(reply: &mut Reply<'_, '_>, ending: &Ending<'_>, subject: &Subject<'_>) -> bool {
    let denied = match ending {
        Ending::NotReady | Ending::NoKeys | Ending::InvalidType => return false,
        Ending::NxDomain(..) => Denied::Name,
        _ if reply.signing.end.is_some() => Denied::Alias,
        Ending::Down { plan, .. } => denied_down(plan),
        _ => Denied::Type,
    };
    let Some(apex) = reply.apex else {
        return false;
    };
    reply.signing.is_endless = matches!(ending, Ending::NxDomain(..));
    let types = denial::types(reply, subject, denied);
    reply.response.clear();
    denial::write(reply, (apex, reply.at), &types);
    if reply.query.qtype == rrtype::RRSIG {
        // Its signature alone, wanted or not.
        reply.signing.is_wanted = true;
        let mut walk = reply.response.walk();
        let nsec = reply.response.next_set(&mut walk);
        sign_section(reply);
        if let Some(nsec) = nsec {
            reply.response.remove_set(&nsec);
        }
    }
    true
}

/// Where the name of an apex is in the message; writes it as an owner name if it is not there.
fn apex_owner(reply: &mut Reply<'_, '_>, apex: &Apex) -> Owner {
    if reply.qname.label_count() == apex.labels {
        return reply.at;
    }
    let written = reply.asked_apex(apex).or(reply.chain_apex);
    written.unwrap_or_else(|| {
        let name = NameParts::name(apex.name.as_wire());
        reply.response.owner_name(&name)
    })
}
