//! Pods of two clusters, as the DNS of each sees them: with names that are the same in both, whatever
//! `gazetteer stub` prints, and pod networks that are the same, too.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use hickory_proto::rr::RecordType;

use super::resolvers::{PORT, resolver, start_unbound};
use crate::dns::{self, Client};
use crate::files;
use crate::fleet::Fleet;
use crate::gazetteer::{Gazetteer, Seat, Setup, global, within};
use crate::loopback;
use crate::member::Member;
use crate::objects::service_path;
use crate::process::{Process, program};
use crate::wait::{SOON, START, until};

/// Where gazetteer has a listener for each member.
const LISTENER: u16 = 5354;

/// Two members with DNS of their own, and a gazetteer with a listener for each.
struct Stage<'f> {
    /// The members.
    members: [&'f Member; 2],
    /// Knows both.
    gazetteer: Gazetteer,
    /// The addresses of their DNS servers.
    servers: [Ipv4Addr; 2],
}

impl<'f> Stage<'f> {
    /// Starts gazetteer with a short TTL.
    fn new(fleet: &'f Fleet) -> Self {
        let [near, _, far] = &fleet.members;
        let addresses = loopback::addresses([11, 12, 13, 14], &[PORT, LISTENER]);
        let [first, second, servers @ ..] = addresses;
        let seats = [(near, first), (far, second)].map(|(member, address)| {
            Seat::of(fleet, member).with_dns(SocketAddr::from((address, LISTENER)))
        });
        let setup = Setup::with(seats.into()).federation("ttl = \"1s\"\nnegative-ttl = \"1s\"\n");
        Self {
            members: [near, far],
            gazetteer: Gazetteer::start(fleet, &setup),
            servers,
        }
    }

    /// Makes the service `web` in both clusters, and gives its cluster IP in each.
    fn service(&self, namespace: &str) -> [String; 2] {
        let cluster_ips = self.members.map(|member| {
            member.simple_service(namespace, "web", 1);
            let path = service_path(namespace, "web");
            let service = member.api.get(&path).expect("service");
            let address = service.pointer("/spec/clusterIP");
            address
                .and_then(|ip| ip.as_str())
                .expect("cluster IP")
                .to_owned()
        });
        let [near, far] = &cluster_ips;
        assert_ne!(near, far, "cluster IPs that tell the clusters apart");
        cluster_ips
    }

    /// What `gazetteer stub` prints for a DNS server of a member.
    fn stub(&self, server: &str, member: &Member) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_gazetteer"))
            .args(["stub", server, "--member", member.name, "--config"])
            .arg(self.gazetteer.folder.join("gazetteer.toml"))
            .output()
            .expect("gazetteer stub");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "gazetteer stub {server}: {errors}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// What a name of the first cluster answers when its own shard is out.
    fn away(&self, namespace: &str) -> String {
        let [near, far] = self.members;
        let zone = format!("{}.{}", near.zone, near.region);
        format!(
            "CNAME {} CNAME {} CNAME {} A {}",
            within(namespace, "web", &zone),
            within(namespace, "web", near.region),
            global(namespace, "web"),
            far.balancer(1)
        )
    }
}

/// A folder for the files of one DNS server.
fn folder_of(fleet: &Fleet, name: &str) -> PathBuf {
    let folder = fleet.folder.join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Starts the CoreDNS of a cluster: what a cluster has as a rule, and what `gazetteer stub` prints.
fn coredns(folder: &Path, member: &Member, address: Ipv4Addr, stub: &str) -> (Process, Client) {
    // Many run on one host here: each is bound to an address of its own, at another port.
    let block = format!(":{PORT} {{\n    bind {address}\n");
    let stub = stub.replace(":53 {\n", &block);
    let file = folder.join("Corefile");
    files::write(
        &file,
        format!(
            ".{block}    errors\n    kubernetes cluster.local in-addr.arpa ip6.arpa {{\n        \
             kubeconfig {} member\n        pods insecure\n        \
             fallthrough in-addr.arpa ip6.arpa\n        ttl 30\n    }}\n    cache 30\n    \
             loadbalance\n}}\n{stub}",
            member.kubeconfig().display()
        ),
    );
    let arguments = ["-conf".into(), file.into()];
    resolver(folder, &program("coredns"), &arguments, address)
}

/// Waits until the A answer at a name reads so.
fn until_answers(client: &Client, name: &str, expected: &str) {
    until(
        &format!("{name} answers {expected}"),
        2 * SOON,
        || match client.ask(name, RecordType::A)?.to_string() {
            answer if answer == expected => Ok(()),
            answer => Err(answer),
        },
    );
}

/// Through the CoreDNS of each cluster a pod finds its own cluster's healthy service, else another
/// one's, under one name; all else of the cluster domain stays CoreDNS's own.
pub(crate) fn through_coredns(fleet: &Fleet) {
    let mut stage = Stage::new(fleet);
    let namespace = "pods-coredns";
    let [near_ip, far_ip] = stage.service(namespace);
    let [near, far] = stage.members;
    let servers: [(Process, Client); 2] = std::array::from_fn(|index| {
        let member = stage.members[index];
        let folder = folder_of(fleet, &format!("coredns-{}", member.name));
        let stub = stage.stub("corefile", member);
        coredns(&folder, member, stage.servers[index], &stub)
    });
    let [(_, near_dns), (_, far_dns)] = &servers;
    let name = format!("web.{namespace}.fed.svc.cluster.local");
    until_answers(near_dns, &name, &format!("A {near_ip}"));
    until_answers(far_dns, &name, &format!("A {far_ip}"));

    // The cluster's own names, and the first one that a pod's search path makes.
    until_answers(
        near_dns,
        &format!("web.{namespace}.svc.cluster.local"),
        &format!("A {near_ip}"),
    );
    let expanded = format!("web.{namespace}.fed.default.svc.cluster.local");
    until_answers(near_dns, &expanded, "NXDOMAIN");
    let missing = format!("none.{namespace}.fed.svc.cluster.local");
    until_answers(near_dns, &missing, "NXDOMAIN");
    let nowhere = format!("web.{namespace}.other.svc.cluster.local");
    until_answers(near_dns, &nowhere, "NXDOMAIN");
    let global_name = global(namespace, "web");
    until(&format!("{global_name} through CoreDNS"), SOON, || {
        let answer = near_dns.ask(&global_name, RecordType::A)?.to_string();
        if answer.starts_with("A ") {
            Ok(())
        } else {
            Err(answer)
        }
    });
    let server = SocketAddr::from((stage.servers[0], PORT));
    let answer = dns::ask_tcp(server, &name, RecordType::A).expect("answer");
    assert_eq!(answer.to_string(), format!("A {near_ip}"), "over TCP");

    let away = stage.away(namespace);
    near.set_slice(namespace, "web", false);
    until_answers(near_dns, &name, &away);
    until_answers(far_dns, &name, &format!("A {far_ip}"));
    let answer = dns::ask_tcp(server, &name, RecordType::A).expect("answer");
    assert_eq!(answer.to_string(), away, "over TCP");
    far.set_slice(namespace, "web", false);
    until(&format!("{name} has no address"), 2 * SOON, || {
        let answer = near_dns.ask(&name, RecordType::A)?.to_string();
        if answer.ends_with(" NODATA") {
            Ok(())
        } else {
            Err(answer)
        }
    });
    far.set_slice(namespace, "web", true);
    near.set_slice(namespace, "web", true);
    until_answers(near_dns, &name, &format!("A {near_ip}"));

    // CoreDNS asks for `. NS` to know whether what it forwards to is back.
    let answer = stage.gazetteer.ask(".", RecordType::NS).expect("a reply");
    assert_eq!(answer.to_string(), "Query Refused");
    stage.gazetteer.kill();
    let unheard = |number: usize| format!("unheard-{number}.{namespace}.fed.svc.cluster.local");
    until("CoreDNS finds gazetteer gone", START, || {
        match near_dns.ask(&unheard(1), RecordType::A)?.to_string() {
            answer if answer == "SERVFAIL" => Ok(()),
            answer => Err(answer),
        }
    });
    stage.gazetteer.launch_again();
    until_answers(near_dns, &unheard(2), "NXDOMAIN");
    until_answers(near_dns, &name, &format!("A {near_ip}"));
}

/// The same through an Unbound that a machine of a member has.
pub(crate) fn through_unbound(fleet: &Fleet) {
    let stage = Stage::new(fleet);
    let namespace = "pods-unbound";
    let [near_ip, _] = stage.service(namespace);
    let [near, _] = stage.members;
    let folder = folder_of(fleet, "unbound-stub");
    let stub = stage.stub("unbound", near);
    let (_process, client) = start_unbound(&folder, stage.servers[0], &stub);
    let name = format!("web.{namespace}.fed.svc.cluster.local");
    until_answers(&client, &name, &format!("A {near_ip}"));
    let missing = format!("none.{namespace}.fed.svc.cluster.local");
    until_answers(&client, &missing, "NXDOMAIN");
    near.set_slice(namespace, "web", false);
    until_answers(&client, &name, &stage.away(namespace));
    near.set_slice(namespace, "web", true);
    until_answers(&client, &name, &format!("A {near_ip}"));
    let server = SocketAddr::from((stage.servers[0], PORT));
    let answer = dns::ask_tcp(server, &name, RecordType::A).expect("answer");
    assert_eq!(answer.to_string(), format!("A {near_ip}"), "over TCP");
}
