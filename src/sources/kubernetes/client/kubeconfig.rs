//! Kubeconfigs and the files that they name, read within limits; and what may be told of one that
//! is wrong: which file, line, column and key, and never what is written there, since anything in it
//! may be a secret in the wrong place.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use http::uri::Authority;
use kube::Config;
use kube::config::{
    AuthInfo, Cluster, KubeConfigOptions, Kubeconfig, KubeconfigError, LoadDataError,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::Handle;

use super::error::ClientError;
use super::files::Files;
use crate::config::read::{self, ReadError};
use crate::model::limits::{CONFIGURATION_FILE, TOKEN_BODY};

/// Reads a context of a kubeconfig, and which files it depends on. Blocks.
pub(super) fn load(
    path: &Path,
    context: &str,
    runtime: &Handle,
) -> Result<(Config, Files), ClientError> {
    let mut before = Files::read(vec![path.to_owned()]);
    let text = read::read_text(path, &CONFIGURATION_FILE)
        .map_err(|error| unreadable(error.to_string(), &error))?;
    let (config, mut files) = parse(&text, path, context, runtime)?;
    if before.refresh() {
        files.distrust();
    }
    Ok((config, files))
}

/// As [`load`], of a kubeconfig with this text. Blocks: it reads the files that are named there.
pub(super) fn parse(
    text: &str,
    path: &Path,
    context: &str,
    runtime: &Handle,
) -> Result<(Config, Files), ClientError> {
    let wrong = |error: &KubeconfigError| ClientError::Kubeconfig(told(path, context, error));
    let mut kubeconfig = Kubeconfig::from_yaml(text).map_err(|error| wrong(&error))?;
    make_absolute(&mut kubeconfig, path.parent().unwrap_or(Path::new(".")));
    let files = files_of(path, &kubeconfig, context)?;
    read_files(&mut kubeconfig, context)?;
    let options = KubeConfigOptions {
        context: Some(context.to_owned()),
        ..KubeConfigOptions::default()
    };
    let config = runtime
        .block_on(Config::from_custom_kubeconfig(kubeconfig, &options))
        .map_err(|error| wrong(&error))?;
    Ok((config, files))
}

/// What is wrong with a kubeconfig.
fn told(path: &Path, context: &str, error: &KubeconfigError) -> String {
    let path = path.display();
    let data = |key: &str, error: &LoadDataError| match error {
        LoadDataError::DecodeBase64(_) => format!("{path}: {key}-data: not base64"),
        LoadDataError::ReadFile(error, _) => format!("{path}: {key}: {error}"),
        LoadDataError::NoBase64DataOrFile => format!("{path}: {key}: missing"),
    };
    match error {
        KubeconfigError::Parse(error) => match error.location() {
            Some(at) => format!(
                "{path}:{}:{}: not the YAML of a kubeconfig",
                at.line(),
                at.column()
            ),
            None => format!("{path}: not the YAML of a kubeconfig"),
        },
        KubeconfigError::LoadContext(_) => format!("{path}: no context {context}"),
        KubeconfigError::LoadClusterOfContext(_) => {
            format!("{path}: the cluster of context {context} is not there")
        }
        KubeconfigError::MissingClusterUrl => format!("{path}: server: missing"),
        KubeconfigError::ParseClusterUrl(_) => format!("{path}: server: not a URL"),
        KubeconfigError::LoadCertificateAuthority(error) => data("certificate-authority", error),
        KubeconfigError::LoadClientCertificate(error) => data("client-certificate", error),
        KubeconfigError::LoadClientKey(error) => data("client-key", error),
        KubeconfigError::ParseCertificates(_) => {
            format!("{path}: certificate-authority: not PEM")
        }
        _ => format!("{path}: context {context} cannot be used"),
    }
}

/// What is wrong with credentials.
pub(super) fn unusable(error: &kube::Error) -> ClientError {
    ClientError::Credentials(match error {
        kube::Error::RustlsTls(_) => "a certificate or key is not usable PEM",
        kube::Error::Auth(_) => "neither token nor auth-provider can be used",
        kube::Error::InferKubeconfig(_) => "a certificate or key is not usable",
        _ => "they cannot be used",
    })
}

/// Makes relative paths those of the kubeconfig's folder, as kubectl does; a command only if it is
/// a path.
fn make_absolute(kubeconfig: &mut Kubeconfig, folder: &Path) {
    let join = |path: &mut Option<String>| {
        if let Some(relative) = path {
            *relative = folder.join(&*relative).to_string_lossy().into_owned();
        }
    };
    for named in &mut kubeconfig.clusters {
        if let Some(cluster) = &mut named.cluster {
            join(&mut cluster.certificate_authority);
        }
    }
    for named in &mut kubeconfig.auth_infos {
        let Some(user) = &mut named.auth_info else {
            continue;
        };
        join(&mut user.client_certificate);
        join(&mut user.client_key);
        join(&mut user.token_file);
        if let Some(exec) = &mut user.exec
            && exec
                .command
                .as_ref()
                .is_some_and(|command| command.contains('/'))
        {
            join(&mut exec.command);
        }
    }
}

/// The files beside a kubeconfig that each of these contexts of it is read from: certificates, keys and
/// tokens. None where the kubeconfig or a context cannot be read: whoever connects says why. Blocks.
pub fn files_named(path: &Path, contexts: &[&str]) -> Vec<Vec<PathBuf>> {
    let text = read::read_text(path, &CONFIGURATION_FILE).ok();
    let kubeconfig = text.and_then(|text| Kubeconfig::from_yaml(&text).ok());
    let mut kubeconfig = kubeconfig.unwrap_or_default();
    make_absolute(&mut kubeconfig, path.parent().unwrap_or(Path::new(".")));
    let contexts = contexts.iter();
    let files = contexts.map(|context| paths_of(parts(&kubeconfig, context)));
    files.collect()
}

/// The files that a context of a kubeconfig depends on. Refuses what is not supported.
fn files_of(path: &Path, kubeconfig: &Kubeconfig, context: &str) -> Result<Files, ClientError> {
    let (cluster, user) = parts(kubeconfig, context);
    let proxy = cluster.and_then(|cluster| cluster.proxy_url.as_ref());
    if proxy.is_some_and(|url| !url.is_empty()) {
        return Err(ClientError::Proxy);
    }
    let provider = user.and_then(|user| user.auth_provider.as_ref());
    if provider.is_some_and(|provider| provider.name != "oidc") {
        return Err(ClientError::AuthProvider);
    }
    let mut paths = vec![path.to_owned()];
    paths.extend(paths_of((cluster, user)));
    Ok(Files::read(paths))
}

/// The cluster and the user of a context, as far as they are there.
fn parts<'k>(
    kubeconfig: &'k Kubeconfig,
    context: &str,
) -> (Option<&'k Cluster>, Option<&'k AuthInfo>) {
    let mut contexts = kubeconfig.contexts.iter();
    let context = contexts.find(|named| named.name == context);
    let Some(context) = context.and_then(|named| named.context.as_ref()) else {
        return (None, None);
    };
    let mut clusters = kubeconfig.clusters.iter();
    let cluster = clusters.find(|named| named.name == context.cluster);
    let mut users = kubeconfig.auth_infos.iter();
    let user = users.find(|named| context.user.as_ref() == Some(&named.name));
    (
        cluster.and_then(|named| named.cluster.as_ref()),
        user.and_then(|named| named.auth_info.as_ref()),
    )
}

/// The files that a cluster and a user name and that are read: what stands in the kubeconfig itself
/// counts before them.
fn paths_of((cluster, user): (Option<&Cluster>, Option<&AuthInfo>)) -> Vec<PathBuf> {
    let authority = cluster
        .filter(|cluster| cluster.certificate_authority_data.is_none())
        .and_then(|cluster| cluster.certificate_authority.as_ref());
    let of_user = user.map(|user| {
        let certificate = user.client_certificate.as_ref();
        let key = user.client_key.as_ref();
        [
            certificate.filter(|_| user.client_certificate_data.is_none()),
            key.filter(|_| user.client_key_data.is_none()),
            user.token_file.as_ref().filter(|_| user.token.is_none()),
        ]
    });
    let paths = of_user.into_iter().flatten().chain([authority]);
    paths.flatten().map(Into::into).collect()
}

/// Puts the contents of the files that a context names where they would stand as data.
fn read_files(kubeconfig: &mut Kubeconfig, context: &str) -> Result<(), ClientError> {
    let context = kubeconfig
        .contexts
        .iter()
        .find(|named| named.name == context)
        .and_then(|named| named.context.clone())
        .unwrap_or_default();
    for named in &mut kubeconfig.clusters {
        if let Some(cluster) = &mut named.cluster
            && named.name == context.cluster
            && cluster.certificate_authority_data.is_none()
            && let Some(path) = cluster.certificate_authority.take()
        {
            cluster.certificate_authority_data = Some(encoded("certificate-authority", &path)?);
        }
    }
    for named in &mut kubeconfig.auth_infos {
        let Some(user) = named
            .auth_info
            .as_mut()
            .filter(|_| context.user.as_ref() == Some(&named.name))
        else {
            continue;
        };
        if user.client_certificate_data.is_none()
            && let Some(path) = user.client_certificate.take()
        {
            user.client_certificate_data = Some(encoded("client-certificate", &path)?);
        }
        if user.client_key_data.is_none()
            && let Some(path) = user.client_key.take()
        {
            user.client_key_data = Some(encoded("client-key", &path)?.into());
        }
        read_token(user)?;
    }
    Ok(())
}

/// That a file cannot be read, told so.
fn unreadable(told: String, error: &ReadError) -> ClientError {
    match error.limit() {
        Some(limit) => ClientError::TooLarge(told, limit),
        None => ClientError::Kubeconfig(told),
    }
}

/// The content of a file that the kubeconfig names, as its data would be. Its path is not told: it
/// may be what should stand in the file.
fn encoded(key: &str, path: &str) -> Result<String, ClientError> {
    let octets = read::read(Path::new(path), &CONFIGURATION_FILE)
        .map_err(|error| unreadable(format!("the file of {key}: {}", error.reason), &error))?;
    Ok(STANDARD.encode(octets))
}

/// Reads the token file, without the space around its token, as kubectl does.
pub(super) fn read_token(user: &mut AuthInfo) -> Result<(), ClientError> {
    if user.token.is_none()
        && let Some(path) = user.token_file.take()
    {
        let text = read::read_text(Path::new(&path), &TOKEN_BODY).map_err(|error| {
            unreadable(format!("the file of tokenFile: {}", error.reason), &error)
        })?;
        user.token = Some(text.trim().into());
    }
    Ok(())
}

/// Whether a token can be sent: as one word.
pub(super) fn is_token(token: &SecretString) -> bool {
    token
        .expose_secret()
        .bytes()
        .all(|octet| octet.is_ascii_graphic())
}

/// A URL without a user and a password.
pub(super) fn shown_url(url: &Uri) -> String {
    let mut text = url.to_string();
    let authority = url.authority().map_or("", Authority::as_str);
    if let Some((user, _)) = authority.rsplit_once('@') {
        // Wherever it stands: a slip may have put it into the path too.
        let user = format!("{user}@");
        while text.contains(&user) {
            text = text.replace(&user, "");
        }
    }
    text
}
