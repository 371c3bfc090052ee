//! The protocols of systemd, spoken to the daemon: there is no systemd to boot here.

use std::collections::VecDeque;
use std::fs;
use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::ptrace;
use nix::unistd::Pid;

use crate::daemon::{DEADLINE, Daemon};
use crate::program::{command, demo, replace};

/// A query for the name servers of the root (RFC 1035 section 4.1).
const QUERY: [u8; 17] = [0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1];

/// A name that three members answer.
const WEB: &str = "my-web.my-namespace.my-federation.svc.example.com.";

/// The place of a service manager.
struct Manager {
    /// Where it is told.
    socket: UnixDatagram,
    /// The path of that.
    path: PathBuf,
    /// What it was told and has not looked at.
    told: VecDeque<String>,
}

impl Manager {
    /// A service manager whose socket is in this folder.
    fn new(folder: &Path) -> Self {
        let path = folder.join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        Self {
            socket,
            path,
            told: VecDeque::new(),
        }
    }

    /// The next message.
    fn next(&mut self) -> Vec<String> {
        let mut octets = [0; 4096];
        let length = self
            .socket
            .recv(&mut octets)
            .expect("the manager is told in time");
        let text = String::from_utf8_lossy(&octets[..length]).into_owned();
        text.lines().map(str::to_owned).collect()
    }

    /// Waits for a message with this line.
    fn until(&mut self, line: &str) -> Vec<String> {
        loop {
            let message = self.next();
            if message.iter().any(|one| one == line) {
                return message;
            }
            self.told.extend(message);
        }
    }
}

#[test]
fn the_service_manager_hears_of_readiness_reloads_and_the_end() {
    let folder = demo();
    let mut manager = Manager::new(folder.path());
    let mut start = command(folder.path());
    start
        .env("NOTIFY_SOCKET", &manager.path)
        .args(["serve", "demo.toml"]);
    let mut daemon = Daemon::start_command(&mut start).ready();
    let ready = manager.until("READY=1");
    assert!(manager.told.is_empty(), "{:?}", manager.told);
    assert!(
        ready.contains(&"STATUS=serving 2 services".to_owned()),
        "{ready:?}"
    );

    // What is wrong is not taken, and told as an end of the reload all the same.
    let file = folder.path().join("demo.toml");
    let text = fs::read_to_string(&file).unwrap();
    for text in [text.clone(), format!("wrong = 1\n{text}")] {
        replace(&file, &text);
        daemon.signal("HUP");
        let reloading = manager.until("RELOADING=1");
        let since = reloading
            .iter()
            .find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
        assert!(
            since.expect("a time").parse::<u64>().unwrap() > 0,
            "{reloading:?}"
        );
        manager.until("READY=1");
    }
    daemon.signal("TERM");
    manager.until("STOPPING=1");
    assert!(daemon.end().success());
}

#[test]
fn the_watchdog_is_fed_until_the_writer_stands_still() {
    let folder = demo();
    let (daemon, mut manager) = watched(folder.path(), Duration::from_secs(12));
    // Though nobody asks anything.
    for _ in 0..3 {
        manager.until("WATCHDOG=1");
    }

    let writer = thread_of(daemon.pid(), "publish");
    ptrace::seize(writer, ptrace::Options::empty()).unwrap();
    ptrace::interrupt(writer).unwrap();
    // Its last turn has to be too old, then three proofs have to be missing.
    daemon.log(&["no proof for the watchdog", "takes no turn"]);
    daemon.log(&["no proof for the watchdog"]);
    daemon.log(&["no proof for the watchdog"]);
    manager.socket.set_nonblocking(true).unwrap();
    let mut octets = [0; 4096];
    while manager.socket.recv(&mut octets).is_ok() {}
    daemon.log(&["no proof for the watchdog"]);
    daemon.log(&["no proof for the watchdog"]);
    assert!(
        manager.socket.recv(&mut octets).is_err(),
        "fed without a proof"
    );
    assert!(
        daemon.addresses(WEB).is_some(),
        "queries are answered all the same"
    );

    nix::sys::wait::waitpid(writer, Some(nix::sys::wait::WaitPidFlag::__WALL)).unwrap();
    ptrace::detach(writer, None).unwrap();
    manager.socket.set_nonblocking(false).unwrap();
    manager.until("WATCHDOG=1");
}

/// A daemon with a watchdog of this timeout, and the manager that it tells.
fn watched(folder: &Path, within: Duration) -> (Daemon, Manager) {
    let manager = Manager::new(folder);
    let mut start = command(folder);
    start
        .env("NOTIFY_SOCKET", &manager.path)
        .env("WATCHDOG_USEC", within.as_micros().to_string())
        .args(["serve", "demo.toml"]);
    let daemon = Daemon::start_command(&mut start).ready();
    // As patient as the service manager.
    manager.socket.set_read_timeout(Some(within)).unwrap();
    (daemon, manager)
}

#[test]
fn the_watchdog_is_fed_where_nobody_asks_anything() {
    let folder = demo();
    // A fifth of the unit's: so much of everything as two minutes have there.
    let (_daemon, mut manager) = watched(folder.path(), Duration::from_secs(6));
    for _ in 0..24 {
        manager.until("WATCHDOG=1");
    }
}

#[test]
fn the_watchdog_is_fed_while_more_is_asked_than_can_be_answered() {
    let folder = demo();
    let (daemon, mut manager) = watched(folder.path(), Duration::from_secs(6));
    let metric = |line: &str| {
        let (_, text) = daemon.get("/metrics").expect("metrics");
        let value = text.lines().find_map(|one| one.strip_prefix(line));
        value.expect("the metric").trim().parse::<u64>().unwrap()
    };
    let (is_over, address) = (AtomicBool::new(false), daemon.dns);
    let flood = || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        while !is_over.load(Ordering::Relaxed) {
            // Nobody reads the answers; where a queue is full, it is full.
            let _ = socket.send_to(&QUERY, address);
        }
    };
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(flood);
        }
        let fed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..12 {
                manager.until("WATCHDOG=1");
            }
            metric("gazetteer_serve_queries_total{transport=\"udp\"}")
        }));
        is_over.store(true, Ordering::Relaxed);
        let asked = fed.expect("fed in time");
        assert!(asked > 10_000, "{asked} queries are no flood");
    });
}

/// A thread of a process, by its name.
fn thread_of(pid: u32, name: &str) -> Pid {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let tasks = tasks.map(|task| task.unwrap().path());
    let mut named = tasks.filter(|task| {
        fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim_end() == name)
    });
    let task = named.next().expect("a thread of that name");
    let number = task.file_name().unwrap().to_string_lossy().parse();
    Pid::from_raw(number.unwrap())
}

#[test]
fn the_units_are_right_and_exposed_to_little() {
    let folder = tempfile::tempdir().unwrap();
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/systemd");
    for name in ["gazetteer.service", "gazetteer.socket"] {
        let text = fs::read_to_string(units.join(name)).unwrap();
        // Installed where the package puts it.
        let text = text.replace("/usr/bin/gazetteer", env!("CARGO_BIN_EXE_gazetteer"));
        replace(&folder.path().join(name), &text);
    }
    let analyze = |arguments: &[&str]| {
        let mut command = Command::new("systemd-analyze");
        let output = command.args(arguments).current_dir(folder.path()).output();
        let output = output.expect("systemd-analyze runs");
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    };
    let verified = analyze(&[
        "verify",
        "--man=no",
        "./gazetteer.service",
        "./gazetteer.socket",
    ]);
    assert_eq!(verified, (true, String::new()));
    // Tenths: 2.0 at most.
    let (is_safe, said) = analyze(&[
        "security",
        "--offline=true",
        "--threshold=20",
        "--no-pager",
        "./gazetteer.service",
    ]);
    assert!(is_safe, "{said}");
}
