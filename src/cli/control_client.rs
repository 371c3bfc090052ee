//! Gives commands to the running daemon, over its control socket.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};

use super::state_dir;
use crate::admin::{Asked, Obeyed, control_path};

/// How long the daemon may take: it answers once the command is on disk.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Gives a command to the daemon of a state folder, and waits until it is obeyed.
pub(super) fn give(state_dir: Option<&Path>, asked: &Asked) -> anyhow::Result<Obeyed> {
    let path = control_path(&state_dir::folder(state_dir)?);
    let shown = path.display();
    let mut stream = UnixStream::connect(&path).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            anyhow!("no running daemon found: {shown} (give --state-dir)")
        }
        ErrorKind::PermissionDenied => {
            anyhow!("{shown}: only the user that runs the daemon may give commands")
        }
        _ => anyhow::Error::new(error).context(format!("{shown}")),
    })?;
    let body = serde_json::to_string(asked)?;
    // One request on a connection, whose end is the end of the response (RFC 9112 section 6.3).
    let request = format!(
        "POST /v1/command HTTP/1.0\r\nHost: control\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut response = String::new();
    stream.set_read_timeout(Some(TIMEOUT))?;
    let exchanged = stream
        .write_all(request.as_bytes())
        .and_then(|()| stream.read_to_string(&mut response));
    exchanged.with_context(|| {
        format!(
            "the daemon does not answer at {shown}; it may obey later: see `gazetteer overrides`"
        )
    })?;
    let (status, body) = read(&response).ok_or_else(|| anyhow!("{shown}: no HTTP response"))?;
    match status {
        200 => serde_json::from_str(body).context("answer of the daemon"),
        _ => bail!("{}", body.trim()),
    }
}

/// Status and body of a response.
fn read(response: &str) -> Option<(u16, &str)> {
    let (head, body) = response.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?;
    Some((status.parse().ok()?, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_a_status_and_a_body() {
        let text = "HTTP/1.0 404 Not Found\r\ncontent-length: 3\r\n\r\nno\n";
        assert_eq!(read(text), Some((404, "no\n")));
        assert_eq!(read("HTTP/1.0 200 OK\r\n"), None);
        assert_eq!(read("nonsense\r\n\r\n"), None);
    }
}
