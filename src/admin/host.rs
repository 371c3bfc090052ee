//! Which names the admin address answers to, so that a page in somebody's browser that lets its own
//! name resolve to this address (DNS rebinding) cannot read it.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::view::View;
use crate::model::Shown;

/// The domain of most clusters.
const CLUSTER_DOMAIN: &str = "cluster.local";

/// Lets requests through whose Host is one of ours: an IP address, `localhost`, a single label, a
/// name in `svc` or in `svc` of a cluster domain, or one that is configured. Others get 421
/// (RFC 9110, 15.5.20).
///
/// A request of HTTP/1.0 may have no Host, as those of simple probes; browsers send none of these.
/// HTTP/1.1 without one, or with more than one, is wrong (RFC 9112, 3.2).
pub(super) async fn check(State(view): State<View>, request: Request, next: Next) -> Response {
    let hosts = request.headers().get_all(header::HOST);
    let mut hosts = hosts.iter().map(|host| host.to_str().unwrap_or_default());
    let (host, more) = (hosts.next(), hosts.next());
    // The name in the target counts where it has one (RFC 9112, 3.2.2).
    let named = request.uri().authority().map(Authority::as_str);
    let host = match (named.or(host), more) {
        (Some(host), None) => host,
        (None, None) if request.version() < Version::HTTP_11 => return next.run(request).await,
        _ => return (StatusCode::BAD_REQUEST, "one Host is needed\n").into_response(),
    };
    let snapshot = view.snapshots.load_full();
    let members = snapshot.fleet().members.iter();
    let domains = members.filter_map(|(_, member)| member.cluster_domain.as_ref());
    let domains: Vec<_> = domains.map(ToString::to_string).collect();
    if is_ours(host, &view.hosts, domains.iter().map(String::as_str)) {
        return next.run(request).await;
    }
    let text = format!(
        "{} is not a name of this server: add it to listen.admin-hosts\n",
        Shown(host)
    );
    (StatusCode::MISDIRECTED_REQUEST, text).into_response()
}

/// Whether a Host, with or without a port, is one of ours. `configured` are names in lower case.
fn is_ours<'d>(
    host: &str,
    configured: &Arc<[String]>,
    domains: impl Iterator<Item = &'d str>,
) -> bool {
    let is_port = |rest: &str| {
        rest.is_empty()
            || rest
                .strip_prefix(':')
                .is_some_and(|port| port.parse::<u16>().is_ok())
    };
    if let Some(rest) = host.strip_prefix('[') {
        let parts = rest.split_once(']');
        return parts.is_some_and(|(v6, rest)| v6.parse::<Ipv6Addr>().is_ok() && is_port(rest));
    }
    let (name, rest) = host.split_at(host.find(':').unwrap_or(host.len()));
    let is_part = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet);
    // What is no host by its form is nobody's name.
    if !is_port(rest) || !name.bytes().all(is_part) {
        return false;
    }
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix('.').unwrap_or(&name);
    let mut domains = domains.chain([CLUSTER_DOMAIN]);
    !name.is_empty()
        && (!name.contains('.')
            || name.parse::<IpAddr>().is_ok()
            || configured.iter().any(|ours| ours == name)
            || name.rsplit('.').next() == Some("svc")
            || domains.any(|domain| {
                let domain = domain.trim_end_matches('.').to_ascii_lowercase();
                name.strip_suffix(domain.as_str())
                    .is_some_and(|rest| rest.ends_with(".svc."))
            }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_anybody_could_own_is_not_ours() {
        let configured = Arc::from(["gazetteer.example.com".to_owned()]);
        let check = |host: &str, is: bool| {
            let domains = ["clusters.internal."].into_iter();
            assert_eq!(is_ours(host, &configured, domains), is, "{host:?}");
        };
        for ours in [
            "127.0.0.1",
            "127.0.0.1:9153",
            "[::1]",
            "[2001:db8::1]:9153",
            "localhost:9153",
            "LOCALHOST.",
            "gazetteer",
            "gazetteer.dns.svc:9153",
            "gazetteer.dns.svc.cluster.local",
            "gazetteer.dns.svc.Clusters.internal:80",
            "gazetteer.example.com:9153",
            "Gazetteer.example.com.",
        ] {
            check(ours, true);
        }
        for other in [
            "",
            ":80",
            "evil.example",
            "evil.example:9153",
            "127.0.0.1.evil.example",
            "a.b.svc.evil.example",
            "svc.cluster.local.evil.example",
            "evilsvc.cluster.local",
            "localhost.evil.example",
            "www.gazetteer.example.com",
            "user@127.0.0.1.evil.example",
            "[::1].evil.example",
            "[evil.example]",
            "evil.example\u{e9}",
        ] {
            check(other, false);
        }
    }
}
