//! Answers of a signed apex, verified by hickory-proto.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RecordType;

use super::{G, federation, world_of};
use crate::answer::{Client, Outcome, Signatures, Transport, respond};
use crate::decide::{NoTrace, Trace};
use crate::dnssec::{Algorithm, KeyRoles, Lane, SignatureTable, SigningKey, ZoneKey, ZoneKeys};
use crate::model::UnixSeconds;
use crate::snapshot::{Generation, Serial, Snapshot, SnapshotBuilder};
use crate::wire::NameBuf;

#[path = "../../../tests/validate/mod.rs"]
pub(super) mod validate;

use validate::{TrustedZone, validate};

pub(super) const NOW: u32 = 1_800_000_000;

/// A signed world, its keys and an empty table of signatures.
pub(super) struct Signed {
    pub(super) snapshot: Snapshot,
    pub(super) zone: TrustedZone,
    pub(super) table: SignatureTable,
}

impl Signed {
    fn new(algorithm: Algorithm) -> Self {
        Self::of(world_of(federation()), algorithm)
    }

    /// A world, its one apex signed.
    pub(super) fn of(mut builder: SnapshotBuilder, algorithm: Algorithm) -> Self {
        let apex: NameBuf = "example.com".parse().unwrap();
        let key = Arc::new(SigningKey::generate(algorithm).unwrap());
        let key = ZoneKey::new(key, KeyRoles::ALL);
        let keys = ZoneKeys::new(apex.clone(), 3600, &[key]);
        let zone = TrustedZone::new("example.com.", keys.dnskey().iter().map(|key| &**key));
        builder.set_zone_keys(BTreeMap::from([(apex, Arc::new(keys))]));
        Self {
            snapshot: builder.snapshot(Generation(1), Serial(7)),
            zone,
            table: SignatureTable::new(1024, &[7; 16]),
        }
    }

    fn answer(&self, request: &[u8], makes: bool) -> (Outcome, Vec<u8>) {
        let signatures = if makes {
            Signatures::TableAndKeys(&self.table)
        } else {
            Signatures::Table(&self.table)
        };
        self.answer_at(request, signatures, NOW, &mut NoTrace)
    }

    /// Answers at a time.
    pub(super) fn answer_at(
        &self,
        request: &[u8],
        signatures: Signatures<'_>,
        now: u32,
        trace: &mut impl Trace,
    ) -> (Outcome, Vec<u8>) {
        let client = Client {
            address: [192, 0, 2, 1].into(),
            listener: None,
            transport: Transport::Tcp { idle: 0 },
            cookie: None,
            now: UnixSeconds(u64::from(now)),
            elapsed: Duration::ZERO,
        };
        let mut out = vec![0; 65_535];
        let outcome = respond(
            &self.snapshot,
            request,
            &client,
            signatures,
            trace,
            &mut out,
        );
        out.truncate(outcome.length().unwrap_or(0));
        (outcome, out)
    }

    /// Signs, verifies, and asks again: the same octets come from the table.
    fn ask(&self, name: &str, qtype: u16, compact_ok: bool) -> (Message, usize) {
        let request = request(name, qtype, true, compact_ok);
        let (_, made) = self.answer(&request, true);
        let (outcome, found) = self.answer(&request, false);
        assert_eq!(outcome, Outcome::Reply(made.len()), "{name} {qtype}");
        assert_eq!(made, found, "{name} {qtype}");
        let message = Message::from_vec(&made).unwrap();
        let signatures = validate(&message, std::slice::from_ref(&self.zone), NOW);
        let signatures = signatures.unwrap_or_else(|why| panic!("{name} {qtype}: {why}"));
        (message, signatures)
    }

    fn plain(&self, name: &str, qtype: u16) -> Message {
        let (outcome, octets) = self.answer(&request(name, qtype, false, false), false);
        assert!(outcome.length().is_some(), "{name} {qtype}: {outcome:?}");
        Message::from_vec(&octets).unwrap()
    }
}

/// A request with an OPT record.
pub(super) fn request(name: &str, qtype: u16, dnssec_ok: bool, compact_ok: bool) -> Vec<u8> {
    let name: NameBuf = name.parse().unwrap();
    let mut octets = vec![0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    octets.extend_from_slice(name.as_wire());
    octets.extend_from_slice(&qtype.to_be_bytes());
    let flags = u8::from(dnssec_ok) << 7 | u8::from(compact_ok) << 6;
    octets.extend_from_slice(&[0, 1, 0, 0, 41, 4, 208, 0, 0, flags, 0, 0, 0]);
    octets
}

/// The types in the one NSEC record of a section.
fn nsec_types(message: &Message) -> Vec<u16> {
    use hickory_proto::dnssec::rdata::DNSSECRData;
    use hickory_proto::rr::RData;
    let all = message.answers.iter().chain(&message.authorities);
    let nsec = all.filter_map(|record| match &record.data {
        RData::DNSSEC(DNSSECRData::NSEC(nsec)) => Some(nsec),
        _ => None,
    });
    let nsec: Vec<_> = nsec.collect();
    let [nsec] = nsec[..] else {
        panic!("{} NSEC records", nsec.len());
    };
    nsec.type_bit_maps().map(u16::from).collect()
}

const Z: &str = "s.n.fed.svc.zb.r.example.com";

#[test]
fn every_rrset_of_an_answer_is_signed_and_comes_from_the_table_afterwards() {
    for algorithm in Algorithm::ALL {
        let signed = Signed::new(algorithm);
        assert_eq!(signed.ask(G, 1, false).1, 1);
        // Nobody is in zone b: region, then a member there.
        let (message, signatures) = signed.ask(Z, 1, false);
        assert_eq!(message.answers[0].record_type(), RecordType::CNAME);
        assert_eq!(signatures, 2);
        assert_eq!(
            signed
                .ask("_http._tcp.s.n.fed.svc.example.com", 33, false)
                .1,
            2
        );
        for qtype in [2, 6, 48, 59, 60, 255] {
            assert!(signed.ask("example.com", qtype, false).1 >= 1, "{qtype}");
        }
        assert_eq!(signed.ask("ns1.example.com", 1, false).1, 1);
        assert_eq!(signed.ask("dns-version.example.com", 16, false).1, 1);
        assert!(signed.table.used(Lane::Existing) > 8);
        assert_eq!(signed.table.used(Lane::Absent), 0);
    }
}

#[test]
fn what_does_not_exist_is_denied_by_one_record() {
    let signed = Signed::new(Algorithm::Ed25519);
    let check = |name: &str, qtype: u16, expected: &[u16]| {
        let (message, signatures) = signed.ask(name, qtype, false);
        let code = message.metadata.response_code;
        assert_eq!(code, ResponseCode::NoError, "{name} {qtype}");
        assert_eq!(
            signatures,
            message.authorities.len() / 2 + message.answers.len() / 2
        );
        assert_eq!(nsec_types(&message), expected, "{name} {qtype}");
    };
    check("nope.n.fed.svc.example.com", 1, &[46, 47, 128]);
    check("nope.example.com", 255, &[46, 47, 128]);
    check("n.fed.svc.example.com", 1, &[46, 47]);
    check(G, 28, &[1, 46, 47]);
    check(G, 16, &[1, 46, 47]);
    check("example.com", 1, &[2, 6, 46, 47, 48, 59, 60]);
    check("example.com", 43, &[2, 6, 46, 47, 48, 59, 60]);
    check(G, 47, &[1, 46, 47]);
    check(Z, 47, &[5, 46, 47]);
    check("nope.example.com", 47, &[46, 47, 128]);
    assert!(signed.table.used(Lane::Absent) > 0);
    let (message, _) = signed.ask("nope.example.com", 1, true);
    assert_eq!(message.metadata.response_code, ResponseCode::NXDomain);
    // Without DO nothing changes.
    let message = signed.plain("nope.example.com", 1);
    assert_eq!(message.metadata.response_code, ResponseCode::NXDomain);
    assert_eq!(message.authorities.len(), 1);
    assert_eq!(signed.plain(G, 1).answers.len(), 2);
    assert_eq!(signed.plain("example.com", 48).answers.len(), 1);
}

#[test]
fn the_signature_of_the_denial_alone_and_a_type_that_cannot_be_asked_for() {
    let signed = Signed::new(Algorithm::EcdsaP256Sha256);
    let (_, octets) = signed.answer(&request(G, 46, true, false), true);
    let message = Message::from_vec(&octets).unwrap();
    let types: Vec<_> = message
        .answers
        .iter()
        .map(hickory_proto::rr::Record::record_type)
        .collect();
    assert_eq!(types, [RecordType::RRSIG]);
    let (_, octets) = signed.answer(&request(G, 128, true, false), true);
    let message = Message::from_vec(&octets).unwrap();
    assert_eq!(message.metadata.response_code, ResponseCode::FormErr);
}

#[test]
fn what_is_not_made_yet_needs_somebody_who_may_sign() {
    let signed = Signed::new(Algorithm::EcdsaP256Sha256);
    let outcome = |name: &str| signed.answer(&request(name, 1, true, false), false).0;
    assert_eq!(outcome(G), Outcome::NeedsSignature(Lane::Existing));
    let absent = outcome("nope.example.com");
    assert_eq!(absent, Outcome::NeedsSignature(Lane::Absent));
}

#[test]
fn an_apex_without_keys_answers_nothing() {
    let mut signed = Signed::new(Algorithm::Ed25519);
    let mut builder = world_of(federation());
    let apex: NameBuf = "example.com".parse().unwrap();
    let none = ZoneKeys::new(apex.clone(), 3600, &[]);
    builder.set_zone_keys(BTreeMap::from([(apex, Arc::new(none))]));
    signed.snapshot = builder.snapshot(Generation(1), Serial(7));
    for name in [G, "example.com", "nope.example.com"] {
        for is_wanted in [false, true] {
            let (_, octets) = signed.answer(&request(name, 1, is_wanted, false), true);
            let message = Message::from_vec(&octets).unwrap();
            assert_eq!(message.metadata.response_code, ResponseCode::ServFail);
            assert!(message.answers.is_empty() && message.authorities.is_empty());
        }
    }
}

#[test]
fn two_replicas_with_the_same_keys_differ_in_nothing_but_ecdsa() {
    let signed = Signed::new(Algorithm::Ed25519);
    let other = SignatureTable::new(64, &[9; 16]);
    let request = request(Z, 1, true, false);
    let (_, one) = signed.answer(&request, true);
    let other = Signed {
        table: other,
        ..signed
    };
    let (_, two) = other.answer(&request, true);
    assert_eq!(one, two);
}
