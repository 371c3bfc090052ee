//! One client per member, with its own connector and limits.
//!
//! Everything that reads files runs off the async workers. Exec plugins are run here and not by
//! kube, which would run them without a limit. Proxies are not supported: a kubeconfig that asks
//! for one is an error, and proxies of the environment are ignored.

mod exec;
mod files;

use std::path::Path;
use std::time::Duration;

use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ConfigExt};
use kube::config::{InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use tokio::time::Instant;
use tower::{BoxError, ServiceBuilder};

pub(super) use self::exec::ExecError;
pub(super) use self::files::Files;
use crate::config::Source;

/// How long building a client may take, exec plugin included.
const LIMIT: Duration = Duration::from_secs(30);

/// How long a TCP connection to an API may take: long enough to send the first packet twice, and
/// short enough that an attempt from before the return of an API delays nobody.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a connection is silent before it is probed, and how often it is probed then: one that
/// the network forgot is noticed within a minute and a half.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Probes without an answer before a connection is given up.
const KEEPALIVE_RETRIES: u32 = 3;

/// Why a client cannot be built. Correct what it names; it is tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    /// The kubeconfig cannot be used: correct it, or the context in the configuration.
    #[error("kubeconfig: {0}")]
    Kubeconfig(#[from] Box<KubeconfigError>),
    /// This process does not run in a cluster, or its `ServiceAccount` is not mounted.
    #[error("in-cluster: {0}")]
    InCluster(#[from] Box<InClusterError>),
    /// Credentials or certificates cannot be read: correct them.
    #[error("credentials: {0}")]
    Credentials(#[from] Box<kube::Error>),
    /// The exec plugin gave no credentials.
    #[error("exec plugin: {0}")]
    Exec(#[from] ExecError),
    /// The kubeconfig asks for a proxy: give the member an address that needs none.
    #[error("kubeconfig: proxy-url is not supported")]
    Proxy,
    /// The kubeconfig has an auth provider that Kubernetes has removed: use its exec plugin.
    #[error("kubeconfig: auth-provider {0:?} is not supported, use an exec plugin")]
    AuthProvider(String),
    /// A file system or a plugin does not answer.
    #[error("took longer than {} s", LIMIT.as_secs())]
    Slow,
    /// A facts file has no client: a mistake of the caller.
    #[error("not a Kubernetes source")]
    NotKubernetes,
}

/// A client and what it was built from.
#[derive(Clone)]
pub(super) struct Connection {
    /// The client. Its connections are its own.
    pub(super) client: Client,
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
        blocking(move || stack(&config).map_err(|error| Box::new(error).into())).await
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
    let url = config.cluster_url.to_string();
    let client = blocking(move || stack(&config).map_err(|error| Box::new(error).into())).await?;
    Ok(Connection {
        client,
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
            blocking(move || {
                let mut before = Files::read(vec![path.clone()]);
                let kubeconfig = Kubeconfig::read_from(&path).map_err(Box::new)?;
                let mut files = files_of(&path, &kubeconfig, &context)?;
                if before.refresh() {
                    files.distrust();
                }
                let options = KubeConfigOptions {
                    context: Some(context),
                    ..KubeConfigOptions::default()
                };
                let config = Config::from_custom_kubeconfig(kubeconfig, &options);
                Ok((runtime.block_on(config).map_err(Box::new)?, files))
            })
            .await
        }
        Source::InCluster => {
            blocking(|| {
                let config = Config::incluster().map_err(Box::new)?;
                let token = config.auth_info.token_file.as_ref().map(Into::into);
                let paths = token.into_iter().chain(config.root_cert_file.clone());
                let files = Files::read(paths.collect());
                Ok((config, files))
            })
            .await
        }
        Source::File { .. } => Err(ClientError::NotKubernetes),
    }
}

/// The files that a context of a kubeconfig depends on. Refuses what is not supported.
fn files_of(path: &Path, kubeconfig: &Kubeconfig, context: &str) -> Result<Files, ClientError> {
    let mut paths = vec![path.to_owned()];
    let context = kubeconfig
        .contexts
        .iter()
        .find(|named| named.name == context)
        .and_then(|named| named.context.as_ref());
    let cluster = kubeconfig
        .clusters
        .iter()
        .find(|named| context.is_some_and(|context| named.name == context.cluster))
        .and_then(|named| named.cluster.as_ref());
    let user = kubeconfig
        .auth_infos
        .iter()
        .find(|named| context.and_then(|context| context.user.as_ref()) == Some(&named.name))
        .and_then(|named| named.auth_info.as_ref());
    if let Some(cluster) = cluster {
        if cluster
            .proxy_url
            .as_ref()
            .is_some_and(|url| !url.is_empty())
        {
            return Err(ClientError::Proxy);
        }
        paths.extend(cluster.certificate_authority.as_ref().map(Into::into));
    }
    if let Some(user) = user {
        if let Some(provider) = user.auth_provider.as_ref()
            && provider.name != "oidc"
        {
            return Err(ClientError::AuthProvider(provider.name.clone()));
        }
        let files = [&user.token_file, &user.client_certificate, &user.client_key];
        paths.extend(files.into_iter().flatten().map(Into::into));
    }
    Ok(Files::read(paths))
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
