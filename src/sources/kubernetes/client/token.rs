//! What a bearer token says of itself: the claims of a JSON Web Token (RFC 7519). They are not
//! verified, as only the API can do that, and decide nothing but when to ask for another one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::model::UnixSeconds;

/// The claims of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claims {
    /// When it was issued.
    pub(super) issued: Option<UnixSeconds>,
    /// When it expires; `None` is never.
    pub(super) expires: Option<UnixSeconds>,
}

/// The claims as they are written.
#[derive(Deserialize)]
struct Written {
    /// Seconds since 1970, perhaps with a fraction.
    iat: Option<f64>,
    /// The same.
    exp: Option<f64>,
}

impl Claims {
    /// Those of `token`; `None` of one that is no JSON Web Token.
    pub(super) fn of(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
        let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
        let written: Written = serde_json::from_slice(&claims).ok()?;
        Some(Self {
            issued: written.iat.map(seconds),
            expires: written.exp.map(seconds),
        })
    }
}

/// Whole seconds.
fn seconds(written: f64) -> UnixSeconds {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "what is no time is the first or the last one"
    )]
    UnixSeconds(written as u64)
}
