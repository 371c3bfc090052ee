//! What `gazetteer keys list` and `ds` show.

use std::fmt::Write;

use anyhow::bail;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::age::age;
use super::daemon_arguments::Output;
use super::keys_arguments::DsOutput;
use super::table::table;
use crate::config::{Config, rfc_3339};
use crate::dnssec::DsDigest;
use crate::keys::{KeyDelays, KeyLife, KeyState, PlacedKeys, StoredKeys};
use crate::model::UnixSeconds;
use crate::telemetry::clock;
use crate::wire::NameBuf;

/// The heads of the columns.
const HEADS: [&str; 6] = ["ZONE", "TAG", "ALGORITHM", "STATE", "AGE", "NEXT"];

/// A key as programs see it.
#[derive(Debug, Serialize)]
struct ListedKey {
    zone: String,
    tag: u16,
    algorithm: &'static str,
    state: &'static str,
    /// When it was made (RFC 3339).
    created: String,
    /// Its next step, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'static str>,
    /// When that is (RFC 3339); none where it waits for the parent.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    file: String,
}

/// Records for a parent, as programs see them.
#[derive(Debug, Serialize)]
struct ShownDs {
    zone: String,
    tag: u16,
    algorithm: u8,
    digest_type: u8,
    /// In hexadecimal digits.
    digest: String,
    flags: u16,
    /// The key field of the DNSKEY record, in base64.
    public_key: String,
}

/// All keys, or those of a zone.
pub(super) fn list(
    config: &Config,
    zone: Option<&NameBuf>,
    output: Output,
) -> anyhow::Result<String> {
    let stored = StoredKeys::read(&config.dnssec.keys)?;
    let mut zones: Vec<&NameBuf> = stored.0.iter().map(|it| &it.key.zone).collect();
    zones.sort();
    zones.dedup();
    zones.retain(|it| zone.is_none_or(|zone| zone == *it));
    let (delays, now) = (delays(config), clock::now());
    let mut listed = Vec::new();
    let mut rows = vec![HEADS.map(str::to_owned).to_vec()];
    for zone in zones {
        let placed = PlacedKeys::at(&stored, zone, delays, now);
        let places = placed.lives.iter().zip(&placed.places.keys);
        for (it, (life, place)) in placed.keys.iter().zip(places) {
            let next = next(life, place.state, &placed.lives, delays);
            let algorithm = life.algorithm.mnemonic();
            let key = ListedKey {
                zone: shown(zone),
                tag: life.tag,
                algorithm,
                state: place.state.as_str(),
                created: rfc_3339(life.times.created),
                next: next.map(|(what, _)| what),
                at: next.and_then(|(_, at)| at).map(rfc_3339),
                file: it.path.display().to_string(),
            };
            let in_words = match next {
                None => "-".to_owned(),
                Some((what, None)) => format!("{what} when the parent has changed its DS records"),
                Some((what, Some(at))) => format!("{what} in {}", age(left(at, now))),
            };
            rows.push(vec![
                key.zone.clone(),
                key.tag.to_string(),
                algorithm.to_owned(),
                key.state.to_owned(),
                age(left(now, life.times.created)),
                in_words,
            ]);
            listed.push(key);
        }
    }
    Ok(match output {
        Output::Json => serde_json::to_string_pretty(&listed)? + "\n",
        Output::Text if listed.is_empty() => "no keys\n".to_owned(),
        Output::Text => table(&rows),
    })
}

/// The next step of a key, and when; `None` as the time where it needs the parent.
fn next(
    life: &KeyLife,
    state: KeyState,
    all: &[KeyLife],
    delays: KeyDelays,
) -> Option<(&'static str, Option<UnixSeconds>)> {
    let times = &life.times;
    match state {
        KeyState::Generated => Some(("published", Some(times.publish))),
        KeyState::Published if !life.can_sign => None,
        KeyState::Published => Some(("ready", Some(times.ready))),
        KeyState::Ready => Some(("active", life.active(delays))),
        KeyState::Active | KeyState::Removed => None,
        KeyState::Retiring => {
            let successors = all
                .iter()
                .filter(|other| other.times.publish > times.publish);
            let active = successors.filter_map(|other| other.active(delays)).min();
            Some(("retired", active))
        }
        KeyState::Retired => Some(("removed", times.remove)),
    }
}

/// The records that a parent needs.
pub(super) fn ds(
    config: &Config,
    zone: &NameBuf,
    digest: DsDigest,
    output: DsOutput,
) -> anyhow::Result<String> {
    let stored = StoredKeys::read(&config.dnssec.keys)?;
    let placed = PlacedKeys::at(&stored, zone, delays(config), clock::now());
    let Some(key) = placed.asked() else {
        bail!("{}: no key is ready", shown(zone));
    };
    let dnskey = &key.key.dnskey;
    let rdata = dnskey.ds(zone, digest);
    let hex = rdata.iter().skip(4).fold(String::new(), |mut text, octet| {
        // A String takes everything.
        let _ = write!(text, "{octet:02X}");
        text
    });
    let shown = ShownDs {
        zone: shown(zone),
        tag: dnskey.tag(),
        algorithm: dnskey.algorithm().number(),
        digest_type: digest.number(),
        digest: hex,
        flags: 257,
        public_key: STANDARD.encode(dnskey.public()),
    };
    Ok(match output {
        DsOutput::Json => serde_json::to_string_pretty(&shown)? + "\n",
        DsOutput::TrustAnchors => format!(
            "trust-anchors {{\n    {zone} static-ds {} {} {} \"{}\";\n}};\n",
            shown.tag, shown.algorithm, shown.digest_type, shown.digest
        ),
        DsOutput::Text => format!(
            "{zone} IN DS {} {} {} {}\n{zone} IN DNSKEY {} 3 {} {}\n",
            shown.tag,
            shown.algorithm,
            shown.digest_type,
            shown.digest,
            shown.flags,
            shown.algorithm,
            shown.public_key
        ),
    })
}

/// How long what takes.
pub(super) fn delays(config: &Config) -> KeyDelays {
    (&config.dnssec).into()
}

/// A zone for people.
pub(super) fn shown(zone: &NameBuf) -> String {
    zone.to_string().trim_end_matches('.').to_owned()
}

/// A moment for people, as seconds from now.
fn left(time: UnixSeconds, now: UnixSeconds) -> u64 {
    time.0.saturating_sub(now.0)
}
