//! Where an API is, as the `server` of a kubeconfig says it.

use http::Uri;
use http::uri::Parts;
use percent_encoding::percent_decode_str;
use secrecy::SecretString;

/// A user and a password.
pub(super) type UserAndPassword = (String, SecretString);

/// Why a `server` cannot be used, for people.
pub(super) type Reason = &'static str;

/// The URL of a `server`, and the user that stands in it.
///
/// Without a scheme it is plain HTTP, as for kubectl. Where the kubeconfig has what only TLS needs
/// (`needs_tls`), that is not what was meant, and no scheme is refused.
pub(super) fn parse(
    server: &str,
    needs_tls: bool,
) -> Result<(Uri, Option<UserAndPassword>), Reason> {
    let not_a_url = "not a URL";
    if server.contains("://") {
        let uri: Uri = server.parse().map_err(|_| not_a_url)?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err("neither https:// nor http://");
        }
        // Its path is shown, and what was meant for a password is in it where a slash was not escaped.
        if uri.path().contains('@') {
            return Err(
                "an @ in the path: write %40 for it, and %2F for a / in a user or a password",
            );
        }
        return without_user(uri).ok_or(not_a_url);
    }
    if needs_tls {
        return Err(
            "no scheme, which is http:// for kubectl too, and a CA, a certificate or insecure-skip-tls-verify \
             beside it: write https://",
        );
    }
    let uri: Uri = format!("http://{server}").parse().map_err(|_| not_a_url)?;
    if uri.path() != "/" {
        return Err("a path, and no scheme: write https://");
    }
    without_user(uri).ok_or(not_a_url)
}

/// A URL without its user, its query and its fragment, and that user.
pub(super) fn without_user(uri: Uri) -> Option<(Uri, Option<UserAndPassword>)> {
    let Parts {
        scheme,
        authority,
        path_and_query,
        ..
    } = uri.into_parts();
    let authority = authority?;
    // A zone of an IPv6 address means something on one machine, and is resolved by none here.
    if authority.host().contains('%') {
        return None;
    }
    let (user, place) = match authority.as_str().rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, authority.as_str()),
    };
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let user = user.map(|user| {
        let (user, password) = user.split_once(':').unwrap_or((user, ""));
        (decoded(user), decoded(password).into())
    });
    let path = path_and_query
        .as_ref()
        .map_or("/", |path_and_query| path_and_query.path());
    let uri = Uri::builder()
        .scheme(scheme?)
        .authority(place)
        .path_and_query(path);
    Some((uri.build().ok()?, user))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn servers_are_read_as_kubectl_reads_them() {
        for (server, expected) in [
            ("https://a:6443", "https://a:6443/"),
            ("https://a:6443/", "https://a:6443/"),
            ("https://a/k8s/c-1/", "https://a/k8s/c-1/"),
            ("https://a/k8s?x=y#z", "https://a/k8s"),
            ("HTTPS://a", "https://a/"),
            ("https://[2001:db8::1]:6443", "https://[2001:db8::1]:6443/"),
            ("http://a:8080", "http://a:8080/"),
            ("localhost:8080", "http://localhost:8080/"),
            ("192.0.2.1:8080", "http://192.0.2.1:8080/"),
            ("[::1]:8080", "http://[::1]:8080/"),
            ("a", "http://a/"),
        ] {
            let (url, user) = parse(server, false).unwrap();
            assert_eq!(url.to_string(), expected, "{server}");
            assert!(user.is_none());
        }
    }

    #[test]
    fn servers_that_mean_something_else_are_refused() {
        for (server, needs_tls, words) in [
            ("192.0.2.1:6443", true, "write https://"),
            ("192.0.2.1:8080/k8s", false, "write https://"),
            ("ftp://a", false, "neither https:// nor http://"),
            ("https://me:a/w0rd1@a:6443", false, "%2F"),
            ("https://a:6443/k8s/w0rd1@a", false, "%40"),
            (" https://a", false, "not a URL"),
            ("https://", false, "not a URL"),
            ("https://[fe80::1%25eth0]:6443", false, "not a URL"),
        ] {
            let reason = parse(server, needs_tls).unwrap_err();
            assert!(reason.contains(words), "{server}: {reason}");
        }
    }

    #[test]
    fn a_user_in_a_url_is_taken_out_of_it() {
        let (url, user) = parse("https://me:w%40rd@[::1]:1/k8s", false).unwrap();
        assert_eq!(url.to_string(), "https://[::1]:1/k8s");
        let (user, password) = user.unwrap();
        assert_eq!((&*user, password.expose_secret()), ("me", "w@rd"));
        let (url, user) = parse("me@a:1", false).unwrap();
        assert_eq!(url.to_string(), "http://a:1/");
        assert_eq!(user.unwrap().0, "me");
    }
}
