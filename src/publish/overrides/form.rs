//! The form in which decisions of operators are written down, for people to read: in `overrides.json`
//! of `state-dir`, and under the key of that name in a `ConfigMap` of the host cluster.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::limits::DRAINS;
use crate::model::{
    ConfirmedRemoval, Drain, FULL_SHARE, Freeze, OverrideTarget, Overrides, SharedOverrides,
    UnixSeconds,
};

/// The form of the file.
const VERSION: u32 = 1;

/// What a confirmation calls the members that wait to be gone; no member can be called so.
pub const ALL_MEMBERS: &str = "*members";

/// The file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::publish) struct OverridesFile {
    /// The form.
    version: u32,
    /// The freeze, if answers are frozen.
    frozen: Option<SavedFreeze>,
    /// The drains.
    drains: Vec<SavedDrain>,
    /// What was confirmed of late; in a `ConfigMap` alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    confirmations: Vec<SavedConfirmation>,
}

/// A freeze.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedFreeze {
    /// RFC 3339.
    since: String,
    /// RFC 3339.
    until: Option<String>,
}

/// A drain.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedDrain {
    /// As in commands.
    target: String,
    /// The share when it began, 0 to 1.
    from: f64,
    /// RFC 3339.
    begun: Option<String>,
    /// How long its share takes to fall.
    over_seconds: u64,
    /// RFC 3339.
    until: Option<String>,
    /// RFC 3339.
    safe_at: Option<String>,
}

/// A confirmation.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedConfirmation {
    /// The member, or [`ALL_MEMBERS`].
    member: String,
    /// RFC 3339.
    at: String,
}

/// Why a text cannot be used.
#[derive(Debug, thiserror::Error)]
pub(in crate::publish) enum Damage {
    /// It is no JSON, or not of this form.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// A value means nothing.
    #[error("{0}")]
    Value(String),
}

/// The text that says this.
pub(in crate::publish) fn text_of(shared: &SharedOverrides) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(&written(shared))? + "\n")
}

/// The file that says this.
pub(in crate::publish) fn written(shared: &SharedOverrides) -> OverridesFile {
    let drained = |drain: &Drain| SavedDrain {
        target: drain.target.to_string(),
        from: f64::from(drain.from) / f64::from(FULL_SHARE),
        begun: drain.begun.map(|at| at.to_string()),
        over_seconds: drain.over.as_secs(),
        until: drain.until.map(|at| at.to_string()),
        safe_at: drain.safe_at.map(|at| at.to_string()),
    };
    let confirmed = |confirmation: &ConfirmedRemoval| SavedConfirmation {
        member: (confirmation.member.as_ref())
            .map_or_else(|| ALL_MEMBERS.to_owned(), ToString::to_string),
        at: confirmation.at.to_string(),
    };
    let Overrides { frozen, drains } = &shared.overrides;
    OverridesFile {
        version: VERSION,
        frozen: frozen.map(|freeze| SavedFreeze {
            since: freeze.since.to_string(),
            until: freeze.until.map(|at| at.to_string()),
        }),
        drains: drains.iter().map(drained).collect(),
        confirmations: shared.confirmations.iter().map(confirmed).collect(),
    }
}

/// What a text says.
pub(in crate::publish) fn parse(text: &str) -> Result<SharedOverrides, Damage> {
    read(serde_json::from_str(text)?)
}

/// What a file says.
pub(in crate::publish) fn read(file: OverridesFile) -> Result<SharedOverrides, Damage> {
    if file.version != VERSION {
        return Err(Damage::Value(format!("version {}", file.version)));
    }
    let frozen = file.frozen.map(|frozen| -> Result<_, Damage> {
        Ok(Freeze {
            since: moment(&frozen.since)?,
            until: frozen.until.as_deref().map(moment).transpose()?,
        })
    });
    if DRAINS.is_exceeded_by(file.drains.len() as u64) {
        let (there, most) = (file.drains.len(), DRAINS.most);
        return Err(Damage::Value(format!("{there} drains, over {most}")));
    }
    let mut seen = HashSet::new();
    let mut drains = Vec::new();
    for drained in file.drains {
        let target = drained.target.parse::<OverrideTarget>();
        let target =
            target.map_err(|error| Damage::Value(format!("{:?}: {error}", drained.target)))?;
        if !seen.insert(target.clone()) {
            return Err(Damage::Value(format!("{target} twice")));
        }
        drains.push(Drain {
            target,
            from: share(drained.from)?,
            begun: drained.begun.as_deref().map(moment).transpose()?,
            over: Duration::from_secs(drained.over_seconds),
            until: drained.until.as_deref().map(moment).transpose()?,
            safe_at: drained.safe_at.as_deref().map(moment).transpose()?,
        });
    }
    let confirmed = |saved: SavedConfirmation| {
        let member =
            match saved.member.as_str() {
                ALL_MEMBERS => None,
                name => Some(name.parse().map_err(|error| {
                    Damage::Value(format!("member {:?}: {error}", saved.member))
                })?),
            };
        let at = moment(&saved.at)?;
        Ok::<_, Damage>(ConfirmedRemoval { member, at })
    };
    let confirmations = file.confirmations.into_iter().map(confirmed);
    Ok(SharedOverrides {
        confirmations: confirmations.collect::<Result<_, _>>()?,
        overrides: Overrides {
            frozen: frozen.transpose()?,
            drains,
        },
    })
}

/// A share in the unit that shares are counted in.
fn share(fraction: f64) -> Result<u16, Damage> {
    let whole = f64::from(FULL_SHARE);
    if !(0.0..=1.0).contains(&fraction) {
        return Err(Damage::Value(format!("{fraction} is no share")));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is within 0 to FULL_SHARE"
    )]
    let share = (fraction * whole).round() as u16;
    Ok(share)
}

/// A moment that is written so.
pub(in crate::publish) fn moment(text: &str) -> Result<UnixSeconds, Damage> {
    let moment: Result<Timestamp, _> = text.parse();
    let seconds = moment.map(Timestamp::as_second);
    let seconds = seconds.map_err(|error| Damage::Value(format!("{text:?}: {error}")))?;
    let seconds = u64::try_from(seconds);
    seconds
        .map(UnixSeconds)
        .map_err(|_| Damage::Value(format!("{text:?}: before 1970")))
}

#[cfg(test)]
pub(in crate::publish) mod tests {
    use super::*;

    /// One of everything.
    pub(in crate::publish) fn everything() -> Overrides {
        let drain = |target: &str, begun| Drain {
            target: target.parse().unwrap(),
            from: FULL_SHARE / 3,
            begun,
            over: Duration::from_secs(600),
            until: Some(UnixSeconds(1_800_007_200)),
            safe_at: begun.map(|_| UnixSeconds(1_800_000_606)),
        };
        Overrides {
            frozen: Some(Freeze {
                since: UnixSeconds(1_800_000_000),
                until: Some(UnixSeconds(1_800_003_600)),
            }),
            drains: vec![
                drain("ew1d", Some(UnixSeconds(1_800_000_000))),
                drain("region/eu", None),
                drain("zone/eu-1", None),
                drain("service/ns/web", Some(UnixSeconds(0))),
            ],
        }
    }

    #[test]
    fn what_is_written_says_what_was_meant() {
        let shared = SharedOverrides {
            overrides: everything(),
            confirmations: vec![
                ConfirmedRemoval {
                    member: Some("ew1d".parse().unwrap()),
                    at: UnixSeconds(1_800_000_000),
                },
                ConfirmedRemoval {
                    member: None,
                    at: UnixSeconds(1_800_000_001),
                },
            ],
        };
        let text = text_of(&shared).unwrap();
        assert_eq!(parse(&text).unwrap(), shared);
        let nothing = text_of(&SharedOverrides::default()).unwrap();
        assert!(!nothing.contains("confirmations"), "{nothing}");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let shared = SharedOverrides {
            overrides: everything(),
            confirmations: vec![ConfirmedRemoval {
                member: None,
                at: UnixSeconds(0),
            }],
        };
        let text = text_of(&shared).unwrap();
        for (from, to) in [
            ("\"version\": 1", "\"version\": 2"),
            ("\"ew1d\"", "\"region/eu\""),
            ("\"ew1d\"", "\"a b\""),
            ("\"over_seconds\": 600", "\"over_seconds\": -1"),
            ("2027", "1927"),
            ("\"from\": 0.", "\"from\": 7."),
            ("\"until\"", "\"unto\""),
            ("*members", "*all"),
            ("\"at\": \"1970", "\"at\": \"1870"),
        ] {
            let wrong = text.replacen(from, to, 1);
            assert_ne!(wrong, text, "{from}");
            assert!(parse(&wrong).is_err(), "{from} {to}");
        }
    }
}
