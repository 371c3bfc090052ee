//! What a failed request means for the watch that made it.

use std::time::Duration;

use kube::Error;
use kube::core::Status;

use super::client::Secrets;
use crate::model::limits::Limit;
use crate::model::{kept, with_causes};

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
    /// 409: the object is another one by now.
    Conflict(String),
    /// The history asked for is gone, or is another one: list again.
    Expired(String),
    /// No answer: the API may be away, and another one when it is back.
    Transport(String),
    /// An answer that is of no use. The API lives.
    Answer(String),
    /// More than a limit lets through.
    TooMuch {
        /// The limit.
        limit: &'static Limit,
        /// What there was too much of.
        what: String,
    },
}

impl Failure {
    /// What a failed request means.
    pub(super) fn of(error: &Error) -> Self {
        match error {
            Error::BuildRequest(_) => Self::Answer(with_causes(error)),
            Error::Service(source) => Self::Transport(with_causes(&**source)),
            _ => Self::Transport(with_causes(error)),
        }
    }

    /// Nothing came in time.
    pub(super) fn no_answer(limit: Duration) -> Self {
        Self::Transport(format!("no answer in {limit:?}"))
    }

    /// An answer that is no JSON, or of another form: where, and never what.
    pub(super) fn undecodable(what: &str, error: &serde_json::Error) -> Self {
        Self::Answer(format!("{what}: {}", place(error)))
    }

    /// There is more of `what` than `limit` lets through.
    pub(super) fn too_much(what: &str, limit: &'static Limit) -> Self {
        let what = format!(
            "{what}: more than {} {} (limit {})",
            limit.most, limit.unit, limit.name
        );
        Self::TooMuch { limit, what }
    }

    /// What a `Status` means. Its message is cut, and has none of `secrets`.
    pub(super) fn of_status(status: &Status, secrets: &Secrets) -> Self {
        let said = if status.message.is_empty() {
            format!("{} {}", status.code, status.reason)
        } else {
            format!("{}: {}", status.code, status.message)
        };
        let said = kept(&secrets.mask(&said));
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
            409 => Self::Conflict(said),
            410 => Self::Expired(said),
            // The server stands before the version asked for: its history was rewound.
            504 if is_too_large => Self::Expired(said),
            _ => Self::Answer(said),
        }
    }

    /// The same, with `why` before what happened.
    pub(super) fn with(mut self, why: &str) -> Self {
        let (Self::Refused { said: text, .. }
        | Self::Unauthorized(text)
        | Self::Conflict(text)
        | Self::Expired(text)
        | Self::Transport(text)
        | Self::Answer(text)
        | Self::TooMuch { what: text, .. }) = &mut self;
        *text = kept(&format!("{why}: {text}"));
        self
    }

    /// What happened, for people.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Refused { said: text, .. }
            | Self::Unauthorized(text)
            | Self::Conflict(text)
            | Self::Expired(text)
            | Self::Transport(text)
            | Self::Answer(text)
            | Self::TooMuch { what: text, .. } => text,
        }
    }
}

/// What is wrong with JSON, and where: the library's own words quote it.
pub(super) fn place(error: &serde_json::Error) -> String {
    let kind = match error.classify() {
        serde_json::error::Category::Data => "JSON of another form",
        serde_json::error::Category::Eof => "JSON that ends too soon",
        _ => "no JSON",
    };
    format!("{kind} at line {}, column {}", error.line(), error.column())
}
