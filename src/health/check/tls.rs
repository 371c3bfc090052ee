//! TLS of probes: whose certificates are good.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use hyper::http::uri::Authority;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tracing::warn;

use crate::health::connect::answered;
use crate::health::history::ProbeOutcome;
use crate::model::{HttpCheck, Tls};

/// The settings of both kinds of TLS, each made when it is first needed; errors stay.
#[derive(Debug, Default)]
pub(super) struct Clients {
    /// By the platform's roots.
    verified: OnceLock<Result<Arc<ClientConfig>, String>>,
    /// By nothing.
    unverified: OnceLock<Result<Arc<ClientConfig>, String>>,
}

impl Clients {
    /// TLS over a connection that is open. Errors are what came of the probe.
    pub(super) async fn secure(
        &self,
        stream: TcpStream,
        how: Tls,
        check: &HttpCheck,
        address: SocketAddr,
    ) -> Result<TlsStream<TcpStream>, ProbeOutcome> {
        let config = match how {
            Tls::Verified => self.verified.get_or_init(|| client(Some(roots()?))),
            Tls::Unverified => self.unverified.get_or_init(|| client(None)),
        };
        let local = |message: &str| ProbeOutcome::Local(message.to_owned().into());
        let config = config.as_ref().map_err(|error| local(error))?;
        let name = name(check, address).ok_or_else(|| local("host: not a name for TLS"))?;
        let connector = TlsConnector::from(Arc::clone(config));
        let secured = connector.connect(name, stream).await;
        secured.map_err(|error| failure(&error))
    }

    /// Roots of tests in place of the platform's.
    #[cfg(test)]
    pub(super) fn with_roots(roots: RootCertStore) -> Self {
        let clients = Self::default();
        clients.verified.get_or_init(|| client(Some(roots)));
        clients
    }
}

/// The name that a certificate is to have.
fn name(check: &HttpCheck, address: SocketAddr) -> Option<ServerName<'static>> {
    match &check.host {
        None => Some(ServerName::from(address.ip())),
        Some(host) => {
            let authority = host.parse::<Authority>().ok()?;
            let host = authority.host();
            let literal = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
            ServerName::try_from(literal.unwrap_or(host).to_owned()).ok()
        }
    }
}

/// The settings of a client that judges by `roots`, or not at all.
fn client(roots: Option<RootCertStore>) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let mut config = match roots {
        Some(roots) => builder.with_root_certificates(roots).with_no_client_auth(),
        None => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A resumed session would not show that a certificate is no longer good.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// The platform's roots.
fn roots() -> Result<RootCertStore, String> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        warn!(%error, "a root certificate of the platform cannot be read");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err("the platform has no root certificates".to_owned());
    }
    Ok(roots)
}

/// What a failed handshake means.
fn failure(error: &io::Error) -> ProbeOutcome {
    let below = error.get_ref().and_then(|error| error.downcast_ref());
    let seen = match below {
        Some(Error::InvalidCertificate(why)) => format!("certificate: {why}"),
        Some(Error::AlertReceived(alert)) => format!("TLS alert: {alert:?}"),
        Some(other) => format!("TLS: {other}"),
        None => return answered(error),
    };
    ProbeOutcome::Answered(seen.into())
}

/// Takes every certificate.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
