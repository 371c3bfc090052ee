//! Questions to a resolver on loopback.

use std::collections::BTreeMap;

use hickory_proto::op::{Message, MessageType};
use hickory_proto::rr::Record;
use hickory_proto::rr::rdata::{A, AAAA, CNAME, SOA};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use super::*;

/// What a resolver answers to one question.
#[derive(Clone)]
enum Reply {
    /// NOERROR with these records, owned by the name asked for unless they follow a CNAME.
    Records(Vec<(RData, u32)>),
    /// A code with an SOA in the authority section.
    Negative(ResponseCode),
    /// A code and nothing else.
    Bare(ResponseCode),
    /// Nothing at all.
    Silence,
}

/// Answers questions by the first label of their name.
async fn serve(socket: UdpSocket, replies: BTreeMap<(&'static str, RecordType), Reply>) {
    let mut buffer = [0; 1500];
    loop {
        let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
        let request = Message::from_vec(&buffer[..length]).unwrap();
        let query = request.queries.first().unwrap().clone();
        let label = String::from_utf8(query.name().iter().next().unwrap().to_vec()).unwrap();
        let key = replies
            .keys()
            .find(|(name, kind)| *name == label && *kind == query.query_type());
        let mut response = request.clone();
        response.metadata.message_type = MessageType::Response;
        response.metadata.recursion_available = true;
        match key
            .and_then(|key| replies.get(key))
            .expect("a scripted question")
        {
            Reply::Silence => continue,
            Reply::Bare(code) => response.metadata.response_code = *code,
            Reply::Negative(code) => {
                response.metadata.response_code = *code;
                let zone = Name::from_ascii("test.").unwrap();
                let soa = SOA::new(zone.clone(), zone.clone(), 1, 1, 1, 1, 5);
                response.add_authority(Record::from_rdata(zone, 60, RData::SOA(soa)));
            }
            Reply::Records(records) => {
                let mut owner = query.name().clone();
                for (data, ttl) in records {
                    response.add_answer(Record::from_rdata(owner.clone(), *ttl, data.clone()));
                    if let RData::CNAME(target) = data {
                        owner = target.0.clone();
                    }
                }
            }
        }
        socket
            .send_to(&response.to_vec().unwrap(), client)
            .await
            .unwrap();
    }
}

/// Names, and what is said of their IPv4 and their IPv6 addresses.
fn script() -> Vec<(&'static str, Reply, Reply)> {
    let a = |last| (RData::A(A::new(192, 0, 2, last)), 60);
    let aaaa = (RData::AAAA(AAAA::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)), 50);
    let alias = |target: &str| (RData::CNAME(CNAME(Name::from_ascii(target).unwrap())), 10);
    let cname = alias("target.test.");
    let negative = |code| Reply::Negative(code);
    vec![
        (
            "plain",
            Reply::Records(vec![a(1), a(2)]),
            Reply::Records(vec![aaaa.clone()]),
        ),
        (
            "alias",
            Reply::Records(vec![cname, a(3)]),
            negative(ResponseCode::NoError),
        ),
        (
            "gone",
            negative(ResponseCode::NXDomain),
            negative(ResponseCode::NXDomain),
        ),
        (
            "fails",
            Reply::Bare(ResponseCode::ServFail),
            Reply::Bare(ResponseCode::Refused),
        ),
        (
            "ours",
            Reply::Records(vec![alias("vanity.test."), alias("V.Own.test."), a(4)]),
            Reply::Records(vec![alias("own.test.")]),
        ),
        (
            "own",
            negative(ResponseCode::NoError),
            Reply::Records(vec![aaaa.clone()]),
        ),
        (
            "sink",
            Reply::Records(vec![(RData::A(A::new(0, 0, 0, 0)), 60)]),
            Reply::Records(vec![(
                RData::AAAA(AAAA::new(0x64, 0xff9b, 0, 0, 0, 0, 1, 1)),
                60,
            )]),
        ),
        (
            "mixed",
            Reply::Records(vec![(RData::A(A::new(127, 0, 0, 1)), 2), a(5)]),
            negative(ResponseCode::NoError),
        ),
        ("empty", Reply::Bare(ResponseCode::NoError), Reply::Silence),
    ]
}

#[tokio::test]
async fn answers_become_outcomes() {
    let by_type = script().into_iter().flat_map(|(name, ipv4, ipv6)| {
        [
            ((name, RecordType::A), ipv4),
            ((name, RecordType::AAAA), ipv6),
        ]
    });
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(serve(socket, by_type.collect()));
    let rules = rules();
    let lookup =
        HostNameResolver::with_timeout(&[address], &rules, Duration::from_millis(300)).unwrap();
    let check = async |name: &str, ipv4, ipv6| {
        let hostname = NameBuf::from_labels([name, "test"]).unwrap();
        let expected = Answers { ipv4, ipv6 };
        assert_eq!(lookup.clone().ask(hostname).await, expected, "{name}");
    };
    let found = |hosts: &[u8], ttl| {
        let address = |host: &u8| Ipv4Addr::new(192, 0, 2, *host);
        QueryOutcome::Found(
            hosts.iter().map(address).collect(),
            Duration::from_secs(ttl),
        )
    };
    let one = QueryOutcome::Found(
        vec!["2001:db8::1".parse().unwrap()],
        Duration::from_secs(50),
    );
    let gone = "no such name (NXDOMAIN)";
    let ours = "leads to V.Own.test. in own.test., which is answered from here";
    let target = "leads to own.test. in own.test., which is answered from here";
    // What does not count is left out where facts are compiled; nobody is asked every 2 s.
    let mixed = vec![[127, 0, 0, 1].into(), [192, 0, 2, 5].into()];
    let mixed = QueryOutcome::Found(mixed, Duration::from_secs(5));
    tokio::join!(
        check("plain", found(&[1, 2], 60), one),
        check("alias", found(&[3], 10), absent("no address (NODATA)")),
        check("gone", absent(gone), absent(gone)),
        check(
            "fails",
            failed("the resolver says: Server Failure"),
            failed("the resolver says: Query Refused"),
        ),
        check("ours", absent(ours), absent(target)),
        check(
            "sink",
            failed("0.0.0.0 is unspecified"),
            failed("64:ff9b::1:1 is for the network of a NAT64 alone"),
        ),
        check("mixed", mixed, absent("no address (NODATA)")),
        check(
            "empty",
            failed("an answer without addresses"),
            failed("no answer in time"),
        ),
    );
}

/// `own.test` is an own zone.
fn rules() -> Arc<Rules> {
    Arc::new(Rules {
        own_zones: vec!["own.test".parse().unwrap()],
        ..Rules::default()
    })
}

/// A negative.
fn absent<A>(why: &str) -> QueryOutcome<A> {
    QueryOutcome::Absent(why.into())
}

/// A failure.
fn failed<A>(why: &str) -> QueryOutcome<A> {
    QueryOutcome::Failed(why.into())
}
