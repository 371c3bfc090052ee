//! How old signatures become while the clock goes on.

use hickory_proto::op::Message;

use super::signed::validate::validate;
use super::signed::{NOW, Signed, request};
use super::{label, service, world};
use crate::answer::{Outcome, Signatures};
use crate::decide::{NoTrace, Trace};
use crate::dnssec::Algorithm;
use crate::model::{MemberIdx, NamespacedName};

const HOUR: u32 = 3_600;
const DAY: u32 = 24 * HOUR;

/// Names that are asked for all the time.
const NAMES: u32 = 24;

/// What is seen of signatures.
#[derive(Default)]
struct Seen {
    found: [u32; 3],
    least_left: u32,
}

impl Trace for Seen {
    fn signatures(&mut self, found: [u32; 3], least_left: u32, _is_absent: bool) {
        (self.found, self.least_left) = (found, least_left);
    }
}

/// A signed world with many services.
fn many() -> Signed {
    let mut builder = world();
    for number in 0..NAMES {
        let name = NamespacedName {
            namespace: label("n"),
            name: label(&format!("s{number}")),
        };
        builder.upsert(MemberIdx(0), &name, service([203, 0, 113, 7], 1, 80));
    }
    Signed::of(builder, Algorithm::Ed25519)
}

#[test]
fn hot_names_are_renewed_before_three_days_are_left() {
    let signed = many();
    let asked: Vec<_> = (0..NAMES)
        .map(|number| request(&format!("s{number}.n.fed.svc.example.com"), 1, true, false))
        .collect();
    let (worker, signer) = (
        Signatures::Table(&signed.table),
        Signatures::TableAndKeys(&signed.table),
    );
    let mut renewed = 0;
    for now in (NOW..NOW + 5 * DAY).step_by(1_777) {
        for request in &asked {
            let mut seen = Seen::default();
            let (outcome, octets) = signed.answer_at(request, worker, now, &mut seen);
            let octets = match outcome {
                Outcome::Reply(_) => octets,
                Outcome::ReplyAndRenew(_) => {
                    renewed += 1;
                    signed.answer_at(request, signer, now, &mut NoTrace);
                    octets
                }
                _ => {
                    let made = signed.answer_at(request, signer, now, &mut seen);
                    assert_eq!(now, NOW, "a name that is asked for never waits again");
                    made.1
                }
            };
            assert!(seen.least_left >= 3 * DAY - HOUR, "{}", seen.least_left);
            if now % 8 == 0 {
                let message = Message::from_vec(&octets).unwrap();
                let zones = std::slice::from_ref(&signed.zone);
                assert_eq!(validate(&message, zones, now), Ok(1));
            }
        }
    }
    // Once a day each: looks come more often than an hour passes.
    assert_eq!(renewed, 5 * NAMES);
}

#[test]
fn the_signature_of_the_last_slot_is_served_while_the_new_one_is_made() {
    let signed = Signed::of(world(), Algorithm::EcdsaP256Sha256);
    let asked = request("s.n.fed.svc.example.com", 1, true, false);
    let (worker, signer) = (
        Signatures::Table(&signed.table),
        Signatures::TableAndKeys(&signed.table),
    );
    let (_, first) = signed.answer_at(&asked, signer, NOW, &mut NoTrace);
    // The first time at which it is old.
    let outcome = |now| signed.answer_at(&asked, worker, now, &mut NoTrace);
    let is_old = |now: &u32| outcome(*now).0 != Outcome::Reply(first.len());
    let due = (NOW..=NOW + DAY).step_by(60).find(is_old).unwrap();
    let due = (due - 60..=due).find(is_old).unwrap();
    let (old, octets) = outcome(due);
    assert_eq!(old, Outcome::ReplyAndRenew(first.len()));
    assert_eq!(octets, first);
    assert_eq!(outcome(due + HOUR - 1).1, first);
    // Then it counts as missing.
    let lane = crate::dnssec::Lane::Existing;
    assert_eq!(outcome(due + HOUR).0, Outcome::NeedsSignature(lane));
    let mut seen = Seen::default();
    let (_, second) = signed.answer_at(&asked, signer, due, &mut seen);
    assert_eq!((seen.found, seen.least_left), ([0, 1, 0], 4 * DAY));
    assert_ne!(second, first);
    assert_eq!(outcome(due), (Outcome::Reply(second.len()), second));
}
