//! What explanations say of signatures.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hickory_proto::rr::RecordType;

use super::signed::{NOW, Signed};
use super::world;
use crate::answer::{SignatureNotes, explain};
use crate::dnssec::Algorithm;
use crate::model::UnixSeconds;

/// A clock that goes on by 17 µs whenever it is read.
fn clock() -> Duration {
    static READ: AtomicU64 = AtomicU64::new(0);
    Duration::from_micros(17 * READ.fetch_add(1, Ordering::Relaxed))
}

/// The lines of a signed world on a name, with the tag of its key taken out.
fn lines(signed: &Signed, name: &str, rrtype: RecordType, now: u32) -> Vec<String> {
    let notes = SignatureNotes::new(&signed.table, clock);
    let client = (IpAddr::from([192, 0, 2, 1]), None);
    let explanation = explain(
        &signed.snapshot,
        &name.parse().unwrap(),
        rrtype,
        client,
        UnixSeconds(now.into()),
        Some(&notes),
    );
    let text = explanation.to_string();
    for line in &explanation.signatures {
        assert!(text.lines().any(|other| other == line), "{line}\n{text}");
    }
    let all = explanation.signatures.into_iter();
    let without_tag = all.map(|line| match line.split_once(" by 15/") {
        Some((before, after)) => {
            let (_, after) = after.split_once(' ').unwrap();
            // When a signature is due follows from a hash.
            let (until, after) = after.split_once(", original").unwrap();
            assert!(until.starts_with("until 2027-01-"), "{until}");
            assert!(
                until.contains("Z (3d") || until.ends_with("Z (2d23h)"),
                "{until}"
            );
            format!("{before} by 15/TAG, original{after}")
        }
        None => line,
    });
    without_tag.collect()
}

#[test]
fn an_explanation_says_what_is_signed_by_whom_and_where_that_came_from() {
    let signed = Signed::of(world(), Algorithm::Ed25519);
    let zone = "s.n.fed.svc.zb.r.example.com";
    let said = |origin: &str| {
        let alias = format!("signed  CNAME {zone}. by 15/TAG, original TTL 30, {origin}");
        let address = "signed  A s.n.fed.svc.r.example.com. by 15/TAG, original TTL 30, ";
        [alias, format!("{address}{origin}")]
    };
    assert_eq!(
        lines(&signed, zone, RecordType::A, NOW),
        said("made in 17us")
    );
    assert_eq!(lines(&signed, zone, RecordType::A, NOW), said("found"));
}

#[test]
fn the_signature_of_the_last_slot_is_told_and_no_other_is_made_for_it() {
    let signed = Signed::of(world(), Algorithm::Ed25519);
    let name = "s.n.fed.svc.example.com";
    lines(&signed, name, RecordType::A, NOW);
    let used = |now| lines(&signed, name, RecordType::A, now).concat();
    let old = (NOW..NOW + 86_400).step_by(600);
    let old = old.filter(|now| used(*now).ends_with(", of the last slot"));
    assert_eq!(old.count(), 6, "for an hour");
}

#[test]
fn an_explanation_says_what_is_denied() {
    let signed = Signed::of(world(), Algorithm::Ed25519);
    let denied = |name: &str, rrtype| {
        let said = lines(&signed, name, rrtype, NOW).into_iter();
        let mut denied = said.filter(|line| line.starts_with("denies"));
        denied.next().unwrap()
    };
    assert_eq!(
        denied("nope.example.com", RecordType::A),
        "denies  NSEC nope.example.com. [RRSIG NSEC NXNAME], absent"
    );
    assert_eq!(
        denied("svc.example.com", RecordType::A),
        "denies  NSEC svc.example.com. [RRSIG NSEC], an empty non-terminal"
    );
    assert_eq!(
        denied("s.n.fed.svc.example.com", RecordType::TXT),
        "denies  NSEC s.n.fed.svc.example.com. [A RRSIG NSEC], no such type"
    );
    assert_eq!(
        denied("s.n.fed.svc.zb.r.example.com", RecordType::NSEC),
        "denies  NSEC s.n.fed.svc.zb.r.example.com. [CNAME RRSIG NSEC], an alias"
    );
    assert_eq!(
        denied("example.com", RecordType::A),
        "denies  NSEC example.com. [NS SOA RRSIG NSEC DNSKEY CDS CDNSKEY], no such type"
    );
}
