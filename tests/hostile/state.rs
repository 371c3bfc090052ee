//! State folders that are full, damaged, not there, or of another version.

use std::fs;

use crate::stage::{FIRST, NAME, SECOND, Stage, service};
use crate::wait::{SOON, until};

/// A state folder of 64 KiB in a mount namespace of the daemon's own, filled by what is no state.
const FULL: &str = "exec unshare -m sh -c 'mount -t tmpfs -o size=64k tmpfs state; \
                    head -c 100000 /dev/zero >state/filler 2>/dev/null; exec \"$@\"' sh \"$@\"";
/// The same without a free inode.
const NO_INODES: &str = "exec unshare -m sh -c 'mount -t tmpfs -o nr_inodes=1 tmpfs state; \
                         exec \"$@\"' sh \"$@\"";
/// The same, read-only.
const READ_ONLY: &str = "exec unshare -m sh -c 'mount -t tmpfs -o ro tmpfs state; \
                         exec \"$@\"' sh \"$@\"";

#[test]
fn a_state_folder_that_takes_nothing_stops_no_answer() {
    for line in [FULL, NO_INODES, READ_ONLY] {
        let stage = Stage::new();
        fs::create_dir(stage.path().join("state")).expect("a folder");
        let daemon = stage.start_by(line, &[]);
        daemon.until_answers(NAME, &[FIRST, SECOND]);
        stage.put("m1.toml", &service("my-service", &["203.0.113.12"], ""));
        daemon.until_answers(NAME, &["203.0.113.12", SECOND]);
        let (_, said) = daemon.get("/readyz?verbose").expect("a reply");
        assert!(said.contains("state"), "{line}: {said}");
    }
}

#[test]
fn damaged_overrides_stop_no_start() {
    let damaged = ["", "{", "{\"version\":\"v99\"}", "\u{0}\u{0}\u{0}"];
    for text in damaged {
        let stage = Stage::new();
        let daemon = stage.start();
        let (good, printed) = stage.run(&["cordon", "m1", "--state-dir", "state"]);
        assert!(good, "{printed}");
        daemon.until_answers(NAME, &[SECOND]);
        drop(daemon);
        let file = stage.path().join("state/overrides.json");
        assert!(file.exists(), "the overrides are kept there");
        stage.put("state/overrides.json", text);
        let daemon = stage.start();
        // What was in force last is in force.
        daemon
            .check(NAME, &[SECOND])
            .expect("the last good form is used");
        let left = fs::read_to_string(&file).expect("it is left where it is");
        assert_eq!(left, text);
        drop(daemon);
        let last = stage.path().join("state/overrides.json.last");
        fs::remove_file(last).expect("it is kept");
        let daemon = stage.start();
        daemon.until_answers(NAME, &[FIRST, SECOND]);
        until("it is said", SOON, || {
            let (_, said) = daemon.get("/readyz?verbose").ok_or("no reply")?;
            if said.contains("overrides") {
                Ok(())
            } else {
                Err(said)
            }
        });
    }
}
