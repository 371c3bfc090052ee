//! Key files on disk: what is written comes back, and what is wrong is refused whole.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use crate::config::{DnssecSettings, KeyFile, KeyTimes};
use crate::dnssec::{Algorithm, SigningKey};
use crate::keys::{
    KeyDelays, KeyEdit, KeysError, KeysLock, PlacedKeys, StoredKeys, bind_pair, fingerprint,
    import, pem_file, write_private,
};
use crate::model::UnixSeconds;
use crate::wire::NameBuf;

fn zone() -> NameBuf {
    "example.com".parse().unwrap()
}

/// A new key made at a time.
fn key(algorithm: Algorithm, at: u64) -> KeyFile {
    let private = SigningKey::generate(algorithm).unwrap();
    KeyFile {
        zone: zone(),
        dnskey: private.dnskey().clone(),
        private: Some(private.into()),
        times: KeyTimes::first(UnixSeconds(at)),
    }
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Why a folder is refused, without its path.
fn refusal(folder: &Path) -> String {
    let error = StoredKeys::read(folder).unwrap_err().to_string();
    error.replace(&format!("{}/", folder.display()), "")
}

#[test]
fn keys_are_written_for_their_user_alone_and_come_back() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("keys");
    assert!(StoredKeys::read(&folder).unwrap().0.is_empty());
    let lock = KeysLock::take(&folder).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert!(
        KeysLock::try_take(&folder).unwrap().is_none(),
        "one at a time"
    );
    let key = key(Algorithm::Ed25519, 1_000);
    let path = lock.add(&key).unwrap();
    assert_eq!(mode(&path), 0o600);
    let name = path.file_name().unwrap().to_str().unwrap();
    assert_eq!(name, format!("example.com.{}.key.toml", key.dnskey.tag()));
    let read = lock.keys().unwrap();
    assert_eq!(read.0.len(), 1);
    assert_eq!(read.0[0].key.dnskey, key.dnskey);
    let before = fingerprint(&folder);
    let times = KeyTimes {
        remove: Some(UnixSeconds(2_000)),
        ..key.times
    };
    let tag = key.dnskey.tag();
    let edits = [
        KeyEdit::Times(tag, times),
        KeyEdit::Succeed(Algorithm::Ed25519, KeyTimes::first(UnixSeconds(1_500))),
    ];
    let done = lock.apply(&read, &zone(), &edits).unwrap();
    assert_eq!(
        done[0],
        format!("example.com 15/{tag}: has a time to be removed")
    );
    assert_ne!(fingerprint(&folder), before);
    let read = lock.keys().unwrap();
    assert_eq!(read.0.len(), 2);
    assert!(read.0.iter().any(|it| it.key.times == times));
    lock.apply(&read, &zone(), &[KeyEdit::Delete(tag)]).unwrap();
    assert_eq!(lock.keys().unwrap().0.len(), 1);
    drop(lock);
    assert!(KeysLock::try_take(&folder).unwrap().is_some());
}

#[test]
fn a_wrong_file_or_its_rights_refuse_the_whole_folder() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let good = key(Algorithm::EcdsaP256Sha256, 1_000);
    let text = good.text().unwrap();
    let path = |name: &str| folder.join(name);
    write_private(&path("a.key.toml"), text.as_bytes()).unwrap();
    assert_eq!(StoredKeys::read(folder).unwrap().0.len(), 1);

    chmod(&path("a.key.toml"), 0o644);
    let everyone = "a.key.toml: readable by everyone (0644); chmod 640";
    assert_eq!(refusal(folder), everyone);
    chmod(&path("a.key.toml"), 0o640);
    assert_eq!(StoredKeys::read(folder).unwrap().0.len(), 1);
    if nix::unistd::geteuid().is_root() {
        chown(path("a.key.toml"), None, Some(54_321)).unwrap();
        let foreign =
            "a.key.toml: open to group 54321, which this process is not in (0640); chmod 600";
        assert_eq!(refusal(folder), foreign);
        chmod(&path("a.key.toml"), 0o600);
        assert_eq!(StoredKeys::read(folder).unwrap().0.len(), 1);
    }
    chmod(&path("a.key.toml"), 0o600);

    write_private(&path("b.key.toml"), text.as_bytes()).unwrap();
    let tag = good.dnskey.tag();
    let twice =
        format!("b.key.toml: zone example.com has another key with the tag {tag}: a.key.toml");
    assert_eq!(refusal(folder), twice);

    let cut = text.replace("-----END PRIVATE KEY-----\n", "");
    write_private(&path("b.key.toml"), cut.as_bytes()).unwrap();
    let why = "b.key.toml:8:11: private: truncated PEM: no -----END PRIVATE KEY-----";
    assert_eq!(refusal(folder), why);

    let other = key(Algorithm::EcdsaP256Sha256, 1_000).text().unwrap();
    let head = text.split("private").next().unwrap();
    let tail = other.split_once("private").unwrap().1;
    write_private(
        &path("b.key.toml"),
        format!("{head}private{tail}").as_bytes(),
    )
    .unwrap();
    let mismatch = format!("b.key.toml:4:7: tag {tag}: the key in this file has the tag ");
    assert!(
        refusal(folder).starts_with(&mismatch),
        "{}",
        refusal(folder)
    );

    // What is called otherwise does not count, and what is too long is not read.
    fs::rename(path("b.key.toml"), path("b.key.toml.new")).unwrap();
    assert_eq!(StoredKeys::read(folder).unwrap().0.len(), 1);
    write_private(&path("c.key.toml"), "#".repeat(20_000).as_bytes()).unwrap();
    let error = StoredKeys::read(folder).unwrap_err();
    assert_eq!(error.limit().map(|limit| limit.name), Some("key-file"));
}

#[test]
fn a_key_goes_to_bind_and_to_pem_and_comes_back() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    for algorithm in Algorithm::ALL {
        let key = key(algorithm, 1_000);
        let private = key.private.clone().unwrap();
        let [(record, _), _] = bind_pair(&key, &private).unwrap();
        for (name, text) in bind_pair(&key, &private).unwrap() {
            write_private(&folder.join(name), text.as_bytes()).unwrap();
        }
        let (pem, text) = pem_file(&key, &private).unwrap();
        write_private(&folder.join(&pem), text.as_bytes()).unwrap();
        for name in [record.clone(), record.replace(".key", ".private"), pem] {
            let again = import(&folder.join(&name), &zone()).unwrap();
            assert_eq!(again.dnskey(), &key.dnskey, "{name}");
        }
        let of_other = import(&folder.join(&record), &"example.org".parse().unwrap());
        let error = of_other.unwrap_err().to_string();
        assert!(
            error.ends_with("a key of example.com., not of example.org."),
            "{error}"
        );
        let text = fs::read_to_string(folder.join(&record)).unwrap();
        let zsk = text.replace(" 257 ", " 256 ");
        write_private(&folder.join(&record), zsk.as_bytes()).unwrap();
        let error = import(&folder.join(&record), &zone())
            .unwrap_err()
            .to_string();
        assert!(
            error.ends_with("one key signs everything, and has the flags 257"),
            "{error}"
        );
    }
    let missing = import(&folder.join("Knone.private"), &zone());
    assert!(matches!(missing, Err(KeysError::Refused(_))));
}

#[test]
fn a_key_that_is_used_is_missed_and_a_new_one_is_not() {
    let delays = KeyDelays::from(&DnssecSettings::default());
    let (first, mut second) = (
        key(Algorithm::Ed25519, 1_000),
        key(Algorithm::Ed25519, 2_000),
    );
    second.times.ready = UnixSeconds(3_000);
    let path = Path::new("x.key.toml").to_owned();
    let stored = |keys: &[&KeyFile]| {
        let keys = keys.iter().map(|key| crate::keys::StoredKey {
            path: path.clone(),
            key: (*key).clone(),
        });
        StoredKeys(keys.collect())
    };
    let (zone, all) = (zone(), stored(&[&second, &first]));
    let missing = |now, others: &StoredKeys| {
        let placed = PlacedKeys::at(&all, &zone, delays, UnixSeconds(now));
        placed.missing_in(others).map(|it| it.key.dnskey.tag())
    };
    let (one, two) = (first.dnskey.tag(), second.dnskey.tag());
    assert_eq!(missing(2_500, &stored(&[&first])), None);
    assert_eq!(missing(3_000, &stored(&[&first])), Some(two));
    assert_eq!(missing(2_500, &stored(&[&second])), Some(one));
    assert_eq!(missing(3_000, &all), None);
    let placed = PlacedKeys::at(&all, &zone, delays, UnixSeconds(2_500));
    assert_eq!(placed.asked().unwrap().key.dnskey.tag(), one);
    assert!(placed.zone_keys(&zone, delays).unwrap().is_usable());
}
