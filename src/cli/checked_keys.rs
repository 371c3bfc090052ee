//! What `check --live` is told of keys.

use super::keys_list::{delays, shown};
use crate::config::Config;
use crate::dnssec::{DsDigest, KeyRole};
use crate::keys::{KeysError, PlacedKeys, StoredKeys};
use crate::operate::{CheckedKey, CheckedKeys};
use crate::telemetry::clock;

/// The keys of the zones that are to be signed, as they are now.
pub(super) fn read(config: &Config) -> Result<Vec<CheckedKeys>, KeysError> {
    let stored = StoredKeys::read(&config.dnssec.keys)?;
    let zones = config.signed_zones().map(|(zone, _)| {
        let placed = PlacedKeys::at(&stored, zone, delays(config), clock::now());
        let keys = placed.keys.iter().zip(&placed.places.keys);
        let keys = keys.map(|(stored, place)| {
            let key = &stored.key.dnskey;
            let digests = [DsDigest::Sha256, DsDigest::Sha384];
            CheckedKey {
                name: format!("{}/{}", key.algorithm().number(), key.tag()),
                ds: digests.map(|digest| key.ds(zone, digest)).to_vec(),
                signs_keys: place.roles.has(KeyRole::SignsDnskey),
                is_asked: place.roles.has(KeyRole::InCds),
            }
        });
        CheckedKeys {
            zone: shown(zone),
            keys: keys.collect(),
            is_leaving: placed.places.asks_delete,
            is_unsigned: placed.places.is_unsigned,
        }
    });
    Ok(zones.collect())
}
