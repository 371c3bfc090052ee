//! What keeps strangers from using us against others: cookies that prove addresses, and limits for those that
//! are not proved.

use arc_swap::ArcSwap;

use super::rate_limit::RateLimiter;
use crate::answer::{Client, Prepared, Substitute};
use crate::telemetry::{LimitAction, Tally};
use crate::wire::CookieSecrets;

/// The secrets of cookies, and how much the clients of each network have got. Made once, and shared by all who
/// answer; the settings of limits are those of the snapshot.
#[derive(Debug)]
pub struct Guard {
    secrets: ArcSwap<CookieSecrets>,
    limiter: RateLimiter,
}

/// What is to become of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitVerdict {
    /// It is sent.
    Send,
    /// Another one is sent in its place.
    Refuse(Substitute),
    /// Nothing is sent.
    Drop,
}

impl Guard {
    /// Nobody has got anything yet. Without secrets there are no cookies.
    pub fn new(secrets: CookieSecrets) -> Self {
        Self {
            secrets: ArcSwap::from_pointee(secrets),
            limiter: RateLimiter::new(),
        }
    }

    /// The secrets of now.
    pub fn secrets(&self) -> CookieSecrets {
        CookieSecrets::clone(&self.secrets.load())
    }

    /// Takes other secrets.
    pub fn set_secrets(&self, secrets: CookieSecrets) {
        self.secrets.store(secrets.into());
    }

    /// The client of a request with what its cookie is worth, counted.
    #[inline]
    pub fn judge(&self, prepared: &Prepared<'_>, client: &Client, tally: &mut Tally) -> Client {
        let client = self.prove(prepared, client);
        if let Some(cookie) = &client.cookie {
            tally.cookie(cookie.result);
        }
        client
    }

    /// The same, which is counted already.
    #[inline]
    pub(super) fn prove(&self, prepared: &Prepared<'_>, client: &Client) -> Client {
        let Some(sent) = prepared.sent_cookie() else {
            return *client;
        };
        let secrets = self.secrets.load();
        let cookie = secrets.judge(&sent, client.address, client.now.0);
        Client { cookie, ..*client }
    }

    /// Counts the response that was made, or that needs a signature first, and says what is to become of it.
    #[inline]
    pub fn count(
        &self,
        prepared: &Prepared<'_>,
        client: &Client,
        tally: &mut Tally,
    ) -> LimitVerdict {
        let Some(rated) = prepared.rated() else {
            return LimitVerdict::Send;
        };
        let Some(action) = self.limiter.count(prepared.snapshot(), client, &rated) else {
            return LimitVerdict::Send;
        };
        tally.rate_limited(rated.class, action);
        match action {
            LimitAction::Sent => LimitVerdict::Send,
            LimitAction::Dropped => LimitVerdict::Drop,
            LimitAction::Truncated => LimitVerdict::Refuse(Substitute::Truncated),
            LimitAction::BadCookie => LimitVerdict::Refuse(Substitute::BadCookie),
        }
    }
}
