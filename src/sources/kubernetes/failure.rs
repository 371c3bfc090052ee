//! What a failed request means for the watch that made it.

use kube::Error;
use kube::core::Status;

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// 403 or 404: the right is missing, or the kind is not served. Facts are held.
    Refused {
        /// 404.
        is_absent: bool,
        /// What the server said.
        said: String,
    },
    /// 401: the credentials are not accepted.
    Unauthorized(String),
    /// The history asked for is gone, or is another one: list again.
    Expired(String),
    /// No answer: the API may be away, and another one when it is back.
    Transport(String),
    /// An answer that is of no use. The API lives.
    Answer(String),
}

impl Failure {
    /// What a failed request means.
    pub(super) fn of(error: &Error) -> Self {
        match error {
            Error::Api(status) => Self::of_status(status),
            Error::SerdeError(_) | Error::FromUtf8(_) | Error::BuildRequest(_) => {
                Self::Answer(chain(error))
            }
            Error::Service(source) => Self::Transport(chain(&**source)),
            _ => Self::Transport(chain(error)),
        }
    }

    /// What a `Status` means.
    pub(super) fn of_status(status: &Status) -> Self {
        let said = if status.message.is_empty() {
            format!("{} {}", status.code, status.reason)
        } else {
            format!("{}: {}", status.code, status.message)
        };
        let is_too_large = status.details.as_ref().is_some_and(|details| {
            details
                .causes
                .iter()
                .any(|cause| cause.reason == "ResourceVersionTooLarge")
        });
        match status.code {
            401 => Self::Unauthorized(said),
            403 | 404 => Self::Refused {
                is_absent: status.code == 404,
                said,
            },
            410 => Self::Expired(said),
            // The server stands before the version asked for: its history was rewound.
            504 if is_too_large => Self::Expired(said),
            _ => Self::Answer(said),
        }
    }

    /// What happened, for people.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Refused { said: text, .. }
            | Self::Unauthorized(text)
            | Self::Expired(text)
            | Self::Transport(text)
            | Self::Answer(text) => text,
        }
    }
}

/// An error with its causes, each said once: the outer ones of HTTP clients say little.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}
