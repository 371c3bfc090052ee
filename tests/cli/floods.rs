//! Floods and cookies, on whole daemons in a network of their own (R01, R02).

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::thread;

use nix::sched::{CloneFlags, unshare};

use crate::daemon::{DEADLINE, Daemon, eventually};
use crate::program::{beginning, replace, write};

/// Queries of a flood, in a second or less as a rule.
const FLOOD: usize = 1_500;

/// What the clients of a network get at once.
const BURST: usize = 500;

/// Queries on their way at once.
const WINDOW: usize = 50;

/// A zone with a wildcard.
const ZONES: &str = "\n[[zone]]\napex = \"static.test\"\nfile = \"static.test.zone\"\n";
const ZONE: &str = "$TTL 60\n@ SOA ns.example.net. admin 1 1h 10m 1d 60\n@ NS ns.example.net.\n\
                    www A 192.0.2.1\n*.w A 192.0.2.2\nd DNAME static.test.\n";

/// The daemon of a folder, and the number of requests that it has dropped.
struct Flooded {
    daemon: Daemon,
    address: SocketAddr,
}

/// A query for the addresses of a name, with a cookie if there is one.
fn query(name: &str, cookie: Option<&[u8]>) -> Vec<u8> {
    let additional = u8::from(cookie.is_some());
    let mut octets = vec![0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, additional];
    for label in name.split('.') {
        octets.push(u8::try_from(label.len()).unwrap());
        octets.extend(label.as_bytes());
    }
    octets.extend([0, 0, 1, 0, 1]);
    if let Some(cookie) = cookie {
        let length = u8::try_from(cookie.len()).unwrap();
        octets.extend([
            0,
            0,
            41,
            4,
            208,
            0,
            0,
            0,
            0,
            0,
            length + 4,
            0,
            10,
            0,
            length,
        ]);
        octets.extend(cookie);
    }
    octets
}

/// A client at an address.
fn client(address: &str) -> UdpSocket {
    let client = UdpSocket::bind((address, 0)).unwrap();
    client.set_read_timeout(Some(DEADLINE)).unwrap();
    client
}

/// The cookie of a response, whose OPT record is its last one and has no other option.
fn cookie(response: &[u8]) -> Vec<u8> {
    let (rest, cookie) = response.split_at(response.len() - 24);
    assert!(rest.ends_with(&[0, 10, 0, 24]), "{response:?}");
    cookie.to_vec()
}

/// One number of the metrics.
fn metric(daemon: &Daemon, name: &str) -> usize {
    let (_, body) = daemon.get("/metrics").unwrap();
    let line = body.lines().find_map(|line| line.strip_prefix(name));
    line.map_or(0, |number| number.trim().parse().unwrap())
}

impl Flooded {
    fn start(folder: &Path) -> Self {
        let daemon = Daemon::start(folder, "g.toml").ready();
        let port = daemon.dns().port();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        Self { daemon, address }
    }

    /// One query and its response.
    fn ask(&self, client: &UdpSocket, request: &[u8]) -> Vec<u8> {
        client.send_to(request, self.address).unwrap();
        let mut octets = [0; 1_232];
        let length = client.recv(&mut octets).unwrap();
        octets[..length].to_vec()
    }

    /// Requests that were beyond a limit: of these which were truncated and which dropped.
    fn limited(&self) -> [usize; 2] {
        ["truncated", "dropped"].map(|action| {
            let labels = format!("{{action=\"{action}\",class=\"positive\"}}");
            metric(
                &self.daemon,
                &format!("gazetteer_serve_rate_limited_total{labels}"),
            )
        })
    }

    /// Sends a flood by these clients in turn. Returns how many of its responses were whole and how many
    /// truncated.
    fn flood(&self, clients: &[UdpSocket], request: impl Fn(usize) -> Vec<u8>) -> [usize; 2] {
        let [_, dropped_before] = self.limited();
        let mut counts = [0; 2];
        for number in 0..FLOOD {
            let client = &clients[number % clients.len()];
            client.send_to(&request(number), self.address).unwrap();
            if number % WINDOW == WINDOW - 1 {
                eventually("each request is answered or dropped", || {
                    let mut octets = [0; 1_232];
                    for client in clients {
                        client.set_nonblocking(true).unwrap();
                        while client.recv(&mut octets).is_ok() {
                            counts[usize::from(octets[2] & 2 != 0)] += 1;
                        }
                        client.set_nonblocking(false).unwrap();
                    }
                    let [_, dropped] = self.limited();
                    counts.iter().sum::<usize>() + dropped - dropped_before == number + 1
                });
            }
        }
        counts
    }
}

/// Asserts that a flood was limited, half of the rest being truncated. It took seconds at most.
fn assert_limited([whole, truncated]: [usize; 2]) {
    assert!((BURST..FLOOD).contains(&whole), "{whole}");
    let rest = FLOOD - whole;
    assert!(truncated.abs_diff(rest / 2) <= 1, "{truncated} of {rest}");
}

/// Has a test run in a network of its own where that is allowed, so that it may have any address.
fn in_own_network(test: fn()) {
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    if !is_root {
        // Only who is root may have another network.
        return;
    }
    let own = thread::spawn(move || {
        // Of this thread, and of what it starts.
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        for arguments in [
            "link set lo up",
            "address add 10.0.0.1/8 dev lo",
            "address add 198.18.0.1/15 dev lo",
        ] {
            let done = Command::new("ip").args(arguments.split(' ')).status();
            assert!(done.expect("ip runs").success(), "{arguments}");
        }
        test();
    });
    if let Err(panic) = own.join() {
        std::panic::resume_unwind(panic);
    }
}

/// A folder with a configuration that has these keys at its top.
fn folder(keys: &str) -> tempfile::TempDir {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    write(
        &folder.join("g.toml"),
        &format!("{}{ZONES}", beginning(keys)),
    );
    write(&folder.join("static.test.zone"), ZONE);
    temporary
}

#[test]
fn floods_of_one_name_are_limited_by_the_network_that_they_come_from() {
    in_own_network(|| {
        let folder = folder("");
        let server = Flooded::start(folder.path());
        let www = |_| query("www.static.test", None);
        let one = [client("198.18.7.1"), client("198.18.7.2")];
        assert_limited(server.flood(&one, www));
        let all: Vec<_> = (0..50)
            .map(|net| client(&format!("198.19.{net}.1")))
            .collect();
        assert_eq!(server.flood(&all, www), [FLOOD, 0], "from 50 networks");
        let ten = [client("10.1.2.3")];
        assert_eq!(server.flood(&ten, www), [FLOOD, 0], "from a private one");
        let proved = client("198.18.7.3");
        let first = query("mail.static.test", Some(b"12345678"));
        let cookie = cookie(&server.ask(&proved, &first));
        let with_cookie = |_| query("www.static.test", Some(&cookie));
        assert_eq!(server.flood(&[proved], with_cookie), [FLOOD, 0]);
    });
}

#[test]
fn names_that_a_wildcard_or_a_dname_record_makes_count_as_one() {
    in_own_network(|| {
        let folder = folder("");
        let server = Flooded::start(folder.path());
        let wild = |number| query(&format!("n{number}.w.static.test"), None);
        assert_limited(server.flood(&[client("198.18.8.1")], wild));
        // Each below another name, so that these are without end too.
        let renamed = |number| {
            query(
                &format!("www.{}static.test", "d.".repeat(1 + number % 4)),
                None,
            )
        };
        assert_limited(server.flood(&[client("198.18.9.1")], renamed));
    });
}

#[test]
fn two_daemons_that_share_a_file_of_secrets_take_each_others_cookies() {
    let (old, new) = ("0f".repeat(16), "1e".repeat(16));
    let start = |secrets: &str| {
        let folder = folder("listen.cookie-secrets = \"cookies\"\nlisten.workers = 1");
        write(&folder.path().join("cookies"), secrets);
        let server = Flooded::start(folder.path());
        (folder, server)
    };
    let (first_folder, first) = start(&format!("{old}\n"));
    let (_second_folder, second) = start(&format!("{new} # signs\n{old}\n"));
    let client = client("127.0.0.1");
    let ask = |server: &Flooded, with: &[u8]| {
        let response = server.ask(&client, &query("www.static.test", Some(with)));
        assert_eq!(
            (response[3] & 15, response[7]),
            (0, 1),
            "an answer in any case"
        );
        cookie(&response)
    };
    let results = |server: &Flooded| {
        ["new", "good", "bad"].map(|result| {
            let name = format!("gazetteer_serve_cookies_total{{result=\"{result}\"}}");
            metric(&server.daemon, &name)
        })
    };
    let given = ask(&first, b"12345678");
    assert_eq!(ask(&first, &given), given);
    let renewed = ask(&second, &given);
    assert_ne!(renewed, given, "signed by the first secret of the file");
    assert_eq!(ask(&second, &renewed), renewed);
    assert_eq!((results(&first), results(&second)), ([1, 1, 0], [0, 2, 0]));
    assert_eq!(results(&first), [1, 1, 0]);
    // The first one does not know the new secret yet, and takes it when it is told.
    ask(&first, &renewed);
    assert_eq!(results(&first), [1, 1, 1]);
    replace(
        &first_folder.path().join("cookies"),
        &format!("{old}\n{new}\n"),
    );
    eventually("the secret is known", || {
        ask(&first, &renewed);
        results(&first)[1] > 1
    });
}
