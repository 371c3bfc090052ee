//! The GeoIP database: read when its file changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::blocking::parse;
use super::watch::{FileWatch, Pace};
use crate::config::read;
use crate::model::limits::GEOIP_FILE;
use crate::model::{Delta, GeoDatabase};
use crate::telemetry::Metrics;

/// How the file is watched: it is large, and changes about once a week.
const PACE: Pace = Pace {
    settle: Duration::from_millis(50),
    poll: Duration::from_secs(60),
    coarse: Duration::from_secs(3),
};

/// The database in a file, as [`run`] takes it; an error names the file. Blocks.
pub fn read(path: &Path) -> Result<GeoDatabase, String> {
    let octets = read::read(path, &GEOIP_FILE).map_err(|error| error.to_string())?;
    GeoDatabase::read(octets).map_err(|error| format!("{}: {error}", path.display()))
}

/// What an operator should know of a database: that nobody can ever get a place from it. Blocks for
/// a moment.
pub fn warning(database: &GeoDatabase) -> Option<String> {
    let fields = database.fields_without_place()?;
    let fields: Vec<String> = fields
        .into_iter()
        .map(|field| format!("{field:?}"))
        .collect();
    let kind = database.kind();
    let found = match fields.as_slice() {
        [] => "no fields at all".to_owned(),
        _ => fields.join(", "),
    };
    Some(format!(
        "a database of type {kind:?} places nobody: its records have {found}, and neither country.iso_code, continent.code nor location.latitude and location.longitude"
    ))
}

/// Says what the file at `path` holds, now and after each change, until `cancel` or until nobody
/// receives. While it is missing or wrong, the database read last stays.
pub async fn run(
    path: PathBuf,
    deltas: mpsc::Sender<Delta>,
    metrics: Arc<Metrics>,
    cancel: CancellationToken,
) {
    let follow = follow(path, deltas, &metrics);
    cancel.run_until_cancelled(follow).await;
}

/// Reads the file after each change.
async fn follow(path: PathBuf, deltas: mpsc::Sender<Delta>, metrics: &Metrics) {
    let mut watch = FileWatch::with_pace([path.clone()], &GEOIP_FILE, PACE);
    loop {
        for change in watch.changed().await {
            let error = change.content.as_ref().err();
            if let Some(limit) = error.and_then(read::ReadError::limit) {
                metrics.limit_exceeded(limit);
            }
            let length = change.content.as_ref().map_or(0, Vec::len);
            let read = parse(length, move || {
                let octets = change.content.map_err(|error| error.to_string())?;
                let database = GeoDatabase::read(octets).map_err(|error| error.to_string())?;
                let warning = warning(&database);
                Ok::<_, String>((database, warning))
            });
            let read = read.await;
            let (database, warning) = match read {
                Ok(read) => read,
                Err(error) => {
                    warn!(file = %path.display(), error,
                        "GeoIP database cannot be used; the one read before stays");
                    continue;
                }
            };
            info!(file = %path.display(), kind = database.kind(), built = database.built().0,
                "GeoIP database read");
            if let Some(warning) = warning {
                warn!(file = %path.display(), "{warning}");
            }
            if deltas.send(Delta::GeoDatabase(database)).await.is_err() {
                return;
            }
        }
    }
}
