//! Chains of static CNAME and DNAME records, followed inside the apexes that are served (RFC 1034 section
//! 3.6.2, RFC 6672 section 3.2).

use std::net::IpAddr;

use super::classify::classify;
use super::lookup::Lookup;
use super::subject::Subject;
use crate::snapshot::{Apex, Snapshot};
use crate::wire::{MAX_NAME, NameParts, Owner, Qname, ResponseWriter, rcode, rrtype};

/// The most steps of a chain.
const MOST_STEPS: usize = 16;

/// A chain that was followed and written.
pub(super) struct Chain<'s> {
    /// The name that it leads to.
    pub(super) name: Qname,
    /// Where that name is in the message.
    pub(super) at: Owner,
    /// What that name is, and its apex. `None` where nothing is to be answered for it: the chain has come to a name
    /// for the second time, is too long, or leads to a name that is too long or not served here.
    pub(super) last: Option<(&'s Apex, Subject<'s>)>,
}

/// Whether what a name is leads on to another name for a query of a type.
#[inline]
pub(super) fn leads_on(subject: &Subject<'_>, qtype: u16) -> bool {
    match subject {
        Subject::Renamed { .. } => true,
        Subject::Static { node, .. } => {
            !matches!(
                qtype,
                rrtype::CNAME | rrtype::ANY | rrtype::RRSIG | rrtype::NSEC
            ) && node.set(rrtype::CNAME).is_some()
        }
        _ => false,
    }
}

/// Follows the chain that begins at the name asked, which is `subject`, and writes its records.
#[cold]
pub(super) fn follow<'s>(
    snapshot: &'s Snapshot,
    (qname, qtype, client): (&Qname, u16, IpAddr),
    subject: &Subject<'_>,
    response: &mut ResponseWriter<'_>,
) -> Chain<'s> {
    let mut chain = Chain {
        name: qname.clone(),
        at: Owner::QUESTION,
        last: None,
    };
    let mut seen = [const { Qname::new() }; MOST_STEPS];
    let mut steps = 0;
    let mut step = chain.step(subject, response);
    while let Some(next) = step {
        let before = std::mem::replace(&mut chain.name, next);
        let Some(place) = seen.get_mut(steps) else {
            break;
        };
        *place = before;
        steps += 1;
        let is_next = |name: &Qname| name.as_wire() == chain.name.as_wire();
        if seen.iter().take(steps).any(is_next) {
            break;
        }
        let lookup = Lookup::whole(snapshot, &chain.name);
        let Some(mut lookup) = lookup.filter(|it| it.is_served(snapshot, qtype, client)) else {
            break;
        };
        let subject = classify(snapshot, &chain.name, &mut lookup);
        if !leads_on(&subject, qtype) {
            chain.last = Some((lookup.apex, subject));
            break;
        }
        step = chain.step(&subject, response);
    }
    chain
}

impl Chain<'_> {
    /// Writes one step. Returns the name that it leads to; `None` if that is too long.
    fn step(&mut self, subject: &Subject<'_>, response: &mut ResponseWriter<'_>) -> Option<Qname> {
        match *subject {
            Subject::Static { node, .. } => {
                let (set, target) = (node.set(rrtype::CNAME)?, node.target()?);
                let whole = NameParts::name(target.as_wire());
                self.at = response.cname(self.at, set.ttl, &whole);
                Some(target.clone())
            }
            Subject::Renamed { node, skip } => {
                let (set, target) = (node.set(rrtype::DNAME)?, node.target()?);
                let left = self.name.between(0, skip);
                let owner = self.at.skip(left.len());
                for rdata in &set.rdata {
                    response.rdata(owner, rrtype::DNAME, set.ttl, &[rdata]);
                }
                let mut next = Qname::new();
                let mut octets = [0; 2 * MAX_NAME];
                let target_octets = target.as_wire();
                let (head, tail) = octets.split_at_mut_checked(left.len())?;
                head.copy_from_slice(left);
                tail.get_mut(..target_octets.len())?
                    .copy_from_slice(target_octets);
                if next.read(&octets).is_none() {
                    response.set_rcode(rcode::YXDOMAIN);
                    return None;
                }
                let whole = NameParts::below(left, target_octets);
                self.at = response.cname(self.at, set.ttl, &whole);
                Some(next)
            }
            _ => None,
        }
    }
}
