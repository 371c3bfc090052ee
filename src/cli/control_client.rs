//! Gives commands to the running daemon, over its control socket.

use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use http_body_util::{BodyExt, Limited};
use hyper::Request;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use tokio::runtime::Builder;
use tokio::time::timeout;

use super::admin_client::told_state_dir;
use super::arguments::Daemon;
use super::find_daemon::{DaemonCandidate, candidates, find};
use crate::admin::{ControlRequest, Obeyed, control_path};

/// How long the daemon may take: it answers once the command is on disk.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The longest answer, in octets: it has a note for each member at most.
const LONGEST_ANSWER: usize = 1 << 20;

/// Gives a command to the daemon, and waits until it is obeyed.
pub(super) fn give(daemon: &Daemon, asked: &ControlRequest) -> anyhow::Result<Obeyed> {
    give_to(candidates(daemon), asked)
}

/// Gives a command to the daemon at one of these places, state folders before addresses.
pub(super) fn give_to(
    places: Vec<DaemonCandidate>,
    asked: &ControlRequest,
) -> anyhow::Result<Obeyed> {
    let command = serde_json::to_string(asked)?;
    let (stream, path) = connect(places)?;
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    let (status, body) = runtime.block_on(async {
        let stream = tokio::net::UnixStream::from_std(stream)?;
        let exchanged = timeout(TIMEOUT, exchange(stream, command)).await;
        let exchanged = exchanged.unwrap_or_else(|_| Err(anyhow!("no answer in {TIMEOUT:?}")));
        exchanged.with_context(|| {
            let shown = path.display();
            format!(
                "the daemon does not answer at {shown}; it may obey later: see `gazetteer overrides`"
            )
        })
    })?;
    match status {
        200 => serde_json::from_slice(&body).context("answer of the daemon"),
        _ => bail!("{}", String::from_utf8_lossy(&body).trim()),
    }
}

/// The control socket of the daemon, and where it is: in a state folder, or in that of which a daemon
/// at an admin address says that it uses it.
fn connect(mut candidates: Vec<DaemonCandidate>) -> anyhow::Result<(UnixStream, PathBuf)> {
    candidates.sort_by_key(|candidate| matches!(candidate, DaemonCandidate::Address(_)));
    find(&candidates, |candidate| {
        let folder = match candidate {
            DaemonCandidate::Folder(folder) => folder.clone(),
            DaemonCandidate::Address(admin) => told_state_dir(*admin)?,
        };
        let path = control_path(&folder);
        let connected = UnixStream::connect(&path);
        let stream = connected.map_err(|error| match error.kind() {
            ErrorKind::PermissionDenied => {
                anyhow!("only the user that runs the daemon may give commands")
            }
            _ => error.into(),
        });
        let stream = stream.with_context(|| path.display().to_string())?;
        stream.set_nonblocking(true)?;
        Ok((stream, path))
    })
}

/// Sends a command; gives the status and the body of the response.
async fn exchange(
    stream: tokio::net::UnixStream,
    command: String,
) -> anyhow::Result<(u16, Vec<u8>)> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::post("/v1/command")
        .header(HOST, "control")
        .header(CONTENT_TYPE, "application/json")
        .body(command)?;
    // The connection ends when the sender is dropped.
    let exchange = async move {
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), LONGEST_ANSWER);
        let body = body.collect().await.map_err(|error| anyhow!(error))?;
        Ok((status, body.to_bytes().into()))
    };
    let (answer, _) = tokio::join!(exchange, connection);
    answer
}
