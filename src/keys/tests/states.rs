//! The states of keys over a clock that is moved.

use crate::config::{DsSeen, KeyTimes};
use crate::dnssec::{Algorithm, KeyRole};
use crate::keys::{
    DsEvidence, KeyDelays, KeyEdit, KeyLife, KeyState, LARGEST_TTL, NotNow, TendedZone, ZonePlaces,
    next_change, plan, succession,
};
use crate::model::UnixSeconds;

const DELAYS: KeyDelays = KeyDelays {
    dnskey_ttl: 3_600,
    propagation: 600,
};

/// When the first key was made.
const BORN: u64 = 1_000_000;

/// TTL of DS records.
const DS_TTL: u64 = 7_200;

fn key(algorithm: Algorithm, tag: u16, times: KeyTimes) -> KeyLife {
    KeyLife {
        algorithm,
        tag,
        can_sign: true,
        times,
    }
}

fn seen(at: u64) -> DsSeen {
    DsSeen {
        at: UnixSeconds(at),
        ttl: DS_TTL,
    }
}

/// A key whose DS record is everywhere.
fn old() -> KeyLife {
    let times = KeyTimes {
        ds_seen: Some(seen(BORN)),
        ..KeyTimes::first(UnixSeconds(BORN))
    };
    key(Algorithm::EcdsaP256Sha256, 1, times)
}

/// What a key does: in the DNSKEY RRset, signs it, signs the rest, in CDS, in the DS of an apex around.
fn roles(keys: &[KeyLife], now: u64) -> Vec<(KeyState, String)> {
    let places = ZonePlaces::at(keys, DELAYS, UnixSeconds(now));
    let all = [
        (KeyRole::InDnskey, 'd'),
        (KeyRole::SignsDnskey, 'k'),
        (KeyRole::SignsRest, 'r'),
        (KeyRole::InCds, 'c'),
        (KeyRole::InParentDs, 'p'),
    ];
    let roles = places.keys.iter().map(|place| {
        let has = all.iter().filter(|(role, _)| place.roles.has(*role));
        (place.state, has.map(|(_, letter)| *letter).collect())
    });
    roles.collect()
}

/// Asserts what each key is and does.
#[track_caller]
fn check(keys: &[KeyLife], now: u64, expected: &[(KeyState, &str)]) {
    let found = roles(keys, now);
    let found: Vec<_> = found
        .iter()
        .map(|(state, roles)| (*state, &**roles))
        .collect();
    assert_eq!(found, expected, "at {now}");
}

#[test]
fn a_key_alone_is_ready_at_once_and_active_once_its_ds_is_in_every_cache() {
    let mut first = key(Algorithm::Ed25519, 1, KeyTimes::first(UnixSeconds(BORN)));
    check(&[first], BORN - 1, &[(KeyState::Generated, "")]);
    check(&[first], BORN, &[(KeyState::Ready, "dkrcp")]);
    check(
        &[first],
        BORN + 1_000_000_000,
        &[(KeyState::Ready, "dkrcp")],
    );
    first.times.ds_seen = Some(seen(BORN + 50));
    let active = BORN + 50 + DS_TTL + 600;
    check(&[first], active - 1, &[(KeyState::Ready, "dkrcp")]);
    check(&[first], active, &[(KeyState::Active, "dkrcp")]);
    // Nothing takes a key away that has no successor.
    first.times.remove = Some(UnixSeconds(active));
    check(&[first], active + 1, &[(KeyState::Active, "dkrcp")]);
    assert_eq!(
        next_change(&[first], DELAYS, UnixSeconds(BORN)),
        Some(UnixSeconds(active))
    );
}

#[test]
fn a_roll_is_a_double_signature_over_the_keys_and_a_publication_before_use_for_the_rest() {
    use KeyState::{Active, Published, Ready, Removed, Retired, Retiring};
    let start = BORN + 100_000;
    let algorithm = Algorithm::EcdsaP256Sha256;
    let times = succession(&[old()], algorithm, DELAYS, UnixSeconds(start)).unwrap();
    let mut keys = [old(), key(algorithm, 2, times)];
    check(&keys, start, &[(Active, "dkrcp"), (Published, "dk")]);
    let ready = start + 3_600 + 600;
    check(&keys, ready - 1, &[(Active, "dkrcp"), (Published, "dk")]);
    check(&keys, ready, &[(Retiring, "dkp"), (Ready, "dkrcp")]);
    // The parent may take as long as it likes (30 days and more).
    let month = ready + 40 * 86_400;
    check(&keys, month, &[(Retiring, "dkp"), (Ready, "dkrcp")]);
    assert_eq!(next_change(&keys, DELAYS, UnixSeconds(ready)), None);
    let again = succession(&keys, algorithm, DELAYS, UnixSeconds(month));
    assert_eq!(again, Err(NotNow::Rolling(2, Ready)));

    keys[1].times.ds_seen = Some(seen(month));
    let active = month + DS_TTL + 600;
    check(&keys, active - 1, &[(Retiring, "dkp"), (Ready, "dkrcp")]);
    check(&keys, active, &[(Retired, "d"), (Active, "dkrcp")]);
    let edits = plan(&tended(&keys, DsEvidence::Nowhere), UnixSeconds(active));
    let removal = (active + 600).max(ready + LARGEST_TTL + 600);
    let remove = Some(UnixSeconds(removal));
    let times = KeyTimes {
        remove,
        ..keys[0].times
    };
    assert_eq!(edits, [KeyEdit::Times(1, times)]);
    // Not while the parent leads to it.
    for evidence in [DsEvidence::Everywhere(9), DsEvidence::Unclear] {
        assert_eq!(plan(&tended(&keys, evidence), UnixSeconds(active)), []);
    }
    keys[0].times = times;
    check(&keys, removal - 1, &[(Retired, "d"), (Active, "dkrcp")]);
    check(&keys, removal, &[(Removed, ""), (Active, "dkrcp")]);
    let month = UnixSeconds(removal + 30 * 86_400);
    let edits = plan(&tended(&keys, DsEvidence::Nowhere), month);
    assert_eq!(edits, [KeyEdit::Delete(1)]);
    assert!(succession(&keys, algorithm, DELAYS, month).is_ok());
}

#[test]
fn another_algorithm_signs_before_it_is_published_and_the_old_one_after_it_is_removed() {
    use KeyState::{Active, Generated, Published, Ready, Removed, Retired, Retiring};
    let start = BORN + 100_000;
    let times = succession(&[old()], Algorithm::Ed25519, DELAYS, UnixSeconds(start)).unwrap();
    let mut keys = [old(), key(Algorithm::Ed25519, 2, times)];
    check(&keys, start, &[(Active, "dkrcp"), (Generated, "r")]);
    let publish = start + LARGEST_TTL + 600;
    check(&keys, publish - 1, &[(Active, "dkrcp"), (Generated, "r")]);
    check(&keys, publish, &[(Active, "dkrcp"), (Published, "dkr")]);
    let ready = publish + 3_600 + 600;
    check(&keys, ready, &[(Retiring, "dkrp"), (Ready, "dkrcp")]);
    keys[1].times.ds_seen = Some(seen(ready));
    let active = ready + DS_TTL + 600;
    check(&keys, active, &[(Retired, "dkr"), (Active, "dkrcp")]);
    let remove = active + 600;
    keys[0].times.remove = Some(UnixSeconds(remove));
    check(&keys, remove, &[(Removed, "r"), (Active, "dkrcp")]);
    let end = remove + 3_600 + 600;
    check(&keys, end - 1, &[(Removed, "r"), (Active, "dkrcp")]);
    check(&keys, end, &[(Removed, ""), (Active, "dkrcp")]);
    let mut steps = Vec::new();
    let mut now = UnixSeconds(start);
    while let Some(next) = next_change(&keys, DELAYS, now) {
        steps.push(next.0);
        now = next;
    }
    assert_eq!(steps, [publish, ready, active, remove, end]);
}

#[test]
fn a_zone_is_signed_until_the_ds_records_are_in_no_cache() {
    let asked = BORN + 100_000;
    let mut leaving = old();
    leaving.times.unsign = Some(UnixSeconds(asked));
    let at = |key: KeyLife, now| ZonePlaces::at(&[key], DELAYS, UnixSeconds(now));
    assert!(!at(leaving, asked - 1).asks_delete);
    let month = asked + 30 * 86_400;
    assert!(at(leaving, month).asks_delete && !at(leaving, month).is_unsigned);
    check(&[leaving], asked - 1, &[(KeyState::Active, "dkrcp")]);
    check(&[leaving], month, &[(KeyState::Active, "dkr")]);
    assert_eq!(
        plan(
            &tended(&[leaving], DsEvidence::Everywhere(1)),
            UnixSeconds(month)
        ),
        []
    );
    let zone = TendedZone {
        has_no_ds: true,
        ..tended(&[leaving], DsEvidence::Nowhere)
    };
    let times = KeyTimes {
        ds_gone: Some(UnixSeconds(month)),
        ..leaving.times
    };
    assert_eq!(plan(&zone, UnixSeconds(month)), [KeyEdit::Times(1, times)]);
    leaving.times = times;
    let end = month + DS_TTL + 600;
    assert!(!at(leaving, end - 1).is_unsigned);
    let places = at(leaving, end);
    assert!(places.is_unsigned && places.keys[0].state == KeyState::Removed);
    let rolled = succession(&[leaving], Algorithm::Ed25519, DELAYS, UnixSeconds(month));
    assert_eq!(rolled, Err(NotNow::Unsigning));
    // Signed again, it has nothing to do with what was before.
    let again = key(Algorithm::Ed25519, 2, KeyTimes::first(UnixSeconds(end)));
    let states = [(KeyState::Removed, ""), (KeyState::Ready, "dkrcp")];
    check(&[leaving, again], end, &states);
    assert!(!ZonePlaces::at(&[leaving, again], DELAYS, UnixSeconds(end)).asks_delete);
}

#[test]
fn a_ds_record_counts_once_all_servers_of_the_parent_have_it() {
    let first = key(Algorithm::Ed25519, 1, KeyTimes::first(UnixSeconds(BORN)));
    let now = UnixSeconds(BORN + 9);
    for evidence in [
        DsEvidence::Unasked,
        DsEvidence::Unclear,
        DsEvidence::Nowhere,
    ] {
        assert_eq!(plan(&tended(&[first], evidence), now), []);
    }
    let times = KeyTimes {
        ds_seen: Some(seen(BORN + 9)),
        ..first.times
    };
    let edits = plan(&tended(&[first], DsEvidence::Everywhere(DS_TTL)), now);
    assert_eq!(edits, [KeyEdit::Times(1, times)]);
}

#[test]
fn a_key_is_replaced_at_its_age_and_one_of_another_signer_never() {
    let day = 86_400;
    let aged = |keys: &[KeyLife], now| {
        let zone = TendedZone {
            age: Some(90 * day),
            ..tended(keys, DsEvidence::Everywhere(DS_TTL))
        };
        plan(&zone, UnixSeconds(now))
    };
    assert_eq!(aged(&[old()], BORN + 90 * day - 1), []);
    let edits = aged(&[old()], BORN + 90 * day);
    let [KeyEdit::Succeed(Algorithm::EcdsaP256Sha256, times)] = edits[..] else {
        panic!("{edits:?}");
    };
    assert_eq!(times.publish, UnixSeconds(BORN + 90 * day));
    let both = [old(), key(Algorithm::EcdsaP256Sha256, 2, times)];
    assert_eq!(
        aged(&both, BORN + 91 * day)[..].len(),
        1,
        "the DS record alone"
    );
    let foreign = KeyLife {
        can_sign: false,
        ..key(Algorithm::Ed25519, 9, KeyTimes::first(UnixSeconds(BORN)))
    };
    let now = BORN + 90 * day;
    check(
        &[foreign, old()],
        now,
        &[(KeyState::Published, "d"), (KeyState::Active, "dkrcp")],
    );
    let edits = aged(&[foreign], now);
    assert_eq!(edits, []);
}

/// A zone of which the parent says the same of every key.
fn tended(keys: &[KeyLife], evidence: DsEvidence) -> TendedZone<'static> {
    let keys: Vec<_> = keys.iter().map(|key| (*key, evidence)).collect();
    TendedZone {
        keys: keys.leak(),
        has_no_ds: false,
        algorithm: Algorithm::default(),
        age: None,
        delays: DELAYS,
    }
}
