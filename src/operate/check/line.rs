//! Lines of a report, and what they are about.

use std::fmt;
use std::net::SocketAddr;

use super::super::progress::StepMark;
use super::finding::CheckFinding;
use super::id::CheckId;
use crate::config::{Config, MemberSource};
use crate::model::MemberOrigin;
use crate::names::Label;

/// What a check is about. In the order in which they are shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CheckSubject {
    /// The files of the configuration.
    Configuration,
    /// The running daemon.
    Daemon,
    /// A member, by its place in the configuration, and where it comes from.
    Member(usize, Label, MemberOrigin),
    /// The zones that are served.
    Dns,
    /// The zones above the apexes.
    Parents,
    /// A resolver of clients.
    Resolver(SocketAddr),
}

impl CheckSubject {
    /// Its kind, and its name where there may be several.
    fn parts(&self) -> (&'static str, Option<String>) {
        match self {
            Self::Configuration => ("configuration", None),
            Self::Daemon => ("daemon", None),
            Self::Member(_, name, _) => ("member", Some(name.to_string())),
            Self::Dns => ("dns", None),
            Self::Parents => ("parents", None),
            Self::Resolver(address) => ("resolver", Some(address.to_string())),
        }
    }

    /// As the heading of its lines. Where a member comes from is said unless it is the configuration.
    pub(super) fn heading(&self) -> String {
        let origin = match self {
            Self::Member(_, _, origin) if *origin != MemberOrigin::Config => {
                format!(" ({origin})")
            }
            _ => String::new(),
        };
        match self.parts() {
            (kind, Some(name)) => format!("{kind} {name}{origin}"),
            (kind, None) => kind.to_owned(),
        }
    }

    /// Where a member comes from.
    pub(super) fn origin(&self) -> Option<&MemberOrigin> {
        match self {
            Self::Member(_, _, origin) => Some(origin),
            _ => None,
        }
    }
}

/// For programs: `member/gce-us-central1`.
impl fmt::Display for CheckSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            (kind, Some(name)) => write!(f, "{kind}/{name}"),
            (kind, None) => f.write_str(kind),
        }
    }
}

/// A member of a configuration, at this place of it.
pub(super) fn member(config: &Config, place: usize, source: &MemberSource) -> CheckSubject {
    let name = source.member.clone();
    let origin = config.membership.origin(&name);
    CheckSubject::Member(place, name, origin)
}

/// A line of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CheckLine {
    /// What it is about.
    pub(super) subject: CheckSubject,
    /// Which check it is of.
    pub(super) id: CheckId,
    /// What was found.
    pub(super) finding: CheckFinding,
    /// How long that took, in milliseconds.
    pub(super) ms: u64,
}

impl CheckLine {
    /// Whether it says that something is wrong.
    pub(super) fn is_failure(&self) -> bool {
        self.finding.state == StepMark::Failure
    }
}
