//! Key files that are wrong, under a parent zone and a validating resolver.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use hickory_proto::rr::RecordType;

use crate::dns::{self, Client};
use crate::files;
use crate::gazetteer::{Gazetteer, global};
use crate::internet::{DNS, Internet, RESOLVERS, SERVERS, Validator, ZONE};
use crate::signed::SignedWorld;
use crate::wait::{SOON, until};

/// A resolver that asks for everything each time.
fn resolver(internet: &Internet) -> Validator {
    let forgetful = "  cache-max-ttl: 0\n  cache-max-negative-ttl: 0\n";
    internet.unbound("unbound", RESOLVERS[0], forgetful, &[])
}

/// What the daemon says of its readiness.
fn readiness() -> Result<String, String> {
    let answer = ureq::get("http://127.0.0.1:9153/readyz?verbose").call();
    let mut answer = answer.map_err(|error| error.to_string())?;
    let text = answer.body_mut().read_to_string();
    text.map_err(|error| error.to_string())
}

/// Waits until the daemon is ready, and says this beside.
fn until_said(words: &str) {
    until(&format!("it says {words}"), SOON, || match readiness()? {
        said if said.contains(words) => Ok(()),
        said => Err(said),
    });
}

/// The file of the only key.
fn key_file(world: &SignedWorld) -> PathBuf {
    let listed = world.listed();
    assert_eq!(listed.len(), 1, "{listed:?}");
    world
        .folder
        .join(listed[0]["file"].as_str().expect("a file"))
}

/// A file for its user alone.
fn write_private(path: &Path, text: &str) {
    files::write(path, text);
    fs::set_permissions(path, Permissions::from_mode(0o600)).expect("rights");
}

/// Case K03: of a running daemon, key files that may be read by everyone, that have another private key,
/// that are cut short or gone: each is refused and named, and answers are validated all the same, also
/// those that are signed only then.
pub(crate) fn refused(folder: &Path) {
    Internet::with(folder, |internet| {
        let world = SignedWorld::new(folder, "", Vec::new());
        world.keys(&["generate", ZONE]);
        internet.delegate(&[world.ds()]);
        let file = key_file(&world);
        let right = fs::read_to_string(&file).expect("a key");
        let private = |text: &str| {
            let (_, rest) = text.split_once("-----BEGIN").expect("PEM");
            rest.to_owned()
        };
        let other = SignedWorld::new(&folder.join("other"), "", Vec::new());
        other.keys(&["generate", ZONE]);
        let other = fs::read_to_string(key_file(&other)).expect("a key");
        let mismatched = right.replace(&private(&right), &private(&other));
        let cut = right.replace("-----END PRIVATE KEY-----", "");

        let _daemon = world.start(internet);
        let resolver = resolver(internet);
        let all = global("shop", "web");
        let name = file
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name");
        for (number, (text, mode, words)) in [
            (
                Some(&right),
                0o644,
                "readable by everyone (0644); chmod 640",
            ),
            (Some(&mismatched), 0o600, "tag "),
            (Some(&cut), 0o600, "truncated PEM"),
            (None, 0, "is in use and its file is gone"),
        ]
        .into_iter()
        .enumerate()
        {
            match text {
                Some(text) => {
                    write_private(&file, text);
                    fs::set_permissions(&file, Permissions::from_mode(mode)).expect("rights");
                }
                None => fs::remove_file(&file).expect("it is there"),
            }
            until_said(words);
            until_said(name);
            for (name, kind) in [
                (ZONE.to_owned(), RecordType::DNSKEY),
                (all.clone(), RecordType::A),
                (format!("n{number}.{all}"), RecordType::A),
            ] {
                resolver.validate(&name, kind);
            }
            write_private(&file, &right);
            until_said("[+]dnssec ok");
        }
    });
}

/// Case D24: at a start without a readable key nothing of the zone is answered unsigned, nor at all; a zone
/// that is not signed is, and the zone comes with its key.
pub(crate) fn unreadable(folder: &Path) {
    Internet::with(folder, |internet| {
        let world = SignedWorld::new(folder, "", Vec::new());
        world.keys(&["generate", ZONE]);
        internet.delegate(&[world.ds()]);
        let configuration = world.folder.join("gazetteer.toml");
        let text = fs::read_to_string(&configuration).expect("a configuration");
        let plain = "\n[[federation]]\nname = \"plain\"\napex = \"example.net\"\n\
            probe = { kind = \"none\" }\nnameservers = [{ name = \"ns1.example.com\" }]\n";
        files::write(&configuration, text + plain);
        let file = key_file(&world);
        fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("rights");

        let daemon: Gazetteer = world.start(internet);
        let server = (SERVERS[0][0], DNS).into();
        let all = global("shop", "web");
        let client = Client::new(server);
        for name in [&all, ZONE, &format!("absent.{ZONE}")] {
            let answers = [
                client.ask(name, RecordType::A),
                client.ask_signed(name, RecordType::A),
                dns::ask_tcp(server, name, RecordType::A),
            ];
            for answer in answers {
                let answer = answer.expect("an answer");
                assert_eq!(answer.to_string(), "SERVFAIL", "{name}");
                // "DNSKEY Missing" (RFC 8914).
                assert_eq!(answer.errors, [9], "{name}");
            }
        }
        daemon.until_answers(
            "web.shop.plain.svc.example.net",
            "A 203.0.113.11 203.0.113.12 203.0.113.21",
        );
        until_said("readable by everyone (0644); chmod 640");
        until_said(&format!(
            "zone {ZONE}: no key could be read, so it is not answered"
        ));

        fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("rights");
        until_said("[+]dnssec ok");
        daemon.until_answers(&all, "A 203.0.113.11 203.0.113.12 203.0.113.21");
        let resolver = resolver(internet);
        resolver.validate(&all, RecordType::A);
    });
}
