//! Files that are cut, no files at all, too large, or full of mistakes.

use std::fs::File;
use std::process::Command;
use std::time::Duration;

use crate::stage::{FIRST, NAME, SECOND, Stage, service};
use crate::wait::{SOON, throughout, until};

#[test]
fn facts_files_cut_to_nothing_change_no_answer() {
    let stage = Stage::new();
    let daemon = stage.start();
    daemon.until_answers(NAME, &[FIRST, SECOND]);
    stage.put("m1.toml", "");
    stage.put("m2.toml", "");
    throughout("an empty file is a loss", Duration::from_secs(8), || {
        daemon.check(NAME, &[FIRST, SECOND])
    });
    daemon.until_member("m1", "Held", &[]);
}

#[test]
fn a_facts_file_that_lost_its_end_changes_no_answer() {
    let stage = Stage::new();
    let two = service("my-service", &[FIRST], "") + &service("other", &[FIRST], "");
    let end = "[end]\ncomplete = true\n";
    stage.put("m1.toml", &(two.clone() + end));
    let daemon = stage.start();
    daemon.until_answers(NAME, &[FIRST, SECOND]);
    // The writer was stopped after its first service.
    stage.put("m1.toml", &service("other", &[FIRST], ""));
    daemon.until_member("m1", "Held", &[]);
    daemon.check(NAME, &[FIRST, SECOND]).expect("as before");
    // A whole one needs no confirmation.
    stage.put("m1.toml", &(service("other", &[FIRST], "") + end));
    daemon.until_answers(NAME, &[SECOND]);
}

#[test]
fn what_is_no_file_stops_nobody() {
    let stage = Stage::new();
    let facts = stage.path().join("m1.toml");
    std::fs::remove_file(&facts).expect("it is there");
    let made = Command::new("mkfifo").arg(&facts).status();
    assert!(made.expect("mkfifo runs").success());
    let daemon = stage.start();
    daemon.until_answers(NAME, &[SECOND]);
    until("the reason is shown", SOON, || {
        let member = daemon.member("m1")?;
        if member["reason"].is_string() {
            Ok(())
        } else {
            Err(member.to_string())
        }
    });
    stage.put("m2.toml", &service("my-service", &["203.0.113.22"], ""));
    daemon.until_answers(NAME, &["203.0.113.22"]);
    std::fs::remove_file(&facts).expect("it is there");
    std::fs::create_dir(&facts).expect("a folder");
    assert_eq!(daemon.get("/livez"), Some((200, "ok\n".to_owned())));
    std::fs::remove_dir(&facts).expect("it is there");
    stage.put("m1.toml", &service("my-service", &[FIRST], ""));
    daemon.until_answers(NAME, &[FIRST, "203.0.113.22"]);
}

#[test]
fn a_file_beyond_its_limit_is_a_problem_with_its_size() {
    let stage = Stage::new();
    let daemon = stage.start();
    let big = stage.path().join("big");
    let file = File::create(&big).expect("a file");
    file.set_len(600 << 20).expect("a file with a hole");
    std::fs::rename(&big, stage.path().join("m1.toml")).expect("renamed");
    daemon.until_member("m1", "Held", &["536870912"]);
    daemon.check(NAME, &[FIRST, SECOND]).expect("as before");
    let (good, printed) = stage.run(&["check", "gazetteer.toml"]);
    assert!(!good && printed.contains("536870912"), "{printed}");
}

#[test]
fn thousands_of_mistakes_delay_nobody_and_are_counted() {
    let stage = Stage::new();
    let daemon = stage.start();
    let wrong: String = (0..5000)
        .map(|n| service(&format!("s{n}"), &["x"], ""))
        .collect();
    stage.put("m1.toml", &wrong);
    stage.put("m2.toml", &wrong);
    throughout("/livez answers", Duration::from_secs(3), || {
        match daemon.get("/livez") {
            Some((200, _)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    daemon.until_member("m1", "Held", &[]);
    daemon.check(NAME, &[FIRST, SECOND]).expect("as before");
    let (good, printed) = stage.run(&["check", "gazetteer.toml"]);
    let lines = printed.lines().count();
    assert!(!good && lines < 300, "{lines} lines");
    assert!(
        printed.contains("4900") || printed.contains("5000"),
        "{:?}",
        printed.lines().last()
    );
}
