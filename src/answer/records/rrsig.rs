//! The RRSIG records of a section (RFC 4034 section 3), each RRset by the keys of its own apex.

use std::time::Duration;

use crate::answer::reply::Reply;
use crate::answer::signature_notes::SignatureOrigin;
use crate::answer::signing::Signatures;
use crate::dnssec::{
    Fingerprint, FoundSignature, Lane, MOST_RECORDS, SIGNATURE, SignatureBy, SignatureSet,
    SignatureSlot, SignatureTable, SigningKey, ZoneKeys,
};
use crate::snapshot::{Apex, ApexIdx, StaticMatch};
use crate::wire::{Qname, WrittenSet, rrtype};

/// Octets of an RRSIG record without its signer's name, its owner being a pointer.
const WITHOUT_SIGNER: usize = 12 + 18 + SIGNATURE;

/// Seconds by which a signature begins before it is due.
const BEFORE: u32 = 3600;

/// Signs what was written into the section so far; to be called when it is complete.
#[inline]
pub(in crate::answer) fn sign_section(reply: &mut Reply<'_, '_>) {
    if reply.signing.is_wanted {
        sign(reply);
    }
}

/// Ends the answer and authority sections, signed.
#[inline]
pub(in crate::answer) fn begin_additional(reply: &mut Reply<'_, '_>) {
    sign_section(reply);
    reply.response.begin_additional();
}

#[inline(never)]
fn sign(reply: &mut Reply<'_, '_>) {
    let mut walk = reply.response.walk();
    while !reply.response.is_full()
        && let Some(set) = reply.response.next_set(&mut walk)
    {
        sign_set(reply, &set);
    }
    reply.response.end_walk();
}

/// Whose keys sign an RRset, and under which TTL.
struct Signer<'s> {
    apex: &'s Apex,
    keys: &'s ZoneKeys,
    original_ttl: u32,
}

impl<'s> Signer<'s> {
    /// `None` for an RRset of an apex that is not signed.
    fn of(reply: &Reply<'s, '_>, set: &WrittenSet, owner: &Qname) -> Option<Self> {
        let snapshot = reply.snapshot;
        let (index, apex) = snapshot.apexes().find(owner)?;
        let is_of_parent = set.rrtype == rrtype::DS || reply.signing.is_at_cut;
        let (index, apex) = match apex.parent {
            Some(parent) if is_of_parent && owner.label_count() == apex.labels => {
                (parent, snapshot.apexes().get(parent)?)
            }
            _ => (index, apex),
        };
        let keys = Self::keys(reply, index)?;
        let is_static = match statics_at(apex, owner) {
            // What belongs to the zone below, and what a DNAME record makes, is not signed here.
            Some(StaticMatch::Cut { skip, .. }) => {
                if skip > 0 || !matches!(set.rrtype, rrtype::DS | rrtype::NSEC) {
                    return None;
                }
                true
            }
            Some(StaticMatch::Dname { .. }) => return None,
            Some(StaticMatch::Exact(node)) => node.set(set.rrtype).is_some(),
            Some(StaticMatch::Absent { wildcard, .. }) => {
                wildcard.is_some_and(|node| node.set(set.rrtype).is_some())
            }
            None => false,
        };
        let original_ttl = match set.rrtype {
            rrtype::SOA => apex.ttl,
            _ if is_static => set.ttl,
            rrtype::NS | rrtype::DS => apex.ttl,
            rrtype::DNSKEY | rrtype::CDS | rrtype::CDNSKEY => keys.dnskey_ttl(),
            rrtype::NSEC | rrtype::HINFO => apex.negative_ttl,
            // That of the client's own name is 0.
            _ if reply.signing.is_endless => set.ttl,
            _ => reply.signing.original_ttl.unwrap_or(apex.ttl),
        };
        Some(Self {
            apex,
            keys,
            original_ttl,
        })
    }

    fn keys(reply: &Reply<'s, '_>, apex: ApexIdx) -> Option<&'s ZoneKeys> {
        reply.snapshot.zone_keys(apex)
    }
}

/// The labels of an owner as an RRSIG record counts them: without that of a wildcard (RFC 4034 section 3.1.3).
fn labels(owner: &Qname) -> u8 {
    let wildcards = usize::from(owner.as_wire().starts_with(b"\x01*"));
    u8::try_from(owner.label_count() - wildcards).unwrap_or(u8::MAX)
}

/// What the static records of an apex say of an owner.
fn statics_at<'s>(apex: &'s Apex, owner: &Qname) -> Option<StaticMatch<'s>> {
    let statics = apex.statics.as_ref()?;
    Some(statics.tree.find(owner, owner.label_count() - apex.labels))
}

/// Writes the signatures of one RRset.
fn sign_set(reply: &mut Reply<'_, '_>, set: &WrittenSet) {
    let Some(table) = reply.signing.source.table() else {
        return;
    };
    let expanded;
    let owner = if set.owner == reply.at {
        reply.qname
    } else {
        match reply.response.expand(set.owner) {
            Some(name) => {
                expanded = name;
                &expanded
            }
            None => return,
        }
    };
    let Some(signer) = Signer::of(reply, set, owner) else {
        return;
    };
    reply.response.send_no_part();
    if !signer.keys.is_usable() {
        reply.signing.is_unusable = true;
        return;
    }
    let ttl = set.ttl.min(signer.original_ttl);
    if ttl < set.ttl {
        reply.response.set_ttl(set, ttl);
    }
    let signed = SignatureSet {
        owner: owner.as_wire(),
        labels: labels(owner),
        apex: signer.apex.name.as_wire(),
        rrtype: set.rrtype,
        original_ttl: signer.original_ttl,
    };
    let slot = signer
        .keys
        .times()
        .slot(reply.client.now.0, signed.spread());
    // RRsets of more are left to those who may sign.
    let fingerprint = if set.count <= MOST_RECORDS {
        let mut fingerprint = table.fingerprints().of(&signed);
        reply
            .response
            .for_each_rdata(set, |rdata| fingerprint.add(rdata));
        fingerprint.end()
    } else {
        None
    };
    let signers = match set.rrtype {
        rrtype::DNSKEY | rrtype::CDS | rrtype::CDNSKEY => signer.keys.dnskey_signers(),
        _ => signer.keys.signers(),
    };
    let validity = signer.keys.times().validity;
    let now = u32::try_from(reply.client.now.0 & u64::from(u32::MAX)).unwrap_or_default();
    for key in signers {
        let length = WITHOUT_SIGNER + signed.apex.len();
        let found = if reply.response.room(length) == 0 {
            // It will not be written.
            None
        } else {
            let one = One {
                set,
                signed: &signed,
                slot: &slot,
                fingerprint: fingerprint.as_ref(),
                key,
            };
            one.signature(reply, table)
        };
        let found = found.unwrap_or(FoundSignature {
            expiration: slot.expiration,
            signature: [0; SIGNATURE],
        });
        let left = found.expiration.wrapping_sub(now);
        let seen = &mut reply.signing.seen;
        seen.least_left = seen.least_left.min(left);
        let by = SignatureBy {
            algorithm: key.dnskey().algorithm(),
            tag: key.dnskey().tag(),
            inception: found.expiration.wrapping_sub(validity + BEFORE),
            expiration: found.expiration,
        };
        let parts = [&signed.rrsig(&by)[..], signed.apex, &found.signature];
        let response = &mut reply.response;
        response.rdata(set.owner, rrtype::RRSIG, ttl, &parts);
    }
}

/// One signature of one RRset.
struct One<'r> {
    set: &'r WrittenSet,
    signed: &'r SignatureSet<'r>,
    slot: &'r SignatureSlot,
    fingerprint: Option<&'r Fingerprint>,
    key: &'r SigningKey,
}

impl One<'_> {
    /// The signature from the table, or made; `None` when it is neither there nor to be made.
    fn signature(
        &self,
        reply: &mut Reply<'_, '_>,
        table: &SignatureTable,
    ) -> Option<FoundSignature> {
        // The SOA record of a denial is one of few.
        let end = reply.signing.end.unwrap_or(reply.at);
        let is_endless = reply.signing.is_endless && self.set.owner == end;
        let lane = if is_endless {
            Lane::Absent
        } else {
            Lane::Existing
        };
        let dnskey = self.key.dnskey();
        let fingerprint = self
            .fingerprint
            .map(|fingerprint| fingerprint.by(dnskey.algorithm(), dnskey.tag()));
        let found = fingerprint.and_then(|fingerprint| table.get(lane, fingerprint));
        match found {
            Some(found) if found.expiration == self.slot.expiration => {
                reply.signing.seen.hits += 1;
                self.note(reply, SignatureOrigin::Found);
                return Some(found);
            }
            Some(found) if self.slot.previous == Some(found.expiration) => {
                reply.signing.seen.old += 1;
                // What is noted is what a client gets.
                if !matches!(reply.signing.source, Signatures::TableAndKeys(_)) {
                    self.note(reply, SignatureOrigin::OfLastSlot);
                    return Some(found);
                }
            }
            _ => reply.signing.seen.misses += 1,
        }
        if !reply.signing.source.makes() {
            let missing = &mut reply.signing.missing;
            // One of a name without end decides about the whole answer.
            *missing = missing
                .filter(|other| *other == Lane::Absent)
                .or(Some(lane));
            return None;
        }
        let begun = time(reply);
        let Some(found) = self.make(reply) else {
            reply.signing.is_unusable = true;
            return None;
        };
        let took = time(reply).saturating_sub(begun);
        self.note(reply, SignatureOrigin::Made(took));
        if let Some(fingerprint) = fingerprint {
            table.insert(lane, fingerprint, &found);
        }
        Some(found)
    }

    /// Makes the signature.
    #[cold]
    fn make(&self, reply: &Reply<'_, '_>) -> Option<FoundSignature> {
        let mut rdata = Vec::with_capacity(self.set.count);
        let response = &reply.response;
        response.for_each_rdata(self.set, |record| rdata.push(record.to_vec()));
        self.signed.sign(self.key, self.slot, rdata).ok()
    }

    /// Notes what came of it, where somebody wants to know.
    #[inline]
    fn note(&self, reply: &Reply<'_, '_>, origin: SignatureOrigin) {
        if let Signatures::Noted(notes) = reply.signing.source {
            let set = (self.signed.owner, self.signed.rrtype);
            notes.note(set, self.key.dnskey().tag(), origin);
        }
    }
}

/// The time, where somebody wants to know how long signatures take.
fn time(reply: &Reply<'_, '_>) -> Duration {
    match reply.signing.source {
        Signatures::Noted(notes) => notes.time(),
        _ => Duration::ZERO,
    }
}
