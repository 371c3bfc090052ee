//! The keys of zones on their way to snapshots.

use std::sync::Arc;

use super::fixture::{Running, after, config};
use crate::config::{Rollover, ZoneSettings, ZoneSigning};
use crate::dnssec::{Algorithm, KeyRoles, SigningKey, ZoneKey, ZoneKeys};
use crate::keys::KeysByZone;
use crate::publish::OperatorCommand;
use crate::wire::{NameBuf, Qname};

fn apex() -> NameBuf {
    "example.com".parse().unwrap()
}

/// Whether the zone is signed, and then whether its keys are usable.
async fn signed(running: &Running) -> Option<bool> {
    let snapshot = running.settled().await;
    let (index, _) = snapshot.apexes().find(&Qname::from_name(&apex())).unwrap();
    snapshot.zone_keys(index).map(ZoneKeys::is_usable)
}

#[tokio::test(start_paused = true)]
async fn keys_are_published_also_while_answers_are_frozen_and_a_zone_without_is_not_usable() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&["a"], folder.path());
    let signing = ZoneSigning {
        algorithm: Algorithm::default(),
        rollover: Rollover::Manual,
        parent: Vec::new(),
    };
    config.zones = vec![ZoneSettings {
        file: None,
        apex: apex(),
        signing: Some(signing),
        allow: None,
    }];
    let running = Running::start(config.clone());
    assert_eq!(signed(&running).await, Some(false), "never unsigned");
    let key = SigningKey::generate(Algorithm::Ed25519).unwrap();
    let key = ZoneKey::new(Arc::new(key), KeyRoles::ALL);
    let keys = Arc::new(ZoneKeys::new(apex(), 3_600, &[key]));
    let tell = |keys| {
        let told = KeysByZone::from([(apex(), keys)]);
        running.keys.send_replace(Arc::new(told));
    };
    tell(Some(Arc::clone(&keys)));
    assert_eq!(signed(&running).await, Some(true));
    let freeze = OperatorCommand::Freeze { lasting: None };
    running.ask(freeze).await.unwrap();
    tell(None);
    assert_eq!(signed(&running).await, None, "unsigned on purpose");
    tell(Some(keys));
    assert_eq!(signed(&running).await, Some(true));
    running.ask(OperatorCommand::Thaw).await.unwrap();
    assert_eq!(signed(&running).await, Some(true));
    // A configuration without the zone has it unsigned.
    config.zones.clear();
    running.handle.configs.send(Arc::new(config)).await.unwrap();
    after(1_000).await;
    assert_eq!(signed(&running).await, None);
    running.stop().await;
}
