//! From request to response.

use super::chain::{self, Chain};
use super::chaos;
use super::classify::classify;
use super::dispatch;
use super::lookup::Lookup;
use super::rated::{self, Rated};
use super::records::rrsig::sign_section;
use super::reply::{Client, Reply, Transport};
use super::signing::{Outcome, Signatures, Signing};
use crate::decide::Trace;
use crate::dnssec::Lane;
use crate::model::RateClass;
use crate::snapshot::Snapshot;
use crate::wire::{
    EdeList, Edns, OptReply, Owner, Qname, Query, Reject, ResponseWriter, SentCookie,
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
    let mut prepared = Prepared::new(snapshot, request, &mut qname);
    prepared.complete(client, signatures, trace, out).outcome
}

/// A parsed request, its service perhaps looked up already. [`respond`] makes one and completes it; a
/// caller with several requests prepares all, looks all up, and completes each.
#[derive(Debug)]
pub struct Prepared<'a> {
    snapshot: &'a Snapshot,
    read: Result<Parsed<'a>, Rejected<'a>>,
    /// The name in its apex; `None` for what is not served here.
    lookup: Option<Lookup<'a, 'a>>,
}

/// What cannot be answered.
#[derive(Debug)]
struct Rejected<'a> {
    request: &'a [u8],
    error: Reject,
}

/// What came of a request, and what the response is limited as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// What came of it.
    pub outcome: Outcome,
    /// What was said.
    pub class: RateClass,
    /// Whether a wildcard or a DNAME record makes the name asked: one of names without end.
    pub is_made: bool,
}

impl Answered {
    /// An error.
    fn error(outcome: Outcome) -> Self {
        Self {
            outcome,
            class: RateClass::Error,
            is_made: false,
        }
    }
}

/// What a request asks for.
#[derive(Debug)]
struct Parsed<'a> {
    query: Query<'a>,
    qname: &'a Qname,
}

/// Looks up the services of several requests step by step, so that their cache misses overlap. Changes
/// no answer.
pub fn look_up(prepared: &mut [Option<Prepared<'_>>]) {
    for _ in 0..Lookup::STEPS {
        for one in &mut *prepared {
            if let Some(Prepared {
                snapshot,
                lookup: Some(lookup),
                ..
            }) = one
            {
                lookup.advance(snapshot);
            }
        }
    }
    for one in prepared {
        if let Some(Prepared {
            read: Ok(read),
            lookup: Some(lookup),
            ..
        }) = one
        {
            lookup.prefetch(read.query.qtype);
        }
    }
}

impl<'a> Prepared<'a> {
    /// Reads a request, and its name into `qname`.
    pub fn new(snapshot: &'a Snapshot, request: &'a [u8], qname: &'a mut Qname) -> Self {
        let mut prepared = Self::unread(snapshot, request);
        prepared.read(request, qname);
        prepared
    }

    /// The same where it stays, as it is large to move.
    #[inline]
    pub fn place(
        snapshot: &'a Snapshot,
        request: &'a [u8],
        qname: &'a mut Qname,
        place: &mut Option<Self>,
    ) {
        place
            .insert(Self::unread(snapshot, request))
            .read(request, qname);
    }

    /// A request that is not read.
    #[inline]
    fn unread(snapshot: &'a Snapshot, request: &'a [u8]) -> Self {
        let error = Reject::Silent;
        Self {
            snapshot,
            read: Err(Rejected { request, error }),
            lookup: None,
        }
    }

    /// Reads it.
    fn read(&mut self, request: &'a [u8], qname: &'a mut Qname) {
        let query = match Query::parse(request, qname) {
            Ok(query) => query,
            Err(error) => {
                self.read = Err(Rejected { request, error });
                return;
            }
        };
        let qname: &Qname = qname;
        let is_served =
            query.qclass == class::IN && !matches!(query.qtype, rrtype::AXFR | rrtype::IXFR);
        self.read = Ok(Parsed { query, qname });
        if is_served {
            self.lookup = Lookup::begin(self.snapshot, qname);
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
            Err(Rejected {
                request,
                error: Reject::NoQuestion,
            }) => cookie_without_question(request),
            Err(_) => None,
        }
    }

    /// What the response that was made is limited as.
    pub fn rated(&self, answered: &Answered) -> Rated<'_> {
        match &self.read {
            Ok(read) => {
                let apex = self.lookup.as_ref().map(|lookup| lookup.apex);
                let asked = (read.qname, read.query.qtype);
                Rated::new(answered.class, asked, apex, answered.is_made)
            }
            Err(_) => Rated::error(),
        }
    }

    /// Answers: see [`respond`].
    pub fn complete<T: Trace>(
        &mut self,
        client: &Client,
        signatures: Signatures<'_>,
        trace: &mut T,
        out: &mut [u8],
    ) -> Answered {
        let Self {
            snapshot,
            read,
            lookup,
        } = self;
        let Parsed { query, qname } = match read {
            Ok(read) => read,
            Err(Rejected { request, error }) => {
                let rejected = rejected(request, *error, client, out);
                return Answered::error(rejected.map_or(Outcome::Nothing, Outcome::Reply));
            }
        };
        // Before the reply, which points to its name.
        let chain;
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
        let mut is_made = false;
        let networks = snapshot.client_networks();
        let is_served = networks.are_served(client.listener, client.address)
            && (networks.have_all_zones() || is_zone_served(&reply, lookup.as_ref()));
        if !is_served {
            prohibit(&mut reply);
        } else if let Some(lookup) = lookup {
            let subject = classify(snapshot, qname, lookup);
            if chain::leads_on(&subject, query.qtype) {
                chain = chain::follow(
                    snapshot,
                    (qname, query.qtype, client.address),
                    &subject,
                    &mut reply.response,
                );
                (reply.qname, reply.at) = (&chain.name, chain.at);
                is_made = subject.is_made();
                answer_end(&mut reply, &chain, trace);
            } else {
                is_made = subject.is_made();
                dispatch::answer(&mut reply, lookup.apex, &subject, trace);
            }
        } else {
            answer_outside(&mut reply);
        }
        let class = rated::class(&reply);
        let answered = |outcome| Answered {
            outcome,
            class,
            is_made,
        };
        if reply.signing.is_wanted
            && let Some(lane) = end_signing(&mut reply, trace)
        {
            return answered(Outcome::NeedsSignature(lane));
        }
        if reply.is_over_message {
            trace.over_message();
        }
        let is_old = reply.signing.seen.old > 0 && !reply.signing.source.makes();
        let opt = opt(&reply, lookup.as_ref(), &reply.errors);
        let length = reply.response.finish(opt.as_ref());
        answered(if is_old {
            Outcome::ReplyAndRenew(length)
        } else {
            Outcome::Reply(length)
        })
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
            ede: &errors,
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

/// Whether the client is served the zone that answers for the name asked.
#[cold]
fn is_zone_served<'a>(reply: &Reply<'a, '_>, lookup: Option<&Lookup<'a, '_>>) -> bool {
    let (snapshot, qtype, client) = (reply.snapshot, reply.query.qtype, reply.client.address);
    lookup.is_none_or(|lookup| lookup.is_served(snapshot, qtype, client))
}

/// Answers for the name that a chain leads to.
#[cold]
fn answer_end<'a, T: Trace>(reply: &mut Reply<'a, '_>, chain: &Chain<'a>, trace: &mut T) {
    // Otherwise the chain is all.
    if let Some((apex, subject)) = &chain.last {
        dispatch::answer(reply, apex, subject, trace);
    }
}

/// Answers what is outside of all apexes.
#[cold]
fn answer_outside(reply: &mut Reply<'_, '_>) {
    if reply.query.qclass != class::CH || !chaos::answer(reply) {
        refuse(reply);
    }
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
fn opt<'r>(
    reply: &Reply<'r, '_>,
    lookup: Option<&Lookup<'r, '_>>,
    errors: &'r EdeList<'r>,
) -> Option<OptReply<'r>> {
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
            zone_version: zone_version(reply, edns, lookup),
            report_channel: report_channel(reply, lookup),
            ede: errors,
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
    let found = [seen.hits, seen.old, seen.misses];
    trace.signatures(found, seen.least_left, is_absent);
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

/// The version of the zone that answers for the name asked, if that is asked for: its serial, wherever a chain
/// leads (RFC 9660 sections 2.1, 3.2 and 4). None of zones that are not served.
#[inline]
fn zone_version<'r>(
    reply: &Reply<'r, '_>,
    edns: &Edns<'_>,
    lookup: Option<&Lookup<'r, '_>>,
) -> Option<(u8, u32)> {
    let lookup = lookup.filter(|_| edns.zone_version_requested && reply.apex.is_some())?;
    let apex = lookup.answering(reply.snapshot, reply.query.qtype);
    let labels = u8::try_from(apex.labels).ok()?;
    Some((labels, apex.serial(reply.snapshot.serial().0)))
}

/// Where resolvers report what fails (RFC 9567 section 6.2): never inside the zone that it is of (section 8.1).
#[inline]
fn report_channel<'r>(reply: &Reply<'r, '_>, lookup: Option<&Lookup<'r, '_>>) -> Option<&'r [u8]> {
    let channel = reply.snapshot.settings().report_channel.as_ref()?;
    let apex = lookup.map(|lookup| lookup.answering(reply.snapshot, reply.query.qtype));
    let is_inside = apex.is_some_and(|apex| channel.is_within(&apex.name));
    (!is_inside).then(|| channel.as_wire())
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
