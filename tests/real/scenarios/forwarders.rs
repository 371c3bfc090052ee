//! Forwarders that many machines have, on what `gazetteer stub` prints for them: names of the
//! federation are asked of gazetteer, whatever else they ask for the rest.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use hickory_proto::rr::RecordType;

use super::resolvers::{PORT, assert_resolved, debian, gazetteer, resolver};
use crate::dns::Client;
use crate::files;
use crate::gazetteer::Gazetteer;
use crate::loopback;
use crate::responder::Responder;

/// A name that gazetteer knows nothing of.
pub(super) const ELSEWHERE: &str = "www.example.net";

/// What `gazetteer stub` prints for a server.
pub(super) fn stub(gazetteer: &Gazetteer, server: &str) -> String {
    let address = gazetteer.dns.to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_gazetteer"))
        .args(["stub", server, "--member", "ew1b", "--address", &address])
        .arg("--config")
        .arg(gazetteer.folder.join("gazetteer.toml"))
        .output()
        .expect("gazetteer stub");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "gazetteer stub {server}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

/// What other names are asked of, on loopback.
fn elsewhere() -> Responder {
    elsewhere_at(Ipv4Addr::LOCALHOST)
}

/// The same at this address.
pub(super) fn elsewhere_at(address: Ipv4Addr) -> Responder {
    let responder = Responder::start_at((address, 0).into(), ELSEWHERE, 60);
    responder.set(&["192.0.2.80"]);
    responder
}

/// Names of the federation and others are resolved, whichever was asked last.
pub(super) fn assert_routed(client: &Client, elsewhere: &Responder) {
    for _ in 0..2 {
        let other = client.ask(ELSEWHERE, RecordType::A).expect("an answer");
        assert_eq!(other.to_string(), "A 192.0.2.80");
        let asked = elsewhere.asked();
        assert!(asked > 0, "another server is asked");
        assert_resolved(client);
        assert_eq!(elsewhere.asked(), asked, "our names are asked of others");
    }
}

/// dnsmasq, which believes no private addresses, beside a server for all else.
pub(crate) fn dnsmasq(folder: &Path) {
    let gazetteer = gazetteer(folder);
    let elsewhere = elsewhere();
    let [address] = loopback::addresses([6], &[PORT]);
    let stub_file = folder.join("stub.conf");
    files::write(&stub_file, stub(&gazetteer, "dnsmasq"));
    let file = folder.join("dnsmasq.conf");
    let (ip, port) = (elsewhere.address.ip(), elsewhere.address.port());
    files::write(
        &file,
        format!(
            "port={PORT}\nlisten-address={address}\nbind-interfaces\nno-resolv\nno-hosts\n\
             user=root\npid-file=\nlog-facility=-\nlog-queries\nstop-dns-rebind\nrebind-domain-ok=/example.net/\n\
             server={ip}#{port}\nconf-file={}\n",
            stub_file.display()
        ),
    );
    let arguments = ["-k".into(), "-C".into(), file.into()];
    let program = debian("dnsmasq", "dnsmasq-base");
    let (_process, client) = resolver(folder, &program, &arguments, address);
    assert_routed(&client, &elsewhere);
}

/// `PowerDNS` Recursor, which validates: without what is printed for that it would give no answer, as
/// the answers are not signed and it reaches no server of the root.
pub(crate) fn pdns_recursor(folder: &Path) {
    let gazetteer = gazetteer(folder);
    let elsewhere = elsewhere();
    let [address] = loopback::addresses([7], &[PORT]);
    let program = debian("pdns_recursor", "pdns-recursor");
    let output = Command::new(&program).arg("--version").output();
    let output = output.expect("pdns_recursor --version");
    let version = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let mut words = version.split_whitespace();
    let number = words.find(|word| {
        word.starts_with(|first: char| first.is_ascii_digit()) && word.matches('.').count() == 2
    });
    let stub = stub(&gazetteer, "pdns-recursor");
    if number.is_some_and(|number| number.starts_with("4.")) {
        configure_settings(folder, address, &stub, elsewhere.address);
    } else {
        configure_yaml(folder, address, &stub, elsewhere.address);
    }
    let arguments = [format!("--config-dir={}", folder.display()).into()];
    let (_process, client) = resolver(folder, &program, &arguments, address);
    assert_routed(&client, &elsewhere);
}

/// Settings of versions before 5: those parts of what is printed that are for them.
fn configure_settings(folder: &Path, address: Ipv4Addr, stub: &str, elsewhere: SocketAddr) {
    let script = folder.join("recursor.lua");
    let mut settings = format!(
        "daemon=no\ndisable-syslog=yes\nthreads=1\nlocal-address={address}\nlocal-port={PORT}\n\
         socket-dir={}\ndnssec=validate\nlua-config-file={}\n\
         forward-zones={ELSEWHERE}={elsewhere}\n",
        folder.display(),
        script.display()
    );
    let mut trust = format!("addNTA(\"{ELSEWHERE}\", \"a test\")\n");
    for line in stub.lines().filter_map(|line| line.strip_prefix("# ")) {
        let place = match line {
            line if line.starts_with("forward-zones") => &mut settings,
            line if line.starts_with("addNTA") => &mut trust,
            _ => continue,
        };
        writeln!(place, "{line}").expect("text");
    }
    files::write(&folder.join("recursor.conf"), settings);
    files::write(&script, trust);
}

/// The file of version 5 and later, and what is printed in the folder that it includes.
fn configure_yaml(folder: &Path, address: Ipv4Addr, stub: &str, elsewhere: SocketAddr) {
    let included = folder.join("recursor.d");
    files::write(&included.join("gazetteer.yml"), stub);
    let text = format!(
        "recursor:\n  daemon: false\n  threads: 1\n  socket_dir: {}\n  include_dir: {}\n  \
         forward_zones:\n    - zone: {ELSEWHERE}\n      forwarders: [\"{elsewhere}\"]\n\
         incoming:\n  listen: [\"{address}:{PORT}\"]\nlogging:\n  disable_syslog: true\n\
         dnssec:\n  validation: validate\n  negative_trustanchors:\n    - name: {ELSEWHERE}\n      \
         reason: a test\n",
        folder.display(),
        included.display()
    );
    files::write(&folder.join("recursor.yml"), text);
}
