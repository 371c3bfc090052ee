//! Exec plugins of kubeconfigs (client.authentication.k8s.io), run as children of the runtime.
//!
//! A plugin never talks to a person here: its input is closed, and its diagnostics go into the
//! error. It ends with the attempt that started it.

use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use kube::config::{AuthInfo, ExecConfig, ExecInteractiveMode};
use serde::Deserialize;
use serde_json::json;
use tokio::process::Command;
use tokio::time::Instant;

/// How long before they expire credentials are renewed.
const MARGIN: Duration = Duration::from_secs(60);

/// The shortest time between two runs of a plugin because its credentials expire.
const SHORTEST: Duration = Duration::from_secs(10);

/// How much of a plugin's diagnostics goes into an error.
const DIAGNOSTICS: usize = 300;

/// Why an exec plugin gave no credentials.
#[derive(Debug, thiserror::Error)]
pub(in super::super) enum ExecError {
    /// The kubeconfig names no command: correct it.
    #[error("no command")]
    NoCommand,
    /// The plugin insists on a person: use one that does not.
    #[error("it needs a terminal (interactiveMode: Always)")]
    Interactive,
    /// The command cannot be started: install it, or correct its path.
    #[error("{command}: {error}")]
    Start {
        /// What was started.
        command: String,
        /// Why it was not.
        error: std::io::Error,
    },
    /// The command failed: its diagnostics say more.
    #[error("{command}: {status}: {diagnostics}")]
    Failed {
        /// What was started.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it said.
        diagnostics: String,
    },
    /// The command printed something else than an `ExecCredential`.
    #[error("not an ExecCredential: {0}")]
    Output(#[from] serde_json::Error),
    /// There are neither a token nor a certificate with its key.
    #[error("an ExecCredential without credentials")]
    Empty,
}

/// What a plugin prints.
#[derive(Deserialize)]
struct ExecCredential {
    /// The credentials.
    status: Option<Status>,
}

/// Credentials.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    /// When they expire.
    expiration_timestamp: Option<Timestamp>,
    /// A bearer token.
    token: Option<String>,
    /// A client certificate, PEM.
    client_certificate_data: Option<String>,
    /// Its key, PEM.
    client_key_data: Option<String>,
}

/// Runs a plugin and takes its credentials over; says when to run it again.
pub(super) async fn authenticate(
    plugin: &ExecConfig,
    auth_info: &mut AuthInfo,
) -> Result<Option<Instant>, ExecError> {
    let output = run(plugin).await?;
    let credential: ExecCredential = serde_json::from_slice(&output)?;
    let status = credential.status.ok_or(ExecError::Empty)?;
    let certificate = status.client_certificate_data.zip(status.client_key_data);
    if status.token.is_none() && certificate.is_none() {
        return Err(ExecError::Empty);
    }
    auth_info.token = status.token.map(Into::into);
    if let Some((certificate, key)) = certificate {
        auth_info.client_certificate_data = Some(STANDARD.encode(certificate));
        auth_info.client_key_data = Some(STANDARD.encode(key).into());
    }
    let left = status.expiration_timestamp.map(|expires| {
        let left = expires.duration_since(Timestamp::now());
        Duration::try_from(left).unwrap_or_default()
    });
    Ok(left.map(|left| Instant::now() + left.saturating_sub(MARGIN).max(SHORTEST)))
}

/// Runs a plugin: what it prints.
async fn run(plugin: &ExecConfig) -> Result<Vec<u8>, ExecError> {
    let name = plugin.command.clone().ok_or(ExecError::NoCommand)?;
    if plugin.interactive_mode == Some(ExecInteractiveMode::Always) {
        return Err(ExecError::Interactive);
    }
    let mut spec = json!({ "interactive": false });
    if let Some(cluster) = &plugin.cluster {
        spec["cluster"] = json!(cluster);
    }
    let about = json!({
        "apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec,
    });
    let mut command = Command::new(&name);
    command
        .args(plugin.args.iter().flatten())
        .env("KUBERNETES_EXEC_INFO", about.to_string())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    for variable in plugin.env.iter().flatten() {
        if let (Some(key), Some(value)) = (variable.get("name"), variable.get("value")) {
            command.env(key, value);
        }
    }
    let output = command.output().await.map_err(|error| ExecError::Start {
        command: name.clone(),
        error,
    })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let diagnostics = String::from_utf8_lossy(&output.stderr);
    Err(ExecError::Failed {
        command: name,
        status: output.status,
        diagnostics: diagnostics.trim().chars().take(DIAGNOSTICS).collect(),
    })
}
