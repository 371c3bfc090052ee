//! Ways to an API that are not direct: proxies of each kind, and an address of the other family.

use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::fake_apiserver::FakeApi;
use crate::member::{Member, fill, kubeconfig, short};

/// The certificate of servers and proxies, in PEM.
const SERVER: &str = include_str!("pem/server.crt");

/// Its key.
const SERVER_KEY: &str = include_str!("pem/server.key");

/// What a proxy speaks.
#[derive(Clone)]
enum Speaks {
    /// Nothing: it passes octets on to the API.
    Nothing,
    /// CONNECT.
    Http,
    /// CONNECT over TLS.
    Https(TlsAcceptor),
    /// SOCKS 5.
    Socks5,
}

/// A proxy, until it is dropped.
struct Proxy {
    /// Where it listens.
    address: SocketAddr,
    /// What it was asked for, in short.
    asked: Arc<Mutex<Vec<String>>>,
    /// Its connections.
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// A proxy before `api`, whatever it is asked for.
    async fn start(speaks: Speaks, api: SocketAddr) -> Self {
        let address: SocketAddr = match speaks {
            Speaks::Nothing => (Ipv6Addr::LOCALHOST, 0).into(),
            _ => ([127, 0, 0, 1], 0).into(),
        };
        let listener = TcpListener::bind(address).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let mut tasks = JoinSet::new();
        let notes = Arc::clone(&asked);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (speaks, asked) = (speaks.clone(), Arc::clone(&notes));
                connections.spawn(async move { pass(speaks, stream, api, &asked).await });
            }
        });
        Self {
            address,
            asked,
            _tasks: tasks,
        }
    }
}

/// Serves one connection.
async fn pass(speaks: Speaks, stream: TcpStream, api: SocketAddr, asked: &Mutex<Vec<String>>) {
    match speaks {
        Speaks::Nothing => relay(stream, api).await,
        Speaks::Http => connect(stream, api, asked).await,
        Speaks::Https(acceptor) => match acceptor.accept(stream).await {
            Ok(stream) => connect(stream, api, asked).await,
            Err(error) => asked.lock().push(format!("error {error}")),
        },
        Speaks::Socks5 => socks(stream, api, asked).await,
    }
}

/// Passes octets on.
async fn relay(mut stream: impl AsyncRead + AsyncWrite + Unpin, api: SocketAddr) {
    let mut to = TcpStream::connect(api).await.expect("the API listens");
    // How it ends is the affair of those who talk.
    let _ = copy_bidirectional(&mut stream, &mut to).await;
}

/// Takes a CONNECT of `me:word`.
async fn connect(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    api: SocketAddr,
    asked: &Mutex<Vec<String>>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(octet) = stream.read_u8().await else {
            return;
        };
        head.push(octet);
    }
    let head = String::from_utf8(head).expect("text").to_lowercase();
    asked
        .lock()
        .push(head.lines().next().unwrap_or_default().to_owned());
    let is_known = head.contains("proxy-authorization: basic bwu6d29yza==");
    let reply = if is_known {
        "HTTP/1.1 200 OK\r\n\r\n"
    } else {
        "HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n"
    };
    stream
        .write_all(reply.as_bytes())
        .await
        .expect("it listens");
    if is_known {
        relay(stream, api).await;
    }
}

/// Takes a CONNECT of SOCKS 5 of `me:word` (RFC 1928, RFC 1929).
async fn socks(mut stream: TcpStream, api: SocketAddr, asked: &Mutex<Vec<String>>) {
    let mut octets = [0; 512];
    let read = async |stream: &mut TcpStream, octets: &mut [u8]| {
        stream.read_exact(octets).await.expect("it goes on");
    };
    read(&mut stream, &mut octets[..2]).await;
    let methods = usize::from(octets[1]);
    read(&mut stream, &mut octets[..methods]).await;
    assert!(octets[..methods].contains(&2), "it knows a user");
    stream.write_all(&[5, 2]).await.expect("it listens");
    read(&mut stream, &mut octets[..9]).await;
    assert_eq!(&octets[..9], b"\x01\x02me\x04word");
    stream.write_all(&[1, 0]).await.expect("it listens");
    read(&mut stream, &mut octets[..4]).await;
    let rest = match octets[3] {
        1 => 4 + 2,
        3 => {
            read(&mut stream, &mut octets[..1]).await;
            usize::from(octets[0]) + 2
        }
        kind => panic!("an address of kind {kind}"),
    };
    read(&mut stream, &mut octets[..rest]).await;
    let host = String::from_utf8_lossy(&octets[..rest - 2]).into_owned();
    asked.lock().push(host);
    let done = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    stream.write_all(&done).await.expect("it listens");
    relay(stream, api).await;
}

/// An API of TLS with the service `web`, whose certificate also has the name `api.example`.
fn api() -> FakeApi {
    let api = FakeApi::start_tls_with(SERVER, SERVER_KEY, false);
    fill(&api);
    api
}

/// A member of this cluster, in whose folder the CA is.
fn member(mut cluster: Value) -> Member {
    let folder = tempfile::tempdir().unwrap();
    crate::fake_apiserver::write(&folder.path().join("ca.crt"), include_str!("pem/ca.crt"));
    cluster["certificate-authority"] = json!("ca.crt");
    kubeconfig(folder.path(), "c", &cluster, &json!({}));
    Member::start(folder, "c", &short(), Arc::new(Semaphore::new(4)))
}

/// TLS of a proxy.
fn acceptor() -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_slice(SERVER.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(SERVER_KEY.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

#[tokio::test]
async fn an_api_is_reached_through_its_proxy() {
    let api = api();
    // Nobody but the proxy knows where this is.
    let server = "https://api.example:6443";
    for (speaks, scheme, asked) in [
        (Speaks::Http, "http", "connect api.example:6443 http/1.1"),
        (
            Speaks::Https(acceptor()),
            "https",
            "connect api.example:6443 http/1.1",
        ),
        (Speaks::Socks5, "socks5", "api.example"),
    ] {
        let proxy = Proxy::start(speaks, api.address).await;
        let url = format!("{scheme}://me:word@{}", proxy.address);
        let mut member = member(json!({ "server": server, "proxy-url": url }));
        member.until_said("synced").await;
        let notes = proxy.asked.lock().clone();
        assert!(
            !notes.is_empty() && notes.iter().all(|note| note == asked),
            "{scheme}: {notes:?}"
        );
        member.stop().await;
    }
}

#[tokio::test]
async fn a_proxy_is_known_by_its_own_name() {
    let names = vec!["elsewhere.example".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let api = FakeApi::start_tls_with(&certificate, &key, false);
    fill(&api);
    let proxy = Proxy::start(Speaks::Https(acceptor()), api.address).await;
    let folder = tempfile::tempdir().unwrap();
    let both = format!("{}{certificate}", include_str!("pem/ca.crt"));
    crate::fake_apiserver::write(&folder.path().join("both.crt"), &both);
    let cluster = json!({
        "server": "https://192.0.2.1:6443", "tls-server-name": "elsewhere.example",
        "certificate-authority": "both.crt",
        "proxy-url": format!("https://me:word@{}", proxy.address),
    });
    kubeconfig(folder.path(), "c", &cluster, &json!({}));
    let mut member = Member::start(folder, "c", &short(), Arc::new(Semaphore::new(4)));
    member.until_said("synced").await;
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_without_its_password() {
    let api = api();
    let proxy = Proxy::start(Speaks::Http, api.address).await;
    let url = format!("http://me:other-word@{}", proxy.address);
    let cluster = json!({ "server": "https://api.example:6443", "proxy-url": url });
    let mut member = member(cluster);
    member.until_said("lost").await;
    let said = member.said.last().unwrap();
    assert!(said.contains("proxy authorization required"), "{said}");
    assert!(!said.contains("other-word"), "{said}");
}

#[tokio::test]
async fn a_server_may_be_an_ipv6_address() {
    let api = api();
    let relay = Proxy::start(Speaks::Nothing, api.address).await;
    assert!(relay.address.is_ipv6());
    let mut member = member(json!({ "server": format!("https://{}", relay.address) }));
    member.until_said("synced").await;
}
