//! Verifies the signatures of a response with hickory-proto, apart from the code that made them.

use std::collections::BTreeSet;

use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, RRSIG};
use hickory_proto::dnssec::{Algorithm, PublicKeyBuf, Verifier};
use hickory_proto::op::Message;
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::BinEncodable;

/// The type DNAME (RFC 6672), which hickory-proto has no name for.
const DNAME: u16 = 39;

/// The canonical form of the largest RRset that hickory-proto verifies.
const MOST_OCTETS: usize = 65_000;

/// The keys of a zone that a test trusts.
#[derive(Debug, Clone)]
pub(crate) struct TrustedZone {
    /// The zone.
    pub(crate) apex: Name,
    /// Its keys, by their tags.
    keys: Vec<(u16, DNSKEY)>,
}

impl TrustedZone {
    /// A zone with these DNSKEY records, given as their rdata.
    pub(crate) fn new<'k>(apex: &str, rdata: impl IntoIterator<Item = &'k [u8]>) -> Self {
        let keys = rdata.into_iter().map(|rdata| {
            let flags = u16::from_be_bytes([rdata[0], rdata[1]]);
            let algorithm = Algorithm::from_u8(rdata[3]);
            let key = PublicKeyBuf::new(rdata[4..].to_vec(), algorithm);
            let key = DNSKEY::with_flags(flags, key);
            (key.calculate_key_tag().expect("a key has a tag"), key)
        });
        Self {
            apex: Name::from_ascii(apex).expect("an apex"),
            keys: keys.collect(),
        }
    }
}

/// Verifies every RRset of the zones in a response at the time `now`: in the answer and authority
/// sections each has a signature, in the additional section all have one or none is there. Returns how
/// many signatures there are, or what is wrong.
pub(crate) fn validate(
    message: &Message,
    zones: &[TrustedZone],
    now: u32,
) -> Result<usize, String> {
    let mut count = 0;
    let cuts: Vec<Name> = (message.authorities.iter())
        .filter(|record| record.record_type() == RecordType::NS)
        .map(|record| record.name.to_lowercase())
        .filter(|owner| zones.iter().all(|zone| zone.apex != *owner))
        .collect();
    let renamed: Vec<Name> = (message.answers.iter())
        .filter(|record| u16::from(record.record_type()) == DNAME)
        .map(|record| record.name.to_lowercase())
        .collect();
    for section in [&message.answers, &message.authorities, &message.additionals] {
        let owner_and_type = |record: &Record| (record.name.to_lowercase(), record.record_type());
        let sets: BTreeSet<_> = section.iter().map(owner_and_type).collect();
        for (owner, rrtype) in sets {
            if matches!(rrtype, RecordType::RRSIG | RecordType::OPT) {
                continue;
            }
            // What is of the zone below a cut, and what a DNAME record makes, is not signed.
            let is_of_cut = matches!(rrtype, RecordType::DS | RecordType::NSEC);
            if cuts.iter().any(|cut| cut.zone_of(&owner) && !is_of_cut)
                || renamed
                    .iter()
                    .any(|above| *above != owner && above.zone_of(&owner))
                    && rrtype == RecordType::CNAME
            {
                continue;
            }
            // DS records, and what stands in their place, are of the zone above.
            let is_asked_of_parent = message
                .queries
                .first()
                .is_some_and(|query| query.query_type() == RecordType::DS);
            let is_parent = |zone: &&TrustedZone| {
                is_asked_of_parent && owner != zone.apex && rrtype != RecordType::SOA
            };
            let around = zones.iter().filter(|zone| zone.apex.zone_of(&owner));
            let around = around.max_by_key(|zone| (is_parent(zone), zone.apex.num_labels()));
            let Some(zone) = around else { continue };
            let of_set = |record: &&Record| owner_and_type(record) == (owner.clone(), rrtype);
            let set: Vec<Record> = section.iter().filter(of_set).cloned().collect();
            let set: Vec<Record> = set
                .into_iter()
                .map(|mut record| {
                    record.name = owner.clone();
                    record
                })
                .collect();
            let signatures = section
                .iter()
                .filter(|record| record.name.to_lowercase() == owner);
            let signatures = signatures.filter_map(|record| Some((record.ttl, rrsig(record)?)));
            let signatures: Vec<_> = signatures
                .filter(|(_, rrsig)| rrsig.input().type_covered == rrtype)
                .collect();
            if signatures.is_empty() {
                return Err(format!("{owner} {rrtype} has no signature"));
            }
            for (ttl, signature) in signatures {
                verify(zone, (&owner, &set), (ttl, signature), now)?;
                count += 1;
            }
        }
    }
    Ok(count)
}

/// The RRSIG record that a record is.
pub(crate) fn rrsig(record: &Record) -> Option<&RRSIG> {
    match &record.data {
        RData::DNSSEC(DNSSECRData::RRSIG(rrsig)) => Some(rrsig),
        _ => None,
    }
}

/// Verifies one signature of an RRset.
fn verify(
    zone: &TrustedZone,
    (owner, set): (&Name, &[Record]),
    (ttl, signature): (u32, &RRSIG),
    now: u32,
) -> Result<(), String> {
    let input = signature.input();
    let rrtype = input.type_covered;
    let wrong = |what: &str| Err(format!("{owner} {rrtype}: {what}"));
    if input.signer_name != zone.apex {
        return wrong(&format!("signed by {}", input.signer_name));
    }
    if set
        .iter()
        .any(|record| record.ttl != ttl || ttl > input.original_ttl)
    {
        return wrong("its TTL is not that of its signature, or over the original one");
    }
    let (begin, end) = (input.sig_inception.get(), input.sig_expiration.get());
    if !(begin <= now && now <= end) {
        return wrong(&format!("signed from {begin} to {end}, and it is {now}"));
    }
    // More than this verifier takes, as others do.
    let length = |record: &Record| record.data.to_bytes().map_or(0, |rdata| rdata.len());
    let owner_length = owner.to_bytes().map_or(0, |name| name.len());
    let octets: usize = set.iter().map(|one| owner_length + 10 + length(one)).sum();
    if octets > MOST_OCTETS {
        return Ok(());
    }
    let of_tag = |(tag, _): &&(u16, DNSKEY)| *tag == input.key_tag;
    let Some((_, key)) = zone.keys.iter().find(of_tag) else {
        return wrong(&format!("signed by an unknown key {}", input.key_tag));
    };
    match key.verify_rrsig(owner, DNSClass::IN, signature, set.iter()) {
        Ok(()) => Ok(()),
        Err(error) => wrong(&format!("{error}")),
    }
}
