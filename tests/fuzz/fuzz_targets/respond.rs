//! Any octets get a response that fits, keeps its id and decodes, or none: the built-in example is
//! asked.
#![no_main]

mod decode;

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use decode::decode;
use gazetteer::answer::{Client, NoTrace, Prepared, Signatures, Transport, respond};
use gazetteer::config::{Source, facts, load};
use gazetteer::model::{MemberIdx, MemberState, UnixSeconds};
use gazetteer::snapshot::{Generation, Serial, Settings, Snapshot, SnapshotBuilder};
use gazetteer::wire::{ClientCookie, CookieSecrets, Qname};
use libfuzzer_sys::fuzz_target;

static SNAPSHOT: LazyLock<Snapshot> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../zones/demo.toml");
    let config = load(Path::new(path)).expect("the example is right");
    let mut builder = SnapshotBuilder::new(config.fleet.clone(), Settings::default());
    for (member, source) in (0..).map(MemberIdx).zip(&config.sources) {
        let Source::File { path } = &source.source else {
            panic!("the example needs files alone");
        };
        for (name, service) in facts::load(path).expect("the example is right") {
            builder.upsert(member, &name, service.into());
        }
        let mut status = builder.status(member).expect("a member").clone();
        status.state = MemberState::Ready;
        builder.set_status(member, status);
    }
    builder.snapshot(Generation(1), Serial(1))
});

/// Who asks.
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// What the cookie of a request is worth.
fn cookie(request: &[u8], client: IpAddr) -> Option<ClientCookie> {
    let mut qname = Qname::new();
    let sent = Prepared::new(&SNAPSHOT, request, &mut qname).sent_cookie()?;
    CookieSecrets::new([[7; 16]]).judge(&sent, client, 1_800_000_000)
}

fuzz_target!(|request: &[u8]| {
    for (transport, limit) in [(Transport::Udp, 1232), (Transport::Tcp { idle: 1 }, 65_535)] {
        let client = Client {
            address: CLIENT,
            listener: None,
            transport,
            cookie: cookie(request, CLIENT),
            now: UnixSeconds(1_800_000_000),
            elapsed: Duration::ZERO,
        };
        let mut out = [0; 65_535];
        let signatures = Signatures::None;
        let trace = &mut NoTrace;
        let outcome = respond(&SNAPSHOT, request, &client, signatures, trace, &mut out);
        let Some(length) = outcome.length() else {
            continue;
        };
        assert!(length <= limit, "{length} octets");
        assert_eq!(out[..2], request[..2], "another id");
        decode(&out[..length]);
    }
});
