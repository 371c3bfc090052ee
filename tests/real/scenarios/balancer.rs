//! A load balancer that finds its servers by SRV records, one server for each record.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::files;
use crate::gazetteer::{Gazetteer, global};
use crate::process::{Process, debian};
use crate::wait::{SOON, until};

/// Members: whether they have the service `web`, and their weight there.
const MEMBERS: [(&str, Option<u32>); 4] =
    [("m1", Some(1)), ("m2", Some(3)), ("m3", None), ("m4", None)];

/// The facts of a member: `web` at one port everywhere, `api` at another port in each.
fn facts(number: usize, web: Option<u32>, is_ready: bool) -> String {
    let service = |name: &str, port: usize, weight: u32| {
        format!(
            "[[service]]\nnamespace = \"shop\"\nname = \"{name}\"\nweight = {weight}\n\
             addresses = [\"203.0.113.{number}\"]\n\
             ports = [{{ name = \"http\", protocol = \"TCP\", port = {port} }}]\n\
             endpoints = [{{ address = \"10.1.0.{number}\", ready = {is_ready} }}]\n"
        )
    };
    let web = web.map(|weight| service("web", 80, weight));
    web.unwrap_or_default() + &service("api", 8080 + number, 1)
}

/// Four members by files, whose SRV records are one for each of them.
fn gazetteer(folder: &Path) -> Gazetteer {
    let mut members = String::new();
    for (number, (name, web)) in (1..).zip(MEMBERS) {
        let source = format!("source = {{ file = \"{name}.toml\" }}\n");
        writeln!(members, "[[member]]\nname = \"{name}\"\n{source}").expect("text");
        files::write(
            &folder.join(format!("{name}.toml")),
            facts(number, web, true),
        );
    }
    let text = format!(
        "version = \"v1\"\nstate-dir = \"state\"\n\n[listen]\ndns = [\"127.0.0.1:0\"]\n\n\
         [[federation]]\nname = \"fed\"\napex = \"example.com\"\nsrv = \"members\"\nttl = \"1s\"\n\
         probe = {{ kind = \"none\" }}\nnameservers = [{{ name = \"ns1.example.net\" }}]\n\n{members}"
    );
    files::write(&folder.join("gazetteer.toml"), text);
    let gazetteer = Gazetteer::run(folder.to_owned());
    gazetteer.until_ready();
    gazetteer
}

/// The servers of a backend that have an address: `address:port`, and the weight.
fn servers(socket: &Path, backend: &str) -> Result<BTreeMap<String, u32>, String> {
    let ask = || -> std::io::Result<String> {
        let mut stream = UnixStream::connect(socket)?;
        writeln!(stream, "show servers state {backend}")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    };
    let text = ask().map_err(|error| error.to_string())?;
    let mut lines = text.lines();
    let heads = lines
        .find_map(|line| line.strip_prefix("# "))
        .ok_or_else(|| text.clone())?;
    let column = |name: &str| heads.split(' ').position(|head| head == name);
    let columns = ["srv_addr", "srv_port", "srv_uweight", "srv_op_state"].map(column);
    let mut found = BTreeMap::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let values: Vec<&str> = line.split(' ').collect();
        let [address, port, weight, state] =
            columns.map(|column| column.and_then(|column| values.get(column).copied()));
        // 2 is up (the management guide of HAProxy, "show servers state").
        if let (Some(address), Some(port), Some(weight), Some("2")) = (address, port, weight, state)
        {
            let weight = weight.parse().map_err(|_| line.to_owned())?;
            found.insert(format!("{address}:{port}"), weight);
        }
    }
    Ok(found)
}

/// `HAProxy` with `server-template`: a server for each shard, with its port and its weight.
pub(crate) fn haproxy(folder: &Path) {
    let gazetteer = gazetteer(folder);
    let socket = folder.join("haproxy.sock");
    let backend = |name: &str, service: &str| {
        let asked = format!("_http._tcp.{}", global("shop", service));
        format!("backend {name}\n  server-template s 6 {asked} resolvers r init-addr none\n")
    };
    let text = format!(
        "global\n  stats socket {}\ndefaults\n  mode tcp\n  timeout connect 1s\n  timeout client 1s\n  \
         timeout server 1s\nresolvers r\n  nameserver g {}\n  accepted_payload_size 1232\n  \
         timeout resolve 1s\n  hold obsolete 1s\n{}{}",
        socket.display(),
        gazetteer.dns,
        backend("web", "web"),
        backend("api", "api")
    );
    let file = folder.join("haproxy.cfg");
    files::write(&file, text);
    let program = debian("haproxy", "haproxy");
    let arguments = ["-db".into(), "-f".into(), file.into()];
    let log = folder.join("haproxy.log");
    let _process = Process::spawn("haproxy", &program, &arguments, &log, false);
    let until_servers = |backend: &str, expected: &[(&str, u32)]| {
        let expected = expected
            .iter()
            .map(|(server, weight)| ((*server).to_owned(), *weight));
        let expected: BTreeMap<_, _> = expected.collect();
        until(
            &format!("{backend} has {expected:?}"),
            SOON,
            || match servers(&socket, backend)? {
                found if found == expected => Ok(()),
                found => Err(format!("{found:?}")),
            },
        );
    };
    until_servers("web", &[("203.0.113.1:80", 85), ("203.0.113.2:80", 255)]);
    let api: Vec<_> = (1..=4)
        .map(|number| format!("203.0.113.{number}:{}", 8080 + number))
        .collect();
    let api: Vec<_> = api.iter().map(|server| (server.as_str(), 255)).collect();
    until_servers("api", &api);
    // One that is out is no server any more, and the others are as they were.
    files::write(&folder.join("m1.toml"), facts(1, Some(1), false));
    until_servers("web", &[("203.0.113.2:80", 255)]);
    until_servers("api", &api[1..]);
}
