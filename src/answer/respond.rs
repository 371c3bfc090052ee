//! From request to response.

use super::chain;
use super::classify::classify;
use super::dispatch;
use super::lookup::Lookup;
use super::records::rrsig::sign_section;
use super::reply::{Client, Reply, Transport};
use super::signing::{Outcome, Signatures, Signing};
use crate::decide::Trace;
use crate::dnssec::Lane;
use crate::snapshot::Snapshot;
use crate::wire::{
    EdeList, OptReply, Owner, Qname, Query, Reject, ResponseWriter, class, ede, rcode, reject,
    rrtype, udp_limit,
};

/// Answers one request: what comes of it, the response in `out`.
///
/// `out` holds at least 65,535 octets for TCP, 1,232 for UDP.
pub fn respond<T: Trace>(
    snapshot: &Snapshot,
    request: &[u8],
    client: &Client,
    signatures: Signatures<'_>,
    trace: &mut T,
    out: &mut [u8],
) -> Outcome {
    let mut qname = Qname::new();
    Prepared::new(snapshot, request, &mut qname).complete(client, signatures, trace, out)
}

/// A parsed request, its service perhaps looked up already. [`respond`] makes one and completes it; a
/// caller with several requests prepares all, looks all up, and completes each.
#[derive(Debug)]
pub struct Prepared<'a> {
    snapshot: &'a Snapshot,
    request: &'a [u8],
    read: Result<Parsed<'a>, Reject>,
}

/// What a request asks for.
#[derive(Debug)]
struct Parsed<'a> {
    query: Query<'a>,
    qname: &'a Qname,
    /// The name in its apex; `None` for what is not served here.
    lookup: Option<Lookup<'a>>,
}

/// Looks up the services of several requests step by step, so that their cache misses overlap. Changes
/// no answer.
pub fn look_up(prepared: &mut [Option<Prepared<'_>>]) {
    for _ in 0..Lookup::STEPS {
        for one in prepared.iter_mut().flatten() {
            if let Ok(read) = &mut one.read
                && let Some(lookup) = &mut read.lookup
            {
                lookup.advance(one.snapshot);
            }
        }
    }
    for one in prepared.iter().flatten() {
        if let Ok(read) = &one.read
            && let Some(lookup) = &read.lookup
        {
            lookup.prefetch(read.query.qtype);
        }
    }
}

impl<'a> Prepared<'a> {
    /// Reads a request, and its name into `qname`.
    #[inline]
    pub fn new(snapshot: &'a Snapshot, request: &'a [u8], qname: &'a mut Qname) -> Self {
        let read = match Query::parse(request, qname) {
            Ok(query) => {
                let qname: &Qname = qname;
                let is_served = query.qclass == class::IN
                    && !matches!(query.qtype, rrtype::AXFR | rrtype::IXFR);
                let lookup = if is_served {
                    Lookup::begin(snapshot, qname)
                } else {
                    None
                };
                Ok(Parsed {
                    query,
                    qname,
                    lookup,
                })
            }
            Err(error) => Err(error),
        };
        Self {
            snapshot,
            request,
            read,
        }
    }

    /// The snapshot that it is answered from.
    #[inline]
    pub fn snapshot(&self) -> &'a Snapshot {
        self.snapshot
    }

    /// Answers: see [`respond`].
    pub fn complete<T: Trace>(
        &mut self,
        client: &Client,
        signatures: Signatures<'_>,
        trace: &mut T,
        out: &mut [u8],
    ) -> Outcome {
        let Self {
            snapshot,
            request,
            read,
        } = self;
        let Parsed {
            query,
            qname,
            lookup,
        } = match read {
            Ok(read) => read,
            Err(error) => {
                let rejected = reject(request, *error, out);
                return rejected.map_or(Outcome::Nothing, Outcome::Reply);
            }
        };
        let signing = Signing::new(snapshot, query, lookup.as_ref(), signatures);
        let apex = lookup.as_ref().map(|lookup| lookup.apex);
        let mut response = ResponseWriter::new(out, limit(query, client), query);
        let mut subject = lookup
            .as_mut()
            .map(|lookup| (lookup.apex, classify(snapshot, lookup)));
        let chain;
        let (mut name, mut at, mut is_over) = (&**qname, Owner::QUESTION, false);
        if let Some((_, first)) = subject.filter(|(_, first)| chain::leads_on(first, query.qtype)) {
            chain = chain::follow(snapshot, (qname, query.qtype), first, &mut response);
            (name, at, is_over) = (&chain.name, chain.at, chain.is_over);
            let last = Lookup::whole(snapshot, name);
            subject = last.map(|mut lookup| (lookup.apex, classify(snapshot, &mut lookup)));
        }
        let mut reply = Reply {
            snapshot,
            query,
            qname: name,
            at,
            client,
            apex,
            scope: 0,
            chain_apex: None,
            is_over_message: false,
            response,
            errors: EdeList::default(),
            signing,
        };
        match subject {
            // The chain is all.
            _ if is_over => {}
            Some((apex, subject)) => dispatch::answer(&mut reply, apex, subject, trace),
            None if at != Owner::QUESTION => {}
            None => refuse(&mut reply),
        }
        if reply.signing.is_wanted
            && let Some(lane) = end_signing(&mut reply, trace)
        {
            return Outcome::NeedsSignature(lane);
        }
        if reply.is_over_message {
            trace.over_message();
        }
        let opt = opt(&reply);
        let is_old = reply.signing.seen.old > 0 && !reply.signing.makes;
        let length = reply.response.finish(opt.as_ref());
        if is_old {
            Outcome::ReplyAndRenew(length)
        } else {
            Outcome::Reply(length)
        }
    }

    /// Answers without what could not be signed in time: the length of the response in `out`, `None` for
    /// none.
    #[cold]
    pub fn refuse(
        &self,
        client: &Client,
        refusal: SigningFailure,
        out: &mut [u8],
    ) -> Option<usize> {
        let read = self.read.as_ref().ok()?;
        let query = &read.query;
        let mut response = ResponseWriter::new(out, limit(query, client), query);
        let mut errors = EdeList::default();
        match refusal {
            SigningFailure::Truncated => response.truncate(),
            SigningFailure::Busy => {
                response.set_rcode(rcode::SERVFAIL);
                errors.push(ede::OTHER, "signer busy");
            }
        }
        let opt = query.edns.as_ref().map(|edns| OptReply {
            client_subnet: edns.client_subnet.map(|subnet| (subnet, 0)),
            ede: errors,
            ..OptReply::new(edns)
        });
        Some(response.finish(opt.as_ref()))
    }
}

/// An answer that could not be signed in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningFailure {
    /// TC=1 and nothing else: who is real asks again over TCP.
    Truncated,
    /// SERVFAIL with an extended error that says why.
    Busy,
}

/// The longest response to a query.
#[inline]
fn limit(query: &Query<'_>, client: &Client) -> usize {
    match client.transport {
        Transport::Udp => udp_limit(query),
        Transport::Tcp { .. } => usize::from(u16::MAX),
    }
}

/// The OPT record of a reply, if the request has one.
#[inline]
fn opt<'r>(reply: &Reply<'r, '_>) -> Option<OptReply<'r>> {
    let query = reply.query;
    query.edns.as_ref().map(|edns| {
        let nsid = reply.snapshot.settings().nsid.as_deref().map(str::as_bytes);
        OptReply {
            compact_ok: edns.compact_ok && edns.dnssec_ok && reply.signing.keys.is_some(),
            nsid: nsid.filter(|_| edns.nsid_requested),
            keepalive: match reply.client.transport {
                Transport::Tcp { idle } if edns.keepalive_requested => Some(idle),
                _ => None,
            },
            client_subnet: edns.client_subnet.map(|subnet| (subnet, reply.scope)),
            ede: reply.errors,
            ..OptReply::new(edns)
        }
    })
}

/// Signs the last section. Returns the lane of a signature that the answer needs and that is not made
/// yet.
#[cold]
fn end_signing<T: Trace>(reply: &mut Reply<'_, '_>, trace: &mut T) -> Option<Lane> {
    sign_section(reply);
    let seen = &reply.signing.seen;
    let is_absent = reply.signing.is_endless;
    trace.signatures([seen.hits, seen.old, seen.misses], is_absent);
    if reply.signing.keys.is_some() {
        reply.response.send_no_part();
    }
    if reply.signing.is_unusable {
        reply.response.clear();
        reply.response.set_rcode(rcode::SERVFAIL);
        reply.errors.push(ede::DNSKEY_MISSING, "");
        return None;
    }
    // What is sent with TC alone needs none.
    let missing = reply.signing.missing;
    missing.filter(|_| !reply.response.is_truncated())
}

/// REFUSED: not a name, class or type that is served here.
fn refuse(reply: &mut Reply<'_, '_>) {
    reply.response.set_authoritative(false);
    reply.response.set_rcode(rcode::REFUSED);
}
