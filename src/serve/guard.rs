//! What keeps strangers from using us against others: cookies that prove addresses, and limits for those that
//! are not proved.

use arc_swap::ArcSwap;

use super::rate_limit::RateLimiter;
use crate::answer::{Answered, Client, Prepared, Substitute};
use crate::telemetry::{LimitAction, Tally};
use crate::wire::{ClientCookie, CookieSecrets};

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

    /// What the cookie of a request is worth, counted, and the one that its client gets.
    #[inline]
    pub fn judge(
        &self,
        prepared: &Prepared<'_>,
        client: &Client,
        tally: &mut Tally,
    ) -> Option<ClientCookie> {
        let cookie = self.prove(prepared, client)?;
        tally.cookie(cookie.result);
        Some(cookie)
    }

    /// The same, which is counted already.
    #[inline]
    pub(super) fn prove(&self, prepared: &Prepared<'_>, client: &Client) -> Option<ClientCookie> {
        let sent = prepared.sent_cookie()?;
        let secrets = self.secrets.load();
        secrets.judge(&sent, client.address, client.now.0)
    }

    /// Counts the response that was made, or that needs a signature first, and says what is to become of it.
    #[inline]
    pub fn count(
        &self,
        prepared: &Prepared<'_>,
        answered: &Answered,
        client: &Client,
        tally: &mut Tally,
    ) -> LimitVerdict {
        let Some(limits) = RateLimiter::limits(prepared.snapshot(), client, answered.class) else {
            return LimitVerdict::Send;
        };
        let rated = prepared.rated(answered);
        let Some(action) = self.limiter.count(limits, client, &rated) else {
            return LimitVerdict::Send;
        };
        tally.rate_limited(answered.class, action);
        match action {
            LimitAction::Sent => LimitVerdict::Send,
            LimitAction::Dropped => LimitVerdict::Drop,
            LimitAction::Truncated => LimitVerdict::Refuse(Substitute::Truncated),
            LimitAction::BadCookie => LimitVerdict::Refuse(Substitute::BadCookie),
        }
    }
}
