//! A signed apex over sockets: who signs, and from where it is answered.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use arc_swap::ArcSwap;
use gazetteer::dnssec::{Algorithm, KeyRoles, SigningKey, ZoneKey, ZoneKeys};
use gazetteer::serve::{Guard, MadeSignatures, SigningLimits, bind};
use gazetteer::snapshot::{Generation, Serial, Snapshot};
use gazetteer::telemetry::Counters;
use gazetteer::wire::{CookieSecrets, NameBuf};
use tokio::runtime::Runtime;

use crate::fixture::{PATIENCE, listen};
use crate::world;

/// The world, signed.
fn signed() -> Snapshot {
    let mut builder = world::builder();
    let apex: NameBuf = "example.com".parse().unwrap();
    let key = SigningKey::generate(Algorithm::EcdsaP256Sha256).unwrap();
    let key = ZoneKey::new(Arc::new(key), KeyRoles::ALL);
    let keys = ZoneKeys::new(apex.clone(), 3600, &[key]);
    builder.set_zone_keys(BTreeMap::from([(apex, Arc::new(keys))]));
    builder.snapshot(Generation(1), Serial(1))
}

/// A query for SOA records with DO.
fn request(id: u8, name: &str) -> Vec<u8> {
    let name: NameBuf = name.parse().unwrap();
    let mut octets = vec![0, id, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    octets.extend_from_slice(name.as_wire());
    octets.extend_from_slice(&[0, 6, 0, 1, 0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 0]);
    octets
}

#[test]
fn a_signed_reply_leaves_from_the_address_asked_and_is_found_afterwards() {
    let counters = Counters::default();
    let snapshots = Arc::new(ArcSwap::from_pointee(signed()));
    let signatures = Arc::new(MadeSignatures::new(SigningLimits::of_cores(1), [3; 16]));
    for address in ["0.0.0.0:0", "127.0.0.1:0"] {
        let sockets = bind(&listen(&[address])).unwrap();
        let guard = Arc::new(Guard::new(CookieSecrets::default()));
        let guards = (&signatures, &guard);
        let serving = sockets.run(&snapshots, &counters, guards).unwrap();
        let port = serving.addresses()[0].port();
        let asked = match address {
            "0.0.0.0:0" => Ipv4Addr::new(127, 0, 0, 2),
            _ => Ipv4Addr::LOCALHOST,
        };
        let server = SocketAddr::new(IpAddr::V4(asked), port);
        // What is connected takes replies from that address alone.
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(server).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut replies = Vec::new();
        for name in ["example.com", "absent.example.com", "example.com"] {
            client.send(&request(7, name)).unwrap();
            let mut reply = [0; 1232];
            let length = client.recv(&mut reply).unwrap();
            replies.push(reply[..length].to_vec());
        }
        let records = |reply: &[u8]| [reply[7], reply[9]];
        assert_eq!(records(&replies[0]), [2, 0]);
        assert_eq!(records(&replies[1]), [0, 4]);
        assert_eq!(replies[0], replies[2]);
        Runtime::new().unwrap().block_on(serving.shutdown());
    }
    let totals = counters.totals();
    assert!(totals.signatures_made[0] >= 1 && totals.signatures_made[1] >= 1);
    // The second service finds what the first one made.
    assert!(totals.signatures_found[0] >= 5, "{totals:?}");
    assert_eq!(totals.signatures_refused, [0, 0]);
    assert_eq!(totals.queries, [6, 0]);
}
