//! One client per member, with its own connector and limits.
//!
//! Everything that reads files runs off the async workers. Exec plugins are run here and not by
//! kube, which would run them without a limit. Proxies are not supported: a kubeconfig that asks
//! for one is an error, and proxies of the environment are ignored.

mod error;
mod exec;
mod files;
#[cfg(fuzzing)]
pub(super) mod fuzzing;
mod kubeconfig;
mod secrets;

use std::sync::Arc;
use std::time::Duration;

use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ConfigExt};
use kube::{Client, Config};
use tokio::time::Instant;
use tower::{BoxError, ServiceBuilder};

pub(super) use self::error::ClientError;
pub(super) use self::files::Files;
pub use self::kubeconfig::files_named;
pub(super) use self::secrets::Secrets;
use crate::config::Source;
use crate::model::limits::EXEC_TIME;

/// How long building a client may take, exec plugin included.
const LIMIT: Duration = Duration::from_secs(EXEC_TIME.most);

/// How long a TCP connection to an API may take: long enough to send the first packet twice, and
/// short enough that an attempt from before the return of an API delays nobody.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a connection is silent before it is probed, and how often it is probed then: one that
/// the network forgot is noticed within a minute and a half.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Probes without an answer before a connection is given up.
const KEEPALIVE_RETRIES: u32 = 3;

/// A client, and the secrets that it sends. Cheap to clone.
#[derive(Clone)]
pub(super) struct Access {
    /// The client.
    pub(super) client: Client,
    /// What nothing that the API says may show.
    pub(super) secrets: Arc<Secrets>,
}

/// A client and what it was built from.
#[derive(Clone)]
pub(super) struct Connection {
    /// The client. Its connections are its own.
    pub(super) access: Access,
    /// The API's URL.
    pub(super) url: String,
    /// The files that its credentials came from.
    pub(super) files: Files,
    /// When its credentials must be renewed.
    pub(super) renew_at: Option<Instant>,
    /// Its credentials come from a plugin, which may have others.
    pub(super) has_plugin: bool,
}

/// Builds the client of a member.
pub(super) async fn connect(source: &Source) -> Result<Connection, ClientError> {
    tokio::time::timeout(LIMIT, build(source))
        .await
        .map_err(|_| ClientError::Slow)?
}

/// Says why the client of a member cannot be built, if it cannot: from the same files and by the
/// same functions as [`connect`], but for the exec plugin, which is not run. Contacts nothing.
pub async fn check(source: &Source) -> Result<(), String> {
    let built = async {
        let (mut config, _) = load(source).await?;
        config.auth_info.exec = None;
        blocking(move || stack(&config).map_err(|error| kubeconfig::unusable(&error))).await
    };
    let built: Result<Client, ClientError> = built.await;
    built.map(drop).map_err(|error| error.to_string())
}

/// Builds the client of a member, without a limit.
async fn build(source: &Source) -> Result<Connection, ClientError> {
    let (mut config, files) = load(source).await?;
    let mut renew_at = None;
    let has_plugin = config.auth_info.exec.is_some();
    if let Some(plugin) = config.auth_info.exec.take() {
        renew_at = exec::authenticate(&plugin, &mut config.auth_info).await?;
    }
    if let Some(token) = &config.auth_info.token
        && !kubeconfig::is_token(token)
    {
        return Err(ClientError::Credentials(
            "the token is not one word of ASCII",
        ));
    }
    let url = kubeconfig::shown_url(&config.cluster_url);
    let secrets = Arc::new(Secrets::of(&config.auth_info));
    let client =
        blocking(move || stack(&config).map_err(|error| kubeconfig::unusable(&error))).await?;
    Ok(Connection {
        access: Access { client, secrets },
        url,
        files,
        renew_at,
        has_plugin,
    })
}

/// Reads what the client is built from, and which files that was.
async fn load(source: &Source) -> Result<(Config, Files), ClientError> {
    match source {
        Source::Kubeconfig { path, context } => {
            let (path, context) = (path.clone(), context.clone());
            let runtime = tokio::runtime::Handle::current();
            blocking(move || kubeconfig::load(&path, &context, &runtime)).await
        }
        Source::InCluster => {
            blocking(|| {
                let mut config = Config::incluster().map_err(Box::new)?;
                let token = config.auth_info.token_file.as_ref().map(Into::into);
                let paths = token.into_iter().chain(config.root_cert_file.clone());
                let files = Files::read(paths.collect());
                kubeconfig::read_token(&mut config.auth_info)?;
                Ok((config, files))
            })
            .await
        }
        Source::File { .. } => Err(ClientError::NotKubernetes),
    }
}

/// kube's layers on a connector with TCP keep-alive.
fn stack(config: &Config) -> Result<Client, kube::Error> {
    // An error says that a provider is installed already, and there is only one that it can be.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector.set_keepalive(Some(KEEPALIVE));
    connector.set_keepalive_interval(Some(KEEPALIVE / 2));
    connector.set_keepalive_retries(Some(KEEPALIVE_RETRIES));
    let connector = config.rustls_https_connector_with_connector(connector)?;
    let http: HyperClient<_, Body> = HyperClient::builder(TokioExecutor::new()).build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(Client::new(service, config.default_namespace.clone()))
}

/// Runs what waits for files off the async workers.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ClientError> + Send + 'static,
) -> Result<T, ClientError> {
    // Such a task ends in panic or at shutdown only; then the source is restarted or gone.
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(ClientError::Slow))
}

#[cfg(test)]
mod tests;
