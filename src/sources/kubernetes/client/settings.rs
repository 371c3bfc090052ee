//! What a client is built from.

use http::Uri;
use kube::config::AuthInfo;
use rustls::pki_types::CertificateDer;

use super::proxy::Proxy;

/// What a client is built from, with the contents of files in place of their paths.
#[derive(Clone)]
pub(super) struct ClientSettings {
    /// The API's URL, without a user. Its scheme is `https` or `http`.
    pub(super) server: Uri,
    /// Who may vouch for the API; `None` is the platform's roots.
    pub(super) roots: Option<Vec<CertificateDer<'static>>>,
    /// Whoever answers is the API (`insecure-skip-tls-verify`).
    pub(super) skips_verification: bool,
    /// The name that the API's certificate must have, instead of the server's.
    pub(super) tls_server_name: Option<String>,
    /// The way there.
    pub(super) proxy: Option<Proxy>,
    /// Who we are: names no files but an exec plugin. Certificate and key are PEM in base64.
    pub(super) user: AuthInfo,
    /// There are credentials, and they are not sent: the server is plain HTTP.
    pub(super) is_withheld: bool,
}
