//! The system's list of resolvers, `/etc/resolv.conf` (resolv.conf(5)), while it is used.
//!
//! It changes with networks and VPNs, and a pod's with its node: who asks the resolvers in it reads
//! it again then.

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::watch::{FileWatch, Pace};
use crate::model::limits::CONFIGURATION_FILE;

/// Where it is.
pub const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Sends `resolvers` again, as they are, whenever the file at `path` has changed while they are
/// none, which means the system's. Until `cancel`. A file that is missing changes nothing.
pub async fn run(
    path: PathBuf,
    resolvers: watch::Sender<Vec<SocketAddr>>,
    cancel: CancellationToken,
) {
    cancel.run_until_cancelled(follow(path, resolvers)).await;
}

/// Follows the file.
async fn follow(path: PathBuf, resolvers: watch::Sender<Vec<SocketAddr>>) {
    let mut watch = FileWatch::with_pace([path], &CONFIGURATION_FILE, Pace::default());
    // As it is at first it is read by who asks.
    watch.changed().await;
    loop {
        let changes = watch.changed().await;
        let is_there = changes.iter().any(|change| change.content.is_ok());
        if is_there && resolvers.borrow().is_empty() {
            info!("the system's resolvers have changed");
            resolvers.send_modify(|_| {});
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;
    use std::time::Duration;

    use super::*;

    /// Replaces a file.
    fn replace(path: &Path, text: &str) {
        let mut new = tempfile::NamedTempFile::new_in(path.parent().unwrap()).unwrap();
        new.write_all(text.as_bytes()).unwrap();
        new.persist(path).unwrap();
    }

    #[tokio::test]
    async fn a_change_is_told_to_who_asks_the_systems_resolvers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("resolv.conf");
        replace(&path, "nameserver 127.0.0.5\n");
        let resolvers = watch::Sender::new(Vec::new());
        let mut heard = resolvers.subscribe();
        let cancel = CancellationToken::new();
        let mut task = tokio::task::JoinSet::new();
        task.spawn(run(path.clone(), resolvers.clone(), cancel.clone()));
        // Whether the first reading has passed cannot be seen, so it changes until it is heard.
        let told = async {
            for number in 6..=250 {
                replace(&path, &format!("nameserver 127.0.0.{number}\n"));
                let soon = Duration::from_millis(500);
                if tokio::time::timeout(soon, heard.changed()).await.is_ok() {
                    return;
                }
            }
            panic!("nobody is told");
        };
        told.await;
        cancel.cancel();
        task.join_next().await.unwrap().unwrap();
    }
}
