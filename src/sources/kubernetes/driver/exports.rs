//! ServiceExports: an extra. Denied or absent, services are exported by annotation alone; when the
//! kind arrives later, it is picked up. What was exported stays until a list says otherwise.

use super::super::failure::Failure;
use super::super::index::ObjectKind;
use super::contact::WatchStatus;
use super::follow::cycle;
use super::link::{Link, Stopped};
use super::list::version_now;
use super::pauses::Pauses;
use super::read::ExportMetadata;

/// Where versions of the kind are served.
const PATHS: [&str; 2] = [
    "/apis/multicluster.x-k8s.io/v1alpha1/serviceexports",
    "/apis/multicluster.x-k8s.io/v1beta1/serviceexports",
];

/// Follows ServiceExports for as long as the session lasts.
pub(super) async fn run(mut link: Link) -> Stopped {
    match follow(&mut link).await {
        Err(over) => over,
        Ok(never) => match never {},
    }
}

/// What a loop without end gives.
enum Never {}

/// Follows ServiceExports.
async fn follow(link: &mut Link) -> Result<Never, Stopped> {
    let mut pauses = Pauses::new(&link.timing);
    loop {
        let failure = match served(link).await {
            Ok(path) => cycle::<ExportMetadata>(link, path, &mut pauses).await?,
            Err(failure) => {
                link.report_watch(ObjectKind::Exports, WatchStatus::Failed(failure.clone()))
                    .await?;
                if !matches!(failure, Failure::Refused { .. }) {
                    pauses.wait_after(&failure, link).await;
                }
                failure
            }
        };
        if matches!(failure, Failure::Refused { .. }) {
            pauses.wait(link.timing.exports_probe, link).await;
        }
    }
}

/// Which version of the kind is served.
async fn served(link: &Link) -> Result<&'static str, Failure> {
    let mut refusal = None;
    for path in PATHS {
        match version_now::<ExportMetadata>(link, path).await {
            Ok(_) => return Ok(path),
            Err(
                failure @ Failure::Refused {
                    is_absent: true, ..
                },
            ) => {
                refusal.get_or_insert(failure);
            }
            Err(failure) => return Err(failure),
        }
    }
    Err(refusal.unwrap_or_else(|| Failure::Answer("no version is served".to_owned())))
}
