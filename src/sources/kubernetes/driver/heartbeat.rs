//! Whether the API answers: GET `/readyz`, whatever it says (docs/names.md, decision 5), and when
//! it is ready again after it was not.

use std::time::Duration;

use kube::api::GetParams;
use kube::core::Request;
use tokio::time::Instant;

use super::super::failure::Failure;
use super::super::request::{self, ExpectedBody};
use super::link::{Link, Stopped, TaskReport};
use crate::model::limits::SMALL_BODY;

/// What became of a request for `/readyz`.
enum Answer {
    /// It is ready, or says neither: a right to ask may be missing.
    Ready,
    /// It answers, and is not ready: an error that is about no right.
    Unready,
    /// It does not answer.
    Silent(String),
}

/// Sends heartbeats for as long as the session lasts.
///
/// Every request that is under way has a connection of its own (HTTP/1.1), so a heartbeat never
/// waits behind a watch.
///
/// Between heartbeats it looks whether the API answers when something else has failed, and again
/// every [`Timing::look`](super::timing::Timing::look) while it is not ready: whatever the pauses of others
/// have grown to, they end when it is. Such looks are no heartbeats: their failure counts nowhere.
pub(super) async fn run(link: Link) -> Stopped {
    let mut due = Instant::now();
    let (mut is_ready, mut is_silent) = (true, false);
    loop {
        let is_beat = Instant::now() >= due;
        if is_beat {
            due = Instant::now() + link.timing.heartbeat;
        }
        let limit = if is_beat {
            link.timing.answer
        } else {
            link.timing.answer.min(link.timing.look)
        };
        let answer = ask(&link, limit).await;
        let (was_ready, was_silent) = (is_ready, is_silent);
        is_ready = matches!(answer, Answer::Ready);
        is_silent = matches!(answer, Answer::Silent(_));
        let beat = match answer {
            Answer::Silent(why) => is_beat.then_some(Err(why)),
            Answer::Ready | Answer::Unready => (is_beat || was_silent).then_some(Ok(())),
        };
        if let Some(beat) = beat
            && let Err(over) = link.report(TaskReport::Beat(beat)).await
        {
            return over;
        }
        if is_ready
            && !was_ready
            && let Err(over) = link.report(TaskReport::Returned).await
        {
            return over;
        }
        let look = Instant::now() + link.timing.look;
        if is_ready {
            tokio::select! {
                () = tokio::time::sleep_until(due) => {}
                () = async {
                    link.look.notified().await;
                    tokio::time::sleep_until(look).await;
                } => {}
            }
        } else {
            tokio::time::sleep_until(due.min(look)).await;
        }
    }
}

/// Asks once.
async fn ask(link: &Link, limit: Duration) -> Answer {
    let request = Request::new("").get("readyz", &GetParams::default());
    let asked = ExpectedBody {
        what: "/readyz",
        limit: &SMALL_BODY,
    };
    match tokio::time::timeout(limit, request::body(&link.access(), request, asked)).await {
        Err(_) => Answer::Silent(format!("no answer in {limit:?}")),
        Ok(Err(Failure::Transport(why) | Failure::TooMuch { what: why, .. })) => {
            Answer::Silent(why)
        }
        Ok(Err(Failure::Answer(_))) => Answer::Unready,
        Ok(_) => Answer::Ready,
    }
}
