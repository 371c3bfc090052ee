//! What the writer knows of each member besides its services.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;

use super::MemberOrigin;
use crate::names::Label;

/// Seconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct UnixSeconds(pub u64);

/// As in RFC 3339, in UTC.
impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.0).unwrap_or(i64::MAX);
        let at = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
        write!(f, "{at}")
    }
}

/// The state of a member (docs/names.md, D.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberState {
    /// No facts yet; its `sync-timeout` has not passed.
    Syncing(Joined),
    /// No facts, and its `sync-timeout` has passed: it counts as empty.
    NeverSynced,
    /// Watched; its facts are live.
    Ready,
    /// Lost or restored; its last facts count as if they were live, and answers from them say so.
    Held,
    /// Held for longer than `hold`: withdrawn wherever a service has another eligible shard that is
    /// not held.
    Lost,
    /// In contact again and listing; its held facts count until the list is complete.
    Returning,
}

impl fmt::Display for MemberState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Syncing(_) => "Syncing",
            Self::NeverSynced => "NeverSynced",
            Self::Ready => "Ready",
            Self::Held => "Held",
            Self::Lost => "Lost",
            Self::Returning => "Returning",
        })
    }
}

/// When a member came into the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// The process started with it.
    AtStart,
    /// A reload added it: it never turns an existing answer into SERVFAIL.
    WhileRunning,
}

/// A member as `gazetteer clusters` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberStatus {
    /// Its name.
    pub name: Label,
    /// Where it comes from.
    pub origin: MemberOrigin,
    /// Its state.
    pub state: MemberState,
    /// Why it is in that state, when it is not `Ready`.
    pub reason: Option<String>,
    /// Until when at most it stays in that state by itself, and what ends it; of a held member.
    pub outlook: Option<String>,
    /// When it came into that state.
    pub since: UnixSeconds,
    /// The version it runs, last known; `None` for files.
    pub version: Option<String>,
    /// When it first synced, ever.
    pub first_synced: Option<UnixSeconds>,
    /// Things an operator should know.
    pub warnings: Vec<String>,
}

/// Where a member stands: what is configured, else what was learnt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TopologyFacts {
    /// Its region now.
    pub region: Option<Label>,
    /// Its zones now.
    pub zones: BTreeSet<Label>,
    /// Every region, and zone with its region, that was ever learnt for it: they stay known
    /// (docs/names.md, D.4).
    pub known: BTreeSet<(Label, Option<Label>)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_by_rfc_3339() {
        let shown = UnixSeconds(1_798_027_200).to_string();
        assert_eq!(shown, "2026-12-23T12:00:00Z");
    }
}
