//! Questions to a DNS server, and answers in one line.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::str::FromStr;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::{Name, RData, RecordType};

/// After this a query counts as unanswered.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(1);
/// The option code of extended DNS errors (RFC 8914).
const EDE: u16 = 15;

/// The parts of an answer that scenarios look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The response code.
    pub(crate) code: ResponseCode,
    /// Targets of CNAMEs, in the order of the message, without the last dot.
    pub(crate) aliases: Vec<String>,
    /// All addresses of the answer section.
    pub(crate) addresses: BTreeSet<IpAddr>,
    /// The smallest and the largest TTL of the answer section.
    pub(crate) ttl: Option<(u32, u32)>,
    /// Codes of extended DNS errors.
    pub(crate) errors: Vec<u16>,
    /// Whether the authority section has a SOA.
    pub(crate) soa: bool,
    /// The serial of a SOA in the answer or authority section.
    pub(crate) serial: Option<u32>,
    /// Whether a resolver says that it has validated all of it (AD).
    pub(crate) authentic: bool,
}

impl Answer {
    /// Whether it says that it holds stale facts (EDE 3).
    pub(crate) fn held(&self) -> bool {
        self.errors.contains(&3)
    }
}

/// The answer in one line, without TTLs and extended errors: `CNAME a CNAME b A 192.0.2.1`,
/// `CNAME a NODATA`, `NXDOMAIN`, `SERVFAIL`.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for alias in &self.aliases {
            write!(f, "CNAME {alias} ")?;
        }
        match self.code {
            ResponseCode::NoError if self.addresses.is_empty() => {
                f.write_str(if self.soa { "NODATA" } else { "nothing" })
            }
            ResponseCode::NoError => {
                f.write_str("A")?;
                self.addresses
                    .iter()
                    .try_for_each(|address| write!(f, " {address}"))
            }
            ResponseCode::NXDomain => f.write_str("NXDOMAIN"),
            ResponseCode::ServFail => f.write_str("SERVFAIL"),
            other => write!(f, "{other}"),
        }
    }
}

/// A query with EDNS, and recursion desired as stubs and resolvers ask.
pub(crate) fn query(id: u16, name: &str, kind: RecordType) -> Vec<u8> {
    encode(id, name, kind, false)
}

/// The same, with DO if signatures are wanted.
fn encode(id: u16, name: &str, kind: RecordType, wants_signatures: bool) -> Vec<u8> {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    let mut name = Name::from_str(name).expect("name");
    name.set_fqdn(true);
    message.add_query(Query::query(name, kind));
    let mut edns = Edns::new();
    edns.set_max_payload(1232);
    edns.set_dnssec_ok(wants_signatures);
    message.set_edns(edns);
    message.to_vec().expect("query encodes")
}

/// Reads an answer; `None` if it is not one for that query id.
pub(crate) fn decode(id: u16, octets: &[u8]) -> Option<Answer> {
    let message = Message::from_vec(octets).ok()?;
    if message.metadata.id != id || message.metadata.message_type != MessageType::Response {
        return None;
    }
    let mut aliases = Vec::new();
    let mut addresses = BTreeSet::new();
    for record in &message.answers {
        match &record.data {
            RData::CNAME(target) => {
                aliases.push(target.0.to_ascii().trim_end_matches('.').to_owned());
            }
            RData::A(address) => drop(addresses.insert(IpAddr::V4(address.0))),
            RData::AAAA(address) => drop(addresses.insert(IpAddr::V6(address.0))),
            _ => {}
        }
    }
    let ttls = || message.answers.iter().map(|record| record.ttl);
    let options = message.edns.iter().flat_map(|edns| edns.options().as_ref());
    let errors = options
        .filter_map(|(_, option)| match option {
            EdnsOption::Unknown(EDE, data) => {
                Some(u16::from_be_bytes(data.get(..2)?.try_into().ok()?))
            }
            _ => None,
        })
        .collect();
    let soa = |record: &hickory_proto::rr::Record| record.record_type() == RecordType::SOA;
    let mut records = message.answers.iter().chain(&message.authorities);
    let serial = records.find_map(|record| match &record.data {
        RData::SOA(soa) => Some(soa.serial),
        _ => None,
    });
    Some(Answer {
        code: message.metadata.response_code,
        aliases,
        addresses,
        ttl: ttls().min().zip(ttls().max()),
        errors,
        soa: message.authorities.iter().any(soa),
        serial,
        authentic: message.metadata.authentic_data,
    })
}

/// A UDP client of one server.
pub(crate) struct Client {
    /// Connected to the server.
    socket: UdpSocket,
    /// Id of the last query.
    id: std::cell::Cell<u16>,
}

impl Client {
    /// A client of a server with an IPv4 address.
    pub(crate) fn new(server: SocketAddr) -> Self {
        let socket = UdpSocket::bind("0.0.0.0:0").expect("UDP socket");
        socket.connect(server).expect("UDP socket");
        socket.set_read_timeout(Some(TIMEOUT)).expect("time-out");
        Self {
            socket,
            id: std::cell::Cell::new(0),
        }
    }

    /// Asks once; an error means that no answer came in time.
    pub(crate) fn ask(&self, name: &str, kind: RecordType) -> Result<Answer, String> {
        self.exchange(name, kind, false)
    }

    /// The same, with DO.
    pub(crate) fn ask_signed(&self, name: &str, kind: RecordType) -> Result<Answer, String> {
        self.exchange(name, kind, true)
    }

    /// Sends a query and waits for its answer.
    fn exchange(&self, name: &str, kind: RecordType, signed: bool) -> Result<Answer, String> {
        let id = self.id.get().wrapping_add(1);
        self.id.set(id);
        let sent = self.socket.send(&encode(id, name, kind, signed));
        sent.map_err(|error| format!("send: {error}"))?;
        let mut buffer = [0; 4096];
        loop {
            let received = self.socket.recv(&mut buffer);
            let length = received.map_err(|error| format!("no answer: {error}"))?;
            // A late answer to an earlier query is passed over.
            if let Some(answer) = decode(id, buffer.get(..length).unwrap_or_default()) {
                return Ok(answer);
            }
        }
    }
}

/// Asks once over TCP.
pub(crate) fn ask_tcp(server: SocketAddr, name: &str, kind: RecordType) -> Result<Answer, String> {
    let exchange = || -> std::io::Result<Vec<u8>> {
        let mut stream = connect(server)?;
        stream.write_all(&framed(7, name, kind))?;
        read_framed(&mut stream)
    };
    let octets = exchange().map_err(|error| format!("TCP: {error}"))?;
    decode(7, &octets).ok_or_else(|| "TCP: not an answer to the query".to_owned())
}

/// Asks for the A records of several names in one write on one connection; answers come in any
/// order, one for each id.
pub(crate) fn ask_pipelined(server: SocketAddr, names: &[String]) -> std::io::Result<Vec<Answer>> {
    let mut stream = connect(server)?;
    let ids = 1u16..;
    let queries = ids
        .clone()
        .zip(names)
        .map(|(id, name)| framed(id, name, RecordType::A));
    stream.write_all(&queries.collect::<Vec<_>>().concat())?;
    let mut waiting: Vec<u16> = ids.take(names.len()).collect();
    let mut answers = Vec::new();
    while !waiting.is_empty() {
        let octets = read_framed(&mut stream)?;
        let found = waiting
            .iter()
            .position(|id| answers_id(*id, &octets, &mut answers));
        let found = found.ok_or_else(|| std::io::Error::other("an answer to no query"))?;
        waiting.swap_remove(found);
    }
    Ok(answers)
}

/// Whether a message answers a query id; if so it is kept.
fn answers_id(id: u16, octets: &[u8], answers: &mut Vec<Answer>) -> bool {
    let answer = decode(id, octets);
    let is_one = answer.is_some();
    answers.extend(answer);
    is_one
}

/// A TCP connection with time-outs.
fn connect(server: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&server, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

/// A query with its length before it.
fn framed(id: u16, name: &str, kind: RecordType) -> Vec<u8> {
    let query = query(id, name, kind);
    let length = u16::try_from(query.len()).expect("a short query");
    [&length.to_be_bytes()[..], &query].concat()
}

/// Reads one message with its length before it.
fn read_framed(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message)?;
    Ok(message)
}
