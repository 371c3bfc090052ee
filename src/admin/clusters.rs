//! The members as an operator sees them.

use serde::{Deserialize, Serialize};

use crate::model::{MemberIdx, MemberState, Shown, UnixSeconds};
use crate::names::Label;
use crate::publish::ActiveOverrides;
use crate::snapshot::Snapshot;
use crate::telemetry::{Metrics, clock};

/// One member, as `/v1/clusters` and `gazetteer clusters -o json` show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// `Syncing`, `NeverSynced`, `Ready`, `Held`, `Lost` or `Returning` (docs/names.md, D.1).
    pub status: String,
    /// What operators leave of it: `Draining`, `Drained` or none.
    pub drain: Option<String>,
    /// Why, when it is not `Ready`, and until when if that is known.
    pub reason: Option<String>,
    /// Seconds since it came into that state.
    pub status_age_seconds: u64,
    /// The version of its API server, last known; none for files.
    pub version: Option<String>,
    /// Seconds since it first synced, ever; none when it never did.
    pub age_seconds: Option<u64>,
    /// Its region.
    pub region: Option<String>,
    /// Its zones.
    pub zones: Vec<String>,
    /// How many of its services are exported to any federation.
    pub services: usize,
    /// Whether it is `Ready`: in contact, and its services are followed.
    #[serde(default)]
    pub ready: bool,
    /// Seconds since its API last answered; none for files, and before the first answer to this
    /// process.
    #[serde(default)]
    pub contact_seconds: Option<u64>,
    /// When the token or client certificate that it is asked with expires, as in RFC 3339; none
    /// where it does not.
    #[serde(default)]
    pub token_expires: Option<String>,
    /// Where it comes from: `config`, `folder`, `secret/NAME` or `profile/NAME`.
    #[serde(default)]
    pub origin: String,
    /// What an operator should know.
    pub warnings: Vec<String>,
}

/// The members of a snapshot, in configuration order, as they are at `now`.
pub fn clusters(
    snapshot: &Snapshot,
    standing: &ActiveOverrides,
    metrics: &Metrics,
    now: UnixSeconds,
) -> Vec<Cluster> {
    let monotonic = clock::monotonic();
    let drained = |name: &Label| {
        let drains = standing.drains.iter();
        let mine = drains.filter(|of| of.drain.begun.is_some() && of.members.contains(name));
        let share = mine.map(|of| of.share).min();
        share.map(|share| if share == 0 { "Drained" } else { "Draining" }.to_owned())
    };
    let troubles = standing.troubles.iter();
    let troubles = troubles.map(|trouble| format!("state-dir: {trouble}"));
    let since = |then: UnixSeconds| now.0.saturating_sub(then.0);
    let show = |(index, status): (MemberIdx, &crate::model::MemberStatus)| {
        let topology = snapshot.topology(index);
        let region = topology.and_then(|topology| topology.region.as_ref());
        let zones = topology.into_iter().flat_map(|topology| &topology.zones);
        let learnt = snapshot.scope_warnings(index).map(str::to_owned);
        let learnt = learnt.chain(snapshot.network_warning(index));
        let warnings = status.warnings.iter().cloned().chain(learnt);
        let warnings = warnings.chain(troubles.clone());
        let shown = |text: &str| Shown(text).to_string();
        let contact = metrics.contact(status.name.as_str());
        let silent = |heard| monotonic.saturating_duration_since(heard).as_secs();
        let said = status.reason.iter().chain(&status.outlook);
        let said = said.cloned().collect::<Vec<_>>().join("; ");
        Cluster {
            name: status.name.to_string(),
            status: status.state.to_string(),
            drain: drained(&status.name),
            reason: (!said.is_empty()).then(|| shown(&said)),
            status_age_seconds: since(status.since),
            version: status.version.as_deref().map(shown),
            age_seconds: status.first_synced.map(since),
            region: region.map(ToString::to_string),
            zones: zones.map(ToString::to_string).collect(),
            services: snapshot.exported(index),
            ready: status.state == MemberState::Ready,
            contact_seconds: contact.heard.map(silent),
            token_expires: contact.expires.map(|at| at.to_string()),
            origin: shown(&status.origin.to_string()),
            warnings: warnings.map(|warning| shown(&warning)).collect(),
        }
    };
    snapshot.members().map(show).collect()
}
