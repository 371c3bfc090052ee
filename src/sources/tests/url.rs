//! A member whose facts a server has: what each answer of it comes to.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::*;
use crate::config::{MemberSource, Source};
use crate::model::Loss;

/// How long a test waits for what must come.
const DEADLINE: Duration = Duration::from_secs(30);

/// What a server does with the next requests.
#[derive(Clone)]
enum Answer {
    /// Has a document of this version.
    Has(&'static str, String),
    /// Says this, whatever is asked.
    Says(String),
    /// Says nothing.
    Hangs,
}

/// A server of one document, until it is dropped.
struct Server {
    address: SocketAddr,
    answer: Arc<Mutex<(Answer, Vec<String>)>>,
    _tasks: JoinSet<()>,
}

impl Server {
    async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(Mutex::new((answer, Vec::new())));
        let shared = Arc::clone(&answer);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                open.spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self {
            address,
            answer,
            _tasks: tasks,
        }
    }

    fn set(&self, answer: Answer) {
        self.answer.lock().0 = answer;
    }

    fn requests(&self) -> Vec<String> {
        self.answer.lock().1.clone()
    }
}

/// Answers one request.
async fn serve(mut stream: TcpStream, shared: Arc<Mutex<(Answer, Vec<String>)>>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut octets = [0; 1024];
        match stream.read(&mut octets).await {
            Ok(0) | Err(_) => return,
            Ok(length) => request.extend_from_slice(&octets[..length]),
        }
    }
    let request = String::from_utf8(request).unwrap();
    let answer = {
        let mut shared = shared.lock();
        shared.1.push(request.clone());
        shared.0.clone()
    };
    let text = match answer {
        Answer::Has(version, _) if request.contains(&format!("if-none-match: {version}")) => {
            "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n".to_owned()
        }
        Answer::Has(version, body) => document(version, &body),
        Answer::Says(text) => text,
        Answer::Hangs => return std::future::pending().await,
    };
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// A response with a document.
fn document(version: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nETag: {version}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// A response without a document.
fn status(line: &str) -> Answer {
    Answer::Says(format!(
        "HTTP/1.1 {line}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    ))
}

/// A document with one service at an address.
fn facts(address: &str) -> String {
    format!("[[service]]\nnamespace = \"shop\"\nname = \"web\"\naddresses = [\"{address}\"]\n")
}

/// A member of a server.
struct Member {
    deltas: mpsc::Receiver<Delta>,
    _tasks: JoinSet<()>,
}

impl Member {
    fn of(url: String) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let source = UrlSource {
            url,
            interval: Duration::from_millis(20),
            timeout: Duration::from_millis(300),
            token_file: None,
            ca: None,
            identity: None,
        };
        let (sender, deltas) = mpsc::channel(16);
        let lifetime = Lifetime {
            source: MemberSource {
                member: "m1".parse().unwrap(),
                has_topology: true,
                facts_limit: 1 << 30,
                renews: false,
                addresses_from: Vec::new(),
                front: None,
                source: Source::Url(Box::new(source.clone())),
            },
            epoch: Epoch(7),
            deltas: sender,
            unconfirmed: tokio::sync::watch::channel(Arc::default()).1,
            cancel: CancellationToken::new(),
        };
        let confirmed = tokio::sync::watch::channel(Arc::default()).1;
        let mut tasks = JoinSet::new();
        let metrics = Arc::new(Metrics::new());
        tasks.spawn(Box::pin(run(source, confirmed, lifetime, metrics)));
        Self {
            deltas,
            _tasks: tasks,
        }
    }

    /// What it says next, in short.
    async fn says(&mut self) -> String {
        let delta = tokio::time::timeout(DEADLINE, self.deltas.recv()).await;
        let Delta::Member { change, .. } = delta.expect("in time").expect("a delta") else {
            panic!("no change of a member");
        };
        let addresses = |service: &crate::model::Service| format!("{:?}", service.addresses);
        match change {
            Change::Identity(identity) => identity.origin,
            Change::Synced(all) => {
                let all = all.iter().map(|(_, service)| addresses(service));
                format!("synced {}", all.collect::<String>())
            }
            Change::Upsert(_, service) => format!("upsert {}", addresses(&service)),
            Change::Lost(Loss::Heartbeat(why)) => format!("silent {why}"),
            Change::Lost(Loss::File(why)) => format!("wrong {why}"),
            Change::Returning => "returning".to_owned(),
            Change::Whole(is_whole) => format!("whole {is_whole}"),
            other => panic!("{other:?}"),
        }
    }
}

/// SU01.
#[tokio::test]
async fn each_answer_is_facts_or_life_or_a_loss() {
    let one = Answer::Has("\"1\"", facts("192.0.2.1"));
    let server = Server::start(one.clone()).await;
    let url = format!("http://{}/facts.toml?dc=1", server.address);
    let mut member = Member::of(url.clone());
    assert_eq!(member.says().await, url);
    assert_eq!(member.says().await, "whole false");
    assert_eq!(member.says().await, "synced [192.0.2.1]");
    server.set(Answer::Has("\"2\"", facts("192.0.2.2")));
    assert_eq!(member.says().await, "upsert [192.0.2.2]");
    let requests = server.requests();
    assert!(
        requests
            .iter()
            .all(|request| request.starts_with("GET /facts.toml?dc=1 "))
    );
    server.set(Answer::Has(
        "\"3\"",
        format!("{}wait = 1\n", facts("192.0.2.3")),
    ));
    let said = member.says().await;
    assert!(
        said.starts_with("wrong ") && said.contains("facts.toml?dc=1:5:"),
        "{said}"
    );
    server.set(one.clone());
    assert_eq!(member.says().await, "returning");
    assert_eq!(member.says().await, "synced [192.0.2.1]");
    let huge = format!(
        "HTTP/1.1 200 OK\r\n\r\n{}",
        "# A comment.\n".repeat(6 << 20)
    );
    for (answer, why) in [
        (status("404 Not Found"), "silent 404 Not Found"),
        (status("500 Internal Server Error"), "silent 500 Internal"),
        (Answer::Says(document("\"4\"", "")), "wrong "),
        (Answer::Hangs, "silent no answer in 300ms"),
        (Answer::Says("HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_owned()), "silent a redirect to another host"),
        (Answer::Says(huge), "silent "),
    ] {
        server.set(answer);
        let said = member.says().await;
        assert!(said.starts_with(why), "{said}");
        server.set(one.clone());
        assert_eq!(member.says().await, "returning");
        assert_eq!(member.says().await, "synced [192.0.2.1]", "after {why}");
    }
}

#[tokio::test]
async fn a_document_that_is_as_it_was_says_nothing_and_its_server_is_not_lost() {
    let server = Server::start(Answer::Has("\"1\"", facts("192.0.2.1"))).await;
    let mut member = Member::of(format!("http://{}/", server.address));
    for _ in 0..3 {
        member.says().await;
    }
    // Silence is a loss, and the same document after it is a return.
    while server.requests().len() < 5 {
        tokio::task::yield_now().await;
    }
    assert!(member.deltas.try_recv().is_err());
    server.set(Answer::Hangs);
    assert!(member.says().await.starts_with("silent "));
    server.set(Answer::Has("\"1\"", "not read".to_owned()));
    assert_eq!(member.says().await, "returning");
    assert_eq!(member.says().await, "synced [192.0.2.1]");
}

#[test]
fn members_of_one_server_do_not_ask_at_once() {
    let interval = |name: &str| shared_out(&name.parse().unwrap(), Duration::from_secs(10));
    for name in ["a", "b", "europe-west1-b", "x1"] {
        let interval = interval(name);
        let bounds = Duration::from_secs(9)..=Duration::from_secs(11);
        assert!(bounds.contains(&interval), "{name}: {interval:?}");
    }
    assert_ne!(interval("a"), interval("b"));
}
