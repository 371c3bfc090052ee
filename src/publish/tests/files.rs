//! Files of persisted facts: whole, torn, damaged, compacted.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::fixture::{label, named, service};
use crate::model::{Identity, Service, SrvForm, UnixSeconds};
use crate::publish::disk::fact::{Fact, Learnt, MemberMeta};
use crate::publish::disk::fact_log::FactLog;
use crate::publish::disk::facts_v1;
use crate::publish::disk::facts_v1::{Decoder, Payload};
use crate::publish::disk::files::{FileOwner, LogTail, MemberImage, Paths};

/// The files of member `a` in a folder.
fn paths(folder: &Path) -> Paths {
    Paths {
        folder: folder.into(),
        owner: FileOwner::Member(label("a")),
    }
}

/// What is read, in an order of its own.
fn read(folder: &Path) -> (MemberImage, LogTail) {
    let (mut whole, tail) = paths(folder).read();
    whole.services.sort_by(|(a, _), (b, _)| a.cmp(b));
    (whole, tail)
}

/// Writes facts to a log.
fn append(lane: &mut FactLog, facts: &[Fact]) {
    for fact in facts {
        lane.append(fact);
    }
    lane.write().unwrap();
}

/// A service that is there.
fn there(name: &str, ready: u32) -> Fact {
    Fact::Service(named(name), service("192.0.2.1", ready))
}

/// Two services and an identity.
fn example() -> MemberImage {
    let identity = Identity {
        origin: "https://a".into(),
        uid: Some("1".into()),
        version: None,
    };
    let learnt = Learnt {
        region: Some(label("r")),
        zones: [label("z")].into(),
        known: [(label("r"), None), (label("r"), Some(label("z")))].into(),
    };
    let kept = MemberMeta {
        identity: Some(identity),
        first_synced: Some(UnixSeconds(1)),
        seen: Some(UnixSeconds(2)),
        learnt,
        ..MemberMeta::default()
    };
    let services = [("s", 1), ("t", 0)];
    let services = services.map(|(name, ready)| (named(name), service("192.0.2.1", ready)));
    MemberImage {
        kept,
        services: services.into(),
    }
}

#[test]
fn a_base_and_its_log_give_back_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut lane = FactLog::new(paths(folder.path()), LogTail::Fresh);
    lane.replace(&example()).unwrap();
    assert_eq!(read(folder.path()).0, example());
    append(
        &mut lane,
        &[there("u", 1), Fact::Gone(named("s")), there("t", 2)],
    );
    append(&mut lane, &[Fact::Seen(UnixSeconds(9))]);
    let (whole, tail) = read(folder.path());
    let names: Vec<_> = whole
        .services
        .iter()
        .map(|(name, s)| (name, s.endpoints.ready))
        .collect();
    assert_eq!(names, [(&named("t"), 2), (&named("u"), 1)]);
    assert_eq!(whole.kept.seen, Some(UnixSeconds(9)));
    assert_eq!(whole.kept.identity, example().kept.identity);
    let mut again = FactLog::new(paths(folder.path()), tail);
    append(&mut again, &[there("v", 1)]);
    assert_eq!(read(folder.path()).0.services.len(), 3);
}

#[test]
fn records_of_before_there_was_anything_inside_are_read() {
    // Namespace and name; kind, export, federations, one unnamed port 80/TCP; one address; no host
    // name; 1 of 2 endpoints; nothing about steering.
    let octets = *b"\x00\x02ns\x01s\0\0\0\x01\0\0\x50\x01\0\xc0\0\x02\x01\0\x01\x02\0\0\0\0\0\0\0";
    let expected = there("s", 1);
    let mut written = Vec::new();
    facts_v1::encode(&expected, &mut written);
    assert_eq!(written, octets);
    let mut known = Decoder::default();
    for _ in 0..2 {
        let read = facts_v1::decode(&octets, &mut known).unwrap();
        assert!(matches!(read, Payload::Fact(read) if read == expected));
    }
}

#[test]
fn what_srv_records_lead_to_is_written_beside_and_missing_where_it_was_not_said() {
    for srv in [None, Some(SrvForm::Shared), Some(SrvForm::Members)] {
        let mut said = Service::clone(&service("192.0.2.1", 1));
        let steering = &mut Arc::make_mut(&mut said.spec).steering;
        steering.srv = srv;
        steering.spill_over = Some(80);
        let fact = Fact::Service(named("s"), Arc::new(said));
        let mut written = Vec::new();
        facts_v1::encode(&fact, &mut written);
        // A record without it is of a kind that was there before.
        assert_eq!(written.first(), Some(&if srv.is_some() { 15 } else { 12 }));
        let read = facts_v1::decode(&written, &mut Decoder::default()).unwrap();
        assert!(
            matches!(read, Payload::Fact(read) if read == fact),
            "{srv:?}"
        );
    }
}

#[test]
fn what_was_discarded_does_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut lane = FactLog::new(paths(folder.path()), LogTail::Fresh);
    lane.replace(&example()).unwrap();
    append(&mut lane, &[there("u", 1), Fact::Discarded, there("v", 1)]);
    let (whole, _) = read(folder.path());
    assert_eq!(whole.services, [(named("v"), service("192.0.2.1", 1))]);
    assert_eq!(whole.kept, MemberMeta::default());
}

#[test]
fn a_log_torn_at_any_octet_gives_what_came_before_and_is_written_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut lane = FactLog::new(paths(folder.path()), LogTail::Fresh);
    lane.replace(&example()).unwrap();
    let mut ends = vec![fs::metadata(folder.path().join("a.log")).unwrap().len()];
    for name in ["u", "v", "w"] {
        append(&mut lane, &[there(name, 1)]);
        ends.push(fs::metadata(folder.path().join("a.log")).unwrap().len());
    }
    let log = fs::read(folder.path().join("a.log")).unwrap();
    for length in 0..log.len() {
        overwrite(&folder.path().join("a.log"), &log[..length]);
        let whole_frames = ends.iter().filter(|end| **end <= length as u64).count();
        let (whole, tail) = read(folder.path());
        let expected = 2 + whole_frames.saturating_sub(1);
        assert_eq!(whole.services.len(), expected, "torn at {length}");
        let mut again = FactLog::new(paths(folder.path()), tail);
        append(&mut again, &[there("x", 1)]);
        assert_eq!(
            read(folder.path()).0.services.len(),
            expected + 1,
            "torn at {length}"
        );
    }
}

#[test]
fn a_base_damaged_at_any_octet_gives_way_to_the_previous_one_and_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut lane = FactLog::new(paths(folder.path()), LogTail::Fresh);
    lane.replace(&example()).unwrap();
    append(&mut lane, &[there("u", 1)]);
    let before = read(folder.path()).0;
    lane.replace(&MemberImage::default()).unwrap();
    append(&mut lane, &[there("v", 1)]);
    let path = folder.path().join("a.base");
    let base = fs::read(&path).unwrap();
    for octet in 0..base.len() {
        let mut damaged = base.clone();
        damaged[octet] ^= 0x40;
        overwrite(&path, &damaged);
        assert_eq!(
            read(folder.path()),
            (before.clone(), LogTail::NeedsRewrite),
            "octet {octet}"
        );
        overwrite(&path, &base[..octet]);
        assert_eq!(
            read(folder.path()),
            (before.clone(), LogTail::NeedsRewrite),
            "cut at {octet}"
        );
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(
        read(folder.path()),
        (before, LogTail::NeedsRewrite),
        "a crash between two renames"
    );
}

#[test]
fn damage_everywhere_is_nothing_and_ends_with_the_next_base() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["a.base", "a.base.previous", "a.log", "a.log.previous"] {
        overwrite(
            &folder.path().join(file),
            b"not facts at all, of any version",
        );
    }
    let (whole, tail) = read(folder.path());
    assert_eq!(
        (&whole, tail),
        (&MemberImage::default(), LogTail::NeedsRewrite)
    );
    let mut lane = FactLog::new(paths(folder.path()), tail);
    append(&mut lane, &[there("u", 1)]);
    lane.replace(&example()).unwrap();
    assert_eq!(read(folder.path()).0, example());
}

#[test]
fn a_log_of_an_older_base_is_not_read_with_a_newer_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut lane = FactLog::new(paths(folder.path()), LogTail::Fresh);
    lane.replace(&MemberImage::default()).unwrap();
    append(&mut lane, &[there("u", 1)]);
    let log = fs::read(folder.path().join("a.log")).unwrap();
    lane.replace(&example()).unwrap();
    overwrite(&folder.path().join("a.log"), &log);
    let (whole, tail) = read(folder.path());
    assert_eq!(whole, example());
    let mut again = FactLog::new(paths(folder.path()), tail);
    append(&mut again, &[there("v", 1)]);
    assert_eq!(read(folder.path()).0.services.len(), 3);
}

#[test]
fn a_long_log_becomes_a_base_with_the_same_facts() {
    let folder = tempfile::tempdir().unwrap();
    let mut lane = FactLog::new(paths(folder.path()), LogTail::Fresh);
    lane.replace(&example()).unwrap();
    let mut longest = 0;
    for round in 0..30_000 {
        append(
            &mut lane,
            &[there("s", round), Fact::Gone(named("t")), there("u", round)],
        );
        longest = longest.max(lane.octets());
    }
    assert!(longest < 2 << 20, "the log grows without bound: {longest}");
    let (whole, tail) = read(folder.path());
    let expected = MemberImage {
        services: ["s", "u"]
            .map(|name| (named(name), service("192.0.2.1", 29_999)))
            .into(),
        ..example()
    };
    assert_eq!(whole, expected);
    assert!(matches!(tail, LogTail::At { .. }));
}

#[test]
fn a_failure_to_write_is_an_error_and_a_base_makes_it_good() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let mut lane = FactLog::new(paths(&inner), LogTail::Fresh);
    lane.replace(&example()).unwrap();
    fs::remove_dir_all(&inner).unwrap();
    overwrite(&inner, b"no folder");
    assert!(lane.replace(&example()).is_err());
    lane.append(&there("u", 1));
    assert!(
        lane.write().is_ok(),
        "what cannot be kept is left to the next base"
    );
    fs::remove_file(&inner).unwrap();
    lane.replace(&example()).unwrap();
    assert_eq!(read(&inner).0, example());
}

/// Writes a file as it is, without any care.
fn overwrite(path: &Path, octets: &[u8]) {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .unwrap();
    file.write_all(octets).unwrap();
}

#[test]
fn every_cut_and_every_flipped_bit_gives_something_that_was_once_true_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut lane = FactLog::new(paths(folder.path()), LogTail::Fresh);
    let mut true_once = vec![MemberImage::default()];
    lane.replace(&example()).unwrap();
    for name in ["u", "v"] {
        true_once.push(read(folder.path()).0);
        append(&mut lane, &[there(name, 1)]);
    }
    true_once.push(read(folder.path()).0);
    lane.replace(&read(folder.path()).0).unwrap();
    append(&mut lane, &[there("w", 1), Fact::Gone(named("u"))]);
    true_once.push(read(folder.path()).0);
    let mut between = true_once[3].clone();
    between.services.push((named("w"), service("192.0.2.1", 1)));
    true_once.push(between);
    let sorted = |mut whole: MemberImage| {
        whole.services.sort_by(|(a, _), (b, _)| a.cmp(b));
        whole
    };
    let true_once: Vec<MemberImage> = true_once.into_iter().map(sorted).collect();
    for file in ["a.base", "a.log", "a.base.previous", "a.log.previous"] {
        let path = folder.path().join(file);
        let good = fs::read(&path).unwrap();
        for octet in 0..good.len() {
            overwrite(&path, &good[..octet]);
            let cut = sorted(read(folder.path()).0);
            assert!(true_once.contains(&cut), "{file} cut at {octet}: {cut:?}");
            for bit in 0..8 {
                let mut damaged = good.clone();
                damaged[octet] ^= 1 << bit;
                overwrite(&path, &damaged);
                let read = sorted(read(folder.path()).0);
                assert!(true_once.contains(&read), "{file} {octet}.{bit}: {read:?}");
            }
        }
        overwrite(&path, &good);
    }
}

#[test]
fn a_full_disk_is_an_error_and_room_makes_it_good() {
    let folder = tempfile::tempdir().unwrap();
    let mut lane = FactLog::new(paths(folder.path()), LogTail::Fresh);
    lane.replace(&example()).unwrap();
    let new = folder.path().join("a.base.new");
    std::os::unix::fs::symlink("/dev/full", &new).unwrap();
    let error = lane.replace(&MemberImage::default()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(read(folder.path()).0, example(), "the old files stay");
    fs::remove_file(&new).unwrap();
    lane.replace(&MemberImage::default()).unwrap();
    assert_eq!(read(folder.path()).0, MemberImage::default());
}
