//! What is to be done with the keys of a zone at a moment: the same however often it is asked.

use super::state::{KeyDelays, KeyLife, KeyState, LARGEST_TTL, ZonePlaces, later};
use crate::config::{DsSeen, KeyTimes};
use crate::dnssec::Algorithm;
use crate::model::UnixSeconds;

/// How long the file of a removed key is kept, in seconds.
const KEPT: u64 = 30 * 86_400;

/// What the servers of the zone above say of a DS record, all of them together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DsEvidence {
    /// There is nobody to be asked.
    Unasked,
    /// Somebody does not answer, or they do not agree.
    Unclear,
    /// All have it, for so many seconds in caches.
    Everywhere(u64),
    /// All answer, and nobody has it.
    Nowhere,
}

/// What is known of a zone when it is looked after.
#[derive(Debug, Clone, Copy)]
pub struct TendedZone<'z> {
    /// Its keys, each with what is said of its DS record.
    pub keys: &'z [(KeyLife, DsEvidence)],
    /// Whether all servers of the zone above answer, and have no DS record of it at all.
    pub has_no_ds: bool,
    /// The algorithm of the next key.
    pub algorithm: Algorithm,
    /// At what age a key is replaced, in seconds; `None`: when an operator says so.
    pub age: Option<u64>,
    /// How long what takes.
    pub delays: KeyDelays,
}

/// One thing to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyEdit {
    /// The key with this tag gets other times.
    Times(u16, KeyTimes),
    /// The file of the key with this tag goes.
    Delete(u16),
    /// A successor is made.
    Succeed(Algorithm, KeyTimes),
}

/// Why a zone can have no successor of its key now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    /// It has no key: make the first.
    #[error("there is no key to be replaced; make one with `gazetteer keys generate`")]
    NoKey,
    /// The last roll goes on: wait for its end.
    #[error("one roll at a time, and the key {0} is {1}, not yet active alone")]
    Rolling(u16, KeyState),
    /// Its signatures are to go.
    #[error("the zone is to be unsigned")]
    Unsigning,
}

/// What is to be done at a moment.
pub fn plan(zone: &TendedZone<'_>, now: UnixSeconds) -> Vec<KeyEdit> {
    let lives: Vec<KeyLife> = zone.keys.iter().map(|(key, _)| *key).collect();
    let places = ZonePlaces::at(&lives, zone.delays, now);
    let is_kept_no_more = |removed| later(removed, KEPT) <= now;
    let mut edits = Vec::new();
    for ((key, evidence), place) in zone.keys.iter().zip(&places.keys) {
        let times = key.times;
        if places.is_unsigned || !key.can_sign {
            continue;
        }
        if places.asks_delete {
            if times.unsign.is_some() && times.ds_gone.is_none() && zone.has_no_ds {
                let ds_gone = Some(now);
                edits.push(KeyEdit::Times(key.tag, KeyTimes { ds_gone, ..times }));
            }
            continue;
        }
        match (place.state, evidence) {
            (KeyState::Ready, DsEvidence::Everywhere(ttl)) if times.ds_seen.is_none() => {
                let ds_seen = Some(DsSeen { at: now, ttl: *ttl });
                edits.push(KeyEdit::Times(key.tag, KeyTimes { ds_seen, ..times }));
            }
            (KeyState::Retired, DsEvidence::Unasked | DsEvidence::Nowhere)
                if times.remove.is_none() =>
            {
                if let Some(remove) = removal(key, &lives, zone.delays, now) {
                    // Signatures that caches expect are counted from here.
                    let remove = Some(remove.max(now));
                    edits.push(KeyEdit::Times(key.tag, KeyTimes { remove, ..times }));
                }
            }
            (KeyState::Removed, _) if times.remove.is_some_and(is_kept_no_more) => {
                edits.push(KeyEdit::Delete(key.tag));
            }
            _ => {}
        }
    }
    let oldest = |age: u64| {
        let mut signing = lives.iter().zip(&places.keys);
        signing.any(|(key, place)| {
            place.state == KeyState::Active && later(key.times.created, age) <= now
        })
    };
    if zone.age.is_some_and(oldest)
        && let Ok(times) = succession(&lives, zone.algorithm, zone.delays, now)
    {
        edits.push(KeyEdit::Succeed(zone.algorithm, times));
    }
    edits
}

/// The times of a successor of the key of a zone, made at a moment.
pub fn succession(
    keys: &[KeyLife],
    algorithm: Algorithm,
    delays: KeyDelays,
    now: UnixSeconds,
) -> Result<KeyTimes, NotNow> {
    let places = ZonePlaces::at(keys, delays, now);
    if places.asks_delete {
        return Err(NotNow::Unsigning);
    }
    let own = keys.iter().zip(&places.keys);
    let live = own.filter(|(key, place)| key.can_sign && place.state != KeyState::Removed);
    let live: Vec<_> = live.collect();
    match live.as_slice() {
        [] => Err(NotNow::NoKey),
        [(key, place)] if place.state == KeyState::Active => {
            Ok(new_times(algorithm != key.algorithm, delays, now))
        }
        [.., (key, place)] => {
            let last = live.iter().max_by_key(|(key, _)| key.order());
            let (key, place) = last.map_or((*key, *place), |(key, place)| (*key, *place));
            Err(NotNow::Rolling(key.tag, place.state))
        }
    }
}

/// The times of a successor. One of another algorithm signs before it is published, until every cache has
/// its signatures (RFC 6781 section 4.1.4).
fn new_times(is_other_algorithm: bool, delays: KeyDelays, now: UnixSeconds) -> KeyTimes {
    let sign_from = is_other_algorithm.then_some(now);
    let publish = if is_other_algorithm {
        later(now, LARGEST_TTL.saturating_add(delays.propagation))
    } else {
        now
    };
    KeyTimes {
        publish,
        ready: later(
            publish,
            delays.dnskey_ttl.saturating_add(delays.propagation),
        ),
        sign_from,
        ..KeyTimes::first(now)
    }
}

/// From when on no cache has a signature that needs this key, nor a DS record that leads to it alone.
fn removal(
    key: &KeyLife,
    keys: &[KeyLife],
    delays: KeyDelays,
    now: UnixSeconds,
) -> Option<UnixSeconds> {
    let successors = keys.iter().filter(|other| {
        other.can_sign && other.order() > key.order() && other.times.ds_seen.is_some()
    });
    let successor = successors.min_by_key(|other| other.order())?;
    let signs = later(successor.times.ready, LARGEST_TTL);
    let mut end = successor.active(delays)?.max(signs);
    if successor.algorithm != key.algorithm {
        // While a cache has its DS record beside the successor's, validators that fear a downgrade want
        // signatures of both algorithms.
        let ttl = successor.times.ds_seen.map_or(0, |seen| seen.ttl);
        end = end.max(later(now, ttl));
    }
    Some(later(end, delays.propagation))
}
