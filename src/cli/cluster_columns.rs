//! The columns of `gazetteer clusters`.

use clap::ValueEnum;
use jiff::Timestamp;

use super::age::age;
use crate::admin::Cluster;
use crate::model::UnixSeconds;

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Column {
    /// The member
    Name,
    /// Its state, and what operators leave of it
    Status,
    /// The version of its API server
    Version,
    /// Since it first synced
    Age,
    /// Its region
    Region,
    /// Its zones
    Zones,
    /// Services exported to any federation
    Services,
    /// Whether it is Ready: True or False
    Ready,
    /// Since its API last answered
    Contact,
    /// How long its token or client certificate is still good
    Token,
    /// config, folder, secret/NAME or profile/NAME
    Origin,
}

/// What is shown where nothing else is asked for.
pub(super) const USUAL: [Column; 7] = [
    Column::Name,
    Column::Status,
    Column::Version,
    Column::Age,
    Column::Region,
    Column::Zones,
    Column::Services,
];

/// What `-o wide` shows after those.
pub(super) const WIDE: [Column; 4] = [
    Column::Ready,
    Column::Contact,
    Column::Token,
    Column::Origin,
];

impl Column {
    /// Its head.
    pub(super) fn head(self) -> &'static str {
        match self {
            Self::Name => "NAME",
            Self::Status => "STATUS",
            Self::Version => "VERSION",
            Self::Age => "AGE",
            Self::Region => "REGION",
            Self::Zones => "ZONES",
            Self::Services => "SERVICES",
            Self::Ready => "READY",
            Self::Contact => "CONTACT",
            Self::Token => "TOKEN",
            Self::Origin => "ORIGIN",
        }
    }

    /// Its head among columns that were chosen: those of `KubeFed`'s table are as there.
    pub(super) fn chosen_head(self) -> &'static str {
        match self {
            Self::Version => "KUBERNETES-VERSION",
            _ => self.head(),
        }
    }

    /// What it says of a member at `now`; nothing is a dash.
    pub(super) fn cell(self, cluster: &Cluster, now: UnixSeconds) -> String {
        let cell = match self {
            Self::Name => cluster.name.clone(),
            Self::Status => {
                let drain = cluster.drain.as_ref();
                let drain = drain.map_or_else(String::new, |drain| format!(",{drain}"));
                cluster.status.clone() + &drain
            }
            Self::Version => cluster.version.clone().unwrap_or_default(),
            Self::Age => cluster.age_seconds.map(age).unwrap_or_default(),
            Self::Region => cluster.region.clone().unwrap_or_default(),
            Self::Zones => cluster.zones.join(","),
            Self::Services => cluster.services.to_string(),
            Self::Ready => if cluster.ready { "True" } else { "False" }.to_owned(),
            Self::Contact => cluster.contact_seconds.map(age).unwrap_or_default(),
            Self::Token => cluster
                .token_expires
                .as_ref()
                .map_or_else(String::new, |at| left(at, now)),
            Self::Origin => cluster.origin.clone(),
        };
        if cell.is_empty() {
            "-".to_owned()
        } else {
            cell
        }
    }
}

/// How long it is until a moment in the form of RFC 3339.
fn left(at: &str, now: UnixSeconds) -> String {
    let Ok(at) = at.parse::<Timestamp>() else {
        return at.to_owned();
    };
    let at = u64::try_from(at.as_second()).unwrap_or(0);
    match at.saturating_sub(now.0) {
        0 => "expired".to_owned(),
        left => age(left),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_token_is_told() {
        let now = UnixSeconds(1_798_027_200);
        let check = |at, expected| assert_eq!(left(at, now), expected);
        check("2026-12-23T12:00:30Z", "30s");
        check("2027-01-22T12:00:00Z", "30d");
        check("2026-12-23T12:00:00Z", "expired");
        check("2020-01-01T00:00:00Z", "expired");
    }
}
