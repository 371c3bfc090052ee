//! Sockets, plain and TLS.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::serve::Listener;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{Shared, replies};

/// A certificate for 127.0.0.1 and its key.
pub(super) struct Tls {
    /// In PEM, for a kubeconfig.
    pub(super) pem: String,
    /// In DER; it is its own root.
    pub(super) certificate: CertificateDer<'static>,
    /// Accepts connections with it.
    acceptor: TlsAcceptor,
}

impl Tls {
    /// A new certificate.
    pub(super) fn generate() -> Self {
        let names = ["127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
        let certificate = made.cert.der().clone();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions that the provider has")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .expect("a key that fits");
        Self {
            pem: made.cert.pem(),
            certificate,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        }
    }
}

/// Binds, and answers on `runtime` until that ends.
pub(super) fn listen(
    runtime: &Runtime,
    address: SocketAddr,
    tls: Option<&Tls>,
    shared: &Arc<Shared>,
) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_reuse_address(true).expect("SO_REUSEADDR");
    socket.set_nonblocking(true).expect("a non-blocking socket");
    socket.bind(&address.into()).expect("the port that is kept");
    socket.listen(128).expect("a listener");
    let entered = runtime.enter();
    let listener = TcpListener::from_std(socket.into()).expect("a listener of this runtime");
    drop(entered);
    let app = axum::Router::new()
        .fallback(replies::handle)
        .with_state(Arc::clone(shared));
    let acceptor = tls.map(|tls| tls.acceptor.clone());
    runtime.spawn(async move {
        let (ready, connections) = mpsc::channel(64);
        let accepting = accept(listener, acceptor, ready);
        let serving = axum::serve(
            Connections {
                connections,
                address,
            },
            app,
        );
        // Neither ends before the runtime.
        let _ = tokio::join!(accepting, async { serving.await });
    });
}

/// Accepts connections and shakes hands, each by itself: a client that says nothing stops nobody.
async fn accept(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    ready: mpsc::Sender<Connection>,
) {
    let mut shaking = JoinSet::new();
    loop {
        while shaking.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            // The runtime shuts down.
            return;
        };
        let (acceptor, ready) = (acceptor.clone(), ready.clone());
        shaking.spawn(async move {
            let connection = match acceptor {
                None => Connection::Plain(stream),
                Some(acceptor) => match acceptor.accept(stream).await {
                    Ok(stream) => Connection::Tls(Box::new(stream)),
                    Err(_) => return,
                },
            };
            // The receiver lives as long as the runtime.
            let _ = ready.send(connection).await;
        });
    }
}

/// Connections that are ready, as a listener.
struct Connections {
    /// From [`accept`].
    connections: mpsc::Receiver<Connection>,
    /// Where it listens.
    address: SocketAddr,
}

impl Listener for Connections {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        match self.connections.recv().await {
            Some(connection) => (connection, self.address),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// A connection.
enum Connection {
    /// Without TLS.
    Plain(TcpStream),
    /// After the handshake.
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, octets),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, octets),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
