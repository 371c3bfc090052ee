//! Tending: successors, times, and the parent's DS records.

use super::parent::ParentSays;
use super::settings::KeysOfConfig;
use crate::config::Rollover;
use crate::keys::{
    DsEvidence, KeyLife, KeyState, KeysError, KeysLock, PlacedKeys, TendedZone, plan,
};
use crate::sources::blocking::blocking;
use crate::telemetry::clock;
use crate::wire::NameBuf;

/// Does with the keys what is to be done now, and says what was done, one line for each. While another
/// process tends the same folder, it waits for it if it `waits`, and else leaves all to it.
pub async fn tend(config: &KeysOfConfig, waits: bool) -> Result<Vec<String>, KeysError> {
    let folder = config.folder.clone();
    let lock = move || {
        if waits {
            KeysLock::take(&folder).map(Some)
        } else {
            KeysLock::try_take(&folder)
        }
    };
    let Some(mut lock) = blocking(lock).await? else {
        return Ok(Vec::new());
    };
    let mut done = Vec::new();
    for (zone, signing) in &config.zones {
        let (keys, held) = with(lock, KeysLock::keys).await;
        lock = held;
        let keys = keys?;
        let now = clock::now();
        let placed = PlacedKeys::at(&keys, zone, config.delays, now);
        let says = ParentSays::of(
            if needs_parent(&placed) {
                &signing.parent
            } else {
                &[]
            },
            zone,
        )
        .await;
        done.extend(
            says.silent()
                .map(|why| format!("{}: parent {why}", shown(zone))),
        );
        let evidence = |dnskey| {
            let is_unasked = signing.parent.is_empty();
            match says.evidence(zone, dnskey) {
                DsEvidence::Unasked if !is_unasked => DsEvidence::Unclear,
                other => other,
            }
        };
        let tended: Vec<_> = placed
            .keys
            .iter()
            .map(|it| (KeyLife::from(&it.key), evidence(&it.key.dnskey)))
            .collect();
        let age = match signing.rollover {
            Rollover::Manual => None,
            Rollover::Every(age) => Some(age.as_secs()),
        };
        let zone_now = TendedZone {
            keys: &tended,
            has_no_ds: says.has_no_ds(),
            algorithm: signing.algorithm,
            age,
            delays: config.delays,
        };
        let edits = plan(&zone_now, now);
        if !edits.is_empty() {
            let (keys, zone) = (keys.clone(), zone.clone());
            let (lines, held) = with(lock, move |lock| lock.apply(&keys, &zone, &edits)).await;
            lock = held;
            done.extend(lines?);
        }
    }
    drop(lock);
    Ok(done)
}

/// Whether what is to be done depends on what the parent says.
fn needs_parent(placed: &PlacedKeys<'_>) -> bool {
    let keys = placed.lives.iter().zip(&placed.places.keys);
    let mut needing = keys.filter(|(life, place)| match place.state {
        _ if placed.places.is_unsigned || !life.can_sign => false,
        _ if placed.places.asks_delete => life.times.ds_gone.is_none(),
        KeyState::Ready => life.times.ds_seen.is_none(),
        KeyState::Retired => life.times.remove.is_none(),
        _ => false,
    });
    needing.next().is_some()
}

/// Does something with a lock that waits for a disk.
async fn with<T: Send + 'static>(
    lock: KeysLock,
    work: impl FnOnce(&KeysLock) -> T + Send + 'static,
) -> (T, KeysLock) {
    blocking(move || (work(&lock), lock)).await
}

/// A zone for people.
fn shown(zone: &NameBuf) -> String {
    zone.to_string().trim_end_matches('.').to_owned()
}
