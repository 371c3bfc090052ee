//! Real resolvers before gazetteer, on a world of facts files: a whole region is out.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use hickory_proto::rr::RecordType;

use crate::dns::{self, Client};
use crate::files;
use crate::gate::Gate;
use crate::gazetteer::{Gazetteer, global, within};
use crate::loopback;
use crate::process::{Process, debian, program};
use crate::wait::{SOON, START, until};

/// The port of the resolvers, each on an address of its own.
pub(super) const PORT: u16 = 5353;

/// Three members by files; the two of `europe-west1` have no ready endpoint. It answers on loopback.
pub(super) fn gazetteer(folder: &Path) -> Gazetteer {
    gazetteer_at(folder, Ipv4Addr::LOCALHOST)
}

/// The same, which answers at this address.
pub(super) fn gazetteer_at(folder: &Path, address: Ipv4Addr) -> Gazetteer {
    let mut members = String::new();
    for (name, region, zone, balancer, ready) in [
        (
            "ew1b",
            "europe-west1",
            "europe-west1-b",
            "203.0.113.11",
            false,
        ),
        (
            "ew1d",
            "europe-west1",
            "europe-west1-d",
            "203.0.113.12",
            false,
        ),
        ("ue1b", "us-east1", "us-east1-b", "203.0.113.21", true),
    ] {
        write!(
            members,
            "[[member]]\nname = \"{name}\"\nregion = \"{region}\"\nzones = [\"{zone}\"]\n\
             source = {{ file = \"{name}.toml\" }}\n\n"
        )
        .expect("text");
        let facts = format!(
            "[[service]]\nnamespace = \"shop\"\nname = \"web\"\n\
             ports = [{{ name = \"http\", protocol = \"TCP\", port = 80 }}]\n\
             addresses = [\"{balancer}\"]\n\
             endpoints = [{{ address = \"10.1.0.5\", ready = {ready} }}]\n"
        );
        files::write(&folder.join(format!("{name}.toml")), facts);
    }
    let text = format!(
        "version = \"v1\"\nstate-dir = \"state\"\n\n\
         [listen]\ndns = [\"{address}:0\"]\nadmin = \"127.0.0.1:0\"\n\n\
         [[federation]]\nname = \"fed\"\napex = \"example.com\"\n\
         nameservers = [{{ name = \"ns1.example.com\", addresses = [\"192.0.2.53\"] }}]\n\
         hostmaster = \"hostmaster.example.com\"\n\n{members}"
    );
    files::write(&folder.join("gazetteer.toml"), text);
    let gazetteer = Gazetteer::run(folder.to_owned());
    gazetteer.until_ready();
    gazetteer
}

/// Names of every level, and what each answers.
fn expectations() -> [(String, String); 5] {
    let (all, region) = (global("shop", "web"), within("shop", "web", "europe-west1"));
    let chain = format!("CNAME {region} CNAME {all} A 203.0.113.21");
    [
        (
            within("shop", "web", "europe-west1-b.europe-west1"),
            chain.clone(),
        ),
        (within("shop", "web", "europe-west1-d"), chain),
        (region, format!("CNAME {all} A 203.0.113.21")),
        (all, "A 203.0.113.21".to_owned()),
        (global("shop", "unknown"), "NXDOMAIN".to_owned()),
    ]
}

/// Waits until every name answers as expected through a resolver.
pub(super) fn assert_resolved(client: &Client) {
    for (name, expected) in expectations() {
        until(
            &format!("{name} resolves to {expected}"),
            SOON,
            || match client.ask(&name, RecordType::A)?.to_string() {
                answer if answer == expected => Ok(()),
                answer => Err(answer),
            },
        );
    }
}

/// Starts a resolver and gives a client of it.
pub(super) fn resolver(
    folder: &Path,
    program: &Path,
    arguments: &[OsString],
    address: Ipv4Addr,
) -> (Process, Client) {
    let name = program
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("resolver");
    let log = folder.join(format!("{name}.log"));
    let process = Process::spawn(name, program, arguments, &log, false);
    let address = SocketAddr::from((address, PORT));
    let shared = parking_lot::Mutex::new(process);
    until(&format!("{name} answers"), START, || {
        shared.lock().check_alive()?;
        Client::new(address).ask("example.com", RecordType::SOA)
    });
    (shared.into_inner(), Client::new(address))
}

/// Case A06: Unbound, with strict query name minimization, resolves a name two levels down whose
/// zone and region are both out; TTLs of its cache decrease.
pub(crate) fn unbound(folder: &Path) {
    let gazetteer = gazetteer(folder);
    let [address] = loopback::addresses([4], &[PORT]);
    let (ip, port) = (gazetteer.dns.ip(), gazetteer.dns.port());
    let stub = format!(
        "server:\n  do-not-query-localhost: no\n\
         stub-zone:\n  name: \"example.com\"\n  stub-addr: {ip}@{port}\n"
    );
    let (_process, client) = start_unbound(folder, address, &stub);
    assert_resolved(&client);

    let (name, expected) = &expectations()[0];
    let first = client
        .ask(name, RecordType::A)
        .expect("answer")
        .ttl
        .expect("TTL")
        .0;
    assert!((1..=30).contains(&first), "TTL {first}");
    until("the TTL decreases", SOON, || {
        let answer = client.ask(name, RecordType::A)?;
        assert_eq!(answer.to_string(), *expected);
        match answer.ttl {
            Some((smallest, _)) if smallest < first => Ok(()),
            ttl => Err(format!("{ttl:?}")),
        }
    });
}

/// Starts Unbound with more of its configuration, and strict query name minimization.
pub(super) fn start_unbound(folder: &Path, address: Ipv4Addr, more: &str) -> (Process, Client) {
    let file = folder.join("unbound.conf");
    files::write(
        &file,
        format!(
            "server:\n  interface: {address}@{PORT}\n  port: {PORT}\n  do-ip6: no\n  num-threads: 1\n  \
         username: \"\"\n  chroot: \"\"\n  directory: \"{0}\"\n  pidfile: \"{0}/unbound.pid\"\n  \
         use-syslog: no\n  verbosity: 2\n  module-config: \"iterator\"\n  \
         qname-minimisation: yes\n  qname-minimisation-strict: yes\n\
         remote-control:\n  control-enable: no\n{more}",
            folder.display()
        ),
    );
    let arguments = ["-d".into(), "-c".into(), file.into()];
    resolver(folder, &debian("unbound", "unbound"), &arguments, address)
}

/// Case A08: CoreDNS forwards over TCP (what it forwards to has no UDP at all), and three queries
/// in a row on one connection get three answers.
pub(crate) fn coredns(folder: &Path) {
    let gazetteer = gazetteer(folder);
    let gate = Gate::new(gazetteer.dns);
    let [address] = loopback::addresses([5], &[PORT]);
    let file = folder.join("Corefile");
    files::write(
        &file,
        format!(
            "example.com:{PORT} {{\n  bind {address}\n  errors\n  log\n  \
         forward . {} {{\n    force_tcp\n  }}\n}}\n",
            gate.address
        ),
    );
    let arguments = ["-conf".into(), file.into()];
    let (_process, client) = resolver(folder, &program("coredns"), &arguments, address);
    assert_resolved(&client);

    let names = expectations().map(|(name, _)| name);
    let answers = dns::ask_pipelined(gazetteer.dns, &names[..3]).expect("three answers");
    let mut answers: Vec<String> = answers.iter().map(ToString::to_string).collect();
    let mut expected = expectations().map(|(_, answer)| answer)[..3].to_vec();
    answers.sort();
    expected.sort();
    assert_eq!(answers, expected, "answers on one connection");
}
