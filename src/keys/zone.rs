//! What a zone is signed with at a moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::folder::{StoredKey, StoredKeys};
use super::state::{KeyDelays, KeyLife, KeyPlace, KeyState, ZonePlaces};
use crate::config::DnssecSettings;
use crate::dnssec::{KeyRole, ZoneKey, ZoneKeys};
use crate::model::UnixSeconds;
use crate::wire::NameBuf;

/// How far the clock may be behind a time in the key files, in seconds: clocks of two hosts differ.
const AHEAD: u64 = 60;

/// What each zone that is to be signed is signed with; `None` for one that has been unsigned.
pub type KeysByZone = BTreeMap<NameBuf, Option<Arc<ZoneKeys>>>;

impl From<&DnssecSettings> for KeyDelays {
    fn from(settings: &DnssecSettings) -> Self {
        Self {
            dnskey_ttl: settings.dnskey_ttl.as_secs(),
            propagation: settings.propagation.as_secs(),
        }
    }
}

/// The keys of a zone, with what each is.
#[derive(Debug)]
pub struct PlacedKeys<'k> {
    /// The keys, the later ones after the earlier ones.
    pub keys: Vec<&'k StoredKey>,
    /// What their states follow from.
    pub lives: Vec<KeyLife>,
    /// What they are.
    pub places: ZonePlaces,
}

impl<'k> PlacedKeys<'k> {
    /// Those of a zone at a moment.
    pub fn at(
        keys: &'k StoredKeys,
        zone: &'k NameBuf,
        delays: KeyDelays,
        now: UnixSeconds,
    ) -> Self {
        let mut keys: Vec<&StoredKey> = keys.of(zone).collect();
        keys.sort_by_key(|stored| KeyLife::from(&stored.key).order());
        let lives: Vec<KeyLife> = keys.iter().map(|it| KeyLife::from(&it.key)).collect();
        let places = ZonePlaces::at(&lives, delays, now);
        Self {
            keys,
            lives,
            places,
        }
    }

    /// What the zone is signed with; `None` once it is unsigned. Without a key that signs, the keys are not
    /// usable.
    pub fn zone_keys(&self, zone: &NameBuf, delays: KeyDelays) -> Option<ZoneKeys> {
        if self.places.is_unsigned {
            return None;
        }
        let keys = self.keys.iter().zip(&self.places.keys);
        let keys: Vec<ZoneKey> = keys
            .map(|(stored, place)| ZoneKey {
                dnskey: stored.key.dnskey.clone(),
                private: stored.key.private.clone(),
                roles: place.roles,
            })
            .collect();
        let ttl = u32::try_from(delays.dnskey_ttl).unwrap_or(u32::MAX);
        let keys = ZoneKeys::new(zone.clone(), ttl, &keys);
        Some(if self.places.asks_delete {
            keys.with_delete_request()
        } else {
            keys
        })
    }

    /// What tells that the clock is behind: keys that were written, or whose DS record was seen, later than now.
    pub fn clock_troubles(&self, now: UnixSeconds) -> Vec<String> {
        let ahead = self.keys.iter().zip(&self.lives).filter_map(|(stored, life)| {
            let times = &life.times;
            let seen = times.ds_seen.map_or(times.created, |seen| seen.at);
            let newest = seen.max(times.created).0;
            (newest > now.0 + AHEAD).then(|| {
                format!(
                    "{}: written {} s from now: the clock is behind, and keys are taken for what they were",
                    stored.key.label(),
                    newest - now.0
                )
            })
        });
        ahead.collect()
    }

    /// The key that the parent is asked for.
    pub fn asked(&self) -> Option<&'k StoredKey> {
        let mut keys = self.keys.iter().zip(&self.places.keys);
        let asked = keys.find(|(_, place)| place.roles.has(KeyRole::InCds));
        asked.map(|(stored, _)| *stored)
    }

    /// A key without which answers in caches, or those that are given, would not be trusted; and that is not
    /// among `others`.
    pub fn missing_in(&self, others: &StoredKeys) -> Option<&'k StoredKey> {
        let is_used = |place: &KeyPlace| {
            let signs = place.roles.has(KeyRole::SignsRest);
            signs || (KeyState::Ready..KeyState::Removed).contains(&place.state)
        };
        let mut used = self.keys.iter().zip(&self.places.keys);
        let missing = used.find(|(stored, place)| {
            let key = &stored.key;
            let is_same = |other: &&StoredKey| {
                other.key.dnskey == key.dnskey
                    && other.key.private.is_some() == key.private.is_some()
            };
            let mut there = others.of(&key.zone);
            is_used(place) && there.find(is_same).is_none()
        });
        missing.map(|(stored, _)| *stored)
    }
}
