//! Kubeconfigs and the files that they name, read within limits and as kubectl reads them
//! (docs/credentials.md).
//!
//! What may be told of one that is wrong: which file, line, column and key, and never what is written
//! there, since anything in it may be a secret in the wrong place.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::config::{AuthInfo, Cluster, ExecAuthCluster, Kubeconfig, KubeconfigError};
use secrecy::{ExposeSecret, SecretString};

use super::entry::Entry;
use super::error::ClientError;
use super::files::Files;
use super::pem;
use super::proxy::Proxy;
use super::server;
use super::settings::ClientSettings;
use crate::config::read::{self, ReadError};
use crate::model::limits::{CONFIGURATION_FILE, TOKEN_BODY};

/// Reads a context of a kubeconfig, and which files it depends on. Blocks.
pub(super) fn load(path: &Path, context: &str) -> Result<(ClientSettings, Files), ClientError> {
    let mut before = Files::read(vec![path.to_owned()]);
    let text = read_text(path)?;
    let (settings, mut files) = parse(&text, path, context)?;
    if before.refresh() {
        files.distrust();
    }
    Ok((settings, files))
}

/// As [`load`], of a kubeconfig with this text. Blocks: it reads the files that are named there.
pub(super) fn parse(
    text: &str,
    path: &Path,
    context: &str,
) -> Result<(ClientSettings, Files), ClientError> {
    let at = |reason: String| ClientError::Kubeconfig(format!("{}: {reason}", path.display()));
    let kubeconfig =
        Kubeconfig::from_yaml(text).map_err(|error| ClientError::Kubeconfig(told(path, &error)))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let entry = Entry::of(&kubeconfig, context, folder).map_err(at)?;
    entry.check().map_err(at)?;
    let mut paths = vec![path.to_owned()];
    paths.extend(paths_of(&entry));
    paths.extend(entry.user.token_file.as_ref().map(Into::into));
    let files = Files::read(paths);
    let settings = settings(entry, path)?;
    Ok((settings, files))
}

/// What a client of an entry is built from.
pub(super) fn settings(entry: Entry, path: &Path) -> Result<ClientSettings, ClientError> {
    let at = |key: &str, reason: &str| {
        ClientError::Kubeconfig(format!("{}: {key}: {reason}", path.display()))
    };
    let Entry {
        mut cluster,
        mut user,
    } = entry;
    read_files(&mut cluster, &mut user)?;
    let skips_verification = cluster.insecure_skip_tls_verify == Some(true);
    let needs_tls = skips_verification
        || cluster.certificate_authority_data.is_some()
        || cluster.tls_server_name.is_some()
        || user.client_certificate_data.is_some();
    let text = cluster.server.as_deref();
    let text = text.ok_or_else(|| at("server", "missing"))?;
    let (server, in_url) = server::parse(text, needs_tls).map_err(|why| at("server", why))?;
    let proxy = cluster.proxy_url.as_deref().map(Proxy::parse).transpose();
    let proxy = proxy.map_err(|why| at("proxy-url", why))?;
    let roots = match &cluster.certificate_authority_data {
        None => None,
        Some(data) => {
            let certificates = pem::certificates(&decoded("certificate-authority", data)?);
            if certificates.is_empty() {
                return Err(at("certificate-authority", "no certificate in PEM"));
            }
            Some(certificates)
        }
    };
    if let Some((name, password)) = in_url
        && user.token.is_none()
        && user.username.is_none()
    {
        (user.username, user.password) = (Some(name), Some(password));
    }
    let is_plain = server.scheme_str() == Some("http");
    let says_who = is_plain && says_who(&user);
    if is_plain {
        user = without_credentials(user);
    }
    if let Some(exec) = &mut user.exec
        && exec.provide_cluster_info
    {
        let told = ExecAuthCluster::try_from(&cluster);
        exec.cluster = Some(told.map_err(|_| at("certificate-authority-data", "not base64"))?);
    }
    Ok(ClientSettings {
        server,
        roots,
        skips_verification,
        tls_server_name: cluster.tls_server_name,
        proxy,
        user,
        is_withheld: says_who,
    })
}

/// Whether a user has anything to say who it is.
fn says_who(user: &AuthInfo) -> bool {
    user.token.is_some()
        || user.username.is_some()
        || user.client_certificate_data.is_some()
        || user.exec.is_some()
        || user.auth_provider.is_some()
}

/// What is told over plain HTTP, where everybody reads it: whom to act as, and nothing that proves it.
fn without_credentials(user: AuthInfo) -> AuthInfo {
    AuthInfo {
        impersonate: user.impersonate,
        impersonate_uid: user.impersonate_uid,
        impersonate_groups: user.impersonate_groups,
        impersonate_user_extra: user.impersonate_user_extra,
        ..AuthInfo::default()
    }
}

/// What is wrong with a kubeconfig as a whole.
fn told(path: &Path, error: &KubeconfigError) -> String {
    let path = path.display();
    match error {
        KubeconfigError::Parse(error) => match error.location() {
            Some(at) => format!(
                "{path}:{}:{}: not the YAML of a kubeconfig",
                at.line(),
                at.column()
            ),
            None => format!("{path}: not the YAML of a kubeconfig"),
        },
        _ => format!("{path}: its documents are of several kinds or versions"),
    }
}

/// The files beside a kubeconfig without which each of these contexts of it cannot be used: certificates,
/// keys and tokens. None where the kubeconfig or a context cannot be read: whoever connects says why. Blocks.
pub fn files_named(path: &Path, contexts: &[&str]) -> Vec<Vec<PathBuf>> {
    let text = read_text(path).ok();
    let kubeconfig = text.and_then(|text| Kubeconfig::from_yaml(&text).ok());
    let kubeconfig = kubeconfig.unwrap_or_default();
    let folder = path.parent().unwrap_or(Path::new("."));
    let files = |context: &&str| {
        let entry = Entry::of(&kubeconfig, context, folder).ok();
        let Some(entry) = entry else {
            return Vec::new();
        };
        let mut paths = paths_of(&entry);
        let token = entry.user.token_file.filter(|_| entry.user.token.is_none());
        paths.extend(token.map(Into::into));
        paths
    };
    contexts.iter().map(files).collect()
}

/// The text of a kubeconfig: UTF-8, or with a byte order mark UTF-16, as shells of Windows write it.
fn read_text(path: &Path) -> Result<String, ClientError> {
    let wrong = |error: &ReadError| unreadable(error.to_string(), error);
    let octets = read::read(path, &CONFIGURATION_FILE).map_err(|error| wrong(&error))?;
    let pairs = octets.get(2..).unwrap_or_default().chunks(2);
    let unit = |of: fn([u8; 2]) -> u16| {
        pairs
            .map(move |pair| pair.try_into().map_or(0, of))
            .collect::<Vec<_>>()
    };
    let units = match octets.get(..2) {
        Some([0xFF, 0xFE]) => unit(u16::from_le_bytes),
        Some([0xFE, 0xFF]) => unit(u16::from_be_bytes),
        _ => {
            let octets = match octets.strip_prefix(b"\xEF\xBB\xBF") {
                Some(octets) => octets.to_vec(),
                None => octets,
            };
            return read::text(path, octets).map_err(|error| wrong(&error));
        }
    };
    let not_utf16 = |_| ClientError::Kubeconfig(format!("{}: not UTF-16", path.display()));
    String::from_utf16(&units).map_err(not_utf16)
}

/// The files that an entry names, but that of a token: what stands in the kubeconfig itself counts before
/// them.
fn paths_of(entry: &Entry) -> Vec<PathBuf> {
    let Entry { cluster, user } = entry;
    let authority = cluster.certificate_authority.as_ref();
    let paths = [
        authority.filter(|_| cluster.certificate_authority_data.is_none()),
        user.client_certificate
            .as_ref()
            .filter(|_| user.client_certificate_data.is_none()),
        user.client_key
            .as_ref()
            .filter(|_| user.client_key_data.is_none()),
    ];
    paths.into_iter().flatten().map(Into::into).collect()
}

/// Puts the contents of files where they would stand as data.
fn read_files(cluster: &mut Cluster, user: &mut AuthInfo) -> Result<(), ClientError> {
    if cluster.certificate_authority_data.is_none()
        && let Some(path) = cluster.certificate_authority.take()
    {
        cluster.certificate_authority_data = Some(encoded("certificate-authority", &path)?);
    }
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
    read_token(user)
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

/// What data of a kubeconfig stand for. Line ends in them do not count.
pub(super) fn decoded(key: &str, data: &str) -> Result<Vec<u8>, ClientError> {
    let data = data.replace(['\r', '\n'], "");
    let decoded = STANDARD.decode(data);
    decoded.map_err(|_| ClientError::Kubeconfig(format!("{key}-data: not base64")))
}

/// Reads the token file, without the space around its token. It counts before a token beside it, unless
/// nothing can be read of it.
pub(super) fn read_token(user: &mut AuthInfo) -> Result<(), ClientError> {
    let Some(path) = user.token_file.take() else {
        return Ok(());
    };
    let wrong = match read::read_text(Path::new(&path), &TOKEN_BODY) {
        Ok(text) if !text.trim().is_empty() => {
            user.token = Some(text.trim().into());
            return Ok(());
        }
        Ok(_) => ClientError::Kubeconfig("the file of tokenFile: empty".to_owned()),
        Err(error) => unreadable(format!("the file of tokenFile: {}", error.reason), &error),
    };
    if user.token.is_some() {
        Ok(())
    } else {
        Err(wrong)
    }
}

/// Whether a token can be sent: as one word.
pub(super) fn is_token(token: &SecretString) -> bool {
    let token = token.expose_secret();
    !token.is_empty() && token.bytes().all(|octet| octet.is_ascii_graphic())
}
