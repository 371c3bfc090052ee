//! Tokens that an API server grants for less than was asked, under a daemon whose clock is moved.

use std::time::Duration;

use serde_json::Value;

use super::joins::bare;
use crate::desk::{Desk, installed};
use crate::faketime;
use crate::files;
use crate::fleet::Fleet;
use crate::gazetteer::{Gazetteer, global};
use crate::process::with_environment;
use crate::wait::{SOON, throughout, until};

/// Seconds in a minute.
const MINUTE: u64 = 60;

/// An hour is granted where 30 days are asked: the daemon renews at half of that, a tenth of it sooner or
/// later, and no more often. Its wall clock is moved; that of the API stays true.
pub(crate) fn halves(fleet: &Fleet) {
    let member = &fleet.members[0];
    bare(member);
    member.restart_server_with(&["--service-account-max-token-expiration=1h"]);
    let desk = Desk::of(fleet, member).with_admin();
    let joined = desk.join(&[]).well();
    let granted = "(asked 30d, granted 1h), renewed by the daemon";
    assert!(joined.contains(granted), "{joined}");

    let offset = desk.folder.join("clock");
    let mut moved = 0;
    files::write(&offset, "+0s\n");
    let launcher = with_environment(faketime::settings(&offset));
    let gazetteer = Gazetteer::launched(desk.folder.clone(), launcher);
    gazetteer.until_shown("m", "Ready", SOON, |shown| shown.status == "Ready");
    let is_at = |seconds: u64| {
        files::write(&offset, format!("+{seconds}s\n"));
        until("the clock is moved", SOON, || {
            let age = age(&desk)?;
            let is_there = age >= seconds;
            is_there.then_some(()).ok_or_else(|| format!("age {age} s"))
        });
    };
    let kept = desk.folder.join("state/credentials/m.token");
    let kept = || std::fs::read_to_string(&kept).ok();
    for round in 1..=3 {
        let before = kept();
        is_at(moved + 26 * MINUTE);
        throughout("it is too early", Duration::from_secs(4), || {
            (kept() == before)
                .then_some(())
                .ok_or_else(|| format!("round {round}: renewed"))
        });
        is_at(moved + 33 * MINUTE);
        until("the token is renewed", 3 * SOON, || {
            (kept() != before)
                .then_some(())
                .ok_or_else(|| format!("round {round}"))
        });
        moved += 33 * MINUTE;
        let token = kept().expect("a token");
        assert_eq!(member.status_with(token.trim()), 200, "round {round}");
    }
    let events = desk.run(&["events", "--state-dir", "state"]).well();
    assert!(!events.contains("Held"), "{events}");
    drop(gazetteer);
    desk.unjoin(&[]).well();
    member.restart_server_with(&[]);
}

/// A token that has expired while no daemon ran, and no renewed one is kept: the member is held for that
/// reason with its facts, and a join makes it whole.
///
/// The clock of the API cannot be moved, so what it would refuse for its age it refuses as its account is
/// another one; the daemon's clock is past the end of the token.
pub(crate) fn expired(fleet: &Fleet) {
    let member = &fleet.members[0];
    bare(member);
    member.restart_server_with(&["--service-account-max-token-expiration=1h"]);
    member.simple_service("expired", "web", 1);
    let desk = Desk::of(fleet, member).with_admin();
    let file = desk.folder.join("gazetteer.toml");
    let text = std::fs::read_to_string(&file).expect("a configuration");
    let keys = "probe = { kind = \"none\" }\nhold = \"10h\"\n";
    files::write(&file, text + keys);
    desk.join(&[]).well();
    let offset = desk.folder.join("clock");
    files::write(&offset, "+0s\n");
    let start = || {
        let launcher = with_environment(faketime::settings(&offset));
        Gazetteer::launched(desk.folder.clone(), launcher)
    };
    let gazetteer = start();
    let (web, address) = (global("expired", "web"), member.balancer(1));
    gazetteer.until_answers(&web, &format!("A {address}"));
    gazetteer.until_state_holds("expired", 1);
    assert_eq!(gazetteer.terminate(), Some(0));

    let token = desk.token();
    let base = installed(member).pop().expect("a binding");
    let accounts = "/api/v1/namespaces/kube-system/serviceaccounts";
    member.api.delete(&format!("{accounts}/{base}"));
    until("the token is refused", SOON, || {
        match member.status_with(&token) {
            401 => Ok(()),
            status => Err(format!("status {status}")),
        }
    });
    let kept = desk.folder.join("state/credentials");
    if kept.exists() {
        std::fs::remove_dir_all(&kept).expect("the folder");
    }
    files::write(&offset, "+7200s\n");
    let gazetteer = start();
    let why = "credential expired at 20";
    gazetteer.until_shown("m", "Held as expired", 3 * SOON, |shown| {
        shown.status == "Held" && shown.reason.contains(why)
    });
    gazetteer.until_held(&web, &format!("A {address}"), true);
    let text = desk.join(&["--wait", "30s"]).well();
    assert!(text.contains("√ the daemon watches it: Ready"), "{text}");
    gazetteer.until_held(&web, &format!("A {address}"), false);
    drop(gazetteer);
    desk.unjoin(&[]).well();
    member.restart_server_with(&[]);
}

/// How many seconds ago the member `m` was first known, by the clock of the daemon.
fn age(desk: &Desk) -> Result<u64, String> {
    let ran = desk.run(&["clusters", "-o", "json", "--state-dir", "state"]);
    let members: Value = serde_json::from_str(&ran.text).map_err(|_| ran.errors)?;
    members[0]["age_seconds"].as_u64().ok_or(ran.text)
}
