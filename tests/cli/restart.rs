//! What a restart remembers of probes.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{env, fs};

use gazetteer::telemetry::clock;

use crate::daemon::{DEADLINE, Daemon, eventually};
use crate::program::{beginning, run, write};

/// The name that is asked.
const NAME: &str = "s.n.f.svc.example.com.";

/// How often the daemon is killed, unless `GAZETTEER_KILLS` says.
const KILLS: usize = 6;

/// A data plane that takes connections until it is dropped.
struct DataPlane {
    /// Tells it to end.
    end: Arc<AtomicBool>,
    /// Takes connections.
    thread: Option<JoinHandle<()>>,
}

impl DataPlane {
    /// Takes connections at an address.
    fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).expect("the address is free");
        listener.set_nonblocking(true).unwrap();
        let end = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&end);
        let thread = thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                if listener.accept().is_err() {
                    thread::sleep(Duration::from_millis(1));
                }
            }
        });
        Self {
            end,
            thread: Some(thread),
        }
    }
}

impl Drop for DataPlane {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it ends");
        }
    }
}

/// Two addresses of loopback with one port that is free at both.
fn addresses() -> [SocketAddr; 2] {
    let [a, b] = [1, 2].map(|n| Ipv4Addr::new(127, 77, 0, n));
    loop {
        let first = TcpListener::bind((a, 0)).unwrap();
        let port = first.local_addr().unwrap().port();
        if TcpListener::bind((b, port)).is_ok() {
            return [(a, port).into(), (b, port).into()];
        }
    }
}

/// Writes a configuration of two members with a service at one of the addresses each.
fn configure(folder: &Path, addresses: [SocketAddr; 2]) {
    let probe =
        r#"probe = { kind = "tcp", interval = "150ms", timeout = "150ms", down = 2, up = 1 }"#;
    let mut text = beginning("") + probe + "\npolicy = \"spread\"\n";
    for (member, address) in ["a", "b"].into_iter().zip(addresses) {
        text += &["[[member]]\nname = \"", member, "\"\nregion = \"", member].concat();
        text += &["\"\nsource = { file = \"", member, ".toml\" }\n"].concat();
        let facts = format!(
            "[[service]]\nnamespace = \"n\"\nname = \"s\"\naddresses = [\"{}\"]\nports = [{{ port = {} }}]\n",
            address.ip(),
            address.port()
        );
        write(&folder.join(format!("{member}.toml")), &facts);
    }
    write(&folder.join("gazetteer.toml"), &text);
}

/// Waits until both have passed and are answered.
fn both_pass(daemon: &Daemon, addresses: [SocketAddr; 2]) {
    let up = "gazetteer_health_targets{verdict=\"up\"} 2";
    eventually("both pass", || {
        let (_, metrics) = daemon.get("/metrics").expect("it listens");
        metrics.contains(up) && daemon.addresses(NAME) == Some(set(&addresses))
    });
}

/// A set of addresses as answers have it.
fn set(addresses: &[SocketAddr]) -> BTreeSet<String> {
    addresses.iter().map(|at| at.ip().to_string()).collect()
}

#[test]
fn after_a_kill_at_any_moment_nothing_is_answered_that_was_withdrawn() {
    let rounds = env::var("GAZETTEER_KILLS").map_or(KILLS, |text| text.parse().expect("a number"));
    let folder = tempfile::tempdir().unwrap();
    let addresses = addresses();
    configure(folder.path(), addresses);
    let mut planes = addresses.map(|at| Some(DataPlane::at(at)));
    let mut daemon = Daemon::start(folder.path(), "gazetteer.toml").ready();
    let mut seen_withdrawn = 0;
    for round in 0..rounds {
        both_pass(&daemon, addresses);
        let victim = round % 2;
        let left = Some(set(&[addresses[1 - victim]]));
        planes[victim] = None;
        // Every other time as soon as it is withdrawn, else at a moment of no meaning.
        let moment = Duration::from_millis((round as u64 * 37) % 250);
        let (begin, mut is_withdrawn) = (clock::monotonic(), false);
        while begin.elapsed() < moment || (round % 4 < 2 && !is_withdrawn) {
            assert!(begin.elapsed() < DEADLINE, "it is withdrawn");
            is_withdrawn = daemon.addresses(NAME) == left;
            if is_withdrawn && round % 4 < 2 {
                break;
            }
        }
        daemon.signal("KILL");
        daemon.end();
        daemon = Daemon::start(folder.path(), "gazetteer.toml");
        let begin = clock::monotonic();
        while is_withdrawn && begin.elapsed() < Duration::from_millis(200) {
            assert_eq!(daemon.addresses(NAME), left, "round {round}");
        }
        seen_withdrawn += usize::from(is_withdrawn);
        daemon = daemon.ready();
        eventually("it is withdrawn", || daemon.addresses(NAME) == left);
        planes[victim] = Some(DataPlane::at(addresses[victim]));
    }
    assert!(seen_withdrawn * 3 > rounds, "{seen_withdrawn} of {rounds}");
}

#[test]
fn what_probes_have_found_is_a_file_of_its_own_and_known_without_a_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let addresses = addresses();
    configure(folder.path(), addresses);
    let planes = addresses.map(DataPlane::at);
    let mut daemon = Daemon::start(folder.path(), "gazetteer.toml").ready();
    both_pass(&daemon, addresses);
    let [first, _second] = planes;
    drop(first);
    let left = Some(set(&addresses[1..]));
    eventually("it is withdrawn", || daemon.addresses(NAME) == left);
    daemon.signal("TERM");
    assert!(daemon.end().success());
    let explain = || {
        let arguments = ["explain", NAME, "--config", "gazetteer.toml"];
        String::from_utf8(run(folder.path(), &arguments).stdout).unwrap()
    };
    assert!(explain().contains("down since"), "{}", explain());
    fs::remove_file(folder.path().join("state/probes.log")).unwrap();
    assert!(!explain().contains("down since"), "{}", explain());
    // Nothing of it is left, so the dead address is as good as one that nobody has asked.
    let daemon = Daemon::start(folder.path(), "gazetteer.toml").ready();
    assert_eq!(daemon.addresses(NAME), Some(set(&addresses)));
    let never = || {
        let arguments = ["explain", NAME, "--state-dir", "state"];
        let text = String::from_utf8(run(folder.path(), &arguments).stdout).unwrap();
        text.contains("never passed from here: refused")
    };
    eventually("it is asked", never);
}
