//! The control socket: what changes something goes through a Unix socket in `state-dir`, which
//! only the user of the daemon may open (docs/operations.md, Drain).
//!
//! ```text
//! POST /v1/command  one command, as [`ControlRequest`]; the answer comes once clients see what it does
//! ```
//!
//! The event and the log line of a command say which process gave it.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Extension, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::connections::{Acceptor, Site, serve};
use super::error::AdminError;
use super::overrides::Obeyed;
use crate::model::Peer;
use crate::model::limits::CONTROL_COMMAND;
use crate::publish::{ALL_MEMBERS, CommandRefused, CommandRequest, OperatorCommand};
use crate::telemetry::Metrics;

/// The socket in `state-dir`.
const NAME: &str = "control";

/// A command as it comes over the socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "lowercase", deny_unknown_fields)]
pub enum ControlRequest {
    /// Take something out of answers.
    Drain {
        /// `MEMBER`, `region/REGION`, `zone/ZONE` or `service/NAMESPACE/NAME`.
        target: String,
        /// How long its share takes to fall to none; 0 is at once.
        over_seconds: u64,
        /// For how long it is out; none until taken back.
        for_seconds: Option<u64>,
    },
    /// Take a drain or cordon back.
    Uncordon {
        /// As for a drain.
        target: String,
    },
    /// Let answers stay as they are.
    Freeze {
        /// For how long; none until thawed.
        for_seconds: Option<u64>,
    },
    /// Let answers follow the facts again.
    Thaw,
    /// Let withheld removals of a member through.
    Confirm {
        /// The member.
        member: String,
    },
    /// A member is meant to be gone.
    Forget {
        /// The member.
        member: String,
    },
}

impl TryFrom<ControlRequest> for OperatorCommand {
    type Error = String;

    fn try_from(asked: ControlRequest) -> Result<Self, String> {
        let lasting = |seconds: Option<u64>| seconds.map(Duration::from_secs);
        let target = |text: String| {
            let read = text.parse();
            read.map_err(|error| format!("target {text:?}: {error}"))
        };
        let label = |text: &str| {
            let read = text.parse();
            read.map_err(|error| format!("member {text:?}: {error}"))
        };
        Ok(match asked {
            ControlRequest::Drain {
                target: text,
                over_seconds,
                for_seconds,
            } => Self::Drain {
                target: target(text)?,
                over: Duration::from_secs(over_seconds),
                lasting: lasting(for_seconds),
            },
            ControlRequest::Uncordon { target: text } => Self::Uncordon(target(text)?),
            ControlRequest::Freeze { for_seconds } => Self::Freeze {
                lasting: lasting(for_seconds),
            },
            ControlRequest::Thaw => Self::Thaw,
            ControlRequest::Confirm { member } if member == ALL_MEMBERS => Self::ConfirmMembers,
            ControlRequest::Confirm { member } => Self::Confirm(label(&member)?),
            ControlRequest::Forget { member } => Self::Forget(label(&member)?),
        })
    }
}

/// The path of the control socket in a state folder.
pub fn control_path(state_dir: &Path) -> PathBuf {
    state_dir.join(NAME)
}

/// The control socket, bound and not yet served. Dropping it removes it.
#[derive(Debug)]
pub struct Control {
    /// The socket.
    listener: UnixListener,
    /// Removes it.
    file: Removed,
}

/// A file that goes with its owner.
#[derive(Debug)]
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        // The next daemon replaces what cannot be removed.
        let _ = fs::remove_file(&self.0);
    }
}

/// Binds the control socket in a state folder that this process has locked; one that an earlier
/// process has left is replaced. Nobody but the user of this process may open it.
pub fn bind_control(state_dir: &Path) -> Result<Control, AdminError> {
    let path = control_path(state_dir);
    let bind = || -> io::Result<UnixListener> {
        // Made where nobody else can look, so that it is never open to others.
        let private = state_dir.join("control.new");
        match fs::remove_dir_all(&private) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => DirBuilder::new().mode(0o700).create(&private)?,
        }
        let new = private.join(NAME);
        let listener = UnixListener::bind(&new)?;
        fs::set_permissions(&new, Permissions::from_mode(0o600))?;
        fs::rename(&new, &path)?;
        fs::remove_dir(&private)?;
        Ok(listener)
    };
    match bind() {
        Ok(listener) => Ok(Control {
            listener,
            file: Removed(path),
        }),
        Err(source) => Err(AdminError::Control { path, source }),
    }
}

impl Control {
    /// Serves until `cancel`, then removes the socket.
    pub async fn run(
        self,
        commands: mpsc::Sender<CommandRequest>,
        metrics: Arc<Metrics>,
        cancel: CancellationToken,
    ) {
        let Self { listener, file } = self;
        let site = Site {
            what: "control socket",
            router: Router::new()
                .route("/v1/command", post(obey))
                .layer(DefaultBodyLimit::max(CONTROL_COMMAND.length()))
                .with_state((commands, Arc::clone(&metrics))),
            kept: &[],
            metrics,
        };
        serve(listener, site, &cancel).await;
        drop(file);
    }
}

impl Acceptor for UnixListener {
    type Stream = UnixStream;

    async fn accept(&mut self) -> io::Result<(UnixStream, Option<Peer>)> {
        let (stream, _) = UnixListener::accept(self).await?;
        let peer = stream.peer_cred().ok().map(|peer| Peer {
            uid: peer.uid(),
            // 0 is a process that this one cannot see.
            pid: peer.pid().filter(|pid| *pid > 0),
        });
        Ok((stream, peer))
    }
}

/// `/v1/command`
async fn obey(
    State((commands, metrics)): State<(mpsc::Sender<CommandRequest>, Arc<Metrics>)>,
    Extension(by): Extension<Option<Peer>>,
    asked: Result<Json<ControlRequest>, JsonRejection>,
) -> Result<Json<Obeyed>, (StatusCode, String)> {
    let say = |status, text: String| (status, text + "\n");
    let Json(asked) = asked.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            metrics.limit_exceeded(&CONTROL_COMMAND);
        }
        say(rejection.status(), rejection.body_text())
    })?;
    let command = asked.try_into();
    let command = command.map_err(|problem| say(StatusCode::BAD_REQUEST, problem))?;
    let (reply, outcome) = oneshot::channel();
    commands
        .try_send(CommandRequest { command, by, reply })
        .map_err(|_| say(StatusCode::SERVICE_UNAVAILABLE, "busy or ending".to_owned()))?;
    let ended = |_| say(StatusCode::SERVICE_UNAVAILABLE, "ending".to_owned());
    let outcome = outcome.await.map_err(ended)?;
    let done = outcome.map_err(|refused| say(status(&refused), refused.to_string()))?;
    Ok(Json(done.into()))
}

/// The status of a refusal.
fn status(refused: &CommandRefused) -> StatusCode {
    match refused {
        CommandRefused::Unknown { .. } => StatusCode::NOT_FOUND,
        CommandRefused::NotOut { .. }
        | CommandRefused::NotFrozen
        | CommandRefused::OfHost { .. }
        | CommandRefused::TooMany
        | CommandRefused::NoMembersWithheld
        | CommandRefused::OfConfiguration { .. }
        | CommandRefused::NothingWithheld { .. } => StatusCode::CONFLICT,
        CommandRefused::NotKept { .. } => StatusCode::INSUFFICIENT_STORAGE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_as_they_are_written() {
        for (asked, text) in [
            (
                ControlRequest::Drain {
                    target: "region/eu".to_owned(),
                    over_seconds: 60,
                    for_seconds: None,
                },
                r#"{"command":"drain","target":"region/eu","over_seconds":60,"for_seconds":null}"#,
            ),
            (ControlRequest::Thaw, r#"{"command":"thaw"}"#),
            (
                ControlRequest::Forget {
                    member: "m".to_owned(),
                },
                r#"{"command":"forget","member":"m"}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&asked).unwrap(), text);
            assert_eq!(serde_json::from_str::<ControlRequest>(text).unwrap(), asked);
            assert!(OperatorCommand::try_from(asked).is_ok());
        }
        let target = "regions/eu".to_owned();
        assert!(OperatorCommand::try_from(ControlRequest::Uncordon { target }).is_err());
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_ours_goes_with_us() {
        let folder = tempfile::tempdir().unwrap();
        let path = control_path(folder.path());
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let control = bind_control(folder.path()).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::os::unix::net::UnixStream::connect(&path).unwrap();
        drop(control);
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
