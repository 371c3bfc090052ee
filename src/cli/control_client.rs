//! Gives commands to the running daemon, over its control socket.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use http_body_util::{BodyExt, Limited};
use hyper::Request;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::runtime::Builder;
use tokio::time::timeout;

use super::state_dir;
use crate::admin::{Asked, Obeyed, control_path};

/// How long the daemon may take: it answers once the command is on disk.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The longest answer, in octets: it has a note for each member at most.
const LONGEST_ANSWER: usize = 1 << 20;

/// Gives a command to the daemon of a state folder, and waits until it is obeyed.
pub(super) fn give(state_dir: Option<&Path>, asked: &Asked) -> anyhow::Result<Obeyed> {
    let path = control_path(&state_dir::folder(state_dir)?);
    let shown = path.display();
    let command = serde_json::to_string(asked)?;
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    let (status, body) = runtime.block_on(async {
        let stream = UnixStream::connect(&path).await;
        let stream = stream.map_err(|error| not_connected(error, &path))?;
        let exchanged = timeout(TIMEOUT, exchange(stream, command)).await;
        let exchanged = exchanged.unwrap_or_else(|_| Err(anyhow!("no answer in {TIMEOUT:?}")));
        exchanged.with_context(|| {
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

/// Why the control socket takes no connection.
fn not_connected(error: io::Error, path: &Path) -> anyhow::Error {
    let shown = path.display();
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            anyhow!("no running daemon found: {shown} (give --state-dir)")
        }
        ErrorKind::PermissionDenied => {
            anyhow!("{shown}: only the user that runs the daemon may give commands")
        }
        _ => anyhow::Error::new(error).context(format!("{shown}")),
    }
}

/// Sends a command; gives the status and the body of the response.
async fn exchange(stream: UnixStream, command: String) -> anyhow::Result<(u16, Vec<u8>)> {
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
