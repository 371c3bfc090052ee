//! Forwarders that many machines have, on what `gazetteer stub` prints for them: names of the
//! federation are asked of gazetteer, whatever else they ask for the rest.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use hickory_proto::rr::RecordType;
use serde_json::Value;

use super::resolvers::{PORT, assert_resolved, gazetteer, gazetteer_at, resolver};
use crate::dns::Client;
use crate::faults::network::Network;
use crate::files;
use crate::gazetteer::{Gazetteer, global};
use crate::loopback;
use crate::process::{debian, program};
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

/// BIND, which validates: what is printed for that is taken too. It listens at addresses of interfaces
/// alone, so it has a network of its own.
pub(crate) fn bind(folder: &Path) {
    let network = Network::new(&folder.join("network.log"));
    let host = network.api(0);
    let gazetteer = gazetteer_at(folder, host);
    let elsewhere = elsewhere_at(host);
    let address = network.server();
    let stub = stub(&gazetteer, "bind");
    let mut comments = stub.lines().filter_map(|line| line.strip_prefix("//"));
    let unsigned = comments.find_map(|line| line.trim().strip_prefix("validate-except {"));
    let (ip, port) = (elsewhere.address.ip(), elsewhere.address.port());
    let file = folder.join("named.conf");
    files::write(
        &file,
        format!(
            "options {{\n  directory \"{}\";\n  pid-file none;\n  session-keyfile none;\n  \
             listen-on port {PORT} {{ {address}; }};\n  listen-on-v6 {{ none; }};\n  recursion yes;\n  \
             dnssec-validation auto;\n  validate-except {{ \"{ELSEWHERE}\"; {}\n}};\ncontrols {{}};\n\
             zone \"{ELSEWHERE}\" {{ type forward; forward only; forwarders {{ {ip} port {port}; }}; }};\n{stub}",
            folder.display(),
            unsigned.expect("what is not signed")
        ),
    );
    let mut command = network.launcher();
    command.push(debian("named", "bind9").into());
    command.extend(["-g", "-4", "-n", "1", "-c"].map(OsString::from));
    command.push(file.into());
    let (launcher, arguments) = command.split_first().expect("a program");
    let (_process, client) = resolver(folder, Path::new(launcher), arguments, address);
    assert_routed(&client, &elsewhere);
}

/// The dnsmasq of kube-dns: for the key `stubDomains` of its `ConfigMap` it is started with a server for
/// each domain, beside those for what the cluster itself knows.
pub(crate) fn kube_dns(folder: &Path) {
    let gazetteer = gazetteer(folder);
    let elsewhere = elsewhere();
    let [address] = loopback::addresses([8], &[PORT]);
    let printed: Value = serde_saphyr::from_str(&stub(&gazetteer, "kube-dns")).expect("YAML");
    let domains = printed["data"]["stubDomains"].as_str().expect("a text");
    let domains: Value = serde_json::from_str(domains).expect("JSON");
    let upstream = elsewhere.address.to_string().replace(':', "#");
    let mut arguments = vec![
        "-k".to_owned(),
        "--cache-size=1000".to_owned(),
        "--no-negcache".to_owned(),
        "--dns-loop-detect".to_owned(),
        "--log-facility=-".to_owned(),
        "--server=/cluster.local/127.0.0.1#10053".to_owned(),
        "--no-resolv".to_owned(),
        format!("--server={upstream}"),
        // What its container gives it.
        format!("--port={PORT}"),
        format!("--listen-address={address}"),
        "--bind-interfaces".to_owned(),
        "--no-hosts".to_owned(),
        "--user=root".to_owned(),
        "--pid-file=".to_owned(),
    ];
    for (domain, servers) in domains.as_object().expect("domains") {
        for server in servers.as_array().expect("servers") {
            let server = server.as_str().expect("an address").replace(':', "#");
            arguments.push(format!("--server=/{domain}/{server}"));
        }
    }
    let arguments: Vec<_> = arguments.into_iter().map(OsString::from).collect();
    let program = debian("dnsmasq", "dnsmasq-base");
    let (_process, client) = resolver(folder, &program, &arguments, address);
    assert_routed(&client, &elsewhere);
}

/// `NodeLocal` `DNSCache` is a `CoreDNS` that knows of no name but those of the cluster: all others it asks
/// of the servers of its node, unless it has a block for them.
pub(crate) fn node_local(folder: &Path) {
    let gazetteer = gazetteer(folder);
    let elsewhere = elsewhere();
    let stub = stub(&gazetteer, "corefile");
    let start = |host: u8, more: &dyn Fn(&str) -> String| {
        let [address] = loopback::addresses([host], &[PORT, 8080, 9253]);
        let bind = format!("bind {address}");
        let block = |zone: &str, cache: &str, forward: &str, more: &str| {
            format!(
                "{zone}:{PORT} {{\n  errors\n  {cache}\n  reload\n  loop\n  {bind}\n  \
                 forward . {forward}\n  prometheus {address}:9253\n  {more}\n}}\n"
            )
        };
        let cluster = "127.0.0.1:10053 {\n    force_tcp\n  }";
        let own = "cache {\n    success 9984 30\n    denial 9984 5\n  }";
        let upstream = elsewhere.address.to_string();
        let text = block(
            "cluster.local",
            own,
            cluster,
            &format!("health {address}:8080"),
        ) + &block("in-addr.arpa", "cache 30", cluster, "")
            + &block("ip6.arpa", "cache 30", cluster, "")
            + &block(".", "cache 30", &upstream, "")
            + &more(&bind);
        let place = folder.join(format!("node-{host}"));
        files::write(&place.join("Corefile"), text);
        let arguments = ["-conf".into(), place.join("Corefile").into()];
        resolver(&place, &program("coredns"), &arguments, address)
    };
    let (_process, client) = start(9, &|_| String::new());
    let asked = elsewhere.asked();
    let name = global("shop", "web");
    let answer = client.ask(&name, RecordType::A).expect("an answer");
    assert_eq!(answer.to_string(), "NXDOMAIN", "not from gazetteer");
    assert!(elsewhere.asked() > asked, "the server of the node is asked");

    let (_process, client) = start(10, &|bind| {
        let with_bind = stub.replace("    errors\n", &format!("    errors\n    {bind}\n"));
        with_bind.replace(":53 {", &format!(":{PORT} {{"))
    });
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
