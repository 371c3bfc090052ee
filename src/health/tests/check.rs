//! Each kind of probe against servers on loopback, well and badly behaved.

use std::net::SocketAddr;
use std::pin::Pin;

use h2::Reason;
use hyper::Response;
use hyper::body::Bytes;
use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;
use crate::model::{HttpCheck, Probe, Tls};

/// A server for as long as it is kept.
struct Server {
    /// Where it listens.
    address: SocketAddr,
    /// Runs it and its connections.
    _tasks: JoinSet<()>,
}

/// Serves every connection by `serve`.
async fn server<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Server
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(serve(stream));
        }
    });
    Server {
        address,
        _tasks: tasks,
    }
}

/// Reads a request, writes `text`, and closes.
async fn respond(text: impl Into<Vec<u8>>) -> Server {
    let text = text.into();
    server(move |mut stream| {
        let text = text.clone();
        async move {
            read_request(&mut stream).await;
            // The client may have heard enough.
            let _ = stream.write_all(&text).await;
        }
    })
    .await
}

/// Reads up to the empty line.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let octet = stream.read_u8().await.unwrap();
        request.push(octet);
    }
    String::from_utf8(request).unwrap()
}

/// What comes of a probe that may take so many milliseconds.
async fn ask_within(
    checks: Checks,
    address: SocketAddr,
    check: Check,
    timeout: u64,
) -> ProbeOutcome {
    let probe = Probe {
        check,
        timeout: Duration::from_millis(timeout),
        ..Probe::default()
    };
    let probe = Arc::new(probe);
    Arc::new(checks).ask(ProbeTarget { address, probe }).await
}

/// What comes of a probe with time enough.
async fn ask(address: SocketAddr, check: Check) -> ProbeOutcome {
    ask_within(Checks::default(), address, check, 20_000).await
}

/// A GET of `/healthz`.
fn http(tls: Option<Tls>, host: Option<&str>) -> Check {
    Check::Http(HttpCheck {
        tls,
        host: host.map(Into::into),
        path: "/healthz".into(),
        status: (200, 399),
    })
}

/// A pass.
fn passed(seen: &'static str) -> ProbeOutcome {
    ProbeOutcome::Passed(seen.into())
}

/// A failure that was heard.
fn answered(seen: &'static str) -> ProbeOutcome {
    ProbeOutcome::Answered(seen.into())
}

/// An address that nobody listens at.
async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

#[tokio::test]
async fn tcp_connects_or_is_refused_and_ends_by_rst() {
    let (told, mut heard) = tokio::sync::mpsc::channel(1);
    let server = server(move |mut stream| {
        let told = told.clone();
        async move {
            let read = stream.read_u8().await;
            told.send(read.unwrap_err().kind()).await.unwrap();
        }
    })
    .await;
    assert_eq!(ask(server.address, Check::Tcp).await, passed("connected"));
    assert_eq!(
        heard.recv().await,
        Some(std::io::ErrorKind::ConnectionReset)
    );
    let refused = ask(nobody().await, Check::Tcp).await;
    assert_eq!(refused, answered("refused"));
}

#[tokio::test]
async fn what_our_own_host_refuses_is_not_the_targets_failure() {
    // A multicast address is no peer of a TCP connection: no packet is sent.
    let address = SocketAddr::from(([224, 0, 0, 1], 9));
    let outcome = ask(address, Check::Tcp).await;
    assert!(matches!(outcome, ProbeOutcome::Local(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_full_listener_is_silent() {
    // Nobody accepts: connections beyond the backlog get no answer.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let silent = loop {
        match ask_within(Checks::default(), address, Check::Tcp, 50).await {
            ProbeOutcome::Passed(_) => {}
            other => break other,
        }
    };
    assert_eq!(silent, ProbeOutcome::Silent("timed out after 50ms".into()));
}

#[tokio::test]
async fn http_passes_by_its_status() {
    let requests = Arc::new(parking_lot::Mutex::new(String::new()));
    let kept = Arc::clone(&requests);
    let server = server(move |mut stream| {
        let kept = Arc::clone(&kept);
        async move {
            *kept.lock() = read_request(&mut stream).await;
            let response = b"HTTP/1.1 204 No Content\r\n\r\n";
            stream.write_all(response).await.unwrap();
        }
    })
    .await;
    let check = http(None, Some("web.example"));
    assert_eq!(ask(server.address, check).await, passed("status 204"));
    let request = requests.lock().to_lowercase();
    assert!(
        request.starts_with("get /healthz http/1.1\r\n"),
        "{request}"
    );
    assert!(request.contains("\r\nhost: web.example\r\n"), "{request}");

    assert_eq!(
        ask(server.address, http(None, None)).await,
        passed("status 204")
    );
    let host = format!("\r\nhost: {}\r\n", server.address);
    assert!(requests.lock().to_lowercase().contains(&host));
}

#[tokio::test]
async fn http_that_does_not_pass_says_why() {
    let long = "x".repeat(100_000);
    for (response, expected) in [
        (
            "HTTP/1.1 503 Oh\r\ncontent-length: 9\r\n\r\n".to_owned(),
            "status 503",
        ),
        ("HTTP/1.0 404 No\r\n\r\n".to_owned(), "status 404"),
        (
            format!("HTTP/1.1 200 OK\r\na: {long}\r\n\r\n"),
            "the head of the response is too long",
        ),
        ("SSH-2.0-Server\r\n\r\n".to_owned(), "not HTTP/1.1"),
        (String::new(), "closed"),
        ("HTTP/1.1 200 OK\r\na: ".to_owned(), "closed"),
    ] {
        let server = respond(response).await;
        assert_eq!(
            ask(server.address, http(None, None)).await,
            answered(expected)
        );
    }
    // A redirect passes, and is not followed.
    let server = respond("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n\r\n").await;
    assert_eq!(
        ask(server.address, http(None, None)).await,
        passed("status 302")
    );
    // The body does not matter, however much more of it is announced.
    let server = respond("HTTP/1.1 200 OK\r\ncontent-length: 9999999\r\n\r\nx").await;
    assert_eq!(
        ask(server.address, http(None, None)).await,
        passed("status 200")
    );
}

#[tokio::test]
async fn a_connection_that_opens_and_says_nothing_is_a_failure_that_was_heard() {
    let slow = server(|mut stream| async move {
        read_request(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let mute = server(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let asked = [
        (slow.address, http(None, None)),
        (mute.address, http(Some(Tls::Unverified), None)),
        (mute.address, Check::Grpc { service: "".into() }),
    ]
    .map(|(address, check)| ask_within(Checks::default(), address, check, 1000));
    for outcome in futures::future::join_all(asked).await {
        assert_eq!(outcome, answered("timed out after 1s"));
    }
}

#[tokio::test]
async fn a_reset_is_seen() {
    let server = server(|mut stream| async move {
        read_request(&mut stream).await;
        socket2::SockRef::from(&stream)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    })
    .await;
    assert_eq!(
        ask(server.address, http(None, None)).await,
        answered("reset")
    );
}

/// A server with a certificate for `names`, and roots that know it.
async fn tls_server(names: &[&str]) -> (Server, RootCertStore) {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let server = server(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            // A client that does not like the certificate goes.
            let Ok(mut stream) = acceptor.accept(stream).await else {
                return;
            };
            let mut request = vec![0; 4096];
            assert_ne!(stream.read(&mut request).await.unwrap(), 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            stream.flush().await.unwrap();
            let _ = stream.read_to_end(&mut request).await;
        }
    })
    .await;
    (server, roots)
}

/// Checks with these roots.
fn with_roots(roots: &RootCertStore) -> Checks {
    Checks {
        tls: tls::Clients::with_roots(roots.clone()),
    }
}

#[tokio::test]
async fn https_judges_certificates_by_roots_and_name() {
    let (server, roots) = tls_server(&["web.example", "127.0.0.1"]).await;
    let verified = |host| {
        let check = http(Some(Tls::Verified), host);
        ask_within(with_roots(&roots), server.address, check, 20_000)
    };
    assert_eq!(verified(Some("web.example")).await, passed("status 200"));
    assert_eq!(
        verified(Some("web.example:8443")).await,
        passed("status 200")
    );
    assert_eq!(verified(None).await, passed("status 200"));
    let ProbeOutcome::Answered(seen) = verified(Some("other.example")).await else {
        panic!("a wrong name passed");
    };
    assert!(seen.starts_with("certificate: "), "{seen}");

    let (_, others) = tls_server(&["web.example"]).await;
    let check = http(Some(Tls::Verified), None);
    let outcome = ask_within(with_roots(&others), server.address, check, 20_000).await;
    let ProbeOutcome::Answered(seen) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(seen.starts_with("certificate: "), "{seen}");
    let unverified = http(Some(Tls::Unverified), Some("other.example"));
    assert_eq!(ask(server.address, unverified).await, passed("status 200"));

    let clear = self::server(|mut stream| async move {
        let response = b"HTTP/1.1 400 Bad Request\r\n\r\n";
        stream.write_all(response).await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let outcome = ask(clear.address, http(Some(Tls::Unverified), None)).await;
    let ProbeOutcome::Answered(seen) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(seen.starts_with("TLS: "), "{seen}");
}

/// What a gRPC server does with a call.
type Call = fn(h2::server::SendResponse<Bytes>) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// A server of HTTP/2 that checks what it is asked and does `call`.
async fn grpc_server(call: Call) -> Server {
    server(move |stream| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let Some(Ok((request, response))) = connection.accept().await else {
            return;
        };
        assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
        assert_eq!(request.headers()["content-type"], "application/grpc");
        assert_eq!(request.headers()["te"], "trailers");
        let mut body = request.into_body();
        let talk = async {
            let asked = body.data().await.unwrap().unwrap();
            assert_eq!(asked, b"\x00\x00\x00\x00\x05\x0a\x03web".as_slice());
            call(response).await;
        };
        tokio::select! {
            biased;
            () = talk => {}
            _ = connection.accept() => return,
        }
        // Until the client goes.
        while connection.accept().await.is_some() {}
    })
    .await
}

/// Responds with `message` and `grpc-status`.
fn say(
    mut response: h2::server::SendResponse<Bytes>,
    message: &'static [u8],
    code: &'static str,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    let head = Response::builder().header("content-type", "application/grpc");
    let mut stream = response
        .send_response(head.body(()).unwrap(), false)
        .unwrap();
    stream
        .send_data(Bytes::from_static(message), false)
        .unwrap();
    let trailers = [("grpc-status".parse().unwrap(), code.parse().unwrap())];
    stream
        .send_trailers(trailers.into_iter().collect())
        .unwrap();
    Box::pin(std::future::ready(()))
}

#[tokio::test]
async fn grpc_passes_only_when_it_serves() {
    let web = || Check::Grpc {
        service: "web".into(),
    };
    let serving = grpc_server(|response| say(response, b"\0\0\0\0\x02\x08\x01", "0")).await;
    assert_eq!(ask(serving.address, web()).await, passed("SERVING"));
    let cases: [(Call, &str); 7] = [
        (
            |response| say(response, b"\0\0\0\0\x02\x08\x02", "0"),
            "NOT_SERVING",
        ),
        (|response| say(response, b"\0\0\0\0\0", "0"), "UNKNOWN"),
        (
            |response| say(response, b"\0\0\0\0\x02\x08\x09", "0"),
            "not a health response",
        ),
        (
            |response| say(response, b"\0\0\0\0\x02\x08\x01", "13"),
            "grpc-status 13",
        ),
        (
            |mut response| {
                let head = Response::builder().header("grpc-status", "12");
                response
                    .send_response(head.body(()).unwrap(), true)
                    .unwrap();
                Box::pin(std::future::ready(()))
            },
            "grpc-status 12, no health service",
        ),
        (
            |mut response| {
                let head = Response::builder().status(502);
                response
                    .send_response(head.body(()).unwrap(), true)
                    .unwrap();
                Box::pin(std::future::ready(()))
            },
            "status 502",
        ),
        (
            |mut response| {
                response.send_reset(Reason::REFUSED_STREAM);
                Box::pin(std::future::ready(()))
            },
            "RST_STREAM REFUSED_STREAM",
        ),
    ];
    for (call, expected) in cases {
        let server = grpc_server(call).await;
        assert_eq!(ask(server.address, web()).await, answered(expected));
    }
}

#[tokio::test]
async fn grpc_of_what_is_none_fails() {
    let web = || Check::Grpc {
        service: "web".into(),
    };
    let goaway = server(|stream| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
        while connection.accept().await.is_some() {}
    })
    .await;
    let outcome = ask(goaway.address, web()).await;
    assert_eq!(outcome, answered("GOAWAY ENHANCE_YOUR_CALM"));
    let http1 = respond("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let outcome = ask(http1.address, web()).await;
    assert!(matches!(outcome, ProbeOutcome::Answered(_)), "{outcome:?}");
}
