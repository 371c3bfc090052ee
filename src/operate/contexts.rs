//! Contexts of the operator's kubeconfig. What they are called ends here: nothing that is made is named
//! after them.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::config::{Cluster, Kubeconfig};

use super::api::Api;
use super::credential::ApiEndpoint;
use super::error::OperateError;
use crate::config::read;
use crate::model::Shown;
use crate::model::limits::CONFIGURATION_FILE;
use crate::sources::kubernetes::operator_client;

/// So many contexts are named where one is not there.
const NAMED: usize = 20;

/// A context, and where it is looked for.
#[derive(Debug, Clone)]
pub struct ContextChoice {
    /// Kubeconfigs; the first with the context counts. Those that are not there are passed over.
    pub paths: Vec<PathBuf>,
    /// What the context is called.
    pub context: String,
}

/// How the API of a member is known, where the kubeconfig does not say so, or says it otherwise.
#[derive(Debug, Clone, Default)]
pub struct ApiTrust {
    /// The URL at which the daemon reaches it.
    pub server: Option<String>,
    /// Certificates of authorities, PEM.
    pub authority: Option<Vec<u8>>,
    /// The name that its certificate is for.
    pub server_name: Option<String>,
    /// Its certificate is not verified, on purpose.
    pub skips_verification: bool,
}

/// An API as the operator reaches it, and as the daemon is to.
pub(super) struct Opened {
    /// Asks it with the operator's rights.
    pub(super) api: Api,
    /// Where it is for the daemon.
    pub(super) endpoint: ApiEndpoint,
}

impl ContextChoice {
    /// The kubeconfig that has the context.
    pub(super) fn find(&self) -> Result<(PathBuf, Kubeconfig), OperateError> {
        let mut seen = Vec::new();
        for path in &self.paths {
            let Some(kubeconfig) = read_kubeconfig(path)? else {
                continue;
            };
            let mut contexts = kubeconfig.contexts.iter();
            if contexts.any(|named| named.name == self.context) {
                return Ok((path.clone(), kubeconfig));
            }
            seen.extend(kubeconfig.contexts.into_iter().map(|named| named.name));
        }
        let paths = self.paths.iter().map(|path| path.display().to_string());
        let paths: Vec<_> = paths.collect();
        let (context, paths) = (Shown(&self.context), paths.join(", "));
        let has = match seen.len() {
            0 => "none".to_owned(),
            _ => listed(&seen),
        };
        Err(OperateError::Kubeconfig(format!(
            "context \"{context}\" is not in {paths} (has: {has})"
        )))
    }
}

/// Contexts in words.
fn listed(names: &[String]) -> String {
    let shown = names.iter().take(NAMED);
    let mut shown: Vec<_> = shown.map(|name| Shown(name).to_string()).collect();
    if names.len() > NAMED {
        shown.push("…".to_owned());
    }
    shown.join(", ")
}

/// Reads a kubeconfig; `None` if it is not there.
fn read_kubeconfig(path: &Path) -> Result<Option<Kubeconfig>, OperateError> {
    let text = match read::read_text(path, &CONFIGURATION_FILE) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(OperateError::Kubeconfig(error.to_string())),
    };
    let wrong = || {
        // The parser's own words may quote a secret.
        OperateError::Kubeconfig(format!("{}: not the YAML of a kubeconfig", path.display()))
    };
    Kubeconfig::from_yaml(&text).map(Some).map_err(|_| wrong())
}

/// The context of a member, where the operator does not say which: the one called as the member, else
/// the only one whose cluster has this URL. The error names the candidates.
pub(super) fn context_of(
    paths: &[PathBuf],
    member: &str,
    server: Option<&str>,
) -> Result<ContextChoice, OperateError> {
    let mut fitting = Vec::new();
    for path in paths {
        let Some(kubeconfig) = read_kubeconfig(path)? else {
            continue;
        };
        for named in &kubeconfig.contexts {
            let choice = ContextChoice {
                paths: vec![path.clone()],
                context: named.name.clone(),
            };
            if named.name == member {
                return Ok(choice);
            }
            let cluster = cluster_of(&kubeconfig, &named.name);
            let url = cluster.and_then(|cluster| cluster.server.as_deref());
            if url.is_some() && url == server {
                fitting.push(choice);
            }
        }
    }
    match fitting.len() {
        1 => Ok(fitting.remove(0)),
        0 => Err(OperateError::Kubeconfig(format!(
            "no context is called \"{member}\" or has its server: give --context"
        ))),
        _ => {
            let names: Vec<_> = fitting.into_iter().map(|one| one.context).collect();
            let names = listed(&names);
            Err(OperateError::Kubeconfig(format!(
                "several contexts have the server of \"{member}\": give --context ({names})"
            )))
        }
    }
}

/// The cluster of a context.
fn cluster_of<'k>(kubeconfig: &'k Kubeconfig, context: &str) -> Option<&'k Cluster> {
    let mut contexts = kubeconfig.contexts.iter();
    let context = contexts.find(|named| named.name == context)?;
    let name = &context.context.as_ref()?.cluster;
    let mut clusters = kubeconfig.clusters.iter();
    let cluster = clusters.find(|named| named.name == *name)?;
    cluster.cluster.as_ref()
}

/// Opens a context: what skips verification is refused unless the operator says how it is to be
/// verified, or says again that it is not.
pub(super) async fn open(choice: &ContextChoice, trust: &ApiTrust) -> Result<Opened, OperateError> {
    let (path, mut kubeconfig) = choice.find()?;
    let name = cluster_of(&kubeconfig, &choice.context).cloned();
    let context = Shown(&choice.context).to_string();
    let Some(mut cluster) = name else {
        let why = format!("the cluster of context \"{context}\" is not there");
        return Err(OperateError::Kubeconfig(why));
    };
    let is_said_how = trust.authority.is_some() || trust.server_name.is_some();
    let skips = cluster.insecure_skip_tls_verify == Some(true);
    if skips && !is_said_how && !trust.skips_verification {
        return Err(OperateError::Refused(format!(
            "context \"{context}\" does not verify the API's certificate: give --ca-file, or \
             --tls-server-name, or say --insecure-skip-tls-verify"
        )));
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    if let Some(authority) = &trust.authority {
        cluster.certificate_authority_data = Some(STANDARD.encode(authority));
    } else if cluster.certificate_authority_data.is_none()
        && let Some(file) = &cluster.certificate_authority
    {
        cluster.certificate_authority_data =
            Some(STANDARD.encode(read_authority(&folder.join(file))?));
    }
    cluster.certificate_authority = None;
    if trust.server_name.is_some() {
        cluster.tls_server_name.clone_from(&trust.server_name);
    }
    cluster.insecure_skip_tls_verify = None;
    if trust.skips_verification {
        cluster.insecure_skip_tls_verify = Some(true);
        cluster.certificate_authority_data = None;
        cluster.tls_server_name = None;
    }
    let data = cluster.certificate_authority_data.as_deref();
    let authority = data.map(|data| STANDARD.decode(data)).transpose();
    let authority = authority.map_err(|_| {
        let why = format!("context \"{context}\": certificate-authority-data: not base64");
        OperateError::Kubeconfig(why)
    })?;
    let server = trust.server.clone().or_else(|| cluster.server.clone());
    let endpoint = ApiEndpoint {
        server: server.unwrap_or_default(),
        authority,
        server_name: cluster.tls_server_name.clone(),
        proxy: cluster.proxy_url.clone().filter(|url| !url.is_empty()),
        is_unverified: trust.skips_verification,
    };
    replace_cluster(&mut kubeconfig, &choice.context, cluster);
    let text = serde_json::to_string(&kubeconfig).unwrap_or_default();
    let client = operator_client(&text, &path, &choice.context).await;
    let client = client.map_err(OperateError::Kubeconfig)?;
    Ok(Opened {
        api: Api::new(client),
        endpoint,
    })
}

/// Puts another cluster behind a context.
fn replace_cluster(kubeconfig: &mut Kubeconfig, context: &str, cluster: Cluster) {
    let mut contexts = kubeconfig.contexts.iter();
    let context = contexts.find(|named| named.name == context);
    let name = context.and_then(|named| Some(named.context.as_ref()?.cluster.clone()));
    let mut clusters = kubeconfig.clusters.iter_mut();
    if let Some(named) = clusters.find(|named| Some(&named.name) == name.as_ref()) {
        named.cluster = Some(cluster);
    }
}

/// Certificates of authorities in a file.
pub(super) fn read_authority(path: &Path) -> Result<Vec<u8>, OperateError> {
    let octets = read::read(path, &CONFIGURATION_FILE);
    octets.map_err(|error| OperateError::Kubeconfig(error.to_string()))
}
