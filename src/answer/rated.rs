//! What a response is limited as, if too many like it are asked for.

use super::reply::Reply;
use crate::model::RateClass;
use crate::snapshot::Apex;
use crate::wire::{Qname, rcode, rrtype};

/// A kind of response: those of one kind to the clients of one network are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rated<'a> {
    /// Its class.
    pub class: RateClass,
    /// The name that counts in this class, in wire form and lower case: that which was asked, or that of the
    /// apex for what is absent. Whoever asks for names without end gets answers of one name.
    pub name: &'a [u8],
    /// The type that was asked; 0 where it does not count.
    pub qtype: u16,
}

impl<'a> Rated<'a> {
    /// A response to a query in an apex, whose name a wildcard or a DNAME record makes, or not.
    #[inline]
    pub(super) fn new(
        class: RateClass,
        (qname, qtype): (&'a Qname, u16),
        apex: Option<&'a Apex>,
        is_made: bool,
    ) -> Self {
        let of_apex = || apex.map_or(&[][..], |apex| apex.name.as_wire());
        let (name, qtype) = match class {
            // Names that a wildcard or a DNAME record makes are one.
            RateClass::Positive if is_made => (of_apex(), qtype),
            RateClass::Positive => (qname.as_wire(), qtype),
            RateClass::Denial | RateClass::Referral => (of_apex(), 0),
            RateClass::Error => (&[][..], 0),
        };
        Self { class, name, qtype }
    }

    /// A response to what is no query that can be answered.
    #[inline]
    pub(super) fn error() -> Self {
        Self {
            class: RateClass::Error,
            name: &[],
            qtype: 0,
        }
    }
}

/// Whether the answer is the NSEC record of a name that does not exist, or its signature.
#[inline]
fn is_denial(reply: &Reply<'_, '_>) -> bool {
    reply.signing.is_endless && matches!(reply.query.qtype, rrtype::NSEC | rrtype::RRSIG)
}

/// The class of a reply whose records are written.
#[inline]
pub(super) fn class(reply: &Reply<'_, '_>) -> RateClass {
    let response = &reply.response;
    match response.rcode() {
        // The end of a chain may not exist; the names of the chain do.
        rcode::NOERROR | rcode::NXDOMAIN if response.has_answers() && !is_denial(reply) => {
            RateClass::Positive
        }
        rcode::NOERROR if !response.is_authoritative() => RateClass::Referral,
        rcode::NOERROR | rcode::NXDOMAIN => RateClass::Denial,
        _ => RateClass::Error,
    }
}
