//! One response in the making, and who asked for it.

use std::net::IpAddr;
use std::time::Duration;

use super::signing::Signing;
use crate::decide::Draw;
use crate::model::{ListenerIdx, UnixSeconds};
use crate::snapshot::{Apex, ServiceEntry, Snapshot};
use crate::vantage::{Asker, ClientPrefix, Vantage};
use crate::wire::{ClientCookie, ClientSubnet, EdeList, Owner, Qname, Query, ResponseWriter};

/// Who asks, how and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// The source address.
    pub address: IpAddr,
    /// The DNS address that the query came to; `None` is one of which nothing is said.
    pub listener: Option<ListenerIdx>,
    /// How the query came.
    pub transport: Transport,
    /// What it has proved by a DNS cookie, and the one that it gets; `None` where it sent none.
    pub cookie: Option<ClientCookie>,
    /// The time, on whose slots draws depend (docs/names.md, decision 6).
    pub now: UnixSeconds,
    /// The same by a clock that is never set, since this process began: what limits of rates count by.
    pub elapsed: Duration,
}

impl Client {
    /// The same client with what its cookie is worth.
    #[must_use]
    pub fn with_cookie(&self, cookie: Option<ClientCookie>) -> Self {
        Self { cookie, ..*self }
    }
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

/// One response in the making.
pub(super) struct Reply<'a, 'b> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) query: &'a Query<'a>,
    /// The name that is answered for: the one asked, or where a chain of static records leads to.
    pub(super) qname: &'a Qname,
    /// Where that name is in the message.
    pub(super) at: Owner,
    pub(super) client: &'a Client,
    /// The apex of the name asked, if it is inside one.
    pub(super) apex: Option<&'a Apex>,
    /// How many leading bits of the client subnet the answer depends on (RFC 7871 section 7.2.1).
    pub(super) scope: u8,
    /// Where a chain of CNAMEs has the name of the apex that it leads to, if the question has not.
    pub(super) chain_apex: Option<Owner>,
    /// An RRset has more records than a message holds, and a draw says which are sent.
    pub(super) is_over_message: bool,
    pub(super) response: ResponseWriter<'b>,
    pub(super) errors: EdeList<'static>,
    /// What is signed of it.
    pub(super) signing: Signing<'a>,
}

impl<'a> Reply<'a, '_> {
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

    /// The draw among the members and addresses of a service for this client at this time.
    pub(super) fn draw(&self, entry: &'a ServiceEntry) -> Draw<'a> {
        self.draw_for(entry, self.prefix())
    }

    /// The same for a part of the client's address.
    #[inline]
    fn draw_for(&self, entry: &'a ServiceEntry, prefix: ClientPrefix) -> Draw<'a> {
        let state = self.snapshot.state();
        let weights = entry.overlay().map(|overlay| &*overlay.weights);
        Draw::new(
            &entry.key,
            prefix,
            (self.client.now, entry.ttl),
            &state.seeds,
            weights.unwrap_or_default(),
            &state.shares,
        )
    }

    /// The draw among more addresses of a service than are in an answer. Each drawn set is signed for
    /// itself, so that in a signed apex clients draw in 256 groups and not by their networks.
    pub(super) fn draw_of_addresses(&self, entry: &'a ServiceEntry) -> Draw<'a> {
        if self.signing.keys.is_none() {
            return self.draw(entry);
        }
        self.draw_for(entry, self.prefix().grouped())
    }

    /// Widens the scope to what a draw depends on: the prefix of the client.
    #[inline]
    pub(super) fn depend_on_draw(&mut self) {
        self.scope = self.scope.max(self.prefix().scope);
    }

    /// Where the name of an apex is in the question, if it can be pointed to there.
    pub(super) fn asked_apex(&self, apex: &Apex) -> Option<Owner> {
        let skip = self.qname.label_count().checked_sub(apex.labels)?;
        let owner = if self.at == Owner::QUESTION {
            self.query.suffix_owner(self.qname, skip)?
        } else {
            // Names that chains lead to are written whole.
            self.at.skip(self.qname.offset(skip)?)
        };
        // A chain may lead from one apex to another.
        (self.qname.suffix(skip) == apex.name.as_wire()).then_some(owner)
    }

    /// `owner`, unless it is the question's name with an upper-case octet: only owners that equal
    /// the question keep its case (docs/names.md, D.10).
    pub(super) fn lower_case(&self, owner: Owner) -> Option<Owner> {
        (owner != Owner::QUESTION || self.query.is_lower_case).then_some(owner)
    }

    /// The part of the client's address that draws depend on.
    fn prefix(&self) -> ClientPrefix {
        ClientPrefix::of(self.subnet(), self.client.address)
    }

    /// The client subnet of the query.
    #[inline]
    pub(super) fn subnet(&self) -> Option<&ClientSubnet> {
        let edns = self.query.edns.as_ref();
        edns.and_then(|edns| edns.client_subnet.as_ref())
    }
}
