//! What `gazetteer check --live` says of real DNS servers around gazetteer: stub domains, resolvers, and
//! the zone above.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::resolvers::{PORT, resolver, start_unbound};
use crate::files;
use crate::gazetteer::Gazetteer;
use crate::loopback;
use crate::nsd::configure;
use crate::process::{Process, debian, program};
use crate::relay::DatagramRelay;

/// The port of name servers.
const DNS: u16 = 53;

/// A gazetteer whose two name servers are its two listeners; the second is bound to the member `near`.
struct Served {
    /// It runs while this lives.
    gazetteer: Gazetteer,
    /// Its addresses, both name servers.
    addresses: [Ipv4Addr; 2],
}

impl Served {
    /// Starts it, with a member of one service.
    fn start(folder: &Path) -> Self {
        let addresses = loopback::addresses([31, 32], &[DNS]);
        let [first, second] = addresses;
        let facts = "[[service]]\nnamespace = \"shop\"\nname = \"web\"\n\
             ports = [{ name = \"http\", protocol = \"TCP\", port = 80 }]\n\
             addresses = [\"203.0.113.11\"]\n\
             endpoints = [{ address = \"10.1.0.5\", ready = true }]\n";
        files::write(&folder.join("near.toml"), facts);
        let text = format!(
            "version = \"v1\"\nstate-dir = \"state\"\n\n\
             [listen]\ndns = [\"{first}:{DNS}\", {{ address = \"{second}:{DNS}\", member = \"near\" }}]\n\
             admin = \"127.0.0.1:0\"\nclient-name = true\n\n\
             [[federation]]\nname = \"fed\"\napex = \"example.com\"\nexport = \"load-balancers\"\n\
             nameservers = [{{ name = \"ns1.example.com\", addresses = [\"{first}\"] }}, \
             {{ name = \"ns2.example.com\", addresses = [\"{second}\"] }}]\n\
             probe = {{ kind = \"none\" }}\n\n\
             [[member]]\nname = \"near\"\nregion = \"r1\"\nzones = [\"z1\"]\n\
             cluster-domain = \"cluster.local\"\nsource = {{ file = \"near.toml\" }}\n"
        );
        files::write(&folder.join("gazetteer.toml"), text);
        let gazetteer = Gazetteer::run(folder.to_owned());
        gazetteer.until_ready();
        Self {
            gazetteer,
            addresses,
        }
    }

    /// Its configuration.
    fn file(&self) -> std::path::PathBuf {
        self.gazetteer.folder.join("gazetteer.toml")
    }

    /// What a check says of some ids: state, words and hint of each line, in order.
    fn check(&self, only: &str, arguments: &[String]) -> Vec<(String, String, String)> {
        let output = Command::new(env!("CARGO_BIN_EXE_gazetteer"))
            .arg("check")
            .arg(self.file())
            .args(["--live", "-o", "json", "--only", only])
            .args(arguments)
            .output()
            .expect("gazetteer check");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            let errors = String::from_utf8_lossy(&output.stderr);
            panic!("{error}: {errors}");
        });
        let lines = report["checks"].as_array().expect("checks");
        let text = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
        let lines = lines.iter();
        let lines: Vec<_> = lines
            .map(|line| (text(line, "state"), text(line, "says"), text(line, "hint")))
            .collect();
        let is_ok = lines.iter().all(|(state, ..)| state != "failure");
        assert_eq!(output.status.success(), is_ok, "exit status: {lines:?}");
        lines
    }

    /// The one line of a check.
    fn one(&self, only: &str, arguments: &[String]) -> (String, String, String) {
        let lines = self.check(only, arguments);
        let [line] = lines.as_slice() else {
            panic!("{lines:?}");
        };
        line.clone()
    }
}

/// Case MC05: CoreDNS with what `gazetteer stub` prints, without it, and with it behind a relay of UDP
/// alone. Listeners and name servers answer over both.
pub(crate) fn stubs(folder: &Path) {
    let served = Served::start(folder);
    let [first, second] = served.addresses;
    for id in ["dns-udp", "dns-tcp"] {
        let (state, says, _) = served.one(id, &[]);
        assert_eq!(state, "ok", "{says}");
        assert!(says.starts_with("2 zones from 2 listeners"), "{says}");
    }

    let output = Command::new(env!("CARGO_BIN_EXE_gazetteer"))
        .args(["stub", "corefile", "--member", "near", "--config"])
        .arg(served.file())
        .output()
        .expect("gazetteer stub");
    let stub = String::from_utf8(output.stdout).expect("text");
    assert!(stub.contains(&second.to_string()), "{stub}");
    let [right, bare, relayed, relay] = loopback::addresses([33, 34, 35, 36], &[DNS, PORT]);
    let through = |address: Ipv4Addr| {
        let address = SocketAddr::from((address, PORT));
        let (state, says, hint) =
            served.one("stub", &["--through".to_owned(), format!("near={address}")]);
        (address, state, says, hint)
    };

    let _process = coredns(folder, "right", right, &stub);
    let (address, state, says, _) = through(right);
    assert_eq!(state, "ok", "{says}");
    let name = "near.web.shop.fed.svc.example.com";
    assert_eq!(
        says,
        format!(
            "{address} forwards example.com, fed.svc.cluster.local, answers {name} as it is served, asked as near"
        )
    );

    let _process = coredns(folder, "bare", bare, "");
    let (address, state, says, hint) = through(bare);
    assert_eq!(state, "failure", "{says}");
    let zones = "example.com, fed.svc.cluster.local";
    assert_eq!(
        says,
        format!("{address} does not forward {zones}: SERVFAIL")
    );
    // The hint prints what it needs.
    assert_eq!(printed(&hint), stub);

    let server = SocketAddr::from((second, DNS));
    let _relay = DatagramRelay::on((relay, DNS).into(), server);
    let behind = stub.replace(&second.to_string(), &relay.to_string());
    let _process = coredns(folder, "relayed", relayed, &behind);
    let (address, state, says, _) = through(relayed);
    assert_eq!(state, "failure", "{says}");
    let expected = format!("{address} forwards {zones} over UDP and not over TCP");
    assert!(says.starts_with(&expected), "{says}");

    // A listener that is bound to no member: what asks there is known for nobody.
    let unbound = stub.replace(&second.to_string(), &first.to_string());
    let [unknown] = loopback::addresses([37], &[PORT]);
    let _process = coredns(folder, "unknown", unknown, &unbound);
    let (_, state, says, hint) = through(unknown);
    assert_eq!(state, "warning", "{says}");
    assert!(says.contains("but that near asks is not known"), "{says}");
    assert_eq!(printed(&hint), stub);
}

/// What a hint prints when it is run.
fn printed(hint: &str) -> String {
    let (program, arguments) = hint.split_once(' ').expect("a command");
    assert_eq!(program, "gazetteer");
    let output = Command::new(env!("CARGO_BIN_EXE_gazetteer"))
        .args(arguments.split(' '))
        .output()
        .expect("gazetteer");
    assert!(output.status.success(), "{hint}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// Starts a CoreDNS with a stub domain.
fn coredns(folder: &Path, name: &str, address: Ipv4Addr, stub: &str) -> Process {
    let block = format!(":{PORT} {{\n    bind {address}\n");
    let stub = stub.replace(":53 {\n", &block);
    let folder = folder.join(name);
    let file = folder.join("Corefile");
    files::write(&file, format!(".{block}    errors\n}}\n{stub}"));
    let arguments = ["-conf".into(), file.into()];
    resolver(&folder, &program("coredns"), &arguments, address).0
}

/// Case MC06: an Unbound that sends client subnets, and one that does not.
pub(crate) fn client_subnets(folder: &Path) {
    let served = Served::start(folder);
    let [first, _] = served.addresses;
    let [with, without] = loopback::addresses([38, 39], &[PORT]);
    let stub = format!(
        "server:\n  do-not-query-localhost: no\n\
         stub-zone:\n  name: \"example.com\"\n  stub-addr: {first}@{DNS}\n"
    );
    let sending = format!(
        "{stub}server:\n  module-config: \"subnetcache iterator\"\n  send-client-subnet: {first}\n  \
         client-subnet-always-forward: yes\n"
    );
    let ecs = |address: Ipv4Addr| {
        served.one(
            "ecs",
            &["--resolver".to_owned(), format!("{address}:{PORT}")],
        )
    };
    let _unbound = start_unbound(&subfolder(folder, "with"), with, &sending);
    let (state, says, _) = ecs(with);
    assert_eq!(state, "ok", "{says}");
    assert_eq!(says, "example.com: 198.51.100.0/24 arrived as it was sent");

    let _unbound = start_unbound(&subfolder(folder, "without"), without, &stub);
    let (state, says, hint) = ecs(without);
    assert_eq!(state, "warning", "{says}");
    assert!(
        says.starts_with("example.com: no client subnet arrives"),
        "{says}"
    );
    assert!(hint.contains("+subnet=198.51.100.0/24"), "{hint}");
}

/// A folder inside another.
fn subfolder(folder: &Path, name: &str) -> std::path::PathBuf {
    let folder = folder.join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Case MC07: NSD with the zone above: right, without one name server, with glue of another address, with
/// a DS record.
pub(crate) fn parents(folder: &Path) {
    let served = Served::start(folder);
    let [first, second] = served.addresses;
    let ns = |server: &str| format!("example IN NS {server}.example.com.\n");
    let glue = |server: &str, address: Ipv4Addr| format!("{server}.example IN A {address}\n");
    let servers = ns("ns1") + &ns("ns2");
    let right = servers.clone() + &glue("ns1", first) + &glue("ns2", second);
    let elsewhere = Ipv4Addr::new(192, 0, 2, 99);
    let digest = "0".repeat(64);
    let worlds = [
        (41, right.clone(), ["ok", "ok", "ok"]),
        (42, ns("ns1") + &glue("ns1", first), ["failure", "ok", "ok"]),
        (
            43,
            servers + &glue("ns1", first) + &glue("ns2", elsewhere),
            ["ok", "failure", "ok"],
        ),
        (
            44,
            right + &format!("example IN DS 1 13 2 {digest}\n"),
            ["ok", "ok", "failure"],
        ),
    ];
    let ids = "parent-ns,parent-glue,parent-ds";
    let mut wrong = String::new();
    for (host, records, states) in worlds {
        let [address] = loopback::addresses([host], &[PORT]);
        let _nsd = nsd(
            &subfolder(folder, &format!("nsd-{host}")),
            address,
            &records,
        );
        let lines = served.check(ids, &["--parent".to_owned(), format!("{address}:{PORT}")]);
        let seen: Vec<_> = lines.iter().map(|(state, ..)| state.as_str()).collect();
        assert_eq!(seen, states, "{lines:?}");
        let failures = lines.iter().filter(|(state, ..)| state == "failure");
        for (_, says, hint) in failures {
            assert!(hint.starts_with("dig @"), "{hint}");
            // It shows what was seen: an answer.
            let output = Command::new("/bin/sh").args(["-c", hint]).output();
            let output = output.expect("a shell");
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(text.contains("status: NOERROR"), "{hint}: {output:?}");
            writeln!(
                wrong,
                "{}",
                says.replace(&format!("{address}:{PORT}"), "PARENT")
            )
            .expect("text");
        }
    }
    let expected = format!(
        "example.com at PARENT: missing ns2.example.com\n\
         example.com at PARENT: ns2.example.com: missing {second}; extra {elsewhere}\n\
         example.com at PARENT: 1 DS record, and the zone is not signed: \
         who validates finds everything below it bogus\n"
    );
    assert_eq!(wrong, expected);
}

/// Starts an NSD with the zone `com`.
fn nsd(folder: &Path, address: Ipv4Addr, records: &str) -> Process {
    let zone = folder.join("com.zone");
    files::write(
        &zone,
        format!(
            "$ORIGIN com.\n$TTL 60\n@ IN SOA ns.com. hostmaster.com. 1 60 60 60 60\n\
             @ IN NS ns.com.\nns IN A {address}\n{records}"
        ),
    );
    let listen = format!("  ip-address: {address}@{PORT}\n  port: {PORT}\n");
    let file = configure(folder, &listen, "com", &zone);
    let arguments = ["-d".into(), "-c".into(), file.into()];
    resolver(folder, &debian("nsd", "nsd"), &arguments, address).0
}
