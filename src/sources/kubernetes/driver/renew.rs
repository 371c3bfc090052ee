//! A new client when the files of the present one change, or its credentials run out.

use tokio::time::Instant;

use super::super::client::{Connection, connect};
use super::link::{Link, Over, Pauses, Report};
use crate::config::Source;

/// Waits until `connection` must be replaced, and reports its successor. Reports failures too, and
/// tries again.
pub(super) async fn run(link: Link, source: Source, connection: Connection) -> Over {
    let Connection {
        mut files,
        renew_at,
        has_plugin,
        ..
    } = connection;
    let mut pauses = Pauses::new(&link.timing);
    let mut has_failed = false;
    loop {
        let is_asked = tokio::select! {
            () = tokio::time::sleep(link.timing.files) => false,
            () = link.renew.notified(), if has_plugin => true,
        };
        let looked = tokio::task::spawn_blocking(move || {
            let is_changed = files.refresh();
            (files, is_changed)
        });
        // A panic ends this task; the session goes on with the client that it has.
        let Ok((looked_at, is_changed)) = looked.await else {
            return Over;
        };
        files = looked_at;
        let is_due = renew_at.is_some_and(|at| Instant::now() >= at);
        if !is_changed && !is_asked && !is_due && !has_failed {
            continue;
        }
        let connection = connect(&source).await.map(Box::new);
        has_failed = connection.is_err();
        if let Err(over) = link.report(Report::Connection(connection)).await {
            return over;
        }
        if !has_failed {
            return Over;
        }
        tokio::time::sleep(pauses.longer()).await;
    }
}
