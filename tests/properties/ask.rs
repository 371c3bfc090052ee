//! One query in process, and its answer as hickory reads it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use gazetteer::answer::{self, Client, NoTrace, Signatures, Transport};
use gazetteer::model::{ListenerIdx, UnixSeconds};
use gazetteer::snapshot::Snapshot;
use hickory_proto::op::Message;
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::{RData, Record};

/// Whoever asks.
pub(crate) const CLIENT: Client = Client {
    address: IpAddr::V4(Ipv4Addr::LOCALHOST),
    listener: None,
    transport: Transport::Tcp { idle: 100 },
    cookie: None,
    now: UnixSeconds(1_800_000_000),
    elapsed: Duration::ZERO,
};

/// A snapshot, and who asks it.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) client: Client,
}

impl<'a> From<&'a Snapshot> for View<'a> {
    fn from(snapshot: &'a Snapshot) -> Self {
        Self {
            snapshot,
            client: CLIENT,
        }
    }
}

impl<'a> View<'a> {
    /// Asked from inside a member.
    pub(crate) fn inside(snapshot: &'a Snapshot, member: usize) -> Self {
        let listener = u32::try_from(member).ok().map(ListenerIdx);
        let client = Client { listener, ..CLIENT };
        Self { snapshot, client }
    }
}

/// Owner, type and rdata as text, lower case.
pub(crate) type Line = (String, String, String);

/// What an answer says.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) rcode: u8,
    /// In the order they came.
    pub(crate) lines: Vec<Line>,
    pub(crate) additional: Vec<Line>,
    /// Owners of SOA records in the authority section.
    pub(crate) soa: Vec<String>,
    /// Scope prefix length of the client subnet (RFC 7871).
    pub(crate) scope: Option<u8>,
}

impl Answer {
    /// Whether the chain ends in a record that is no CNAME.
    pub(crate) fn is_positive(&self) -> bool {
        self.soa.is_empty() && self.rcode == 0
    }

    /// The answer section as a set.
    pub(crate) fn records(&self) -> BTreeSet<Line> {
        self.lines.iter().cloned().collect()
    }

    /// Addresses of the answer section.
    pub(crate) fn addresses(&self) -> BTreeSet<IpAddr> {
        let rdata = self.lines.iter().map(|(_, _, rdata)| rdata);
        rdata.filter_map(|rdata| rdata.parse().ok()).collect()
    }
}

/// A query for a name and type, with EDNS.
pub(crate) fn octets(name: &str, rrtype: &str) -> Vec<u8> {
    let number: u16 = match rrtype {
        "A" => 1,
        "NS" => 2,
        "CNAME" => 5,
        "TXT" => 16,
        "AAAA" => 28,
        "SRV" => 33,
        _ => panic!("no type {rrtype}"),
    };
    let mut octets = vec![0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    for label in name.split('.').filter(|label| !label.is_empty()) {
        octets.push(u8::try_from(label.len()).expect("labels are short"));
        octets.extend(label.bytes());
    }
    octets.push(0);
    octets.extend(number.to_be_bytes());
    octets.extend([0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
    octets
}

/// Asks for a name and type on behalf of one address.
pub(crate) fn ask_for<'a>(
    view: impl Into<View<'a>>,
    name: &str,
    rrtype: &str,
    client: Ipv4Addr,
) -> Answer {
    let mut query = octets(name, rrtype);
    query.truncate(query.len() - 2);
    query.extend([0, 12, 0, 8, 0, 8, 0, 1, 32, 0]);
    query.extend(client.octets());
    read(&respond(view, &query))
}

/// The response's octets.
pub(crate) fn respond<'a>(view: impl Into<View<'a>>, query: &[u8]) -> Vec<u8> {
    let View { snapshot, client } = view.into();
    let mut out = vec![0; 65535];
    let signatures = Signatures::None;
    let length = answer::respond(snapshot, query, &client, signatures, &mut NoTrace, &mut out)
        .length()
        .expect("a query is answered");
    out.truncate(length);
    out
}

/// Asks for a name and type.
pub(crate) fn ask<'a>(view: impl Into<View<'a>>, name: &str, rrtype: &str) -> Answer {
    read(&respond(view, &octets(name, rrtype)))
}

/// Reads a response.
pub(crate) fn read(octets: &[u8]) -> Answer {
    let message = Message::from_vec(octets).expect("a response decodes");
    let lines = |records: &[Record]| records.iter().map(line).collect();
    let options = message.edns.iter().flat_map(|edns| &edns.options().options);
    let mut scopes = options.filter_map(|(_, option)| match option {
        EdnsOption::Subnet(subnet) => Some(subnet.scope_prefix()),
        _ => None,
    });
    Answer {
        scope: scopes.next(),
        rcode: octets.get(3).copied().unwrap_or_default() & 0x0f,
        lines: lines(&message.answers),
        additional: lines(&message.additionals),
        soa: message
            .authorities
            .iter()
            .map(|record| text(&record.name))
            .collect(),
    }
}

/// A name without the dot at its end.
fn text(name: &hickory_proto::rr::Name) -> String {
    let labels: Vec<_> = name
        .iter()
        .map(|label| String::from_utf8_lossy(label).to_lowercase())
        .collect();
    labels.join(".")
}

/// One record.
fn line(record: &Record) -> Line {
    let rdata = match &record.data {
        RData::CNAME(target) => text(target),
        RData::SRV(srv) => format!("{} {}", srv.port, text(&srv.target)),
        other => other.to_string(),
    };
    let rrtype = record.record_type().to_string();
    (text(&record.name), rrtype, rdata)
}
