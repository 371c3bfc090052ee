//! Sockets that the service manager passes in, as by a socket unit.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use nix::sched::{CloneFlags, unshare};
use nix::unistd::dup;

use crate::daemon::{DEADLINE, Daemon, eventually};
use crate::program::{command, demo, replace};

/// A name that three members answer.
const WEB: &str = "my-web.my-namespace.my-federation.svc.example.com.";

/// The number of the user `nobody`, and of its group.
const NOBODY: u32 = 65_534;

/// How many queries wait for their answers at most: fewer than any receive buffer holds.
const WINDOW: usize = 64;

/// A query for the name servers of the root, with this id (RFC 1035 section 4.1).
fn query(id: u16) -> [u8; 17] {
    let [high, low] = id.to_be_bytes();
    [high, low, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1]
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
    with_sockets_by(folder, passed, (program.get_program().as_ref(), ""), run)
}

/// As [`with_sockets`], with this program, run by a launcher.
fn with_sockets_by<T>(
    folder: &Path,
    passed: &[&dyn AsFd],
    (program, launcher): (&Path, &str),
    run: impl FnOnce(&mut Command) -> T,
) -> T {
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
        "export LISTEN_PID=$$ LISTEN_FDS={count}; exec {launcher} \"$0\" serve demo.toml"
    )
    .unwrap();
    let mut shell = Command::new("/bin/bash");
    shell.arg("-c").arg(line).arg(program);
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
    client.send_to(&query(7), address).unwrap();
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

/// Asks without end, [`WINDOW`] queries at once, until it is over; then waits for what is not answered.
/// Returns how often it has asked.
fn ask_on(client: &UdpSocket, asked: &AtomicUsize, is_over: &AtomicBool) -> usize {
    let mut waiting = std::collections::BTreeSet::new();
    let mut octets = [0; 512];
    loop {
        while waiting.len() < WINDOW && !is_over.load(Ordering::Relaxed) {
            let number = asked.fetch_add(1, Ordering::Relaxed);
            let id = u16::try_from(number % 65_536).unwrap();
            client.send(&query(id)).unwrap();
            assert!(waiting.insert(id), "{id} was asked {} queries ago", 65_536);
        }
        if waiting.is_empty() {
            return asked.load(Ordering::Relaxed);
        }
        let lost = |error| panic!("{} queries have no answer: {error}", waiting.len());
        let length = client.recv(&mut octets).unwrap_or_else(lost);
        assert!(length > 2);
        let id = u16::from_be_bytes([octets[0], octets[1]]);
        assert!(waiting.remove(&id), "an answer to nothing: {id}");
    }
}

/// Port 53, as an unprivileged user in a network namespace: as root, as in CI. Who is not root does the
/// same on a port that anybody may bind.
fn restarts_under_load() {
    let folder = demo();
    let path = folder.path();
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let (program, launcher) = if is_root {
        // Of this thread, and of what it starts.
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let mut up = Command::new("ip");
        let up = up.args(["link", "set", "lo", "up"]).status();
        assert!(up.expect("ip runs").success());
        // Where another user may run it.
        let program = path.join("gazetteer");
        fs::copy(env!("CARGO_BIN_EXE_gazetteer"), &program).unwrap();
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        let launcher = "setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all --";
        (program, launcher)
    } else {
        (env!("CARGO_BIN_EXE_gazetteer").into(), "")
    };
    let (udp, tcp, address) = if is_root {
        let address = SocketAddr::from(([127, 0, 0, 1], 53));
        let udp = UdpSocket::bind(address).unwrap();
        (udp, TcpListener::bind(address).unwrap(), address)
    } else {
        sockets()
    };
    let file = path.join("demo.toml");
    let text = fs::read_to_string(&file).unwrap();
    let text = text.replace("127.0.0.1:0\"]", &format!("{address}\"]"));
    replace(&file, &format!("shutdown-delay = \"0s\"\n{text}"));

    let start = || {
        let by = (&*program, launcher);
        let daemon = with_sockets_by(path, &[&udp, &tcp], by, Daemon::start_command);
        daemon.ready()
    };
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(address).unwrap();
    client.set_read_timeout(Some(3 * DEADLINE)).unwrap();
    let (asked, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let load = scope.spawn(|| ask_on(&client, &asked, &is_over));
        let restarts = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut daemon = start();
            if is_root {
                let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid()));
                let status = status.unwrap();
                assert!(status.contains("Uid:\t65534\t65534"), "{status}");
                assert!(status.contains("CapEff:\t0000000000000000"), "{status}");
            }
            for _ in 0..3 {
                let before = asked.load(Ordering::Relaxed);
                eventually("it is under load", || {
                    asked.load(Ordering::Relaxed) > before + 20 * WINDOW
                });
                daemon.signal("TERM");
                assert!(daemon.end().success());
                // It waits in the socket, too.
                let mut stream = TcpStream::connect(address).unwrap();
                stream.set_read_timeout(Some(DEADLINE)).unwrap();
                let message = [&[0, 17][..], &query(1)].concat();
                stream.write_all(&message).unwrap();
                daemon = start();
                let mut answer = [0; 19];
                stream.read_exact(&mut answer).expect("an answer over TCP");
                assert_eq!(answer[2..4], [0, 1]);
            }
            is_over.store(true, Ordering::Relaxed);
            load.join().expect("every query is answered")
        }));
        is_over.store(true, Ordering::Relaxed);
        let asked = restarts.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        assert!(asked > 60 * WINDOW, "{asked}");
    });
}

#[test]
fn a_restart_under_load_loses_no_query_that_its_socket_holds() {
    // A namespace is that of a thread; the others of this program keep theirs.
    thread::spawn(restarts_under_load).join().unwrap();
}
