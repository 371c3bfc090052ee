//! A small resolver for load balancer host names.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::CNAME;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use parking_lot::Mutex;

/// Answers for one host name over UDP, until dropped.
pub(crate) struct Responder {
    /// Where it answers.
    pub(crate) address: SocketAddr,
    /// What its thread answers from.
    shared: Arc<Shared>,
}

/// What the thread of a responder answers from.
struct Shared {
    /// The one host name, with its last dot.
    name: String,
    /// TTL of its records, in seconds.
    ttl: u32,
    /// Its addresses; `None` is SERVFAIL.
    addresses: Mutex<Option<Vec<IpAddr>>>,
    /// The name that it is an alias of, which then has the addresses.
    alias: Mutex<Option<Name>>,
    /// Queries so far.
    asked: AtomicUsize,
    /// Ends the thread.
    ended: AtomicBool,
}

impl Responder {
    /// Starts one that knows a name without addresses.
    pub(crate) fn start(name: &str, ttl: u32) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), name, ttl)
    }

    /// The same at this address.
    pub(crate) fn start_at(address: SocketAddr, name: &str, ttl: u32) -> Self {
        let socket = UdpSocket::bind(address).expect("responder's socket");
        let pause = Duration::from_millis(100);
        socket.set_read_timeout(Some(pause)).expect("time-out");
        let address = socket.local_addr().expect("responder's address");
        let shared = Arc::new(Shared {
            name: format!("{name}."),
            ttl,
            addresses: Mutex::new(Some(Vec::new())),
            alias: Mutex::new(None),
            asked: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
        });
        let thread = Arc::clone(&shared);
        std::thread::spawn(move || thread.answer_all(&socket));
        Self { address, shared }
    }

    /// Sets the addresses of the name.
    pub(crate) fn set(&self, addresses: &[&str]) {
        let addresses = addresses.iter().map(|text| text.parse().expect("address"));
        *self.shared.addresses.lock() = Some(addresses.collect());
    }

    /// Makes the name an alias: its addresses are those of the target, as a recursive resolver has
    /// them together.
    pub(crate) fn alias(&self, target: &str) {
        let target = Name::from_ascii(format!("{target}."));
        *self.shared.alias.lock() = Some(target.expect("a name"));
    }

    /// Answers SERVFAIL from now on.
    pub(crate) fn fail(&self) {
        *self.shared.addresses.lock() = None;
    }

    /// Queries so far.
    pub(crate) fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
    }
}

impl Shared {
    /// The loop.
    fn answer_all(&self, socket: &UdpSocket) {
        let mut buffer = [0; 4096];
        while !self.ended.load(Ordering::SeqCst) {
            let Ok((length, client)) = socket.recv_from(&mut buffer) else {
                continue;
            };
            let query = buffer.get(..length).unwrap_or_default();
            if let Ok(query) = Message::from_vec(query) {
                let answer = self.answer(&query).to_vec().expect("answer encodes");
                drop(socket.send_to(&answer, client));
            }
        }
    }

    /// The answer to one query.
    fn answer(&self, query: &Message) -> Message {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answer = Message::response(query.metadata.id, query.metadata.op_code);
        answer.metadata.recursion_desired = true;
        answer.metadata.recursion_available = true;
        answer.add_queries(query.queries.clone());
        let addresses = self.addresses.lock();
        let (Some(question), Some(addresses)) = (query.queries.first(), &*addresses) else {
            answer.metadata.response_code = ResponseCode::ServFail;
            return answer;
        };
        if !question.name().to_ascii().eq_ignore_ascii_case(&self.name) {
            answer.metadata.response_code = ResponseCode::NXDomain;
            return answer;
        }
        let mut owner = question.name().clone();
        if let Some(target) = &*self.alias.lock() {
            let alias = RData::CNAME(CNAME(target.clone()));
            answer.add_answer(Record::from_rdata(owner, self.ttl, alias));
            owner = target.clone();
        }
        for address in addresses {
            let data = match address {
                IpAddr::V4(address) if question.query_type() == RecordType::A => {
                    RData::A((*address).into())
                }
                IpAddr::V6(address) if question.query_type() == RecordType::AAAA => {
                    RData::AAAA((*address).into())
                }
                _ => continue,
            };
            answer.add_answer(Record::from_rdata(owner.clone(), self.ttl, data));
        }
        answer
    }
}
