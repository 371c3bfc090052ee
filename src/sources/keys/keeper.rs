//! The keys as they were last right, and what they are now.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::process::{Resource, Rlimit, setrlimit};
use tracing::{error, info, warn};

use super::settings::{KeysOfConfig, KeysTold};
use crate::dnssec::MadeSignatures;
use crate::keys::{
    KeyPlace, KeyState, KeysByZone, PlacedKeys, StoredKeys, fingerprint, next_change,
};
use crate::model::UnixSeconds;
use crate::model::limits::Limit;
use crate::telemetry::{KeyTimesShown, Metrics};
use crate::wire::NameBuf;

/// How long a roll waits for the parent before that is said, in seconds.
const PATIENCE: u64 = 3 * 86_400;

/// The keys that were last right, which outlive another configuration.
pub type KnownKeys = Arc<Mutex<Option<Arc<StoredKeys>>>>;

/// Keeps the keys as they were last right.
#[derive(Debug)]
pub struct KeyKeeper {
    config: KeysOfConfig,
    known: KnownKeys,
    /// What the folder held when it was last looked at.
    seen: Option<u64>,
    /// Why that is not taken.
    refused: Vec<String>,
    /// The limit that was exceeded, until it is counted.
    exceeded: Option<&'static Limit>,
    /// What keys were when it was last told.
    places: BTreeMap<NameBuf, TellingPlaces>,
    /// Keys that do not sign.
    failing: Vec<String>,
    /// What was wrong when it was last told.
    troubles: Vec<String>,
}

/// What keys of a zone were: tags and places, whether the parent is asked to delete, and whether it is
/// unsigned.
type TellingPlaces = (Vec<(u16, KeyPlace)>, bool, bool);

impl KeyKeeper {
    /// Of a configuration, with the keys known from before.
    pub fn new(config: KeysOfConfig, known: KnownKeys) -> Self {
        Self {
            config,
            known,
            seen: None,
            refused: Vec::new(),
            exceeded: None,
            places: BTreeMap::new(),
            failing: Vec::new(),
            troubles: Vec::new(),
        }
    }

    /// What of the configuration keys depend on.
    pub(super) fn config(&self) -> &KeysOfConfig {
        &self.config
    }

    /// Looks at the folder, and takes what it holds if that is right. Blocks.
    pub fn look(&mut self, now: UnixSeconds) {
        let print = fingerprint(&self.config.folder);
        // What is refused may be right at another time.
        if self.seen.is_some() && self.seen == print && self.refused.is_empty() {
            return;
        }
        self.seen = print;
        let before = self.known.lock().clone();
        let read = StoredKeys::read(&self.config.folder);
        let refused: Vec<String> = match read {
            Ok(new) => {
                let missing = before.and_then(|old| self.missing(&old, &new, now));
                if missing.is_none() {
                    forbid_core_files();
                    info!(folder = %self.config.folder.display(), keys = new.0.len(), "keys read");
                    *self.known.lock() = Some(Arc::new(new));
                }
                missing.into_iter().collect()
            }
            Err(error) => {
                self.exceeded = error.limit().filter(|_| self.refused.is_empty());
                error.to_string().lines().map(str::to_owned).collect()
            }
        };
        if !refused.is_empty() && refused != self.refused {
            for line in &refused {
                error!("{line}");
            }
            let folder = self.config.folder.display();
            error!(%folder, "keys rejected, those in memory stay in force");
        }
        self.refused = refused;
    }

    /// A key that is in use and gone.
    fn missing(&self, old: &StoredKeys, new: &StoredKeys, now: UnixSeconds) -> Option<String> {
        let zones = self.config.zones.iter();
        let mut missing = zones.filter_map(|(zone, _)| {
            let placed = PlacedKeys::at(old, zone, self.config.delays, now);
            if placed.places.is_unsigned {
                return None;
            }
            let missing = placed.missing_in(new)?;
            let path = missing.path.display();
            Some(format!(
                "{path}: {} is in use and its file is gone",
                missing.key.label()
            ))
        });
        missing.next()
    }

    /// Tells what keys are now, if that is news.
    pub fn tell(&mut self, told: &KeysTold, metrics: &Metrics, now: UnixSeconds) {
        if let Some(limit) = self.exceeded.take() {
            metrics.limit_exceeded(limit);
        }
        let known = self.known.lock().clone();
        let mut keys = KeysByZone::new();
        let mut places = BTreeMap::new();
        let mut troubles = self.refused.clone();
        let mut shown = KeyTimesShown::default();
        for (zone, _) in &self.config.zones {
            let name = zone.to_string();
            let name = name.trim_end_matches('.');
            let Some(known) = &known else {
                troubles.push(format!(
                    "zone {name}: no key could be read, so it is not answered"
                ));
                shown.unusable += 1;
                continue;
            };
            let placed = PlacedKeys::at(known, zone, self.config.delays, now);
            let signed_with = placed.zone_keys(zone, self.config.delays);
            if signed_with.as_ref().is_some_and(|keys| !keys.is_usable()) {
                troubles.push(format!(
                    "zone {name} is to be signed and has no key; gazetteer keys generate {name}"
                ));
                shown.unusable += 1;
            }
            troubles.extend(placed.clock_troubles(now));
            for (stored, (life, place)) in placed
                .keys
                .iter()
                .zip(placed.lives.iter().zip(&placed.places.keys))
            {
                let times = &life.times;
                let removes = times.remove.filter(|_| place.state == KeyState::Retired);
                for (step, time) in [
                    ("publish", Some(times.publish)),
                    ("ready", Some(times.ready)),
                    ("active", life.active(self.config.delays)),
                    ("remove", removes),
                ] {
                    shown.until(step, time, now);
                }
                if place.state == KeyState::Ready && times.ds_seen.is_none() {
                    shown.waits(times.ready, now);
                    let is_roll = placed
                        .places
                        .keys
                        .iter()
                        .any(|it| it.state == KeyState::Retiring);
                    let waited = now.0.saturating_sub(times.ready.0);
                    if is_roll && waited > PATIENCE {
                        troubles.push(format!(
                            "{}: has waited {} days for its DS record at the parent; gazetteer keys ds {name}",
                            stored.key.label(),
                            waited / 86_400
                        ));
                    }
                }
            }
            let tags = placed.keys.iter().map(|stored| stored.key.dnskey.tag());
            let those = tags.zip(placed.places.keys.iter().copied()).collect();
            let all = &placed.places;
            places.insert(zone.clone(), (those, all.asks_delete, all.is_unsigned));
            let times = self.config.times;
            let signed_with = signed_with.map(|keys| Arc::new(keys.with_times(times)));
            keys.insert(zone.clone(), signed_with);
        }
        shown.refused = !self.refused.is_empty();
        metrics.show_keys(&shown);
        let is_news = places != self.places || told.keys.borrow().len() != keys.len();
        if is_news {
            self.failing = sign_ahead(&keys, &told.signatures, now);
        }
        troubles.extend_from_slice(&self.failing);
        for trouble in &troubles {
            if !self.troubles.contains(trouble) && !self.refused.contains(trouble) {
                warn!("{trouble}");
            }
        }
        if troubles != self.troubles || told.troubles.borrow().is_none() {
            told.troubles.send_replace(Some(Arc::new(troubles.clone())));
        }
        self.troubles = troubles;
        if is_news {
            self.say(&places);
            self.places = places;
            told.keys.send_replace(Arc::new(keys));
        }
    }

    /// Says which keys have become what.
    fn say(&self, places: &BTreeMap<NameBuf, TellingPlaces>) {
        for (zone, (keys, asks_delete, is_unsigned)) in places {
            let before = self.places.get(zone);
            let name = zone.to_string();
            let zone = name.trim_end_matches('.');
            for (tag, place) in keys {
                let was = before.and_then(|(keys, ..)| keys.iter().find(|(was, _)| was == tag));
                if was.is_none_or(|(_, was)| was.state != place.state) {
                    info!(zone, tag, state = %place.state, "key");
                }
            }
            if *asks_delete && !before.is_some_and(|(_, asked, _)| *asked) {
                info!(zone, "the parent is asked to delete its DS records");
            }
            if *is_unsigned && !before.is_some_and(|(.., was)| *was) {
                warn!(
                    zone,
                    "the zone is not signed any more: take `dnssec` out of its [[zone]]"
                );
            }
        }
    }

    /// When time alone changes what a key is next.
    pub(super) fn next_change(&self, now: UnixSeconds) -> Option<UnixSeconds> {
        let known = self.known.lock().clone()?;
        let zones = self.config.zones.iter();
        let changes = zones.filter_map(|(zone, _)| {
            let placed = PlacedKeys::at(&known, zone, self.config.delays, now);
            next_change(&placed.lives, self.config.delays, now)
        });
        changes.min()
    }
}

/// Signs the RRsets of keys before anybody asks for them; returns what is wrong with keys that do not sign.
fn sign_ahead(keys: &KeysByZone, signatures: &MadeSignatures, now: UnixSeconds) -> Vec<String> {
    let signed = keys.values().flatten();
    let failing = signed.filter_map(|keys| {
        let failing = keys.sign_own(signatures.table(), now.0).err()?;
        let zone = keys.apex().to_string();
        Some(format!("zone {}: {failing}", zone.trim_end_matches('.')))
    });
    failing.collect()
}

/// Keeps what this process has in memory out of core files, now that it has keys. One octet is less than any
/// core file has, and is what the kernel takes as a word not to feed one to a program either (`core(5)` has
/// no other for pipes).
fn forbid_core_files() {
    let limit = Rlimit {
        current: Some(1),
        maximum: Some(1),
    };
    if let Err(error) = setrlimit(Resource::Core, limit) {
        warn!(%error, "core files of this process cannot be forbidden");
    }
}
