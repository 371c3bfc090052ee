//! Wall clocks that jump.

use std::time::Duration;

use crate::daemon::Daemon;
use crate::faketime;
use crate::stage::{FIRST, NAME, SECOND, Stage};
use crate::wait::{SOON, throughout, until};

/// Sets the clock of the daemon, which is looked at once in a second, and holds the answers against
/// `expected` while the daemon comes to know it.
fn jump(stage: &Stage, daemon: &Daemon, offset: &str, expected: &[&str]) {
    set(stage, offset);
    let what = format!("a jump to {offset} changes no answer");
    throughout(&what, Duration::from_millis(2500), || {
        daemon.check(NAME, expected)
    });
}

/// Sets the clock of the daemon.
fn set(stage: &Stage, offset: &str) {
    stage.put("clock", &format!("{offset}\n"));
}

/// A daemon whose clock is that of the file `clock`.
fn start(stage: &Stage) -> Daemon {
    set(stage, "+0");
    let settings = faketime::settings(&stage.path().join("clock"));
    let environment = settings.each_ref();
    let environment = environment.map(|(key, value)| (*key, value.as_os_str()));
    stage.start_by("exec \"$@\"", &environment)
}

#[test]
fn overrides_last_as_long_as_they_were_given_for_whatever_the_clock_does() {
    let stage = Stage::new();
    let daemon = start(&stage);
    daemon.until_answers(NAME, &[FIRST, SECOND]);
    for offset in ["+3650d", "+0"] {
        jump(&stage, &daemon, offset, &[FIRST, SECOND]);
    }
    let (good, said) = stage.run(&["cordon", "m1", "--for", "60s", "--state-dir", "state"]);
    assert!(good, "{said}");
    daemon.until_answers(NAME, &[SECOND]);
    for offset in ["+3650d", "-300d", "+0"] {
        jump(&stage, &daemon, offset, &[SECOND]);
    }
    let (good, said) = stage.run(&["freeze", "--for", "4s", "--state-dir", "state"]);
    assert!(good, "{said}");
    set(&stage, "-3650d");
    until("a freeze ends when it was to end", SOON, || {
        let (_, body) = daemon.get("/v1/overrides").ok_or("no reply")?;
        if body.contains("\"frozen\":null") {
            Ok(())
        } else {
            Err(body)
        }
    });
}
