//! When what a connection stands on expires, as metrics and the log say it.

use jiff::Timestamp;
use tracing::warn;

use super::super::client::{Connection, SeenExpiry};
use super::delta_sender::DeltaSender;
use crate::model::UnixSeconds;

/// When what a connection stands on expires.
#[derive(Default)]
pub(super) struct Expiries {
    /// Our credentials.
    credential: Option<UnixSeconds>,
    /// The certificate that the API shows.
    certificate: SeenExpiry,
    /// What was shown last.
    shown: Option<(Option<UnixSeconds>, Option<UnixSeconds>)>,
    /// It was said that the credentials have expired.
    is_end_said: bool,
}

impl Expiries {
    /// Those of a connection.
    pub(super) fn of(connection: &Connection) -> Self {
        Self {
            credential: connection.access.credential.expires,
            certificate: connection.certificate.clone(),
            shown: None,
            is_end_said: false,
        }
    }

    /// Shows what is new.
    pub(super) fn show(&mut self, sender: &DeltaSender, now: UnixSeconds) {
        let seen = (self.credential, self.certificate.get());
        if self.shown != Some(seen) {
            self.shown = Some(seen);
            sender.show_expiries(seen.0, seen.1);
        }
        let ended = self.credential.filter(|at| *at <= now && !self.is_end_said);
        if let Some(at) = ended {
            self.is_end_said = true;
            warn!(expired = utc(at), "credential expired");
        }
    }
}

/// A time, as people read it.
pub(super) fn utc(at: UnixSeconds) -> String {
    let seconds = i64::try_from(at.0).ok();
    let at = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    at.map_or_else(|| "never".to_owned(), |at| at.to_string())
}
