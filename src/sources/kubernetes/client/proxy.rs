//! The proxy of a cluster (`proxy-url`). Proxies of the environment are not read: what a daemon talks
//! to should not depend on the shell that started it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri};
use secrecy::ExposeSecret;

use super::server::{Reason, UserAndPassword, without_user};

/// How a proxy is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// CONNECT over TCP.
    Http,
    /// CONNECT over TLS.
    Https,
    /// SOCKS 5 (RFC 1928); the proxy resolves the server's name.
    Socks5,
}

/// A proxy.
#[derive(Debug, Clone)]
pub(super) struct Proxy {
    /// How it is spoken to.
    pub(super) kind: Kind,
    /// Where it is: scheme `http`, or `https` if it is spoken to over TLS, and always a port.
    pub(super) url: Uri,
    /// Who it is told to let through.
    pub(super) user: Option<UserAndPassword>,
}

impl Proxy {
    /// Reads a `proxy-url`.
    pub(super) fn parse(text: &str) -> Result<Self, Reason> {
        let schemes = "expected http://, https:// or socks5://, and a host";
        let uri: Uri = text.parse().map_err(|_| schemes)?;
        let (kind, scheme, port) = match uri.scheme_str() {
            Some("http") => (Kind::Http, "http", 80),
            Some("https") => (Kind::Https, "https", 443),
            Some("socks5") => (Kind::Socks5, "http", 1080),
            _ => return Err(schemes),
        };
        let (uri, user) = without_user(uri).ok_or(schemes)?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or(schemes)?;
        let port = uri.port_u16().unwrap_or(port);
        let url = format!("{scheme}://{host}:{port}");
        Ok(Self {
            kind,
            url: url.parse().map_err(|_| schemes)?,
            user,
        })
    }

    /// The `Proxy-Authorization` of its user.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        let (user, password) = self.user.as_ref()?;
        let both = format!("{user}:{}", password.expose_secret());
        let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(both))).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_have_the_ports_of_their_schemes() {
        for (text, kind, url) in [
            ("http://p", Kind::Http, "http://p:80/"),
            ("http://p:3128/", Kind::Http, "http://p:3128/"),
            ("https://p", Kind::Https, "https://p:443/"),
            ("socks5://[::1]", Kind::Socks5, "http://[::1]:1080/"),
        ] {
            let proxy = Proxy::parse(text).unwrap();
            assert_eq!((proxy.kind, &*proxy.url.to_string()), (kind, url), "{text}");
            assert!(proxy.authorization().is_none());
        }
        for text in ["p:3128", "socks5h://p", "socks4://p", "p", "", "http://"] {
            let reason = Proxy::parse(text).unwrap_err();
            assert!(reason.contains("socks5://"), "{text}: {reason}");
        }
    }

    #[test]
    fn the_user_of_a_proxy_is_told_to_it_alone() {
        let proxy = Proxy::parse("http://me:w%40rd@p:1").unwrap();
        assert_eq!(proxy.url.to_string(), "http://p:1/");
        let value = proxy.authorization().unwrap();
        assert_eq!(value.to_str().unwrap(), "Basic bWU6d0ByZA==");
        assert!(!format!("{proxy:?}").contains("w@rd"));
    }
}
