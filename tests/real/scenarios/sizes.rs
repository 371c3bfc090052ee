//! The sizes of answers beside those of Knot DNS, which serves the same records from a static zone:
//! what is longer than need be is cut, or asked again over TCP, earlier than need be.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::str::FromStr;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};

use super::resolvers::{PORT, resolver};
use crate::dns::{Answer, TIMEOUT};
use crate::gazetteer::{APEX, Gazetteer, global, within};
use crate::process::{Process, debian};
use crate::wait::{START, until};
use crate::{files, loopback, report_line};

/// An apex and who serves it.
struct Served {
    /// The apex.
    apex: &'static str,
    /// Its name servers and their addresses.
    servers: &'static [(&'static str, &'static [&'static str])],
    /// The mailbox of whoever is responsible for it, as a name.
    hostmaster: &'static str,
    /// The last octet of the address at which Knot serves it.
    host: u8,
}

/// Apexes whose names have endings in common with others in every way.
const SERVED: [Served; 3] = [
    Served {
        apex: "example.com",
        servers: &[
            ("ns1.example.com", &["192.0.2.53", "2001:db8::53"]),
            ("ns2.example.com", &["192.0.2.54"]),
            ("ns.dns.example.net", &[]),
        ],
        hostmaster: "hostmaster.example.com",
        host: 8,
    },
    Served {
        apex: "k.example.org",
        servers: &[
            ("ns1.example.org", &[]),
            ("ns2.dns.example.org", &[]),
            ("ns3.dns.example.org", &[]),
            ("ns3.k.example.org", &["2001:db8::55"]),
        ],
        hostmaster: "hostmaster.dns.example.org",
        host: 9,
    },
    Served {
        apex: "k.example.org",
        servers: &[("a.ns.example.net", &[]), ("b.ns.example.net", &[])],
        hostmaster: "admin.example.net",
        host: 10,
    },
];

/// Members: name, region, zone, port of their services, whether they are ready.
const MEMBERS: [(&str, &str, &str, u16, bool); 3] = [
    ("ew1b", "europe-west1", "europe-west1-b", 80, false),
    ("ue1b", "us-east1", "us-east1-b", 80, true),
    ("ue1c", "us-east1", "us-east1-c", 8080, true),
];

/// Services, and how many addresses of each family each of the two ready members gives.
const SERVICES: [(&str, u8); 4] = [("web", 1), ("ten", 5), ("thirty", 15), ("hundred", 50)];

/// Addresses of a member for a service.
fn addresses(member: usize, count: u8) -> impl Iterator<Item = String> {
    let last = (1..=count).map(move |n| usize::from(n) + member * 60);
    last.flat_map(|last| [format!("203.0.113.{last}"), format!("2001:db8:1::{last:x}")])
}

/// Gazetteer with the records, made of facts.
fn gazetteer(folder: &Path, served: &Served) -> Gazetteer {
    let mut members = String::new();
    for (index, (name, region, zone, port, ready)) in MEMBERS.into_iter().enumerate() {
        write!(
            members,
            "[[member]]\nname = \"{name}\"\nregion = \"{region}\"\nzones = [\"{zone}\"]\n\
             source = {{ file = \"{name}.toml\" }}\n\n"
        )
        .expect("text");
        let services = SERVICES.map(|(service, count)| {
            let addresses: Vec<_> = addresses(index, count).collect();
            format!(
                "[[service]]\nnamespace = \"shop\"\nname = \"{service}\"\naddresses = {addresses:?}\n\
                 ports = [{{ name = \"http\", protocol = \"TCP\", port = {port} }},\n\
                 {{ name = \"alike\", protocol = \"TCP\", port = 443 }}]\n\
                 endpoints = [{{ address = \"10.1.0.5\", ready = {ready} }}]\n"
            )
        });
        files::write(&folder.join(format!("{name}.toml")), services.concat());
    }
    let servers = served.servers.iter().map(|(name, addresses)| {
        let addresses = if addresses.is_empty() {
            String::new()
        } else {
            format!(", addresses = {addresses:?}")
        };
        format!("{{ name = \"{name}\"{addresses} }}")
    });
    let text = format!(
        "version = \"v1\"\nstate-dir = \"state\"\n\n\
         [listen]\ndns = [\"127.0.0.1:0\"]\nadmin = \"127.0.0.1:0\"\n\n\
         [[federation]]\nname = \"fed\"\napex = \"{}\"\n\
         nameservers = [{}]\nprobe = {{ kind = \"none\" }}\n\
         hostmaster = \"{}\"\n\n{members}",
        served.apex,
        servers.collect::<Vec<_>>().join(", "),
        served.hostmaster
    );
    files::write(&folder.join("gazetteer.toml"), text);
    let gazetteer = Gazetteer::run(folder.to_owned());
    gazetteer.until_ready();
    gazetteer
}

/// Adds the records of addresses to a zone.
fn add_addresses(zone: &mut String, owner: &str, addresses: impl Iterator<Item = String>) {
    for address in addresses {
        let kind = if address.contains(':') { "AAAA" } else { "A" };
        writeln!(zone, "{owner}. 30 {kind} {address}").expect("text");
    }
}

/// The zone with the same records, as far as they are asked for.
fn zone(served: &Served) -> String {
    let Served {
        apex, hostmaster, ..
    } = served;
    let (first, _) = served.servers[0];
    let mut zone = format!(
        "{apex}. 30 SOA {first}. {hostmaster}. 1 3600 600 86400 5\n\
         dns-version.{apex}. 30 TXT \"1.1.0\"\n"
    );
    for (server, addresses) in served.servers {
        writeln!(zone, "{apex}. 30 NS {server}.").expect("text");
        let addresses = addresses.iter().map(|address| (*address).to_owned());
        add_addresses(&mut zone, server, addresses);
    }
    for (service, count) in SERVICES {
        let all = served.name(&global("shop", service));
        let (_, region, place, ..) = MEMBERS[0];
        let region = served.name(&within("shop", service, region));
        let place = served.name(&within("shop", service, place));
        writeln!(
            zone,
            "{place}. 30 CNAME {region}.\n{region}. 30 CNAME {all}."
        )
        .expect("text");
        for (index, (member, _, _, port, _)) in MEMBERS.into_iter().enumerate().skip(1) {
            let pinned = format!("{member}.{all}");
            add_addresses(&mut zone, &all, addresses(index, count));
            add_addresses(&mut zone, &pinned, addresses(index, count));
            writeln!(zone, "_http._tcp.{all}. 30 SRV 0 100 {port} {pinned}.").expect("text");
        }
        writeln!(zone, "_alike._tcp.{all}. 30 SRV 0 100 443 {all}.").expect("text");
    }
    zone
}

impl Served {
    /// A name below the usual apex, below this one.
    fn name(&self, name: &str) -> String {
        let labels = name.strip_suffix(APEX).expect("below the usual apex");
        format!("{labels}{}", self.apex)
    }
}

/// Knot with that zone.
fn knot(folder: &Path, served: &Served) -> (Process, SocketAddr) {
    let [address] = loopback::addresses([served.host], &[PORT]);
    let apex = served.apex;
    files::write(&folder.join("zone"), zone(served));
    let file = folder.join("knot.conf");
    files::write(
        &file,
        format!(
            "server:\n  listen: {address}@{PORT}\n  rundir: {0}\n  udp-workers: 1\n  tcp-workers: 1\n  \
             background-workers: 1\ncontrol:\n  listen: {0}/knot.sock\n\
             database:\n  storage: {0}\nlog:\n  - target: stderr\n    any: info\n\
             zone:\n  - domain: {apex}\n    file: {0}/zone\n    storage: {0}\n    \
             zonefile-sync: -1\n    zonefile-load: whole\n    journal-content: none\n",
            folder.display()
        ),
    );
    let arguments = ["-c".into(), file.into()];
    let (process, client) = resolver(folder, &debian("knotd", "knot"), &arguments, address);
    until("Knot has its zone", START, || {
        serves(&client.ask(apex, RecordType::SOA)?)
    });
    (process, (address, PORT).into())
}

/// Whether an answer comes of a zone.
fn serves(answer: &Answer) -> Result<(), String> {
    if answer.code == ResponseCode::NoError {
        Ok(())
    } else {
        Err(answer.to_string())
    }
}

/// What is compared of an answer.
struct Seen {
    /// Octets of the message.
    length: usize,
    /// TC.
    is_truncated: bool,
    /// Records of the answer, authority and additional section, without what is bound to differ.
    sections: [BTreeSet<String>; 3],
}

/// A record, without TTL and without the serial of a SOA.
fn shown(record: &Record) -> String {
    let owner = record.name.to_lowercase();
    let data = match &record.data {
        RData::SOA(soa) => format!("{} {}", soa.mname, soa.rname),
        data => data.to_string(),
    };
    format!("{owner} {} {data}", record.record_type())
}

/// Asks a server once over UDP; `size` is what EDNS says, if there is to be any.
fn ask(server: SocketAddr, name: &str, kind: RecordType, size: Option<u16>) -> Seen {
    let mut query = Message::new(7, MessageType::Query, OpCode::Query);
    let mut asked = Name::from_str(name).expect("a name");
    asked.set_fqdn(true);
    query.add_query(Query::query(asked, kind));
    if let Some(size) = size {
        let mut edns = Edns::new();
        edns.set_max_payload(size);
        query.set_edns(edns);
    }
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a socket");
    socket.set_read_timeout(Some(TIMEOUT)).expect("a time-out");
    let query = query.to_vec().expect("a query");
    socket.send_to(&query, server).expect("sent");
    let mut octets = [0; 4096];
    let length = socket.recv(&mut octets);
    let length = length.unwrap_or_else(|error| panic!("{name} {kind}: no answer: {error}"));
    let message = Message::from_vec(&octets[..length]).expect("a message");
    let section = |records: &[Record]| records.iter().map(shown).collect();
    Seen {
        length,
        is_truncated: message.metadata.truncation,
        sections: [
            section(&message.answers),
            section(&message.authorities),
            section(&message.additionals),
        ],
    }
}

/// What is asked.
fn questions() -> Vec<(String, RecordType)> {
    let mut questions = vec![
        ("example.com".to_owned(), RecordType::NS),
        ("example.com".to_owned(), RecordType::SOA),
        ("example.com".to_owned(), RecordType::TXT),
        ("svc.example.com".to_owned(), RecordType::A),
        ("nothing.example.com".to_owned(), RecordType::A),
        ("ns1.example.com".to_owned(), RecordType::AAAA),
        ("ns2.example.com".to_owned(), RecordType::AAAA),
        ("dns-version.example.com".to_owned(), RecordType::TXT),
        (global("shop", "nothing"), RecordType::A),
    ];
    for (service, _) in SERVICES {
        let all = global("shop", service);
        for kind in [RecordType::A, RecordType::AAAA, RecordType::TXT] {
            questions.push((all.clone(), kind));
            for place in ["europe-west1", "europe-west1-b"] {
                questions.push((within("shop", service, place), kind));
            }
        }
        for port in ["_http._tcp", "_alike._tcp", "_nothing._tcp", "_tcp"] {
            questions.push((format!("{port}.{all}"), RecordType::SRV));
        }
        questions.push((format!("_http._tcp.{all}"), RecordType::A));
        questions.push((format!("ue1b.{all}"), RecordType::A));
    }
    questions
}

/// What is wrong with an answer beside Knot's; `None` for nothing.
fn fault(ours: &Seen, theirs: &Seen, limit: usize) -> Option<&'static str> {
    let [answer, authority, additional] = &ours.sections;
    let [their_answer, their_authority, their_additional] = &theirs.sections;
    if ours.is_truncated != theirs.is_truncated {
        return Some("one is cut and the other is not");
    }
    // Where not all fits, Knot sends no record of an RRset of addresses. As many as fit are for
    // stubs without TCP (docs/names.md, decision 18).
    if ours.is_truncated {
        return (ours.length > limit || !answer.is_superset(their_answer)).then_some("cut wrongly");
    }
    if (answer, authority) != (their_answer, their_authority) {
        return Some("other records");
    }
    // Addresses beside an answer are sent all or none (docs/names.md, D.7); Knot leaves out single
    // RRsets.
    if additional != their_additional && !additional.is_empty() {
        return Some("other records beside the answer");
    }
    (ours.length > theirs.length).then_some("longer")
}

/// No answer is longer than Knot's with the same records, or cut where Knot's is whole.
pub(crate) fn beside_knot(folder: &Path) {
    let mut faults = Vec::new();
    for (served, name) in SERVED.iter().zip(["apex", "below", "elsewhere"]) {
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        compare(&folder, served, &mut faults);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Compares the answers for one apex.
fn compare(folder: &Path, served: &Served, faults: &mut Vec<String>) {
    let gazetteer = gazetteer(folder, served);
    let (_process, knot) = knot(folder, served);
    let (mut compared, mut octets) = (0, [0, 0]);
    for (name, kind) in questions() {
        let name = served.name(&name);
        for size in [None, Some(512), Some(1232), Some(4096)] {
            let ours = ask(gazetteer.dns, &name, kind, size);
            let theirs = ask(knot, &name, kind, size);
            let limit = usize::from(size.unwrap_or(512).min(1232));
            if let Some(fault) = fault(&ours, &theirs, limit) {
                faults.push(format!(
                    "{name} {kind}, EDNS {size:?}: {fault}: {} octets, Knot's {}\n  {:?}\n  {:?}",
                    ours.length, theirs.length, ours.sections, theirs.sections
                ));
            }
            // Names that are no owner are given in lower case whatever the case of the question
            // (docs/names.md, D.10): no pointer can lead into a question in upper case, and one
            // name more is written out.
            let upper = name.to_ascii_uppercase();
            let shouted = ask(gazetteer.dns, &upper, kind, size);
            if shouted.length > ours.length + name.len() + 1 && !shouted.is_truncated {
                faults.push(format!(
                    "{upper} {kind}, EDNS {size:?}: {} octets, {} in lower case",
                    shouted.length, ours.length
                ));
            }
            if ours.sections == theirs.sections {
                compared += 1;
                octets = [octets[0] + ours.length, octets[1] + theirs.length];
            }
        }
    }
    report_line(&format!(
        "{}: {compared} answers with the same records: {} octets, Knot's {}",
        served.apex, octets[0], octets[1]
    ));
}
