//! What operators decide over the configuration: drains, cordons and freezes.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{NamespacedName, UnixSeconds};
use crate::names::Label;

/// What an operator can take out of answers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OverrideTarget {
    /// A member.
    Member(Label),
    /// Every member that stands in a region.
    Region(Label),
    /// Every member that stands in a zone.
    Zone(Label),
    /// One service, in every member.
    Service(NamespacedName),
}

/// Why a text names nothing that can be taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not MEMBER, region/REGION, zone/ZONE or service/NAMESPACE/NAME")]
pub struct OverrideTargetError;

impl FromStr for OverrideTarget {
    type Err = OverrideTargetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let label = |text: &str| text.parse::<Label>().map_err(|_| OverrideTargetError);
        let place = |text: &str| Label::from_topology(text).map_err(|_| OverrideTargetError);
        let parts: Vec<&str> = text.split('/').collect();
        Ok(match *parts.as_slice() {
            [member] => Self::Member(label(member)?),
            ["region", region] => Self::Region(place(region)?),
            ["zone", zone] => Self::Zone(place(zone)?),
            ["service", namespace, name] => Self::Service(NamespacedName {
                namespace: label(namespace)?,
                name: label(name)?,
            }),
            _ => return Err(OverrideTargetError),
        })
    }
}

impl fmt::Display for OverrideTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member(member) => write!(f, "{member}"),
            Self::Region(region) => write!(f, "region/{region}"),
            Self::Zone(zone) => write!(f, "zone/{zone}"),
            Self::Service(name) => write!(f, "service/{name}"),
        }
    }
}

/// Something is being taken out of answers, or is out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drain {
    /// What.
    pub target: OverrideTarget,
    /// The share that it had when it began, of [`FULL_SHARE`].
    pub from: u16,
    /// Since when; `None` while it waits for answers to be thawed.
    pub begun: Option<UnixSeconds>,
    /// How long its share takes to fall from there to none; zero is at once.
    pub over: Duration,
    /// When it ends by itself.
    pub until: Option<UnixSeconds>,
    /// After this moment no answer that names it can still be in a cache; `None` while that is not
    /// known, since answers are frozen.
    pub safe_at: Option<UnixSeconds>,
}

/// Answers stay as they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freeze {
    /// At which moment.
    pub since: UnixSeconds,
    /// When it ends by itself.
    pub until: Option<UnixSeconds>,
}

/// All that operators have decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Answers stay as they were.
    pub frozen: Option<Freeze>,
    /// Each target at most once.
    pub drains: Vec<Drain>,
}

/// The whole share, in the unit that shares are counted in.
pub const FULL_SHARE: u16 = 1 << 15;

impl Drain {
    /// The share that is left at a moment, of [`FULL_SHARE`]. It never rises.
    pub fn share(&self, at: UnixSeconds) -> u16 {
        let Some(begun) = self.begun.filter(|begun| *begun <= at) else {
            return self.from;
        };
        let over = self.over.as_secs();
        let passed = (at.0 - begun.0).min(over);
        let left = (over - passed) * u64::from(self.from);
        u16::try_from(left.checked_div(over).unwrap_or(0)).unwrap_or(self.from)
    }

    /// Its state in one word, when `share` is left.
    pub fn state(&self, share: u16) -> &'static str {
        match (self.begun, share) {
            (None, _) => "waiting",
            (Some(_), 0) => "out",
            (Some(_), _) => "draining",
        }
    }

    /// When its share has fallen to none; `None` while it has not begun.
    pub fn out_at(&self) -> Option<UnixSeconds> {
        let begun = self.begun?;
        Some(UnixSeconds(begun.0.saturating_add(self.over.as_secs())))
    }
}

impl Overrides {
    /// The moment whose shares are in answers: that of the freeze, as long as there is one.
    pub fn moment(&self, now: UnixSeconds) -> UnixSeconds {
        self.frozen.map_or(now, |freeze| freeze.since)
    }

    /// The drain of a target.
    pub fn drain(&self, target: &OverrideTarget) -> Option<&Drain> {
        self.drains.iter().find(|drain| drain.target == *target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_as_they_are_written() {
        for text in ["ew1d", "region/eu", "zone/eu-1", "service/ns/web"] {
            let target: OverrideTarget = text.parse().unwrap();
            assert_eq!(target.to_string(), text);
        }
        for text in [
            "",
            "a/b",
            "service/ns",
            "region/",
            "service/ns/web/x",
            "a b",
        ] {
            assert!(text.parse::<OverrideTarget>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_share_falls_evenly() {
        let drain = |from, begun, over| Drain {
            target: "a".parse().unwrap(),
            from,
            begun,
            over: Duration::from_secs(over),
            until: None,
            safe_at: None,
        };
        let check = |over, now, share| {
            let drain = drain(FULL_SHARE, Some(UnixSeconds(100)), over);
            assert_eq!(drain.share(UnixSeconds(now)), share, "{over} {now}");
        };
        check(0, 99, FULL_SHARE);
        check(0, 100, 0);
        check(10, 90, FULL_SHARE);
        check(10, 100, FULL_SHARE);
        check(10, 105, FULL_SHARE / 2);
        check(10, 110, 0);
        check(10, 900, 0);
        let half = drain(FULL_SHARE / 2, Some(UnixSeconds(100)), 10);
        assert_eq!(half.share(UnixSeconds(105)), FULL_SHARE / 4);
        let waiting = drain(FULL_SHARE, None, 0);
        assert_eq!(waiting.share(UnixSeconds(900)), FULL_SHARE);
        assert_eq!(waiting.out_at(), None);
    }
}
