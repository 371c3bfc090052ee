//! From request to response.

use std::net::IpAddr;

use super::classify::{Subject, classify};
use super::level::{self, Start};
use super::places::Places;
use super::sought::Sought;
use super::{apex, clusterset, local};
use crate::decide::Trace;
use crate::model::{ListenerIdx, UnixSeconds};
use crate::snapshot::{Apex, FederationIdx, Scopes, Snapshot};
use crate::vantage::{Asker, ClientPrefix, Vantage};
use crate::wire::{
    ClientSubnet, EdeList, OptReply, Owner, Qname, Query, Reject, ResponseWriter, Soa, Target,
    class, ede, rcode, reject, rrtype, udp_limit,
};

/// Who asks, how and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// The source address.
    pub address: IpAddr,
    /// The DNS address that the query came to, if it is bound to a member.
    pub listener: Option<ListenerIdx>,
    /// How the query came.
    pub transport: Transport,
    /// The time, for lots that are drawn anew from time to time (names: decision 6).
    pub now: UnixSeconds,
}

/// How a query came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// One datagram.
    Udp,
    /// A TCP connection that may be idle for this long, in units of 100 ms (RFC 7828).
    Tcp {
        /// What edns-tcp-keepalive says when it is asked for.
        idle: u16,
    },
}

/// Answers one request. Returns the length of the response in `out`, `None` for no reply.
///
/// `out` holds at least 65,535 octets for TCP, 1,232 for UDP.
pub fn respond<T: Trace>(
    snapshot: &Snapshot,
    request: &[u8],
    client: &Client,
    trace: &mut T,
    out: &mut [u8],
) -> Option<usize> {
    let mut qname = Qname::new();
    Prepared::new(snapshot, request, &mut qname).complete(client, trace, out)
}

/// A request that is read, its service perhaps looked up already. [`respond`] makes one and
/// completes it; whoever has several requests prepares all, looks all up, and completes each.
#[derive(Debug)]
pub struct Prepared<'a> {
    snapshot: &'a Snapshot,
    request: &'a [u8],
    read: Result<Read<'a>, Reject>,
}

/// What a request asks for.
#[derive(Debug)]
struct Read<'a> {
    query: Query<'a>,
    qname: &'a Qname,
    /// The name in its apex; `None` for what is not served here.
    sought: Option<Sought<'a>>,
}

/// Looks up the services of several requests at once: together they wait for memory little longer
/// than one alone. Changes no answer.
pub fn look_up(prepared: &mut [Option<Prepared<'_>>]) {
    for _ in 0..Sought::STEPS {
        for one in prepared.iter_mut().flatten() {
            if let Ok(read) = &mut one.read
                && let Some(sought) = &mut read.sought
            {
                sought.advance(one.snapshot);
            }
        }
    }
    for one in prepared.iter().flatten() {
        if let Ok(read) = &one.read
            && let Some(sought) = &read.sought
        {
            sought.touch(read.query.qtype);
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
                let sought = if is_served {
                    Sought::begin(snapshot, qname)
                } else {
                    None
                };
                Ok(Read {
                    query,
                    qname,
                    sought,
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

    /// Answers: see [`respond`].
    pub fn complete<T: Trace>(
        &mut self,
        client: &Client,
        trace: &mut T,
        out: &mut [u8],
    ) -> Option<usize> {
        let Self {
            snapshot,
            request,
            read,
        } = self;
        let Read {
            query,
            qname,
            sought,
        } = match read {
            Ok(read) => read,
            Err(error) => return reject(request, *error, out),
        };
        let limit = match client.transport {
            Transport::Udp => udp_limit(query),
            Transport::Tcp { .. } => usize::from(u16::MAX),
        };
        let mut reply = Reply {
            snapshot,
            query,
            qname,
            client,
            apex: sought.as_ref().map(|sought| sought.apex),
            scope: 0,
            chain_apex: None,
            is_drawn_from: false,
            response: ResponseWriter::new(out, limit, query),
            errors: EdeList::default(),
        };
        match sought {
            Some(sought) => reply.fill(sought.apex, classify(snapshot, sought), trace),
            None => reply.refuse(),
        }
        let (errors, scope) = (reply.errors, reply.scope);
        if reply.is_drawn_from {
            trace.over_message();
        }
        let opt = query.edns.as_ref().map(|edns| {
            let nsid = snapshot.settings().nsid.as_deref().map(str::as_bytes);
            OptReply {
                nsid: nsid.filter(|_| edns.nsid_requested),
                keepalive: match client.transport {
                    Transport::Tcp { idle } if edns.keepalive_requested => Some(idle),
                    _ => None,
                },
                client_subnet: edns.client_subnet.map(|subnet| (subnet, scope)),
                ede: errors,
                ..OptReply::new(edns)
            }
        });
        Some(reply.response.finish(opt.as_ref()))
    }
}

/// One response in the making.
pub(super) struct Reply<'a, 'b> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) query: &'a Query<'a>,
    pub(super) qname: &'a Qname,
    pub(super) client: &'a Client,
    /// The apex of the name asked, if it is inside one.
    pub(super) apex: Option<&'a Apex>,
    /// How many leading bits of the client subnet the answer depends on.
    pub(super) scope: u8,
    /// Where a chain of CNAMEs has the name of the apex that it leads to, if the question has not.
    pub(super) chain_apex: Option<Owner>,
    /// An RRset has not all records, as no message holds them: a draw says which.
    pub(super) is_drawn_from: bool,
    pub(super) response: ResponseWriter<'b>,
    pub(super) errors: EdeList<'static>,
}

/// A negative answer for a name in an apex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Negative {
    /// The name exists, records of the type do not.
    NoData,
    /// The name does not exist.
    NxDomain,
}

impl Reply<'_, '_> {
    /// Writes everything but the OPT record.
    fn fill<T: Trace>(&mut self, apex: &Apex, subject: Subject<'_>, trace: &mut T) {
        match subject {
            Subject::Apex if self.query.qtype == rrtype::DS => {
                // DS records belong to the parent side of a zone cut (RFC 4035 section 2.4).
                let parent = apex
                    .parent
                    .and_then(|parent| self.snapshot.apexes().get(parent));
                self.negative(parent.unwrap_or(apex), Negative::NoData, None);
            }
            Subject::Apex => apex::answer_apex(self, apex),
            Subject::Fixed(name) => apex::answer_fixed(self, apex, name),
            Subject::EmptyNonTerminal => self.negative(apex, Negative::NoData, None),
            Subject::Level { entry, scope, port } => {
                level::answer(self, apex, entry, Start::at(scope), port, trace);
            }
            Subject::Prefixed { entry } => {
                let start = Start::alias(Scopes::GLOBAL, None);
                level::answer(self, apex, entry, start, None, trace);
            }
            Subject::Local { entry, port } => local::answer(self, apex, entry, port, trace),
            Subject::Clusterset { entry, port } => {
                clusterset::answer(self, apex, entry, port, trace);
            }
            Subject::Pinned { entry, shard, port } => {
                level::answer_pinned(self, apex, entry, &shard, port);
            }
            Subject::Pods { entry, shard, pods } => {
                level::answer_pods(self, apex, entry, shard.member, pods, trace);
            }
            Subject::Absent { federation } => {
                self.negative(apex, Negative::NxDomain, federation);
            }
            Subject::NotReady => self.not_ready(),
        }
    }

    /// Where the client stands.
    pub(super) fn vantage(&self) -> Vantage {
        let edns = self.query.edns.as_ref();
        self.snapshot.vantages().find(&Asker {
            listener: self.client.listener,
            hint: edns.and_then(|edns| edns.zone_hint),
            subnet: self.subnet(),
            source: self.client.address,
        })
    }

    /// The part of the client's address that lots are drawn for.
    pub(super) fn prefix(&self) -> ClientPrefix {
        ClientPrefix::of(self.subnet(), self.client.address)
    }

    /// An RRset has not all records, as no message holds them, but those of a draw for the client.
    #[cold]
    pub(super) fn note_draw(&mut self) {
        self.is_drawn_from = true;
        self.scope = self.scope.max(self.prefix().scope);
    }

    /// The client subnet of the query.
    #[inline]
    fn subnet(&self) -> Option<&ClientSubnet> {
        let edns = self.query.edns.as_ref();
        edns.and_then(|edns| edns.client_subnet.as_ref())
    }

    /// REFUSED: not a name, class or type that is served here.
    fn refuse(&mut self) {
        self.response.set_authoritative(false);
        self.response.set_rcode(rcode::REFUSED);
    }

    /// SERVFAIL: too little is known yet for a negative answer (names: decision 10).
    pub(super) fn not_ready(&mut self) {
        self.response.set_rcode(rcode::SERVFAIL);
        self.errors.push(ede::NOT_READY, "first sync");
    }

    /// A negative answer with the SOA record of the apex (RFC 2308). `federation` is the one whose
    /// facts it rests on.
    pub(super) fn negative(
        &mut self,
        apex: &Apex,
        negative: Negative,
        federation: Option<FederationIdx>,
    ) {
        if negative == Negative::NxDomain {
            self.response.set_rcode(rcode::NXDOMAIN);
        }
        let stale = federation.map(|federation| self.snapshot.state().federation(federation).stale);
        if stale.is_some_and(|stale| !stale.is_empty()) {
            self.errors.push(ede::STALE_NXDOMAIN_ANSWER, "");
        }
        self.response.begin_authority();
        let owner = self.apex_owner(apex);
        self.soa(owner, apex, apex.negative_ttl);
    }

    /// Where the name of an apex is in the message; writes it as an owner name if it is not there.
    pub(super) fn apex_owner(&mut self, apex: &Apex) -> Owner {
        if self.qname.label_count() == apex.labels {
            return Owner::QUESTION;
        }
        match self.asked_apex(apex).or(self.chain_apex) {
            Some(owner) => owner,
            None => self.response.owner_name(&Target::name(apex.name.as_wire())),
        }
    }

    /// Where the name of an apex is in the question, if it can be pointed to there.
    pub(super) fn asked_apex(&self, apex: &Apex) -> Option<Owner> {
        let skip = self.qname.label_count().checked_sub(apex.labels)?;
        let owner = self.query.suffix_owner(self.qname, skip)?;
        // A chain may lead from one apex to another.
        (self.qname.suffix(skip) == apex.name.as_wire()).then_some(owner)
    }

    /// Where a name is, unless it is the question's with an upper-case octet: names but owners that
    /// equal the question are in lower case (names: D.10).
    pub(super) fn lower_case(&self, owner: Owner) -> Option<Owner> {
        (owner != Owner::QUESTION || self.query.is_lower_case).then_some(owner)
    }

    /// The name `labels` below `apex`; `end` is where that name is in the message already.
    pub(super) fn below_apex<'t>(
        apex: &'t Apex,
        labels: [&'t [u8]; 3],
        end: Option<Owner>,
    ) -> Target<'t> {
        let [first, second, third] = labels;
        let suffix = if end.is_some() {
            &[]
        } else {
            apex.name.without_root()
        };
        Target::new([first, second, third, suffix], end)
    }

    /// The SOA record of an apex (RFC 1035 section 3.3.13).
    pub(super) fn soa(&mut self, owner: Owner, apex: &Apex, ttl: u32) {
        let primary = apex
            .nameservers
            .first()
            .map_or(&apex.name, |server| &server.name);
        let mut places = Places::new(self.lower_case(owner));
        let mname = places.shortened(primary, apex.server_endings.first());
        places.push(self.response.next_rdata(), apex.server_endings.first());
        let rname = places.shortened(&apex.hostmaster, apex.hostmaster_ending.as_ref());
        let soa = Soa {
            mname,
            rname,
            serial: self.snapshot.serial().0,
            refresh: 3600,
            retry: 600,
            expire: 86_400,
            minimum: apex.negative_ttl,
        };
        self.response.soa(owner, ttl, &soa);
    }
}
