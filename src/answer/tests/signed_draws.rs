//! That clients make no signatures without end where a draw gives each network other addresses.

use std::net::IpAddr;
use std::sync::Arc;

use super::signed::{NOW, Signed};
use super::{federation, label, member, name, service};
use crate::answer::{Outcome, Signatures};
use crate::decide::{NoTrace, Trace};
use crate::dnssec::{Algorithm, Lane};
use crate::model::{
    Federation, Fleet, MemberIdx, MemberState, MemberStatus, NamespacedName, Policy,
};
use crate::snapshot::{Settings, SnapshotBuilder};

/// Counts signatures that were not there.
#[derive(Default)]
struct Missed(u32);

impl Trace for Missed {
    fn signatures(&mut self, [_, _, missed]: [u32; 3], _least_left: u32, _is_absent: bool) {
        self.0 += missed;
    }
}

/// 60 members, of which an answer has eight addresses.
fn drawing() -> SnapshotBuilder {
    let members: Vec<_> = (0..60)
        .map(|number| member(&format!("m{number}"), "r", &format!("z{number}")))
        .collect();
    let fleet = Fleet {
        federations: vec![Federation {
            policy: Policy::Spread,
            max_addresses: Some(8),
            ..federation()
        }],
        members: members.into(),
        ..Fleet::default()
    };
    let mut builder = SnapshotBuilder::new(Arc::new(fleet), Settings::default());
    let other = NamespacedName {
        namespace: label("n"),
        name: label("other"),
    };
    for number in 0..60 {
        let index = MemberIdx(number);
        let status = MemberStatus {
            state: MemberState::Ready,
            ..builder.status(index).unwrap().clone()
        };
        builder.set_status(index, status);
        builder.upsert(index, &name(), service([203, 0, 113, number], 1, 80));
        if number < 8 {
            builder.upsert(index, &other, service([203, 0, 113, number], 1, 80));
        }
    }
    builder
}

/// A request for A records with DO and a client subnet of 24 bits.
fn of_network(service: &str, network: [u8; 3]) -> Vec<u8> {
    let service = format!("{service}.n.fed.svc.example.com");
    let mut octets = super::signed::request(&service, 1, true, false);
    let end = octets.len() - 2;
    octets.truncate(end);
    octets.extend_from_slice(&[0, 11, 0, 8, 0, 7, 0, 1, 24, 0]);
    octets.extend_from_slice(&network);
    octets
}

#[test]
fn a_hundred_thousand_networks_make_256_signatures_of_a_drawing_at_most() {
    let signed = Signed::of(drawing(), Algorithm::Ed25519);
    let (worker, signer) = (
        Signatures::Table(&signed.table),
        Signatures::TableAndKeys(&signed.table),
    );
    let mut made = Missed::default();
    let mut drawn = std::collections::BTreeSet::new();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..100_000 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let [a, b, c, ..] = state.to_be_bytes();
        let asked = of_network("s", [a, b, c]);
        let (outcome, _) = signed.answer_at(&asked, worker, NOW, &mut NoTrace);
        match outcome {
            Outcome::Reply(_) => {}
            Outcome::NeedsSignature(Lane::Existing) => {
                let (_, octets) = signed.answer_at(&asked, signer, NOW, &mut made);
                let message = hickory_proto::op::Message::from_vec(&octets).unwrap();
                let records = message.answers.iter();
                let mut addresses: Vec<IpAddr> =
                    records.filter_map(|record| record.data.ip_addr()).collect();
                addresses.sort();
                assert_eq!(addresses.len(), 8);
                drawn.insert(addresses);
            }
            other => panic!("{other:?}"),
        }
    }
    // They differ, or there would be nothing to bound.
    assert!((200..=256).contains(&made.0), "{}", made.0);
    assert_eq!(drawn.len(), usize::try_from(made.0).unwrap());
    assert_eq!(signed.table.used(Lane::Existing), drawn.len());
    // A service of as many addresses as an answer has needs one.
    let mut made = Missed::default();
    for octet in 0..=255 {
        let asked = of_network("other", [10, 0, octet]);
        signed.answer_at(&asked, signer, NOW, &mut made);
    }
    assert_eq!(made.0, 1);
}
