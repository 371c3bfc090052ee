//! What a key is at a moment, which follows from key files and the clock alone: servers that share files
//! need not agree on anything.
//!
//! ```text
//! generated ─publish─▶ published ─ready─▶ ready ─DS seen─▶ active
//!                                           its successor ready ─▶ retiring ─ active ─▶ retired ─▶ removed
//! ```

use std::fmt;

use crate::config::{KeyFile, KeyTimes};
use crate::dnssec::{Algorithm, KeyRole, KeyRoles};
use crate::model::UnixSeconds;

/// TTL of DS records that are not known: as long as a TTL of ours may be, in seconds.
const UNKNOWN_DS_TTL: u64 = 86_400;

/// The longest TTL of the records of an apex, in seconds: any service may ask for a day.
pub const LARGEST_TTL: u64 = 86_400;

/// What a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyState {
    /// Nobody sees it yet; where the algorithm changes it signs already.
    Generated,
    /// It is in the DNSKEY RRset, which not every cache has.
    Published,
    /// It signs everything, and the parent is asked for its DS record.
    Ready,
    /// Its DS record is in every cache.
    Active,
    /// Its successor signs; until the successor's DS record is in every cache, this one signs the keys.
    Retiring,
    /// It is only there for signatures that caches have.
    Retired,
    /// It is not in the DNSKEY RRset any more.
    Removed,
}

impl KeyState {
    /// All, in their order.
    pub const ALL: [Self; 7] = [
        Self::Generated,
        Self::Published,
        Self::Ready,
        Self::Active,
        Self::Retiring,
        Self::Retired,
        Self::Removed,
    ];

    /// Its name in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Generated => "generated",
            Self::Published => "published",
            Self::Ready => "ready",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Retired => "retired",
            Self::Removed => "removed",
        }
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How long what takes, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyDelays {
    /// TTL of the DNSKEY RRset.
    pub dnskey_ttl: u64,
    /// From a change of a file to all servers of the zone.
    pub propagation: u64,
}

/// What of a key its states follow from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyLife {
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// Its tag.
    pub tag: u16,
    /// Whether its private half is here.
    pub can_sign: bool,
    /// When it becomes what.
    pub times: KeyTimes,
}

impl From<&KeyFile> for KeyLife {
    fn from(key: &KeyFile) -> Self {
        Self {
            algorithm: key.dnskey.algorithm(),
            tag: key.dnskey.tag(),
            can_sign: key.private.is_some(),
            times: key.times,
        }
    }
}

impl KeyLife {
    /// When its DS record is in every cache, by what is known; never before the key itself is.
    pub fn active(&self, delays: KeyDelays) -> Option<UnixSeconds> {
        let seen = self.times.ds_seen?;
        let cached = later(seen.at, seen.ttl.saturating_add(delays.propagation));
        Some(cached.max(self.times.ready))
    }

    /// Its place among the keys of its zone, in which the later ones succeed the earlier ones.
    pub(super) fn order(&self) -> (UnixSeconds, UnixSeconds, u16) {
        (self.times.publish, self.times.created, self.tag)
    }
}

/// What a key is at a moment, and what it does then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPlace {
    /// What it is.
    pub state: KeyState,
    /// What it does.
    pub roles: KeyRoles,
}

impl KeyPlace {
    /// A key that is nowhere any more.
    const REMOVED: Self = Self {
        state: KeyState::Removed,
        roles: KeyRoles::NONE,
    };
}

/// The keys of a zone at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZonePlaces {
    /// Of each key in the order given.
    pub keys: Vec<KeyPlace>,
    /// The parent is asked to delete its DS records.
    pub asks_delete: bool,
    /// The zone has stopped to be signed, as the parent's DS records are gone from every cache.
    pub is_unsigned: bool,
}

impl ZonePlaces {
    /// What the keys of one zone are at a moment.
    pub fn at(keys: &[KeyLife], delays: KeyDelays, now: UnixSeconds) -> Self {
        let counting = counting(keys);
        let mut places: Vec<KeyPlace> = keys
            .iter()
            .map(|key| {
                if counting.contains(key) {
                    place(key, &counting, delays, now)
                } else {
                    KeyPlace::REMOVED
                }
            })
            .collect();
        let leaving = Leaving::of(keys, &places, delays);
        let is_unsigned = leaving.stops.is_some_and(|stops| stops <= now);
        if is_unsigned {
            places.fill(KeyPlace::REMOVED);
        }
        // The parent is to know one key alone: the newest that every cache has.
        let asks = |place: &KeyPlace| matches!(place.state, KeyState::Ready | KeyState::Active);
        let candidates = keys.iter().zip(&mut places);
        let candidates = candidates.filter(|(key, place)| key.can_sign && asks(place));
        if let Some((_, newest)) = candidates.max_by_key(|(key, _)| key.order()) {
            newest.roles = KeyRoles::ALL;
        }
        let asks_delete = leaving.asked.is_some_and(|asked| asked <= now);
        if asks_delete {
            // An apex around this one that is served here does as it is asked.
            for place in &mut places {
                place.roles = without_ds(place.roles);
            }
        }
        Self {
            keys: places,
            asks_delete,
            is_unsigned,
        }
    }
}

/// What a key does that the parent is to forget.
fn without_ds(roles: KeyRoles) -> KeyRoles {
    let own = [KeyRole::InDnskey, KeyRole::SignsDnskey, KeyRole::SignsRest];
    let own: Vec<_> = own.into_iter().filter(|role| roles.has(*role)).collect();
    KeyRoles::of(&own)
}

/// The keys of a zone but those of a time before it was unsigned and signed again.
fn counting(keys: &[KeyLife]) -> Vec<KeyLife> {
    let is_over = |key: &&KeyLife| {
        let (Some(unsign), Some(_)) = (key.times.unsign, key.times.ds_gone) else {
            return false;
        };
        let mut later = keys.iter().filter(|other| other.can_sign);
        later.any(|other| other.times.unsign.is_none() && other.times.created >= unsign)
    };
    keys.iter().filter(|key| !is_over(key)).copied().collect()
}

/// The end of a zone's signatures, if an operator wants it.
struct Leaving {
    /// From when on the parent is asked to delete its DS records.
    asked: Option<UnixSeconds>,
    /// When the zone stops to be signed: its DS records are gone from every cache.
    stops: Option<UnixSeconds>,
}

impl Leaving {
    /// What keys say that are these without it: all that sign must say the same.
    fn of(keys: &[KeyLife], places: &[KeyPlace], delays: KeyDelays) -> Self {
        let live = keys.iter().zip(places);
        let live = live.filter(|(key, place)| key.can_sign && place.state != KeyState::Removed);
        let live: Vec<&KeyLife> = live.map(|(key, _)| key).collect();
        let asked: Option<Vec<_>> = live.iter().map(|key| key.times.unsign).collect();
        let asked = asked.and_then(|asked| asked.into_iter().max());
        let gone = live.iter().filter_map(|key| key.times.ds_gone).min();
        let seen = live.iter().filter_map(|key| key.times.ds_seen);
        let ttl = seen.map(|seen| seen.ttl).max().unwrap_or(UNKNOWN_DS_TTL);
        let stops = gone.map(|gone| later(gone, ttl.saturating_add(delays.propagation)));
        Self {
            stops: stops.filter(|_| asked.is_some()),
            asked,
        }
    }
}

/// The next moment at which the keys of a zone are something else than at `now`, if time brings any.
pub fn next_change(keys: &[KeyLife], delays: KeyDelays, now: UnixSeconds) -> Option<UnixSeconds> {
    let times = keys.iter().flat_map(|key| {
        let KeyTimes {
            publish,
            ready,
            sign_from,
            remove,
            unsign,
            ..
        } = key.times;
        let left = remove.map(|remove| left_caches(remove, delays));
        let known = [Some(publish), Some(ready), sign_from, remove, left, unsign];
        known.into_iter().chain([key.active(delays)]).flatten()
    });
    let places = ZonePlaces::at(keys, delays, now).keys;
    let times = times.chain(Leaving::of(keys, &places, delays).stops);
    times.filter(|time| *time > now).min()
}

/// When a DNSKEY record that was removed is in no cache.
fn left_caches(remove: UnixSeconds, delays: KeyDelays) -> UnixSeconds {
    later(remove, delays.dnskey_ttl.saturating_add(delays.propagation))
}

/// A moment some seconds after another one.
pub(super) fn later(time: UnixSeconds, seconds: u64) -> UnixSeconds {
    UnixSeconds(time.0.saturating_add(seconds))
}

/// What a key is among all of its zone, and what it does; what the parent is asked for is not told here.
fn place(key: &KeyLife, keys: &[KeyLife], delays: KeyDelays, now: UnixSeconds) -> KeyPlace {
    let times = &key.times;
    if !key.can_sign {
        return foreign(times, now);
    }
    let later = keys
        .iter()
        .filter(|other| other.can_sign && other.order() > key.order());
    let is_ready = |other: &&KeyLife| other.times.ready <= now;
    let is_active = |other: &&KeyLife| other.active(delays).is_some_and(|active| active <= now);
    let is_alike = |other: &&KeyLife| other.algorithm == key.algorithm;
    // A key goes only where a later one has taken its place, whatever its own times say.
    let is_succeeded = later.clone().any(|other| is_active(&other));
    let is_replaced = is_succeeded || later.clone().any(|other| is_ready(&other));
    // By a key of another algorithm alone, every RRset needs the signatures of both.
    let is_only_one = match (is_succeeded, is_replaced) {
        (true, _) => !later
            .clone()
            .filter(is_alike)
            .any(|other| is_active(&other)),
        (false, true) => !later.clone().filter(is_alike).any(|other| is_ready(&other)),
        (false, false) => true,
    };
    let removed = times.remove.filter(|remove| *remove <= now && is_succeeded);
    let signs_early = times.sign_from.is_some_and(|from| from <= now);
    let roles = |roles: &[KeyRole]| KeyRoles::of(roles);
    let (in_dnskey, keys_too, rest) = (KeyRole::InDnskey, KeyRole::SignsDnskey, KeyRole::SignsRest);
    let signature = roles(&[rest]);
    let (state, roles) = if let Some(remove) = removed {
        // Caches may have its DNSKEY record, and then expect its signatures.
        let is_needed = is_only_one && left_caches(remove, delays) > now;
        (
            KeyState::Removed,
            if is_needed { signature } else { KeyRoles::NONE },
        )
    } else if times.publish > now {
        (
            KeyState::Generated,
            if signs_early {
                signature
            } else {
                KeyRoles::NONE
            },
        )
    } else if is_succeeded {
        let all = roles(&[in_dnskey, keys_too, rest]);
        let alone = roles(&[in_dnskey]);
        (KeyState::Retired, if is_only_one { all } else { alone })
    } else if is_replaced {
        let all = roles(&[in_dnskey, keys_too, rest, KeyRole::InParentDs]);
        let alone = roles(&[in_dnskey, keys_too, KeyRole::InParentDs]);
        (KeyState::Retiring, if is_only_one { all } else { alone })
    } else if times.ready > now {
        let early = roles(&[in_dnskey, keys_too, rest]);
        let alone = roles(&[in_dnskey, keys_too]);
        (KeyState::Published, if signs_early { early } else { alone })
    } else {
        let all = roles(&[in_dnskey, keys_too, rest, KeyRole::InParentDs]);
        let is_active = is_active(&key);
        let state = if is_active {
            KeyState::Active
        } else {
            KeyState::Ready
        };
        (state, all)
    };
    KeyPlace { state, roles }
}

/// What the key of another signer is: it is published, and its signer says when it goes.
fn foreign(times: &KeyTimes, now: UnixSeconds) -> KeyPlace {
    let is_gone = times.remove.is_some_and(|remove| remove <= now);
    let (state, roles): (_, &[KeyRole]) = if is_gone {
        (KeyState::Removed, &[])
    } else if times.publish > now {
        (KeyState::Generated, &[])
    } else {
        (KeyState::Published, &[KeyRole::InDnskey])
    };
    KeyPlace {
        state,
        roles: KeyRoles::of(roles),
    }
}
