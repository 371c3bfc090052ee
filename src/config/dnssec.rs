//! `[dnssec]` and `[[zone]]`: which apexes are signed, and how.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use super::federation::FederationDraft;
use super::key_file::algorithm;
use super::listen::networks;
use super::member::MemberDraft;
use super::problem::{PartProblems, Placed};
use super::section::Section;
use super::settings::{DnssecSettings, Rollover, ZoneSettings, ZoneSigning};
use super::values::{self, DAY, HOUR, show};
use crate::dnssec::Algorithm;
use crate::model::local_apex;
use crate::wire::NameBuf;

/// The folder of key files in the state folder, where the file does not say.
const FOLDER: &str = "keys";

/// How long a signature is valid at most: an old one can be replayed until it expires.
const MOST_VALIDITY: Duration = DAY.saturating_mul(30);

/// Slots of the table of signatures.
const SLOTS: RangeInclusive<u64> = 1_024..=16_777_216;

/// Signatures of absent names in a second that may be asked for.
const ABSENT_SIGNATURES: RangeInclusive<u64> = 1..=1_000_000;

/// The most threads that sign.
const MOST_SIGNERS: u64 = 256;

/// The ages at which a key may be replaced: a roll takes days, however quick the parent is.
const AGES: RangeInclusive<Duration> = DAY.saturating_mul(7)..=DAY.saturating_mul(3_650);

/// One `[[zone]]`.
pub(super) struct ZoneDraft {
    /// Its apex.
    apex: Option<Placed<NameBuf>>,
    /// All of it, when it is whole.
    pub(super) whole: Option<ZoneSettings>,
}

/// Reads `[dnssec]`; without it, everything has its default. The folder of keys is relative to the folder
/// `beside`, or in `state_dir`.
pub(super) fn dnssec(
    section: Option<Section<'_>>,
    beside: &Path,
    state_dir: Option<&Path>,
) -> DnssecSettings {
    let mut settings = DnssecSettings {
        keys: state_dir.unwrap_or(beside).join(FOLDER),
        ..DnssecSettings::default()
    };
    if let Some(section) = section {
        read(&section, beside, &mut settings);
        section.finish();
    }
    settings
}

/// Reads what is there.
fn read(section: &Section<'_>, beside: &Path, settings: &mut DnssecSettings) {
    if let Some(folder) = section.text("keys", "keys", values::plain) {
        settings.keys = beside.join(folder.value);
    }
    let validity = values::duration(HOUR * 2..=MOST_VALIDITY);
    let validity = section.text("validity", "validity", validity);
    let refresh = values::duration(HOUR..=MOST_VALIDITY / 2);
    let refresh = section.text("refresh", "refresh", refresh);
    let at = validity.as_ref().or(refresh.as_ref()).map(|it| it.at);
    settings.validity = validity.map_or(settings.validity, |it| it.value);
    settings.refresh = refresh.map_or(settings.refresh, |it| it.value);
    if settings.validity < settings.refresh * 2
        && let Some(at) = at
    {
        let (validity, refresh) = (show(settings.validity), show(settings.refresh));
        let message = format!("validity {validity} is less than twice refresh {refresh}");
        section.report.add(at, message);
    }
    let propagation = values::duration(Duration::ZERO..=values::WEEK);
    if let Some(propagation) = section.text("propagation", "propagation", propagation) {
        settings.propagation = propagation.value;
    }
    if let Some(ttl) = section.text("dnskey-ttl", "dnskey-ttl", values::ttl) {
        settings.dnskey_ttl = ttl.value;
    }
    let count = |key, range, slot: &mut usize| {
        if let Some(count) = section.integer(key, range) {
            *slot = usize::try_from(count.value).unwrap_or(*slot);
        }
    };
    count("cache", SLOTS, &mut settings.cache);
    count("signers", 1..=MOST_SIGNERS, &mut settings.signers);
    if let Some(most) = section.integer("absent-signatures", ABSENT_SIGNATURES) {
        settings.absent_signatures = u32::try_from(most.value).unwrap_or(u32::MAX);
    }
    settings.tend = section.boolean("tend").map(|tend| tend.value);
}

/// Reads one `[[zone]]`.
pub(super) fn zone(section: Section<'_>, beside: &Path) -> ZoneDraft {
    section.require("apex");
    let apex = section.text("apex", "apex", values::name);
    let file = section.text("file", "file", values::plain);
    let signing = section.table("dnssec").map(signing);
    let allow = networks(&section, "allow");
    section.finish();
    let whole = apex.as_ref().map(|apex| ZoneSettings {
        apex: apex.value.clone(),
        file: file.map(|file| beside.join(file.value)),
        signing,
        allow,
    });
    ZoneDraft { apex, whole }
}

/// Reads `dnssec` of a `[[zone]]`.
fn signing(section: Section<'_>) -> ZoneSigning {
    let algorithm = section.text("algorithm", "algorithm", algorithm);
    let rollover = section.text("rollover", "rollover", rollover);
    let parent = section.distinct("parent", values::resolver);
    section.finish();
    ZoneSigning {
        algorithm: algorithm.map_or_else(Algorithm::default, |algorithm| algorithm.value),
        rollover: rollover.map_or(Rollover::Manual, |rollover| rollover.value),
        parent,
    }
}

/// When a key is replaced: `manual`, or its age.
fn rollover(text: &str) -> Result<Rollover, String> {
    if text == "manual" {
        return Ok(Rollover::Manual);
    }
    let age = values::duration(AGES)(text);
    age.map(Rollover::Every).map_err(|error| {
        if error.starts_with("expected") {
            "expected manual, or an age such as 90d".to_owned()
        } else {
            error
        }
    })
}

/// Reports zones that are there twice, or that nothing is served in.
pub(super) fn check(
    report: &PartProblems<'_>,
    zones: &[ZoneDraft],
    federations: &[FederationDraft],
    members: &[MemberDraft],
) {
    let mut first: HashMap<&NameBuf, usize> = HashMap::new();
    for zone in zones {
        let Some(apex) = &zone.apex else {
            continue;
        };
        let has_file = zone.whole.as_ref().is_some_and(|zone| zone.file.is_some());
        let earlier = *first.entry(&apex.value).or_insert(apex.at);
        if earlier != apex.at {
            let line = report.line(earlier);
            let message = format!("zone \"{}\": there already, line {line}", apex.value);
            report.add(apex.at, message);
        } else if !has_file && !is_served(&apex.value, federations, members) {
            let message = format!("zone \"{}\": no federation is served there", apex.value);
            report.add(apex.at, message);
        }
    }
}

/// Whether a federation has names in this apex: its own, that of its clusterset, or that in the cluster
/// domain of a member. Members that come from elsewhere do not count: they may go.
fn is_served(apex: &NameBuf, federations: &[FederationDraft], members: &[MemberDraft]) -> bool {
    let mut own = federations.iter().filter_map(|draft| draft.apex.as_ref());
    let mut wholes = federations.iter().filter_map(|draft| draft.whole.as_ref());
    let domains = || {
        let members = members.iter().filter_map(|draft| draft.whole.as_ref());
        members.filter_map(|(member, _)| member.cluster_domain.as_ref())
    };
    own.any(|own| own.value == *apex)
        || wholes.any(|federation| {
            federation.clusterset.as_ref() == Some(apex)
                || domains().any(|it| local_apex(&federation.name, it).as_ref() == Some(apex))
        })
}
