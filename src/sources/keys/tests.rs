//! Tending, with name servers of the zone above that say what a test has them say.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::NULL;
use hickory_proto::rr::{RData, Record, RecordType};
use parking_lot::Mutex;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{KeyKeeper, KeysOfConfig, KeysTold, KnownKeys, tend};
use crate::config::{KeyFile, KeyTimes, Rollover, ZoneSigning};
use crate::dnssec::{Algorithm, DsDigest, Lane, MadeSignatures, SignatureTimes, SigningLimits};
use crate::keys::{KeyDelays, KeyEdit, KeysLock, StoredKeys};
use crate::telemetry::{Metrics, clock};
use crate::wire::NameBuf;

/// The DS records of a server, which says nothing while there is `None`.
type Says = Arc<Mutex<Option<Vec<Vec<u8>>>>>;

/// A name server of the zone above, which runs as long as the set is there.
async fn parent(tasks: &mut JoinSet<()>) -> (SocketAddr, Says) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let says = Says::default();
    let told = Arc::clone(&says);
    tasks.spawn(async move {
        let mut octets = [0; 512];
        loop {
            let (length, client) = socket.recv_from(&mut octets).await.unwrap();
            let mut message = Message::from_vec(&octets[..length]).unwrap();
            let records = told.lock().clone();
            message.metadata.message_type = MessageType::Response;
            message.metadata.authoritative = true;
            let name = message.queries[0].name().clone();
            match records {
                None => message.metadata.response_code = ResponseCode::ServFail,
                Some(records) => {
                    for rdata in records {
                        let data = RData::Unknown {
                            code: RecordType::DS,
                            rdata: NULL::with(rdata),
                        };
                        message.add_answer(Record::from_rdata(name.clone(), 7_200, data));
                    }
                }
            }
            socket
                .send_to(&message.to_vec().unwrap(), client)
                .await
                .unwrap();
        }
    });
    (address, says)
}

fn zone() -> NameBuf {
    "example.com".parse().unwrap()
}

/// The only key of a folder.
fn only_key(folder: &Path) -> KeyFile {
    let keys = StoredKeys::read(folder).unwrap();
    assert_eq!(keys.0.len(), 1);
    keys.0[0].key.clone()
}

#[tokio::test]
async fn a_ds_record_counts_once_every_server_has_it_and_is_gone_once_none_has_any() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("keys");
    let mut tasks = JoinSet::new();
    let (first, first_says) = parent(&mut tasks).await;
    let (second, second_says) = parent(&mut tasks).await;
    let config = KeysOfConfig {
        folder: folder.clone(),
        delays: KeyDelays {
            dnskey_ttl: 3_600,
            propagation: 0,
        },
        times: SignatureTimes::default(),
        tend: None,
        zones: vec![(
            zone(),
            ZoneSigning {
                algorithm: Algorithm::Ed25519,
                rollover: Rollover::Manual,
                parent: vec![first, second],
            },
        )],
    };
    assert_eq!(tend(&config, true).await.unwrap(), [""; 0]);
    let lock = KeysLock::take(&folder).unwrap();
    let none = StoredKeys::default();
    let made = KeyEdit::Succeed(Algorithm::Ed25519, KeyTimes::first(clock::now()));
    lock.apply(&none, &zone(), &[made]).unwrap();
    assert_eq!(
        tend(&config, false).await.unwrap(),
        [""; 0],
        "another one tends"
    );
    drop(lock);
    let key = only_key(&folder);
    let ds = key.dnskey.ds(&zone(), DsDigest::Sha256);
    let foreign = [&[0, 1, 13, 2][..], &[7; 32]].concat();

    // Neither silence nor one server of two is evidence, nor is the record of another key.
    let silent = tend(&config, true).await.unwrap();
    assert_eq!(silent.len(), 2, "{silent:?}");
    assert!(
        silent[0].starts_with(&format!("example.com: parent {first}: ")),
        "{silent:?}"
    );
    *first_says.lock() = Some(vec![ds.clone()]);
    assert_eq!(tend(&config, true).await.unwrap().len(), 1);
    *second_says.lock() = Some(vec![foreign.clone()]);
    assert_eq!(tend(&config, true).await.unwrap(), [""; 0]);
    assert_eq!(only_key(&folder).times.ds_seen, None);

    *second_says.lock() = Some(vec![foreign, key.dnskey.ds(&zone(), DsDigest::Sha384)]);
    let done = tend(&config, true).await.unwrap();
    assert_eq!(
        done,
        [format!("{}: its DS record is at the parent", key.label())]
    );
    let seen = only_key(&folder).times.ds_seen.unwrap();
    assert_eq!(seen.ttl, 7_200);
    assert_eq!(tend(&config, true).await.unwrap(), [""; 0], "once");

    let lock = KeysLock::take(&folder).unwrap();
    let leaving = KeyTimes {
        unsign: Some(clock::now()),
        ..only_key(&folder).times
    };
    let tag = key.dnskey.tag();
    let stored = lock.keys().unwrap();
    lock.apply(&stored, &zone(), &[KeyEdit::Times(tag, leaving)])
        .unwrap();
    drop(lock);
    *first_says.lock() = Some(Vec::new());
    assert_eq!(tend(&config, true).await.unwrap(), [""; 0]);
    *second_says.lock() = Some(Vec::new());
    let done = tend(&config, true).await.unwrap();
    assert_eq!(
        done,
        [format!(
            "{}: the DS records at the parent are gone",
            key.label()
        )]
    );
    assert!(only_key(&folder).times.ds_gone.is_some());
}

#[test]
fn the_rrsets_of_keys_are_signed_before_anybody_asks() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("keys");
    let lock = KeysLock::take(&folder).unwrap();
    let made = KeyEdit::Succeed(Algorithm::Ed25519, KeyTimes::first(clock::now()));
    lock.apply(&StoredKeys::default(), &zone(), &[made])
        .unwrap();
    let config = KeysOfConfig {
        folder,
        delays: KeyDelays {
            dnskey_ttl: 3_600,
            propagation: 3_600,
        },
        times: SignatureTimes::default(),
        tend: Some(false),
        zones: vec![(
            zone(),
            ZoneSigning {
                algorithm: Algorithm::Ed25519,
                rollover: Rollover::Manual,
                parent: Vec::new(),
            },
        )],
    };
    let signatures = Arc::new(MadeSignatures::new(SigningLimits::of_cores(1), [1; 16]));
    let told = KeysTold {
        keys: watch::channel(Arc::default()).0,
        troubles: watch::channel(None).0,
        signatures: Arc::clone(&signatures),
    };
    let mut keeper = KeyKeeper::new(config, KnownKeys::default());
    assert!(signatures.if_made().is_none());
    let now = clock::now();
    keeper.look(now);
    keeper.tell(&told, &Metrics::new(), now);
    assert!(told.troubles.borrow().as_ref().unwrap().is_empty());
    // DNSKEY, CDS and CDNSKEY.
    assert_eq!(signatures.table().used(Lane::Existing), 3);
}
