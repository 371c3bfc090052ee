//! Sockets, plain and TLS.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::serve::Listener;
use parking_lot::Mutex;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::verify_tls13_signature_with_raw_key;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Shared, replies};

/// A certificate for 127.0.0.1 and its key.
pub(super) struct Tls {
    /// In PEM, for a kubeconfig.
    pub(super) pem: String,
    /// In DER; it is its own root.
    pub(super) certificate: CertificateDer<'static>,
    /// The client certificates that it was shown.
    pub(super) shown: Arc<Mutex<Vec<CertificateDer<'static>>>>,
    /// Accepts connections with it.
    acceptor: TlsAcceptor,
}

impl Tls {
    /// A new certificate.
    pub(super) fn generate() -> Self {
        let names = ["127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        Self::of(&made.cert.pem(), &made.signing_key.serialize_pem(), false)
    }

    /// This certificate and key, in PEM. Where it `asks_clients`, who shows no certificate is refused.
    pub(super) fn of(pem: &str, key: &str, asks_clients: bool) -> Self {
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        // What rustls would not show of itself is shown too.
        let key = provider.key_provider.load_private_key(key);
        let pair = CertifiedKey::new(vec![certificate.clone()], key.expect("a usable key"));
        let shown: Arc<Mutex<Vec<_>>> = Arc::default();
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .expect("versions that the provider has");
        let config = if asks_clients {
            config.with_client_cert_verifier(Arc::new(Asks(Arc::clone(&shown))))
        } else {
            config.with_no_client_auth()
        };
        let config = config.with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
        Self {
            pem: pem.to_owned(),
            certificate,
            shown,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        }
    }
}

/// Takes every client certificate whose owner has its key, as an API server of Go does before it looks who
/// signed it: X.509 version 1 too, which rustls alone would refuse.
#[derive(Debug)]
struct Asks(Arc<Mutex<Vec<CertificateDer<'static>>>>);

impl ClientCertVerifier for Asks {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.0.lock().push(leaf.clone().into_owned());
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.3 is spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let (_, parsed) = X509Certificate::from_der(certificate).expect("a certificate");
        let key = SubjectPublicKeyInfoDer::from(parsed.public_key().raw);
        let algorithms =
            rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
        verify_tls13_signature_with_raw_key(message, &key, signed, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        provider
            .signature_verification_algorithms
            .supported_schemes()
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
