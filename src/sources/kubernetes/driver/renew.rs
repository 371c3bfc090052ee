//! A new client when the files of the present one change, or its credentials run out; and new tokens.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use secrecy::SecretString;
use tokio::time::Instant;

use super::super::client::{ClientOrigin, Connection, KeptToken, Renewable, TokenClaims, connect};
use super::super::failure::Failure;
use super::super::request::{self, ExpectedBody};
use super::link::{Link, Stopped, TaskReport};
use super::pauses::Pauses;
use super::renewal::{self, RenewalNews};
use super::token_request::{self, GrantedToken};
use crate::config::Source;
use crate::model::limits::TOKEN_BODY;
use crate::names::Label;
use crate::telemetry::clock;

/// Credentials of a plugin that were accepted for as long are good ones: when they are refused,
/// others are asked for at once.
const PROVEN: Duration = Duration::from_secs(60);

/// Reports a successor whenever the present connection must be replaced, and failures to build one,
/// which is tried again. Ends with the session.
///
/// A plugin whose credentials are refused is asked again and again, but after growing pauses: it
/// may be slow, cost money, or be what is refused.
pub(super) async fn run(link: Link, origin: ClientOrigin, mut connection: Connection) -> Stopped {
    let mut pauses = Pauses::new(&link.timing);
    let mut has_failed = false;
    let mut built_at = Instant::now();
    let mut not_before = built_at;
    loop {
        let is_asked = tokio::select! {
            () = tokio::time::sleep(link.timing.files) => false,
            () = async {
                link.renew.notified().await;
                tokio::time::sleep_until(not_before).await;
            }, if connection.has_plugin => true,
            () = link.rebuild.notified() => true,
        };
        let mut files = connection.files.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let is_changed = files.refresh();
            (files, is_changed)
        });
        // A panic ends this task; the session goes on with the client that it has.
        let Ok((files, is_changed)) = looked.await else {
            return Stopped;
        };
        connection.files = files;
        let is_due = connection.renew_at.is_some_and(|at| Instant::now() >= at);
        // What has failed is tried again after a pause, and at once when files have changed.
        let is_retried = (is_due || has_failed) && Instant::now() >= not_before;
        if !is_changed && !is_asked && !is_retried {
            continue;
        }
        if built_at.elapsed() >= PROVEN {
            pauses.reset();
        }
        let built = connect(&origin).await;
        has_failed = built.is_err();
        let report = match built {
            Ok(built) => {
                connection = built;
                built_at = Instant::now();
                Ok(Box::new(connection.clone()))
            }
            Err(error) => Err(error),
        };
        if let Err(over) = link.report(TaskReport::Connection(report)).await {
            return over;
        }
        not_before = Instant::now() + pauses.longer();
    }
}

/// Renews the token of a member again and again, where it is one that can be. Ends with the session.
///
/// A token out of a Secret is looked for there first, as another replica may have renewed it, and goes back
/// there.
pub(super) async fn renew_tokens(
    link: Link,
    member: Label,
    kept: Arc<KeptToken>,
    origin: ClientOrigin,
) -> Stopped {
    let timing = &link.timing;
    let pauses = ExponentialBuilder::new()
        .with_jitter()
        .with_min_delay(timing.first_rare_pause)
        .with_max_delay(timing.longest_rare_pause)
        .without_max_times();
    let mut next = pauses.build();
    let mut not_before = Instant::now();
    // Replicas do not renew in the same moment.
    let replica = RandomState::new().hash_one(&member);
    let object = match &origin.source {
        Source::Object { object } => Some(object),
        _ => None,
    };
    loop {
        tokio::time::sleep(timing.files).await;
        let Some(renewable) = link.access().renewable else {
            continue;
        };
        if clock::now() < renewal::due(&member, replica, &renewable) || Instant::now() < not_before
        {
            continue;
        }
        let present = match object {
            Some(object) => {
                let present = origin.objects.present_token(object);
                let present = tokio::time::timeout(timing.answer, present).await;
                present.ok().flatten()
            }
            None => None,
        };
        let found = present.filter(|token| succeeds(token, &renewable));
        let is_found = found.is_some();
        let token = match found {
            Some(token) => Ok(token),
            None => ask(&link, &renewable).await,
        };
        let news = match token {
            Ok(token) => {
                next = pauses.build();
                let (kept, now, new) = (Arc::clone(&kept), clock::now(), token.clone());
                let written = tokio::task::spawn_blocking(move || kept.keep(new, now)).await;
                // A panic ends this task; the session goes on with the client that it has.
                let Ok(written) = written else {
                    return Stopped;
                };
                link.rebuild.notify_one();
                if let Some(object) = object.filter(|_| !is_found) {
                    origin.objects.write_back(object, token).await;
                }
                let why = written.err().map(|error| error.to_string());
                if is_found {
                    RenewalNews::Found(why)
                } else {
                    RenewalNews::Renewed(why)
                }
            }
            Err(Failure::Refused { said, .. }) => RenewalNews::Refused(said, renewable.expires),
            Err(failure) => RenewalNews::Failed(failure.text().to_owned()),
        };
        // Whatever is granted, nobody is asked more often.
        not_before = Instant::now() + next.next().unwrap_or(timing.longest_rare_pause);
        if let Err(stopped) = link.report(TaskReport::Renewal(news)).await {
            return stopped;
        }
    }
}

/// Whether a token is of the same ServiceAccount as another, and was issued later, or in the same second for
/// longer.
fn succeeds(token: &SecretString, present: &Renewable) -> bool {
    TokenClaims::of(token).is_some_and(|claims| {
        let account = (present.namespace.clone(), present.name.clone());
        let (issued, expires) = (Some(present.issued), Some(present.expires));
        claims.subject == Some(account) && (claims.issued, claims.expires) > (issued, expires)
    })
}

/// Asks for a token.
async fn ask(link: &Link, renewable: &Renewable) -> Result<SecretString, Failure> {
    let Renewable {
        namespace,
        name,
        asked,
        ..
    } = renewable;
    let request = token_request::build(namespace, name, *asked);
    let expected = ExpectedBody {
        what: "a token",
        limit: &TOKEN_BODY,
    };
    let limit = link.timing.page;
    let access = link.access();
    let answer = request::value::<GrantedToken>(&access, request, expected);
    let answer = tokio::time::timeout(limit, answer).await;
    let granted = answer.unwrap_or_else(|_| Err(Failure::no_answer(limit)))?;
    Ok(granted.status.token)
}
