//! Keys, and which zones are signed.

use std::path::Path;
use std::time::Duration;

use super::bad::{after, check};
use super::good::{EVERY_KEY, good};
use crate::config::{KeyFile, KeyTimes, Rollover, ZoneSettings, ZoneSigning, parse_key};
use crate::dnssec::{Algorithm, SigningKey};
use crate::model::UnixSeconds;

#[test]
fn every_key_of_dnssec_reaches_its_setting() {
    let config = good(EVERY_KEY);
    let dnssec = &config.dnssec;
    let hours = |hours: u64| Duration::from_secs(3_600 * hours);
    assert_eq!(dnssec.keys, Path::new("etc/dnssec-keys"));
    assert_eq!((dnssec.validity, dnssec.refresh), (hours(120), hours(36)));
    assert_eq!(dnssec.propagation, Duration::from_secs(600));
    assert_eq!(dnssec.dnskey_ttl, hours(2));
    assert_eq!((dnssec.cache, dnssec.signers), (4096, 2));
    assert_eq!((dnssec.absent_signatures, dnssec.tend), (500, Some(false)));
    let parent = ["192.0.2.1:53", "[2001:db8::1]:5353"];
    let signing = ZoneSigning {
        algorithm: Algorithm::Ed25519,
        rollover: Rollover::Every(hours(90 * 24)),
        parent: parent.map(|address| address.parse().unwrap()).into(),
    };
    let zone = ZoneSettings {
        file: Some("etc/example.com.zone".into()),
        apex: "example.com".parse().unwrap(),
        signing: Some(signing),
        allow: Some(vec!["192.0.2.0/24".parse().unwrap()]),
    };
    assert_eq!(config.zones, [zone]);
}

#[test]
fn without_a_word_keys_are_in_the_state_folder_and_nothing_is_signed() {
    let config = good("version = \"v1\"\nstate-dir = \"state\"");
    assert_eq!(config.dnssec.keys, Path::new("etc/state/keys"));
    assert_eq!(config.dnssec.validity, Duration::from_secs(4 * 86_400));
    assert_eq!(config.signed_zones().count(), 0);
    let config = good(&after("[[zone]]\napex = \"example.com\"\ndnssec = {}"));
    let (apex, signing) = config.signed_zones().next().unwrap();
    assert_eq!(apex.to_string(), "example.com.");
    assert_eq!(signing.algorithm, Algorithm::EcdsaP256Sha256);
    assert_eq!(
        (signing.rollover, signing.parent.len()),
        (Rollover::Manual, 0)
    );
}

#[test]
fn a_wrong_dnssec_is_refused() {
    check(&[
        (
            after("[dnssec]\nvalidity = \"1d\"\nrefresh = \"1d\""),
            &["7:12: validity 1d is less than twice refresh 1d"],
        ),
        (
            after("[dnssec]\nrefresh = \"3d\""),
            &["7:11: validity 4d is less than twice refresh 3d"],
        ),
        (
            after(
                "[dnssec]\nvalidity = \"31d\"\nrefresh = \"59m\"\ndnskey-ttl = \"2d\"\npropagation = \"x\"",
            ),
            &[
                "7:12: validity \"31d\": must be between 2h and 30d",
                "8:11: refresh \"59m\": must be between 1h and 15d",
                "9:14: dnskey-ttl \"2d\": must be between 0s and 1d",
                "10:15: propagation \"x\": expected a duration such as 30s or 1m30s",
            ],
        ),
        (
            after(
                "[dnssec]\nkeys = \"\"\ncache = 1\nsigners = 0\nabsent-signatures = \"9\"\ntend = 1\nkey = 1",
            ),
            &[
                "7:8: keys \"\": must not be empty",
                "8:9: cache 1: must be between 1024 and 16777216",
                "9:11: signers 0: must be between 1 and 256",
                "10:21: absent-signatures: expected a whole number, found a string",
                "11:8: tend: expected true or false, found a whole number",
                "12:1: unknown key \"key\"; did you mean \"keys\"?",
            ],
        ),
    ]);
}

#[test]
fn a_wrong_zone_is_refused() {
    check(&[
        (after("[[zone]]\ndnssec = {}"), &["6:1: apex: required"]),
        (
            after("[[zone]]\napex = \"example.com\"\n[[zone]]\napex = \"Example.com\""),
            &["9:8: zone \"example.com.\": there already, line 7"],
        ),
        (
            after("[[zone]]\napex = \"example.org\"\ndnsec = {}"),
            &[
                "7:8: zone \"example.org.\": no federation is served there",
                "8:1: unknown key \"dnsec\"; did you mean \"dnssec\"?",
            ],
        ),
        (
            after(
                "[[zone]]\napex = \"example.com\"\ndnssec = { algorithm = \"RSASHA256\", rollover = \"1d\", parent = [\"ns.example\"] }",
            ),
            &[
                "8:24: algorithm \"RSASHA256\": expected one of ECDSAP256SHA256, ED25519",
                "8:48: rollover \"1d\": must be between 7d and 3650d",
                "8:64: parent \"ns.example\": expected an address and port such as 127.0.0.1:53 or [::1]:53",
            ],
        ),
        (
            after("[[zone]]\napex = \"example.com\"\ndnssec = { rollover = \"never\" }"),
            &["8:23: rollover \"never\": expected manual, or an age such as 90d"],
        ),
    ]);
}

/// A key file that is right, and the key in it.
fn key_file() -> (String, KeyFile) {
    let private = SigningKey::generate(Algorithm::EcdsaP256Sha256).unwrap();
    let key = KeyFile {
        zone: "example.com".parse().unwrap(),
        dnskey: private.dnskey().clone(),
        private: Some(private.into()),
        times: KeyTimes::first(UnixSeconds(1_795_736_035)),
    };
    (key.text().unwrap().to_string(), key)
}

/// The problems of a key file, without its path, one on a line.
fn problems(text: &str) -> String {
    let problems = parse_key(text, Path::new("a.key.toml")).expect_err(text);
    let problems = problems.iter().map(|problem| format!("{problem}\n"));
    problems.collect::<String>().replace("a.key.toml:", "")
}

#[test]
fn a_key_file_comes_back() {
    let (text, mut key) = key_file();
    let head = "version = \"v1\"\nzone = \"example.com\"\nalgorithm = \"ECDSAP256SHA256\"\ntag = ";
    assert!(text.starts_with(head), "{text}");
    assert!(
        text.contains("\ncreated = 2026-11-26T23:33:55Z\n"),
        "{text}"
    );
    let again = parse_key(&text, Path::new("a.key.toml")).unwrap();
    assert_eq!(again.dnskey, key.dnskey);
    assert_eq!((&again.zone, again.times), (&key.zone, key.times));
    assert!(again.private.is_some());
    let later = |seconds: u64| Some(UnixSeconds(1_795_736_035 + seconds));
    key.times.sign_from = later(0);
    key.times.ds_seen = later(1).map(|at| crate::config::DsSeen { at, ttl: 86_400 });
    key.times.remove = later(2);
    key.times.unsign = later(3);
    key.times.ds_gone = later(4);
    key.private = None;
    let text = key.text().unwrap();
    assert!(!text.contains("PRIVATE"), "{}", *text);
    let again = parse_key(&text, Path::new("a.key.toml")).unwrap();
    assert_eq!((again.dnskey, again.times), (key.dnskey, key.times));
    assert!(again.private.is_none());
}

#[test]
fn a_wrong_key_file_is_refused_with_its_place_and_without_its_secret() {
    let (text, key) = key_file();
    let tag = key.dnskey.tag();
    let other = tag ^ 1;
    let secret: Vec<&str> = text.lines().filter(|line| line.len() == 64).collect();
    let check = |text: &str, expected: &str| {
        let found = problems(text);
        assert!(found.contains(expected), "{found}");
        assert!(
            !secret.iter().any(|line| found.contains(&line[..16])),
            "{found}"
        );
    };
    check(
        &text.replace(&format!("tag = {tag}"), &format!("tag = {other}")),
        &format!("4:7: tag {other}: the key in this file has the tag {tag}"),
    );
    check(
        &text.replace("ECDSAP256SHA256", "ED25519"),
        "8:11: private: not a private key of ED25519 in PKCS#8",
    );
    let cut = text.replace("-----END PRIVATE KEY-----\n", "");
    check(
        &cut,
        "8:11: private: truncated PEM: no -----END PRIVATE KEY-----",
    );
    let short = text.replace(secret[1], "");
    check(&short, "8:11: private: ");
    check(&text[..text.len() - 8], "invalid multi-line basic string");
    check(
        &text.replace("\npublish = 2026", "\npublish = 2025"),
        "6:11: publish: before created\n",
    );
    check(
        &text.replace("\nready = 2026-11-26T23:33:55Z", "\nready = 2026-11-26"),
        "7:9: ready \"2026-11-26\": expected a time such as 2026-11-27T20:00:00Z\n",
    );
    check(
        &text.replace("\nready = ", "\nds-seen = "),
        "1:1: ds-seen: requires ds-ttl\n1:1: ready: required\n",
    );
    check(
        &format!("{text}public = \"AAAA\"\n"),
        "1:1: give either private or public\n",
    );
    check(
        &format!("{text}privat = \"x\"\n"),
        "unknown key \"privat\"; did you mean \"private\"?\n",
    );
}
