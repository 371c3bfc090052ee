//! Whatever the octets of a request are, a response fits and decodes.

use std::net::{IpAddr, Ipv4Addr};

use hickory_proto::op::Message;
use proptest::prelude::*;

use super::{G, world};
use crate::answer::{Client, Signatures, Transport, respond};
use crate::decide::NoTrace;
use crate::model::UnixSeconds;
use crate::snapshot::{Generation, Serial};
use crate::wire::NameBuf;

/// A request with EDNS and a client subnet for a name of the world.
pub(super) fn request(name: &str, qtype: u16) -> Vec<u8> {
    let mut octets = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    octets.extend_from_slice(name.parse::<NameBuf>().unwrap().as_wire());
    octets.extend(qtype.to_be_bytes());
    octets.extend([0, 1, 0, 0, 41, 2, 0, 0, 0, 0, 0, 0, 11]);
    octets.extend([0, 8, 0, 7, 0, 1, 24, 0, 198, 51, 100]);
    octets
}

/// Requests as they should be, and some octets of them changed, cut or added.
fn requests() -> impl Strategy<Value = Vec<u8>> {
    let names =
        ["", "_http._tcp.", "a.", "_http._tcp.a.", "_tcp."].map(|prefix| format!("{prefix}{G}"));
    let others = [
        "example.com",
        "svc.r.example.com",
        "s.n.fed.svc.zb.r.example.com",
        ".",
    ];
    let names = names
        .into_iter()
        .chain(others.map(str::to_owned))
        .collect::<Vec<_>>();
    let types = proptest::sample::select(vec![1u16, 2, 5, 6, 28, 33, 43, 252, 255, 65_280]);
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    let cut = proptest::option::weighted(0.2, any::<prop::sample::Index>());
    (proptest::sample::select(names), types, changes, cut).prop_map(
        |(name, qtype, changes, cut)| {
            let mut octets = request(&name, qtype);
            for (place, octet) in changes {
                let place = place.index(octets.len());
                octets[place] = octet;
            }
            if let Some(cut) = cut {
                octets.truncate(cut.index(octets.len() + 1));
            }
            octets
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_response_fits_and_decodes(request in requests()) {
        let snapshot = world().snapshot(Generation(1), Serial(1));
        for (transport, limit) in [(Transport::Udp, 1232), (Transport::Tcp { idle: 1 }, 65_535)] {
            let client = Client { address: IpAddr::V4(Ipv4Addr::LOCALHOST), listener: None, transport, cookie: None, now: UnixSeconds(1_800_000_000), elapsed: std::time::Duration::ZERO };
            let mut out = vec![0; 65_535];
            let Some(length) = respond(&snapshot, &request, &client, Signatures::None, &mut NoTrace, &mut out).length() else {
                continue;
            };
            prop_assert!(length <= limit);
            prop_assert_eq!(&out[..2], &request[..2]);
            let decoded = Message::from_vec(&out[..length]);
            prop_assert!(decoded.is_ok(), "{:?}: {:02x?}", decoded.err(), &out[..length]);
        }
    }
}
