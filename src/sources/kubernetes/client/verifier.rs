//! Whether the certificate of an API is to be trusted: as kubectl does, and with words for what
//! kubectl and others disagree on.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use x509_parser::prelude::{FromDer, X509Certificate, X509Version};

use super::error::ClientError;
use crate::model::UnixSeconds;

/// When the certificate that the API last showed expires, in seconds since 1970; 0 before it has shown
/// one.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct SeenExpiry(Arc<AtomicU64>);

impl SeenExpiry {
    /// The time, if one was seen.
    pub(in super::super) fn get(&self) -> Option<UnixSeconds> {
        Some(self.0.load(Ordering::Relaxed))
            .filter(|seconds| *seconds > 0)
            .map(UnixSeconds)
    }
}

/// Who is trusted.
pub(super) enum Trust {
    /// Whoever has a certificate of one of these, or one of these itself.
    Roots(RootCertStore, Vec<CertificateDer<'static>>),
    /// Whoever answers (`insecure-skip-tls-verify`).
    Anybody,
}

impl Trust {
    /// These roots, which are called `key`. Those that cannot be read are passed over.
    pub(super) fn roots(
        roots: &[CertificateDer<'static>],
        key: &'static str,
    ) -> Result<Self, ClientError> {
        let mut store = RootCertStore::empty();
        let (added, _) = store.add_parsable_certificates(roots.iter().cloned());
        if added == 0 {
            return Err(ClientError::Credentials(format!(
                "{key}: no certificate that can be used"
            )));
        }
        Ok(Self::Roots(store, roots.to_vec()))
    }
}

/// Judges certificates of an API.
pub(super) struct ApiVerifier {
    /// Judges by roots; `None` trusts anybody.
    by_roots: Option<Arc<WebPkiServerVerifier>>,
    /// The roots: one of them may be the API's own certificate.
    roots: Vec<CertificateDer<'static>>,
    /// Judges signatures.
    provider: Arc<CryptoProvider>,
    /// Is told when certificates expire.
    seen: SeenExpiry,
}

impl ApiVerifier {
    /// A judge.
    pub(super) fn new(
        trust: Trust,
        provider: &Arc<CryptoProvider>,
        seen: SeenExpiry,
    ) -> Result<Self, ClientError> {
        let provider = Arc::clone(provider);
        let (by_roots, roots) = match trust {
            Trust::Anybody => (None, Vec::new()),
            Trust::Roots(store, roots) => {
                let builder = WebPkiServerVerifier::builder_with_provider(
                    Arc::new(store),
                    Arc::clone(&provider),
                );
                let built = builder
                    .build()
                    .map_err(|error| ClientError::Credentials(error.to_string()))?;
                (Some(built), roots)
            }
        };
        Ok(Self {
            by_roots,
            roots,
            provider,
            seen,
        })
    }
}

/// Why a certificate is refused, in words that say what to change.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    /// No names can be in it.
    #[error(
        "the API's certificate is X.509 version 1, which has no names: issue it with subjectAltName"
    )]
    Version1,
    /// A common name alone does not count.
    #[error(
        "the API's certificate has no subjectAltName, and a common name does not count: issue it with one, \
         or give tls-server-name"
    )]
    NoNames,
    /// It may issue certificates.
    #[error(
        "the API's certificate is that of a CA (basicConstraints CA:TRUE): issue one without, or give it as \
         certificate-authority itself"
    )]
    Ca,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        // One of the certificate would be shown as code.
        OtherError(Arc::new(refusal)).into()
    }
}

impl ServerCertVerifier for ApiVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parsed = X509Certificate::from_der(leaf).ok();
        let parsed = parsed.map(|(_, certificate)| certificate);
        if let Some(expires) = parsed.as_ref().and_then(not_after) {
            self.seen.0.store(expires.0, Ordering::Relaxed);
        }
        let Some(by_roots) = &self.by_roots else {
            return Ok(ServerCertVerified::assertion());
        };
        let judged =
            by_roots.verify_server_cert(leaf, intermediates, server_name, ocsp_response, now);
        let (Err(error), Some(parsed)) = (&judged, &parsed) else {
            return judged;
        };
        if self.roots.iter().any(|root| root == leaf) && parsed.version() != X509Version::V1 {
            return judge_alone(leaf, parsed, server_name, now);
        }
        match (refusal(error, parsed), judged) {
            (Some(refusal), _) => Err(refusal.into()),
            (None, judged) => judged,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.by_roots.is_none() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.by_roots.is_none() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

impl fmt::Debug for ApiVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiVerifier")
            .field("roots", &self.roots.len())
            .finish_non_exhaustive()
    }
}

/// Judges a certificate that is a root itself, as self-signed ones are: nobody else has to vouch for
/// it, and it may be that of a CA, as openssl makes them. What remains is its time, use and names.
fn judge_alone(
    leaf: &CertificateDer<'_>,
    parsed: &X509Certificate<'_>,
    server_name: &ServerName<'_>,
    now: UnixTime,
) -> Result<ServerCertVerified, Error> {
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let validity = parsed.validity();
    if seconds > validity.not_after.timestamp() {
        return Err(CertificateError::Expired.into());
    }
    if seconds < validity.not_before.timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    let uses = parsed.extended_key_usage().ok().flatten();
    if uses.is_some_and(|uses| !uses.value.any && !uses.value.server_auth) {
        return Err(CertificateError::InvalidPurpose.into());
    }
    let certificate = ParsedCertificate::try_from(leaf)?;
    if let Err(error) = rustls::client::verify_server_name(&certificate, server_name) {
        return Err(refusal(&error, parsed).map_or(error, Into::into));
    }
    Ok(ServerCertVerified::assertion())
}

/// Words for what is wrong, where the library's say little.
fn refusal(error: &Error, parsed: &X509Certificate<'_>) -> Option<Refusal> {
    let Error::InvalidCertificate(error) = error else {
        return None;
    };
    if parsed.version() == X509Version::V1 {
        return Some(Refusal::Version1);
    }
    match error {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let names = parsed.subject_alternative_name().ok().flatten();
            names.is_none().then_some(Refusal::NoNames)
        }
        CertificateError::Other(_) if parsed.is_ca() => Some(Refusal::Ca),
        _ => None,
    }
}

/// When a certificate expires.
fn not_after(parsed: &X509Certificate<'_>) -> Option<UnixSeconds> {
    let seconds = parsed.validity().not_after.timestamp();
    u64::try_from(seconds).ok().map(UnixSeconds)
}

/// When the certificate in this DER begins to be valid, and when it expires.
pub(super) fn lifetime(
    certificate: &CertificateDer<'_>,
) -> (Option<UnixSeconds>, Option<UnixSeconds>) {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return (None, None);
    };
    let begins = u64::try_from(parsed.validity().not_before.timestamp());
    (begins.ok().map(UnixSeconds), not_after(&parsed))
}

/// When the certificate in this DER expires.
pub(super) fn expiry(certificate: &CertificateDer<'_>) -> Option<UnixSeconds> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    not_after(&parsed)
}
