//! When what a connection stands on expires: what is news of that. Pure: it is given the time.

use super::super::client::{Connection, SeenExpiry};
use crate::model::UnixSeconds;

/// When what the present connection stands on expires.
#[derive(Default)]
pub(super) struct Expiries {
    /// Our credentials.
    credential: Option<UnixSeconds>,
    /// The certificate that the API shows.
    certificate: SeenExpiry,
    /// What was shown last: our credentials, and the certificate that the API showed last, perhaps to an
    /// earlier connection.
    shown: (Option<UnixSeconds>, Option<UnixSeconds>),
    /// It was said that the credentials have expired.
    is_end_said: bool,
}

impl Expiries {
    /// Takes the place of what came before.
    pub(super) fn replace(&mut self, connection: &Connection) {
        self.credential = connection.access.credential.expires;
        self.certificate = connection.certificate.clone();
        self.is_end_said = false;
    }

    /// When the credentials and the API's certificate expire, if that is news.
    pub(super) fn news(&mut self) -> Option<(Option<UnixSeconds>, Option<UnixSeconds>)> {
        let certificate = self.certificate.get().or(self.shown.1);
        let now = (self.credential, certificate);
        (std::mem::replace(&mut self.shown, now) != now).then_some(now)
    }

    /// When the credentials have expired, once.
    pub(super) fn end(&mut self, now: UnixSeconds) -> Option<UnixSeconds> {
        let ended = self.credential.filter(|at| *at <= now && !self.is_end_said);
        self.is_end_said |= ended.is_some();
        ended
    }
}
