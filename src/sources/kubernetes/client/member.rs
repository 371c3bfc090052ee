//! The client of a member as the daemon builds it, for those who only look.

use super::operator::OperatorClient;
use super::settings::ClientSettings;
use super::token::TokenClaims;
use super::verifier::{self, SeenExpiry};
use super::{kubeconfig, pem};
use crate::model::UnixSeconds;

/// The client of a member, and what is known of it without asking.
pub struct MemberClient {
    /// The client, with the daemon's rights.
    pub client: OperatorClient,
    /// Who it says that the daemon is.
    pub credential: CredentialFacts,
    /// Host and port of what is connected to: the API, or the proxy on the way there.
    pub first_hop: Option<(String, u16)>,
    /// How the API's certificate is verified.
    pub trust: TrustKind,
    /// When the certificate that the API shows expires.
    pub(super) seen: SeenExpiry,
}

/// How the certificate of an API is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrustKind {
    /// It is.
    Verified,
    /// Whoever answers is believed (`insecure-skip-tls-verify`).
    Anybody,
    /// There is none: the API is spoken to in clear.
    InClear,
}

/// What is known of a credential without asking an API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialFacts {
    /// What it is: `token`, `client certificate`, `user and password`, `none`.
    pub kind: &'static str,
    /// When it was issued, as far as it says.
    pub issued: Option<UnixSeconds>,
    /// When it expires; `None` is never, or that it does not say.
    pub expires: Option<UnixSeconds>,
    /// Namespace and name of its ServiceAccount, if it is that of one.
    pub account: Option<(String, String)>,
    /// The daemon renews it.
    pub is_renewed: bool,
    /// An exec plugin gives it, which has others.
    pub is_of_plugin: bool,
}

impl MemberClient {
    /// When the certificate that the API has shown expires; `None` before it has shown one.
    pub fn certificate_expires(&self) -> Option<UnixSeconds> {
        self.seen.get()
    }

    /// Says whether the API has shown a certificate, at any later time.
    pub fn has_shown_certificate(&self) -> impl Fn() -> bool + Send + 'static {
        let seen = self.seen.clone();
        move || seen.get().is_some()
    }
}

/// What the settings say of the credential.
pub(super) fn facts(settings: &ClientSettings) -> CredentialFacts {
    let user = &settings.user;
    let mut facts = CredentialFacts {
        kind: "none",
        issued: None,
        expires: None,
        account: None,
        is_renewed: false,
        is_of_plugin: false,
    };
    if let Some(token) = &user.token {
        facts.kind = "token";
        if let Some(claims) = TokenClaims::of(token) {
            (facts.issued, facts.expires) = (claims.issued, claims.expires);
            facts.account = claims.subject;
        }
    } else if user.username.is_some() {
        facts.kind = "user and password";
    } else if let Some(certificate) = &user.client_certificate_data {
        facts.kind = "client certificate";
        let chain = kubeconfig::decoded("client-certificate", certificate);
        let chain = pem::certificates(&chain.unwrap_or_default());
        if let Some(leaf) = chain.first() {
            (facts.issued, facts.expires) = verifier::lifetime(leaf);
        }
    }
    facts
}

/// Host and port of what is connected to first.
pub(super) fn first_hop(settings: &ClientSettings) -> Option<(String, u16)> {
    let uri = settings
        .proxy
        .as_ref()
        .map_or(&settings.server, |proxy| &proxy.url);
    let host = uri.host()?.trim_matches(['[', ']']).to_owned();
    let port = if uri.scheme_str() == Some("http") {
        80
    } else {
        443
    };
    Some((host, uri.port_u16().unwrap_or(port)))
}

/// How the settings have the API verified.
pub(super) fn trust(settings: &ClientSettings) -> TrustKind {
    match settings.server.scheme_str() {
        Some("https") if settings.skips_verification => TrustKind::Anybody,
        Some("https") => TrustKind::Verified,
        _ => TrustKind::InClear,
    }
}
