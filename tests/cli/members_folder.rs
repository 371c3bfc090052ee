//! A members folder that says too little, or something wrong, and one that changes under a load of
//! queries.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

use crate::daemon::{DEADLINE, Daemon, addresses_at, eventually};
use crate::membership::{WAITS, furnished, member, names, service};
use crate::program::{clusters, command, replace, run, transcript};

/// Nine members.
const NINE: [&str; 9] = ["m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9"];

/// The value of a metric without labels but these.
fn metric(daemon: &Daemon, name: &str) -> Option<f64> {
    let (_, body) = daemon.get("/metrics")?;
    let mut lines = body.lines();
    lines.find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

/// Waits until all nine wait for a word, and nobody is out of answers.
fn all_wait(daemon: &Daemon, folder: &Path) {
    eventually("all wait", || {
        clusters(folder).to_string().matches(WAITS).count() == NINE.len()
    });
    assert_eq!(names(folder), NINE);
    let all = daemon.addresses(&service("s"));
    assert_eq!(all.map(|all| all.len()), Some(NINE.len()));
    let held_back = metric(daemon, "gazetteer_membership_held_back");
    assert_eq!(held_back, Some(9.0));
}

#[test]
fn a_wrong_fragment_refuses_itself_alone() {
    let temporary = furnished("", &NINE);
    let folder = temporary.path();
    member(folder, "n", 10);
    let file = folder.join("members.d/n.toml");
    let right = fs::read_to_string(&file).unwrap();
    let wrong = right.replace("\"n\"", "\"x\"");
    let place = "members.d/n.toml:2:8: name: \"x\" in a file called \"n\"";
    replace(&file, &wrong);
    let check = || transcript(folder, &["check", "g.toml"]);
    let is_refused = |daemon: &Daemon, count: f64| {
        let refused = "gazetteer_membership_refused{origin=\"folder\"}";
        eventually("it is counted", || metric(daemon, refused) == Some(count));
    };

    let daemon = Daemon::start(folder, "g.toml").ready();
    daemon.log(&["refused, its member stays as it was", place]);
    is_refused(&daemon, 1.0);
    assert_eq!(names(folder), NINE);
    let checked = check();
    assert!(checked.contains(place), "{checked}");
    assert!(checked.ends_with("--- exit 1\n"), "{checked}");

    replace(&file, &right);
    eventually("it has come", || names(folder).len() == 10);
    is_refused(&daemon, 0.0);
    assert!(check().ends_with("--- exit 0\n"));

    // What it said before stays in force.
    replace(&file, &wrong);
    daemon.log(&["refused, its member stays as it was", place]);
    is_refused(&daemon, 1.0);
    assert_eq!(names(folder).len(), 10);
    let all = daemon.addresses(&service("s"));
    assert_eq!(all.map(|all| all.len()), Some(10));
    let checked = check();
    assert!(checked.contains(place), "{checked}");
    assert!(checked.ends_with("--- exit 1\n"), "{checked}");
}

#[test]
fn a_folder_that_is_unmounted_removes_nobody() {
    let temporary = furnished("", &NINE);
    let folder = temporary.path();
    fs::rename(folder.join("members.d"), folder.join("volume")).unwrap();
    fs::create_dir(folder.join("members.d")).unwrap();
    let program = command(folder);
    let line = "mount --bind volume members.d && exec \"$0\" serve g.toml";
    let mut shell = Command::new("unshare");
    shell.args([
        "--user",
        "--map-root-user",
        "--mount",
        "/bin/sh",
        "-c",
        line,
    ]);
    shell.arg(program.get_program()).current_dir(folder);
    let daemon = Daemon::start_command(&mut shell).ready();
    assert_eq!(names(folder), NINE);
    let mounting = |arguments: &[&str]| {
        let mut enter = Command::new("nsenter");
        let pid = daemon.pid().to_string();
        enter.args(["--target", &pid, "--user", "--mount", "--"]);
        let done = enter.args(arguments).current_dir(folder).status();
        assert!(done.unwrap().success(), "{arguments:?}");
    };
    let (volume, members) = (folder.join("volume"), folder.join("members.d"));
    let [volume, members] = [&volume, &members].map(|path| path.to_str().unwrap());
    mounting(&["umount", members]);
    all_wait(&daemon, folder);
    mounting(&["mount", "--bind", volume, members]);
    eventually("nobody waits", || {
        !clusters(folder).to_string().contains(WAITS)
    });
    assert_eq!(names(folder), NINE);
}

#[test]
fn a_folder_that_is_unreadable_or_empty_removes_nobody() {
    let temporary = furnished("", &NINE);
    let folder = temporary.path();
    let (members, away) = (folder.join("members.d"), folder.join("away"));
    let daemon = Daemon::start(folder, "g.toml").ready();
    // To root every folder is readable that is one.
    fs::rename(&members, &away).unwrap();
    fs::File::create(&members).unwrap();
    daemon.log(&["members folder cannot be read"]);
    assert_eq!(names(folder), NINE);
    fs::remove_file(&members).unwrap();
    fs::rename(&away, &members).unwrap();

    for name in NINE {
        fs::remove_file(members.join(format!("{name}.toml"))).unwrap();
    }
    all_wait(&daemon, folder);
    let confirmed = run(folder, &["confirm", "members", "--state-dir", "state"]);
    assert!(confirmed.status.success(), "{confirmed:?}");
    assert!(names(folder).is_empty());
    assert_eq!(daemon.addresses(&service("s")), Some(BTreeSet::new()));
}

#[test]
fn a_folder_that_is_made_unreadable_is_told() {
    let temporary = furnished("", &[]);
    let folder = temporary.path();
    let members = folder.join("members.d");
    if members.exists() {
        fs::remove_dir_all(&members).unwrap();
    }
    let daemon = Daemon::start(folder, "g.toml").ready();
    // To root every folder is readable that is one.
    fs::File::create(&members).unwrap();
    daemon.log(&["members folder cannot be read"]);
}

#[test]
fn those_that_go_at_once_are_counted_over_the_file_and_the_folder() {
    let temporary = furnished("", &NINE[..6]);
    let folder = temporary.path();
    let file = folder.join("g.toml");
    let text = fs::read_to_string(&file).unwrap();
    let own = ["a", "b", "c", "d"].map(|name| {
        format!("\n[[member]]\nname = \"{name}\"\nsource = {{ file = \"members.d/m1.facts\" }}\n")
    });
    replace(&file, &(text.clone() + &own.concat()));
    let daemon = Daemon::start(folder, "g.toml").ready();
    assert_eq!(names(folder).len(), 10);
    // What the file says is meant. Two of six are few, and six of ten are not.
    replace(&file, &text);
    for name in ["m5", "m6"] {
        fs::remove_file(folder.join(format!("members.d/{name}.toml"))).unwrap();
    }
    eventually("two wait", || {
        clusters(folder).to_string().matches(WAITS).count() == 2
    });
    assert_eq!(names(folder).len(), 6);
    assert_eq!(metric(&daemon, "gazetteer_membership_held_back"), Some(2.0));
}

/// How long others are asked while nothing else goes on.
const QUIET: Duration = Duration::from_secs(7);

/// How many these are, and how long they took.
fn quantiles(mut took: Vec<Duration>) -> String {
    took.sort_unstable();
    let at = |thousandths: usize| took[(took.len() - 1) * thousandths / 1000];
    let (count, half, most) = (took.len(), at(500), at(990));
    let (rare, slowest) = (at(999), at(1000));
    format!("{count}, p50 {half:?}, p99 {most:?}, p99.9 {rare:?}, the slowest {slowest:?}")
}

/// Gives a member a service that no other has, at the same address as the one that all have.
fn add_own(folder: &Path, name: &str, host: u8) {
    let file = folder.join(format!("members.d/{name}.facts"));
    let facts = fs::read_to_string(&file).unwrap();
    let own = format!(
        "[[service]]\nnamespace = \"n\"\nname = \"of-{name}\"\naddresses = [\"203.0.113.{host}\"]\n"
    );
    replace(&file, &(facts + &own));
}

#[test]
#[expect(clippy::print_stderr, reason = "it says how long things take")]
fn a_member_comes_and_goes_under_queries_and_changes_nobody_elses_answers() {
    let temporary = furnished("", &NINE);
    let folder = temporary.path();
    for (name, host) in NINE.iter().zip(1..) {
        add_own(folder, name, host);
    }
    let daemon = Daemon::start(folder, "g.toml").ready();
    let all = |name: &str| daemon.addresses(&service(name)).unwrap_or_default();
    eventually("all are there", || all("s").len() == NINE.len());
    let (is_over, dns) = (AtomicBool::new(false), daemon.dns);
    let load = |is_over: &dyn Fn() -> bool| {
        let mut took = Vec::new();
        while !is_over() {
            for (name, host) in NINE.iter().zip(1..) {
                let begin = Instant::now();
                let got = addresses_at(dns, &service(&format!("of-{name}")));
                took.push(begin.elapsed());
                let expected = BTreeSet::from([format!("203.0.113.{host}")]);
                assert_eq!(got, Some(expected), "{name}");
            }
        }
        quantiles(took)
    };
    // The same with nothing else going on, for as long as that takes.
    let begin = Instant::now();
    let quiet = load(&|| begin.elapsed() >= QUIET);
    thread::scope(|scope| {
        let loaded = scope.spawn(|| load(&|| is_over.load(Ordering::Relaxed)));
        let file = folder.join("members.d/n.toml");
        let took = |what: &str, is_done: &dyn Fn() -> bool| {
            let begin = Instant::now();
            while !is_done() {
                assert!(begin.elapsed() < DEADLINE, "{what}");
                thread::sleep(Duration::from_millis(1));
            }
            eprintln!("{what}: served after {:?}", begin.elapsed());
        };
        let served = |expected: &'static str| {
            move |got: BTreeSet<String>| got.into_iter().eq([expected.to_owned()])
        };
        member(folder, "n", 10);
        add_own(folder, "n", 10);
        let first = served("203.0.113.10");
        took("added", &|| first(all("of-n")));
        let facts = fs::read_to_string(folder.join("members.d/n.facts")).unwrap();
        let other = folder.join("members.d/other.facts");
        crate::program::write(&other, &facts.replace(".10\"", ".20\""));
        let fragment = fs::read_to_string(&file).unwrap();
        replace(&file, &fragment.replace("n.facts", "other.facts"));
        let second = served("203.0.113.20");
        took("edited", &|| second(all("of-n")));
        fs::remove_file(&file).unwrap();
        took("deleted, with a second look 5 s later", &|| {
            all("of-n").is_empty()
        });
        eventually("it is gone", || names(folder) == NINE);
        is_over.store(true, Ordering::Relaxed);
        let busy = loaded.join().expect("all answers were right");
        eprintln!("queries of others in a quiet time: {quiet}\nwhile it came and went: {busy}");
    });
}
