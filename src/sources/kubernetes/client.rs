//! One client per member, with its own connector and limits.
//!
//! Everything that reads files runs off the async workers. Exec plugins are run here and not by
//! kube, which would run them without a limit.
//!
//! ```text
//! kubeconfig ──▶ entry ──▶ settings ──▶ transport: TCP, proxy, tls (verifier), kube's layers
//!   └─ files watched by content
//! ```

mod entry;
mod error;
mod exec;
mod files;
#[cfg(fuzzing)]
pub(super) mod fuzzing;
mod kept;
mod kubeconfig;
mod member;
mod object_tokens;
mod objects;
mod operator;
mod pem;
mod proxy;
mod secrets;
mod server;
mod settings;
mod tls;
mod token;
mod token_orders;
mod transport;
mod verifier;
mod web;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kube::{Client, Config};
use rustls::pki_types::CertificateDer;
use tokio::time::Instant;

pub(super) use self::error::ClientError;
pub(super) use self::files::Files;
pub(super) use self::kept::KeptToken;
pub use self::kept::forget_token;
pub use self::kubeconfig::files_named;
pub use self::member::{CredentialFacts, MemberClient, TrustKind};
pub use self::object_tokens::{TokenForm, TokenOrder, TokenPlace};
pub use self::objects::{ObjectAccess, ObjectCredentials, ObjectRules, ObjectUser};
pub use self::operator::OperatorClient;
pub(super) use self::secrets::Secrets;
use self::settings::ClientSettings;
pub use self::token::TokenClaims;
pub(super) use self::verifier::SeenExpiry;
pub(in crate::sources) use self::web::{WebBody, WebClient};
use crate::config::{MemberSource, Source};
use crate::model::UnixSeconds;
use crate::model::limits::EXEC_TIME;

/// How long building a client may take, exec plugin included.
const LIMIT: Duration = Duration::from_secs(EXEC_TIME.most);

/// A client, and the secrets that it sends. Cheap to clone.
#[derive(Clone)]
pub(super) struct Access {
    /// The client.
    pub(super) client: Client,
    /// What nothing that the API says may show.
    pub(super) secrets: Arc<Secrets>,
    /// Who it says that we are.
    pub(super) credential: Credential,
    /// Its token, where it is one that can be renewed.
    pub(super) renewable: Option<Renewable>,
}

/// A token of a ServiceAccount that expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Renewable {
    /// The namespace of the ServiceAccount.
    pub(super) namespace: String,
    /// Its name.
    pub(super) name: String,
    /// Seconds that the configured token of it was granted: as many are asked for.
    pub(super) asked: u64,
    /// When the token was issued.
    pub(super) issued: UnixSeconds,
    /// When it expires.
    pub(super) expires: UnixSeconds,
    /// When it was received, if that was in this process.
    pub(super) received: Option<UnixSeconds>,
}

/// What is known of credentials without asking an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Credential {
    /// When they expire, as a token or a client certificate says.
    pub(super) expires: Option<UnixSeconds>,
    /// They are not sent: the server is plain HTTP.
    pub(super) is_withheld: bool,
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
    /// When the certificate that the API shows expires.
    pub(super) certificate: SeenExpiry,
    /// What is known of the credential.
    facts: CredentialFacts,
    /// Host and port of what is connected to first.
    first_hop: Option<(String, u16)>,
    /// How the API's certificate is verified.
    trust: TrustKind,
}

/// What the clients of a member are built from.
#[derive(Clone)]
pub(super) struct ClientOrigin {
    /// Where its API is, and who we are.
    pub(super) source: Source,
    /// Where its token is renewed, the one that is kept: it counts if it is the later one.
    pub(super) kept: Option<Arc<KeptToken>>,
    /// What objects of the host cluster say.
    pub(super) objects: ObjectCredentials,
}

impl ClientOrigin {
    /// A source that is no object, whose token others renew.
    pub(super) fn alone(source: Source) -> Self {
        Self {
            source,
            kept: None,
            objects: ObjectCredentials::default(),
        }
    }
}

/// Builds the client of a member.
pub(super) async fn connect(origin: &ClientOrigin) -> Result<Connection, ClientError> {
    tokio::time::timeout(LIMIT, build(origin))
        .await
        .map_err(|_| ClientError::Slow)?
}

/// Builds the client of a context of a kubeconfig with this text; `path` is where it is from, which
/// paths in it are relative to. An exec plugin of it is run, without a terminal. The error says what is
/// wrong, and shows no secret.
pub async fn operator_client(
    text: &str,
    path: &Path,
    context: &str,
) -> Result<OperatorClient, String> {
    let built = async {
        let (text, path) = (text.to_owned(), path.to_owned());
        let context = context.to_owned();
        let parse = move || kubeconfig::parse(&text, &path, &context);
        let (settings, files) = blocking(parse).await?;
        Box::pin(build_from(settings, files)).await
    };
    let built = tokio::time::timeout(LIMIT, built).await;
    let connection = built.unwrap_or(Err(ClientError::Slow));
    let connection = connection.map_err(|error| error.to_string())?;
    Ok(OperatorClient {
        client: connection.access.client,
        url: connection.url.trim_end_matches('/').to_owned(),
        secrets: connection.access.secrets,
    })
}

/// Builds the client of a member by the same functions as the daemon, with the token that it keeps in
/// the folder `credentials` if that is the later one; `objects` knows how members of a host cluster are
/// reached. An exec plugin is run. The error says what is wrong, and shows no secret.
pub async fn member_client(
    source: &MemberSource,
    credentials: &Path,
    objects: &ObjectCredentials,
) -> Result<MemberClient, String> {
    let origin = ClientOrigin {
        source: source.source.clone(),
        kept: KeptToken::of_source(source, credentials),
        objects: objects.clone(),
    };
    let connection = connect(&origin).await;
    let connection = connection.map_err(|error| error.to_string())?;
    let mut credential = connection.facts;
    credential.is_renewed = connection.access.renewable.is_some();
    credential.is_of_plugin = connection.has_plugin;
    if matches!(source.source, Source::InCluster) {
        // The kubelet renews it.
        credential.is_renewed = true;
    }
    Ok(MemberClient {
        client: OperatorClient {
            client: connection.access.client,
            url: connection.url.trim_end_matches('/').to_owned(),
            secrets: Arc::clone(&connection.access.secrets),
        },
        credential,
        first_hop: connection.first_hop,
        trust: connection.trust,
        seen: connection.certificate,
    })
}

/// Says why the client of a member cannot be built, if it cannot: from the same files and by the
/// same functions as [`connect`], but for the exec plugin, which is not run. Contacts nothing.
pub async fn check(source: &Source) -> Result<(), String> {
    let built = async {
        let (mut settings, _) = load(&ClientOrigin::alone(source.clone())).await?;
        settings.user.exec = None;
        blocking(move || {
            refuse_unsendable(&settings)?;
            transport::client(&settings, SeenExpiry::default())
        })
        .await
    };
    let built: Result<Client, ClientError> = built.await;
    built.map(drop).map_err(|error| error.to_string())
}

/// Builds the client of a member, without a limit.
async fn build(origin: &ClientOrigin) -> Result<Connection, ClientError> {
    let (mut settings, files) = load(origin).await?;
    let renewable = match &origin.kept {
        Some(kept) => renewable(&mut settings, Arc::clone(kept)).await?,
        None => None,
    };
    // Boxed: it is no part of what is kept of a member.
    let mut connection = Box::pin(build_from(settings, files)).await?;
    connection.access.renewable = renewable;
    Ok(connection)
}

/// Builds a client from what was read.
async fn build_from(mut settings: ClientSettings, files: Files) -> Result<Connection, ClientError> {
    let mut renew_at = None;
    let user = &mut settings.user;
    // Who has said who we are is not asked again.
    let is_settled = user.token.is_some() || user.username.is_some();
    let plugin = user.exec.take().filter(|_| !is_settled);
    let has_plugin = plugin.is_some();
    if let Some(plugin) = plugin {
        renew_at = exec::authenticate(&plugin, user).await?;
    }
    refuse_unsendable(&settings)?;
    let url = settings.server.to_string();
    let secrets = Arc::new(Secrets::of(&settings.user, settings.proxy.as_ref()));
    let credential = Credential {
        expires: expiry(&settings)?,
        is_withheld: settings.is_withheld,
    };
    let certificate = SeenExpiry::default();
    let seen = certificate.clone();
    let facts = member::facts(&settings);
    let (first_hop, trust) = (member::first_hop(&settings), member::trust(&settings));
    let client = blocking(move || transport::client(&settings, seen)).await?;
    Ok(Connection {
        access: Access {
            client,
            secrets,
            credential,
            renewable: None,
        },
        url,
        files,
        renew_at,
        has_plugin,
        certificate,
        facts,
        first_hop,
        trust,
    })
}

/// Puts the later one of the configured token and the kept one into the settings, if they are of one
/// ServiceAccount, and says what is needed to renew it.
async fn renewable(
    settings: &mut ClientSettings,
    kept: Arc<KeptToken>,
) -> Result<Option<Renewable>, ClientError> {
    let Some(configured) = settings.user.token.clone() else {
        return Ok(None);
    };
    let lifetime = |claims: &TokenClaims| Some((claims.issued?, claims.expires?));
    let claims = TokenClaims::of(&configured);
    let Some((issued, expires)) = claims.as_ref().and_then(lifetime) else {
        return Ok(None);
    };
    let asked = expires.0.saturating_sub(issued.0);
    let (token, received) = blocking(move || Ok(kept.later_of(configured))).await?;
    let claims = TokenClaims::of(&token);
    settings.user.token = Some(token);
    Ok(claims.and_then(|claims| {
        let (issued, expires) = lifetime(&claims)?;
        let account = claims.account?;
        Some(Renewable {
            namespace: account.namespace,
            name: account.name,
            asked,
            issued,
            expires,
            received,
        })
    }))
}

/// Refuses a token that cannot be sent.
fn refuse_unsendable(settings: &ClientSettings) -> Result<(), ClientError> {
    let token = settings.user.token.as_ref();
    if token.is_some_and(|token| !kubeconfig::is_token(token)) {
        return Err(ClientError::Credentials(
            "the token is not one word of ASCII".to_owned(),
        ));
    }
    Ok(())
}

/// When the credentials expire, as far as they say.
fn expiry(settings: &ClientSettings) -> Result<Option<UnixSeconds>, ClientError> {
    let user = &settings.user;
    let token = user.token.as_ref();
    let token = token.and_then(|token| TokenClaims::of(token)?.expires);
    let certificate = user.client_certificate_data.as_ref();
    let chain = certificate
        .map(|data| kubeconfig::decoded("client-certificate", data))
        .transpose()?;
    let chain = pem::certificates(&chain.unwrap_or_default());
    let certificate = chain.first().and_then(verifier::expiry);
    Ok(token.into_iter().chain(certificate).min())
}

/// Reads what the client is built from, and which files that was.
async fn load(origin: &ClientOrigin) -> Result<(ClientSettings, Files), ClientError> {
    match &origin.source {
        Source::Kubeconfig { path, context } => {
            let (path, context) = (path.clone(), context.clone());
            blocking(move || kubeconfig::load(&path, &context)).await
        }
        Source::InCluster => blocking(in_cluster).await,
        Source::Object { object } => {
            // Before it is read, so that a change in between is seen.
            let (objects, of) = (origin.objects.clone(), object.clone());
            let files = Files::of_object(move || objects.hash(&of));
            Ok((origin.objects.settings(object)?, files))
        }
        Source::File { .. } | Source::Url(_) => Err(ClientError::NotKubernetes),
    }
}

/// The settings of the cluster that this process runs in. Blocks.
fn in_cluster() -> Result<(ClientSettings, Files), ClientError> {
    let config = Config::incluster().map_err(Box::new)?;
    let mut user = config.auth_info;
    let token = user.token_file.as_ref().map(Into::into);
    let paths = token.into_iter().chain(config.root_cert_file);
    let files = Files::read(paths.collect());
    kubeconfig::read_token(&mut user)?;
    let roots = config.root_cert.unwrap_or_default().into_iter();
    let settings = ClientSettings {
        server: config.cluster_url,
        roots: Some(roots.map(CertificateDer::from).collect()),
        skips_verification: false,
        tls_server_name: None,
        proxy: None,
        user,
        is_withheld: false,
    };
    Ok((settings, files))
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
