//! A small Internet in a network of its own, signed from its root on.
//!
//! ```text
//!  root (NSD) ──DS──▶ com (NSD) ──DS──▶ example.com (gazetteer, two name servers)
//!      ▲                  ▲                  ▲
//!      └──────────────────┴──────────────────┴── Unbound, dnsviz, Zonemaster
//! ```
//!
//! Everything is on port 53 of addresses of the loopback interface of a network namespace, which belongs
//! to one thread and to what it starts: nothing can leave it, and it ends with them.

mod judges;
mod resolver;
mod zones;

use std::cell::{Cell, RefCell};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::Command;

use hickory_proto::rr::{Name, RecordType};
use nix::sched::{CloneFlags, unshare};

pub(crate) use self::judges::zonemaster;
pub(crate) use self::resolver::Validator;
use self::zones::{ZoneSigner, authority};
use crate::artefacts::run;
use crate::dns::Client;
use crate::process::{self, Process};
use crate::wait::{START, until};

/// The port of everything here.
pub(crate) const DNS: u16 = 53;

/// The zone that is delegated to gazetteer.
pub(crate) const ZONE: &str = "example.com";

/// The root's server. RFC 2544 keeps these networks for tests, RFC 4193 those of IPv6 for nobody else.
pub(crate) const ROOT: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(198, 18, 0, 1)),
    IpAddr::V6(Ipv6Addr::new(0xfd67, 0x7a00, 0, 0, 0, 0, 0, 1)),
];

/// The server of `com`.
pub(crate) const COM: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(198, 18, 1, 1)),
    IpAddr::V6(Ipv6Addr::new(0xfd67, 0x7a00, 1, 0, 0, 0, 0, 1)),
];

/// The name servers of [`ZONE`], `ns1` and `ns2` in it, in different networks.
pub(crate) const SERVERS: [[IpAddr; 2]; 2] = [
    [
        IpAddr::V4(Ipv4Addr::new(198, 18, 2, 53)),
        IpAddr::V6(Ipv6Addr::new(0xfd67, 0x7a00, 2, 0, 0, 0, 0, 53)),
    ],
    [
        IpAddr::V4(Ipv4Addr::new(198, 19, 2, 53)),
        IpAddr::V6(Ipv6Addr::new(0xfd67, 0x7b00, 2, 0, 0, 0, 0, 53)),
    ],
];

/// Where resolvers answer.
pub(crate) const RESOLVERS: [Ipv4Addr; 2] =
    [Ipv4Addr::new(198, 18, 9, 1), Ipv4Addr::new(198, 18, 9, 2)];

/// The Internet, as long as this lives.
pub(crate) struct Internet {
    /// Its files.
    folder: PathBuf,
    /// A command that runs a program in it.
    launcher: Vec<OsString>,
    /// Signs the root.
    root: ZoneSigner,
    /// Signs `com`.
    com: ZoneSigner,
    /// The servers of both: that of `com` is another one after each change.
    servers: RefCell<Vec<Process>>,
    /// Of the zone `com`.
    serial: Cell<u32>,
}

impl Internet {
    /// Makes it, and runs something in a thread that is inside.
    pub(crate) fn with(folder: &Path, inside: impl FnOnce(&Self) + Send) {
        in_own_network(|launcher| inside(&Self::new(folder, launcher)));
    }

    /// Makes it in the network of this thread; nothing is delegated to gazetteer yet.
    fn new(folder: &Path, launcher: Vec<OsString>) -> Self {
        let resolvers = RESOLVERS.map(IpAddr::V4);
        let servers = SERVERS.iter().flatten();
        for address in ROOT.iter().chain(&COM).chain(servers).chain(&resolvers) {
            let address = address.to_string();
            run("ip", &["address", "add", &address, "dev", "lo"]);
        }
        let internet = Self {
            folder: folder.to_owned(),
            launcher,
            root: ZoneSigner::new(folder, "."),
            com: ZoneSigner::new(folder, "com"),
            servers: RefCell::default(),
            serial: Cell::new(0),
        };
        internet.serve_root();
        internet.delegate(&[]);
        internet
    }

    /// A command that runs a program inside, with its arguments: the program's own follow.
    pub(crate) fn launcher(&self) -> Vec<OsString> {
        self.launcher.clone()
    }

    /// Where its files are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The DNSKEY record of the root: the one trust anchor.
    pub(crate) fn anchor(&self) -> &str {
        self.root.dnskey()
    }

    /// Serves the root, which has the zones of reverse mapping in it.
    fn serve_root(&self) {
        let mut text = authority(".", "ns.", ROOT) + "com. IN NS ns.com.\n";
        for address in COM {
            writeln!(text, "ns.com. IN {} {address}", address_type(address)).expect("text");
        }
        writeln!(text, "{}", self.com.ds()).expect("text");
        for (name, addresses) in server_names().zip(SERVERS) {
            for address in addresses {
                writeln!(text, "{} IN PTR {name}.", Name::from(address)).expect("text");
            }
        }
        let zone = self.root.sign(&text);
        let process = self.serve("root", ".", &zone, ROOT);
        self.servers.borrow_mut().push(process);
        self.until_served(ROOT, ".", 1);
    }

    /// Has `com` delegate [`ZONE`], with DS records of this rdata.
    pub(crate) fn delegate(&self, ds: &[String]) {
        let serial = self.serial.get() + 1;
        self.serial.set(serial);
        let text = authority("com.", "ns.com.", COM);
        let mut text = text.replace(" 1 3600", &format!(" {serial} 3600"));
        for (name, addresses) in server_names().zip(SERVERS) {
            writeln!(text, "{ZONE}. IN NS {name}.").expect("text");
            for address in addresses {
                writeln!(text, "{name}. IN {} {address}", address_type(address)).expect("text");
            }
        }
        for ds in ds {
            writeln!(text, "{ZONE}. IN DS {ds}").expect("text");
        }
        let zone = self.com.sign(&text);
        // The one before has the addresses.
        self.servers.borrow_mut().truncate(1);
        let process = self.serve("com", "com", &zone, COM);
        self.servers.borrow_mut().push(process);
        self.until_served(COM, "com", serial);
    }

    /// Waits until a zone is served.
    fn until_served(&self, addresses: [IpAddr; 2], zone: &str, serial: u32) {
        let client = Client::new((addresses[0], DNS).into());
        until(&format!("{zone} is served"), START, || {
            self.check_alive()?;
            let answer = client.ask(zone, RecordType::SOA)?;
            match answer.serial {
                Some(seen) if seen == serial => Ok(()),
                other => Err(format!("serial {other:?}")),
            }
        });
    }

    /// Fails if one of its servers has ended.
    fn check_alive(&self) -> Result<(), String> {
        let mut servers = self.servers.borrow_mut();
        servers.iter_mut().try_for_each(Process::check_alive)
    }
}

/// Runs something in a thread with a network of its own, in which there is loopback alone. It is given a
/// command that runs a program there, with its arguments: the program's own follow. What the thread starts
/// itself is there anyway.
pub(crate) fn in_own_network(inside: impl FnOnce(Vec<OsString>) + Send) {
    // What starts programs is not there.
    process::starter();
    let run = || {
        unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace: needs root");
        run("ip", &["link", "set", "lo", "up"]);
        let (process, thread) = (nix::unistd::getpid(), nix::unistd::gettid());
        let network = format!("--net=/proc/{process}/task/{thread}/ns/net");
        inside(["nsenter", &network, "--"].map(OsString::from).to_vec());
    };
    std::thread::scope(|scope| {
        if let Err(panic) = scope.spawn(run).join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// The names of the name servers of [`ZONE`].
fn server_names() -> impl Iterator<Item = String> {
    (1..=SERVERS.len()).map(|number| format!("ns{number}.{ZONE}"))
}

/// The type of records that have such addresses.
fn address_type(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "A" } else { "AAAA" }
}

/// Runs a program to its end in a folder, which must be a good one; what it printed.
fn run_in(folder: &Path, program: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr);
    let program = program.display();
    assert!(
        output.status.success(),
        "{program} {arguments:?}\n{printed}{said}"
    );
    printed
}
