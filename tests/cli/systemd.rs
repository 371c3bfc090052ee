//! The protocols of systemd, spoken to the daemon: there is no systemd to boot here.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::ptrace;
use nix::unistd::{Pid, dup};

use crate::daemon::{DEADLINE, Daemon};
use crate::program::{command, demo, replace};

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
    let mut manager = Manager::new(folder.path());
    let mut start = command(folder.path());
    start
        .env("NOTIFY_SOCKET", &manager.path)
        .env("WATCHDOG_USEC", "12000000")
        .args(["serve", "demo.toml"]);
    let daemon = Daemon::start_command(&mut start).ready();
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

/// Sockets as a socket unit binds them, at an address that is free for both.
fn sockets() -> (UdpSocket, TcpListener, SocketAddr) {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = udp.local_addr().unwrap();
        if let Ok(tcp) = TcpListener::bind(address) {
            return (udp, tcp, address);
        }
    }
}

/// Starts what becomes the daemon with these sockets as its file descriptors 3 and up, by `run`.
fn with_sockets<T>(folder: &Path, passed: &[&dyn AsFd], run: impl FnOnce(&mut Command) -> T) -> T {
    let program = command(folder);
    // Duplicates are not closed on `exec`.
    let kept: Vec<_> = passed
        .iter()
        .map(|socket| dup(socket.as_fd()).unwrap())
        .collect();
    let mut line = String::new();
    for (place, socket) in (60..).zip(&kept) {
        write!(line, "exec {place}<&{}; ", socket.as_raw_fd()).unwrap();
    }
    for (index, place) in (0..passed.len()).zip(60..) {
        write!(line, "exec {}<&{place} {place}<&-; ", index + 3).unwrap();
    }
    let count = passed.len();
    write!(
        line,
        "export LISTEN_PID=$$ LISTEN_FDS={count}; exec \"$0\" serve demo.toml"
    )
    .unwrap();
    let mut shell = Command::new("/bin/bash");
    shell.arg("-c").arg(line).arg(program.get_program());
    shell.current_dir(folder).env_clear().stdin(Stdio::null());
    run(&mut shell)
}

#[test]
fn sockets_that_are_passed_in_are_served_and_keep_what_waits_in_them() {
    let folder = demo();
    let (udp, tcp, address) = sockets();
    let file = folder.path().join("demo.toml");
    let text = fs::read_to_string(&file).unwrap();
    replace(
        &file,
        &text.replace("127.0.0.1:0\"]", &format!("{address}\"]")),
    );
    let mut daemon = with_sockets(folder.path(), &[&tcp, &udp], Daemon::start_command).ready();
    assert_eq!(daemon.dns, address);
    assert!(daemon.addresses(WEB).is_some());
    daemon.signal("TERM");
    assert!(daemon.end().success());
    // It waits in the socket while nobody is there, and is answered by the next.
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(DEADLINE)).unwrap();
    let query = [0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1];
    client.send_to(&query, address).unwrap();
    let _daemon = with_sockets(folder.path(), &[&tcp, &udp], Daemon::start_command).ready();
    let mut answer = [0; 512];
    client
        .recv_from(&mut answer)
        .expect("what waited is answered");
    assert_eq!(&answer[..2], &[0, 7]);
}

#[test]
fn sockets_that_do_not_match_are_refused_by_their_address() {
    let folder = demo();
    let (udp, tcp, address) = sockets();
    let refusal = |passed: &[&dyn AsFd]| {
        let output = with_sockets(folder.path(), passed, |command| command.output().unwrap());
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = refusal(&[&udp, &tcp]);
    let expected =
        format!("socket {address} udp was passed in, and listen.dns has no such address");
    assert!(said.contains(&expected), "{said}");

    let file = folder.path().join("demo.toml");
    let text = fs::read_to_string(&file).unwrap();
    replace(
        &file,
        &text.replace("127.0.0.1:0\"]", &format!("{address}\"]")),
    );
    let said = refusal(&[&tcp]);
    let expected = format!("socket {address} tcp was passed in, and none of that address for udp");
    assert!(said.contains(&expected), "{said}");
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
