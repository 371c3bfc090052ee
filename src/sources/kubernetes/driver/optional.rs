//! Kinds without which a member is followed all the same: ServiceExports, and what services ask for
//! ([`Index::wanted`](super::super::index::Index::wanted)). Where such a kind is denied or absent it
//! is asked for again, and picked up when it arrives. What was said of it stays until a list says
//! otherwise.

use super::super::failure::Failure;
use super::super::index::ObjectKind;
use super::contact::WatchStatus;
use super::follow::cycle;
use super::link::{Link, Stopped};
use super::list::version_now;
use super::pauses::Pauses;
use super::read::Watched;

/// Follows a kind for as long as the session lasts.
pub(super) async fn run<W: Watched>(mut link: Link) -> Stopped {
    match follow::<W>(&mut link).await {
        Err(over) => over,
        Ok(never) => match never {},
    }
}

/// What a loop without end gives.
enum Never {}

/// Follows a kind.
async fn follow<W: Watched>(link: &mut Link) -> Result<Never, Stopped> {
    let mut pauses = Pauses::new(&link.timing);
    loop {
        let failure = match served::<W>(link).await {
            Ok(path) => cycle::<W>(link, path, &mut pauses).await?,
            Err(failure) => {
                link.report_watch(W::KIND, WatchStatus::Failed(failure.clone()))
                    .await?;
                if !matches!(failure, Failure::Refused { .. }) {
                    pauses.wait_after(&failure, link).await;
                }
                failure
            }
        };
        if matches!(failure, Failure::Refused { .. }) {
            pauses.wait(link.timing.optional_probe, link).await;
        }
    }
}

/// Which version of the kind is served.
async fn served<W: Watched>(link: &Link) -> Result<&'static str, Failure> {
    let mut refusal = None;
    for path in W::KIND.paths() {
        match version_now::<W>(link, path).await {
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

/// What is missing without a kind that need not be there.
pub(super) fn missing_without(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Exports => "only annotations export services",
        ObjectKind::Nodes => "services with gazetteer.dev/node-port have no address outside",
        ObjectKind::Gateways
        | ObjectKind::Ingresses
        | ObjectKind::Services
        | ObjectKind::Slices => "services behind it have no address outside",
    }
}
