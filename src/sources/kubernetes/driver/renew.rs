//! A new client when the files of the present one change, or its credentials run out.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::client::{Connection, KeptToken, connect};
use super::link::{Link, Stopped, TaskReport};
use super::pauses::Pauses;
use crate::config::Source;

/// Credentials of a plugin that were accepted for as long are good ones: when they are refused,
/// others are asked for at once.
const PROVEN: Duration = Duration::from_secs(60);

/// Reports a successor whenever the present connection must be replaced, and failures to build one,
/// which is tried again. Ends with the session.
///
/// A plugin whose credentials are refused is asked again and again, but after growing pauses: it
/// may be slow, cost money, or be what is refused.
pub(super) async fn run(
    link: Link,
    source: Source,
    kept: Option<Arc<KeptToken>>,
    mut connection: Connection,
) -> Stopped {
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
        let built = connect(&source, kept.as_ref()).await;
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
