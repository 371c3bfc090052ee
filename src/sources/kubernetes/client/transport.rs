//! The way to an API: TCP with keep-alive, a proxy if one is named, TLS, and kube's layers on them.

use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, Write};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connection, HttpConnector};
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ConfigExt};
use kube::{Client, Config};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use secrecy::ExposeSecret;
use tower::{BoxError, Service, ServiceBuilder};

use super::error::ClientError;
use super::proxy::{Kind, Proxy};
use super::settings::ClientSettings;
use super::tls;
use super::verifier::SeenExpiry;

/// How long a TCP connection to an API may take: long enough to send the first packet twice, and
/// short enough that an attempt from before the return of an API delays nobody.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a connection is silent before it is probed, and how often it is probed then: one that
/// the network forgot is noticed within a minute and a half.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Probes without an answer before a connection is given up.
const KEEPALIVE_RETRIES: u32 = 3;

/// A client of these settings. When the API shows a certificate, `seen` is told when it expires.
/// Blocks.
pub(super) fn client(settings: &ClientSettings, seen: SeenExpiry) -> Result<Client, ClientError> {
    // Plain HTTP needs no roots, and a platform without any is none that is wrong.
    let tls = match settings.server.scheme_str() {
        Some("https") => Some(tls::client_config(settings, seen)?),
        _ => None,
    };
    let Some(proxy) = &settings.proxy else {
        return secured(tcp(), tls, settings);
    };
    let authorization = proxy.authorization();
    let tunnel = |proxy: &Proxy| proxy.url.clone();
    match proxy.kind {
        Kind::Http => {
            let mut tunnel = Tunnel::new(tunnel(proxy), tcp());
            if let Some(authorization) = authorization {
                tunnel = tunnel.with_auth(authorization);
            }
            secured(tunnel, tls, settings)
        }
        Kind::Https => {
            // Its certificate is judged as the API's is, by its own name.
            let to_proxy = match &tls {
                Some(tls) => tls.clone(),
                None => tls::client_config(settings, SeenExpiry::default())?,
            };
            let mut tunnel = Tunnel::new(tunnel(proxy), https(tcp(), to_proxy, None));
            if let Some(authorization) = authorization {
                tunnel = tunnel.with_auth(authorization);
            }
            secured(tunnel, tls, settings)
        }
        Kind::Socks5 => {
            let mut socks = SocksV5::new(tunnel(proxy), tcp());
            if let Some((user, password)) = &proxy.user {
                socks = socks.with_auth(user.clone(), password.expose_secret().to_owned());
            }
            secured(socks, tls, settings)
        }
    }
}

/// TCP with keep-alive.
fn tcp() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector.set_keepalive(Some(KEEPALIVE));
    connector.set_keepalive_interval(Some(KEEPALIVE / 2));
    connector.set_keepalive_retries(Some(KEEPALIVE_RETRIES));
    connector
}

/// TLS over `connector` where a URL asks for it.
fn https<C>(
    connector: C,
    tls: ClientConfig,
    server_name: Option<ServerName<'static>>,
) -> HttpsConnector<C> {
    let mut builder = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http();
    if let Some(name) = server_name {
        builder = builder.with_server_name_resolver(FixedServerNameResolver::new(name));
    }
    builder.enable_http1().wrap_connector(connector)
}

/// A client over `connector`, with TLS if there is any.
fn secured<C>(
    connector: C,
    tls: Option<ClientConfig>,
    settings: &ClientSettings,
) -> Result<Client, ClientError>
where
    C: Service<Uri> + Clone + Send + Sync + Unpin + 'static,
    C::Response: Connection + Read + Write + Send + Unpin + 'static,
    C::Future: Send + Unpin + 'static,
    C::Error: Into<BoxError>,
{
    let Some(tls) = tls else {
        return layered(connector, settings);
    };
    let server_name = settings.tls_server_name.as_ref();
    let server_name = server_name
        .map(|name| ServerName::try_from(name.clone()))
        .transpose()
        .map_err(|_| {
            ClientError::Kubeconfig("tls-server-name: neither a name nor an address".to_owned())
        })?;
    layered(https(connector, tls, server_name), settings)
}

/// kube's layers over `connector`.
fn layered<C>(connector: C, settings: &ClientSettings) -> Result<Client, ClientError>
where
    C: Service<Uri> + Clone + Send + Sync + 'static,
    C::Response: Connection + Read + Write + Send + Unpin + 'static,
    C::Future: Send + Unpin + 'static,
    C::Error: Into<BoxError>,
{
    let unusable = |error: kube::Error| {
        ClientError::Credentials(
            match error {
                kube::Error::Auth(_) => "neither token nor auth-provider can be used",
                _ => "they cannot be sent: a token, a user or a group is no text of HTTP headers",
            }
            .to_owned(),
        )
    };
    let mut config = Config::new(settings.server.clone());
    config.auth_info = settings.user.clone();
    let http: HyperClient<_, Body> = HyperClient::builder(TokioExecutor::new()).build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer().map_err(unusable)?)
        .layer(config.extra_headers_layer().map_err(unusable)?)
        .map_err(BoxError::from)
        .service(http);
    Ok(Client::new(service, config.default_namespace))
}
