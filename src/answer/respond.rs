//! From request to response.

use super::chain;
use super::chaos;
use super::classify::classify;
use super::dispatch;
use super::lookup::Lookup;
use super::rated::{self, Rated};
use super::records::rrsig::sign_section;
use super::reply::{Client, Reply, Transport};
use super::signing::{Outcome, Signatures, Signing};
use super::subject::Subject;
use crate::decide::Trace;
use crate::dnssec::Lane;
use crate::model::RateClass;
use crate::snapshot::{Apex, Snapshot};
use crate::wire::{
    EdeList, Edns, NameBuf, OptReply, Owner, Qname, Query, Reject, ResponseWriter, SentCookie,
    answer_cookie, class, cookie_without_question, ede, rcode, reject, rrtype, udp_limit,
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
    /// What the response was, once there was one.
    class: Option<RateClass>,
    /// Whether a wildcard or a DNAME record makes the name asked: one of names without end.
    is_made: bool,
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
            class: None,
            is_made: false,
        }
    }

    /// The snapshot that it is answered from.
    #[inline]
    pub fn snapshot(&self) -> &'a Snapshot {
        self.snapshot
    }

    /// The cookie of the request (RFC 7873).
    #[inline]
    pub fn sent_cookie(&self) -> Option<SentCookie<'a>> {
        match &self.read {
            Ok(read) => read.query.edns.as_ref()?.cookie,
            Err(Reject::NoQuestion) => cookie_without_question(self.request),
            Err(_) => None,
        }
    }

    /// What the response that was made is limited as.
    #[inline]
    pub fn rated(&self) -> Option<Rated<'_>> {
        let class = self.class?;
        Some(match &self.read {
            Ok(read) => {
                let apex = read.lookup.as_ref().map(|lookup| lookup.apex);
                Rated::new(class, (read.qname, read.query.qtype), apex, self.is_made)
            }
            Err(_) => Rated::error(),
        })
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
            class,
            is_made,
        } = self;
        *class = Some(RateClass::Error);
        let Parsed {
            query,
            qname,
            lookup,
        } = match read {
            Ok(read) => read,
            Err(error) => {
                let rejected = rejected(request, *error, client, out);
                return rejected.map_or(Outcome::Nothing, Outcome::Reply);
            }
        };
        let networks = snapshot.client_networks();
        let is_served = networks.are_served(client.listener, client.address);
        let mut subject = lookup
            .as_mut()
            .map(|lookup| (lookup.apex, classify(snapshot, lookup)));
        *is_made = matches!(
            subject,
            Some((
                _,
                Subject::Renamed { .. }
                    | Subject::Static {
                        is_wildcard: true,
                        ..
                    }
            ))
        );
        // Before the reply, which points to its name.
        let chain;
        let mut is_over = false;
        let mut reply = Reply {
            snapshot,
            query,
            qname,
            at: Owner::QUESTION,
            client,
            apex: lookup.as_ref().map(|lookup| lookup.apex),
            scope: 0,
            chain_apex: None,
            is_over_message: false,
            response: ResponseWriter::new(out, limit(snapshot, query, client), query),
            errors: EdeList::default(),
            signing: Signing::new(snapshot, query, lookup.as_ref(), signatures),
        };
        if let Some((_, first)) =
            subject.filter(|(_, first)| is_served && chain::leads_on(first, query.qtype))
        {
            chain = chain::follow(snapshot, (qname, query.qtype), first, &mut reply.response);
            (reply.qname, reply.at, is_over) = (&chain.name, chain.at, chain.is_over);
            let last = Lookup::whole(snapshot, &chain.name);
            subject = last.map(|mut lookup| (lookup.apex, classify(snapshot, &mut lookup)));
        }
        match subject {
            _ if !is_served => prohibit(&mut reply),
            // The chain is all.
            _ if is_over => {}
            Some((apex, subject)) => dispatch::answer(&mut reply, apex, subject, trace),
            None if reply.at != Owner::QUESTION => {}
            None if query.qclass == class::CH && chaos::answer(&mut reply) => {}
            None => refuse(&mut reply),
        }
        *class = Some(rated::class(&reply));
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

    /// Answers with something else than what was asked for: the length of the response in `out`, `None` for
    /// none.
    #[cold]
    pub fn refuse(&self, client: &Client, refusal: Substitute, out: &mut [u8]) -> Option<usize> {
        let read = self.read.as_ref().ok()?;
        let query = &read.query;
        let limit = limit(self.snapshot, query, client);
        let mut response = ResponseWriter::new(out, limit, query);
        let (mut errors, mut extended_rcode) = (EdeList::default(), 0);
        match refusal {
            Substitute::Truncated => response.truncate(),
            Substitute::Busy => {
                response.set_rcode(rcode::SERVFAIL);
                errors.push(ede::OTHER, "signer busy");
            }
            Substitute::BadCookie => {
                response.set_rcode(rcode::BADCOOKIE);
                extended_rcode = rcode::BADCOOKIE >> 4;
            }
        }
        let opt = query.edns.as_ref().map(|edns| OptReply {
            extended_rcode,
            client_subnet: edns.client_subnet.map(|subnet| (subnet, 0)),
            cookie: client.cookie.map(|cookie| cookie.octets),
            ede: errors,
            ..OptReply::new(edns)
        });
        Some(response.finish(opt.as_ref()))
    }
}

/// A response in place of what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Substitute {
    /// TC=1 and nothing else: who is real asks again over TCP.
    Truncated,
    /// SERVFAIL with an extended error: what was asked for could not be signed in time.
    Busy,
    /// BADCOOKIE with the cookie to ask again with.
    BadCookie,
}

/// Replies to what is no query that can be answered.
#[cold]
fn rejected(request: &[u8], error: Reject, client: &Client, out: &mut [u8]) -> Option<usize> {
    match (error, &client.cookie) {
        (Reject::NoQuestion, Some(cookie)) => answer_cookie(request, cookie, out),
        _ => reject(request, error, out),
    }
}

/// The longest response to a query.
#[inline]
fn limit(snapshot: &Snapshot, query: &Query<'_>, client: &Client) -> usize {
    match client.transport {
        Transport::Udp => {
            let most = udp_limit(query);
            match snapshot.settings().max_without_cookie {
                Some(without) if !client.cookie.is_some_and(|cookie| cookie.is_proof()) => {
                    most.min(without.into())
                }
                _ => most,
            }
        }
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
            cookie: reply.client.cookie.map(|cookie| cookie.octets),
            zone_version: zone_version(reply.snapshot, edns, reply.apex),
            report_channel: report_channel(reply.snapshot),
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

/// The version of the zone of an answer, if that is asked for (RFC 9660).
#[inline]
fn zone_version(snapshot: &Snapshot, edns: &Edns<'_>, apex: Option<&Apex>) -> Option<(u8, u32)> {
    let apex = apex.filter(|_| edns.zone_version_requested)?;
    Some((u8::try_from(apex.labels).ok()?, snapshot.serial().0))
}

/// Where resolvers report what fails (RFC 9567).
#[inline]
fn report_channel(snapshot: &Snapshot) -> Option<&[u8]> {
    let channel = snapshot.settings().report_channel.as_ref();
    channel.map(NameBuf::as_wire)
}

/// REFUSED, with an extended error: the client is none of those who are served.
#[cold]
fn prohibit(reply: &mut Reply<'_, '_>) {
    reply.apex = None;
    reply.errors.push(ede::PROHIBITED, "");
    refuse(reply);
}

/// REFUSED: not a name, class or type that is served here.
fn refuse(reply: &mut Reply<'_, '_>) {
    reply.response.set_authoritative(false);
    reply.response.set_rcode(rcode::REFUSED);
}
