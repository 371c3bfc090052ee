//! TLS towards an API: who it has to be, and who we are.

use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, Error, InconsistentKeys};

use super::error::ClientError;
use super::kubeconfig::decoded;
use super::settings::ClientSettings;
use super::verifier::{ApiVerifier, SeenExpiry};
use super::{pem, verifier};

/// What a client of these settings says and expects in a handshake. When a certificate of the API is
/// seen, `seen` is told when it expires. Blocks: the platform's roots are files.
pub(super) fn client_config(
    settings: &ClientSettings,
    seen: SeenExpiry,
) -> Result<ClientConfig, ClientError> {
    let provider = Arc::new(default_provider());
    let trust = match &settings.roots {
        _ if settings.skips_verification => verifier::Trust::Anybody,
        Some(roots) => verifier::Trust::roots(roots, "certificate-authority")?,
        None => {
            let found = rustls_native_certs::load_native_certs();
            verifier::Trust::roots(&found.certs, "the roots of this platform")?
        }
    };
    let verifier = ApiVerifier::new(trust, &provider, seen)?;
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError::Credentials(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    Ok(match identity(settings, &provider)? {
        Some(identity) => builder.with_client_cert_resolver(identity),
        None => builder.with_no_client_auth(),
    })
}

/// The client certificate with its key, if there is one.
///
/// It need not be one that we would accept of a server: the API judges it. So X.509 version 1, which
/// openssl makes where no extension is asked for, is as good here as it is for kubectl.
fn identity(
    settings: &ClientSettings,
    provider: &CryptoProvider,
) -> Result<Option<Arc<dyn ResolvesClientCert>>, ClientError> {
    let user = &settings.user;
    // A key without a certificate says nothing.
    let Some(certificate) = &user.client_certificate_data else {
        return Ok(None);
    };
    let wrong = |key: &str, reason: &str| Err(ClientError::Credentials(format!("{key}: {reason}")));
    let Some(key) = &user.client_key_data else {
        return wrong("client-key", "missing beside client-certificate");
    };
    let chain = pem::certificates(&decoded("client-certificate", certificate)?);
    let Some(leaf) = chain.first().cloned() else {
        return wrong("client-certificate", "no certificate in PEM");
    };
    let key = decoded("client-key", secrecy::ExposeSecret::expose_secret(key))?;
    let key = match pem::private_key(&key) {
        Ok(key) => key,
        Err(reason) => return wrong("client-key", reason),
    };
    let Ok(key) = provider.key_provider.load_private_key(key) else {
        return wrong(
            "client-key",
            "a key of a kind or length that is not supported",
        );
    };
    let identity = CertifiedKey::new(chain, key);
    if !is_a_pair(&identity, &leaf) {
        return wrong("client-key", "not the key of client-certificate");
    }
    Ok(Some(Arc::new(SingleCertAndKey::from(identity))))
}

/// Whether a key belongs to a certificate, as far as can be seen.
fn is_a_pair(identity: &CertifiedKey, leaf: &CertificateDer<'_>) -> bool {
    match identity.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => true,
        Err(Error::InconsistentKeys(_)) => false,
        // A certificate that rustls does not read has its public key in it all the same.
        Err(_) => identity.key.public_key().is_none_or(|public| {
            let public: &[u8] = public.as_ref();
            leaf.windows(public.len()).any(|part| part == public)
        }),
    }
}
