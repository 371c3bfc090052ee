//! Exec plugins of kubeconfigs (client.authentication.k8s.io), run as children of the runtime.
//!
//! A plugin never talks to a person here: its input is closed. What it prints is never shown, since
//! it may be a secret in the wrong place. It ends, with what it started, with the attempt that
//! started it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use kube::config::{AuthInfo, ExecConfig, ExecInteractiveMode};
use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::Instant;

use super::super::failure::place;
use crate::model::limits::EXEC_OUTPUT;

/// How long before they expire credentials are renewed.
const MARGIN: Duration = Duration::from_secs(60);

/// The shortest time between two runs of a plugin because its credentials expire.
const SHORTEST: Duration = Duration::from_secs(10);

/// Why an exec plugin gave no credentials.
#[derive(Debug, thiserror::Error)]
pub(in super::super) enum ExecError {
    /// The kubeconfig names no command: correct it.
    #[error("command is missing")]
    NoCommand,
    /// The plugin insists on a person: use one that does not.
    #[error("requires a terminal (interactiveMode: Always)")]
    Interactive,
    /// The command cannot be started: install it, or correct its path, which is not shown: it may
    /// be what should stand elsewhere.
    #[error("the command cannot be started: {0}")]
    Start(std::io::Error),
    /// The command failed: run it by hand to see what it says.
    #[error(
        "{command}: {status}, with {octets} octets of diagnostics, which may hold secrets: run it by hand to see them"
    )]
    Failed {
        /// What was started.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// How much it said.
        octets: usize,
    },
    /// The command prints more than is read.
    #[error("more than {} {} of output (limit {})", EXEC_OUTPUT.most, EXEC_OUTPUT.unit, EXEC_OUTPUT.name)]
    TooMuch,
    /// The command printed something else than an `ExecCredential`.
    #[error("not an ExecCredential: {0}")]
    Output(String),
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
    token: Option<SecretString>,
    /// A client certificate, PEM.
    client_certificate_data: Option<String>,
    /// Its key, PEM.
    client_key_data: Option<SecretString>,
}

/// Runs a plugin and takes its credentials over; says when to run it again.
pub(super) async fn authenticate(
    plugin: &ExecConfig,
    auth_info: &mut AuthInfo,
) -> Result<Option<Instant>, ExecError> {
    let output = run(plugin).await?;
    let credential: ExecCredential =
        serde_json::from_slice(&output).map_err(|error| ExecError::Output(place(&error)))?;
    let status = credential.status.ok_or(ExecError::Empty)?;
    let certificate = status.client_certificate_data.zip(status.client_key_data);
    if status.token.is_none() && certificate.is_none() {
        return Err(ExecError::Empty);
    }
    auth_info.token = status.token;
    if let Some((certificate, key)) = certificate {
        auth_info.client_certificate_data = Some(STANDARD.encode(certificate));
        auth_info.client_key_data = Some(STANDARD.encode(key.expose_secret()).into());
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
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut child = command.spawn().map_err(ExecError::Start)?;
    let mut group = Group(child.id());
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (stdout, stderr) = tokio::try_join!(output(stdout), output(stderr))?;
    if EXEC_OUTPUT.is_exceeded_by((stdout.len() + stderr.len()) as u64) {
        return Err(ExecError::TooMuch);
    }
    let status = child.wait().await.map_err(ExecError::Start)?;
    // What it leaves running on purpose stays.
    group.0 = None;
    if status.success() {
        return Ok(stdout);
    }
    // It was there, so this is the name of a program.
    let command = Path::new(&name).file_name().unwrap_or_default();
    Err(ExecError::Failed {
        command: command.to_string_lossy().into_owned(),
        status,
        octets: stderr.len(),
    })
}

/// All of an output that is not too long.
async fn output(stream: Option<impl AsyncRead + Unpin>) -> Result<Vec<u8>, ExecError> {
    let mut octets = Vec::new();
    if let Some(stream) = stream {
        let mut bounded = stream.take(EXEC_OUTPUT.most + 1);
        bounded
            .read_to_end(&mut octets)
            .await
            .map_err(ExecError::Start)?;
    }
    if EXEC_OUTPUT.is_exceeded_by(octets.len() as u64) {
        return Err(ExecError::TooMuch);
    }
    Ok(octets)
}

/// The processes of a plugin, which end when this is dropped with their number in it.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let number = self.0.and_then(|number| i32::try_from(number).ok());
        if let Some(group) = number.and_then(Pid::from_raw) {
            // Whoever has ended already needs no signal.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
