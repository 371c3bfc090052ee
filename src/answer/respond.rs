//! From request to response.

use super::classify::classify;
use super::dispatch;
use super::lookup::Lookup;
use super::reply::{Client, Reply, Transport};
use crate::decide::Trace;
use crate::snapshot::Snapshot;
use crate::wire::{
    EdeList, OptReply, Qname, Query, Reject, ResponseWriter, class, rcode, reject, rrtype,
    udp_limit,
};

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
        let Parsed {
            query,
            qname,
            lookup,
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
            apex: lookup.as_ref().map(|lookup| lookup.apex),
            scope: 0,
            chain_apex: None,
            is_over_message: false,
            response: ResponseWriter::new(out, limit, query),
            errors: EdeList::default(),
        };
        match lookup {
            Some(lookup) => {
                let subject = classify(snapshot, lookup);
                dispatch::answer(&mut reply, lookup.apex, subject, trace);
            }
            None => refuse(&mut reply),
        }
        let (errors, scope) = (reply.errors, reply.scope);
        if reply.is_over_message {
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

/// REFUSED: not a name, class or type that is served here.
fn refuse(reply: &mut Reply<'_, '_>) {
    reply.response.set_authoritative(false);
    reply.response.set_rcode(rcode::REFUSED);
}
