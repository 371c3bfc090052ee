//! The GeoIP database: read when its file changes.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::watch::{FileWatch, Pace};
use crate::model::limits::GEOIP_FILE;
use crate::model::{Delta, GeoDatabase};

/// How the file is watched: it is large, and changes about once a week.
const PACE: Pace = Pace {
    settle: Duration::from_millis(50),
    poll: Duration::from_secs(60),
    coarse: Duration::from_secs(3),
};

/// Says what the file at `path` holds, now and after each change, until `cancel` or until nobody
/// receives. While it is missing or wrong, the database read last stays.
pub async fn run(path: PathBuf, deltas: mpsc::Sender<Delta>, cancel: CancellationToken) {
    cancel.run_until_cancelled(follow(path, deltas)).await;
}

/// Reads the file after each change.
async fn follow(path: PathBuf, deltas: mpsc::Sender<Delta>) {
    let mut watch = FileWatch::with_pace([path.clone()], &GEOIP_FILE, PACE);
    loop {
        for change in watch.changed().await {
            let read = change
                .content
                .map_err(|error| error.to_string())
                .and_then(|octets| GeoDatabase::read(octets).map_err(|error| error.to_string()));
            let database = match read {
                Ok(database) => database,
                Err(error) => {
                    warn!(file = %path.display(), error,
                        "GeoIP database cannot be used; the one read before stays");
                    continue;
                }
            };
            info!(file = %path.display(), kind = database.kind(), built = database.built().0,
                "GeoIP database read");
            if deltas.send(Delta::GeoDatabase(database)).await.is_err() {
                return;
            }
        }
    }
}
