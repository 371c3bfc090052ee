//! What operators have decided, on disk: `overrides.json` in `state-dir`, for people to read.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::error;

use super::steady::dated;
use crate::config;
use crate::model::limits::OVERRIDES_FILE;
use crate::model::{Drain, FULL_SHARE, Freeze, OverrideTarget, Overrides, UnixSeconds};

/// The file in `state-dir`.
const NAME: &str = "overrides.json";

/// The ending of the same file again.
const LAST: &str = "json.last";

/// The form of the file.
const VERSION: u32 = 1;

/// The file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OverridesFile {
    /// The form.
    version: u32,
    /// The freeze, if answers are frozen.
    frozen: Option<SavedFreeze>,
    /// The drains.
    drains: Vec<SavedDrain>,
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

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
enum Damage {
    /// It is no JSON, or not of this form.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// A value means nothing.
    #[error("{0}")]
    Value(String),
}

/// The path of the file in a state folder.
pub(in crate::publish) fn path(state_dir: &Path) -> PathBuf {
    state_dir.join(NAME)
}

/// What was read.
#[derive(Debug, Default, PartialEq)]
pub(in crate::publish) struct Decided {
    /// What is in force.
    pub(in crate::publish) overrides: Overrides,
    /// By how many seconds its dates are ahead of those on disk.
    pub(in crate::publish) ahead: i64,
    /// Why that is not what the file says, and what it is instead.
    pub(in crate::publish) problem: Option<String>,
}

impl Decided {
    /// The last date of what has begun.
    pub(in crate::publish) fn latest(&self) -> Option<UnixSeconds> {
        let Overrides { frozen, drains } = &self.overrides;
        let begun = drains.iter().filter_map(|drain| drain.begun);
        begun.chain(frozen.map(|freeze| freeze.since)).max()
    }

    /// Gives all dates by a wall clock that was set by so many seconds while nobody looked, as those of
    /// all else that an earlier process has left are given.
    pub(in crate::publish) fn date(&mut self, clock_set: i64) {
        self.overrides = dated(&self.overrides, clock_set);
        self.ahead = self.ahead.saturating_add(clock_set);
    }
}

/// Reads the file, and changes nothing; without one nothing is decided. Of one that cannot be read,
/// the last good form counts.
pub(in crate::publish) fn read(path: &Path) -> Decided {
    let problem = match read_one(path) {
        Ok(overrides) => {
            return Decided {
                overrides: overrides.unwrap_or_default(),
                ahead: 0,
                problem: None,
            };
        }
        Err(problem) => problem,
    };
    let last = path.with_extension(LAST);
    let (overrides, instead) = match read_one(&last) {
        Ok(Some(overrides)) => (overrides, "its last good form is in force"),
        Ok(None) => (
            Overrides::default(),
            "nothing is in force: drain, cordon and freeze again",
        ),
        Err(problem) => {
            error!(file = %last.display(), %problem, "overrides cannot be read");
            (
                Overrides::default(),
                "nothing is in force: drain, cordon and freeze again",
            )
        }
    };
    error!(file = %path.display(), %problem, "overrides cannot be read; {instead}");
    Decided {
        overrides,
        ahead: 0,
        problem: Some(format!("cannot be read ({problem}); {instead}")),
    }
}

/// Reads one file; `None` if there is none.
fn read_one(path: &Path) -> Result<Option<Overrides>, String> {
    match config::read::read_text(path, &OVERRIDES_FILE) {
        Ok(text) => parse(&text).map(Some).map_err(|damage| damage.to_string()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.reason.to_string()),
    }
}

/// Writes the file, so that at every moment it is the old or the new one, whole; and beside it the
/// same again, in case it is damaged.
pub(in crate::publish) fn write(path: &Path, overrides: &Overrides) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    // It may not have been there at the start.
    fs::create_dir_all(folder)?;
    let text = serde_json::to_string_pretty(&whole(overrides))? + "\n";
    let files = [
        (path.with_extension("json.new"), path.to_owned()),
        (
            path.with_extension("json.last.new"),
            path.with_extension(LAST),
        ),
    ];
    // First what may fail.
    for (new, _) in &files {
        let mut file = File::create(new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
    }
    for (new, to) in &files {
        fs::rename(new, to)?;
    }
    File::open(folder)?.sync_all()
}

/// Moves a file that could not be read aside, before another takes its place.
pub(in crate::publish) fn move_aside(path: &Path) -> io::Result<()> {
    match fs::rename(path, path.with_extension("json.bad")) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The file that says this.
fn whole(overrides: &Overrides) -> OverridesFile {
    let drained = |drain: &Drain| SavedDrain {
        target: drain.target.to_string(),
        from: f64::from(drain.from) / f64::from(FULL_SHARE),
        begun: drain.begun.map(|at| at.to_string()),
        over_seconds: drain.over.as_secs(),
        until: drain.until.map(|at| at.to_string()),
        safe_at: drain.safe_at.map(|at| at.to_string()),
    };
    OverridesFile {
        version: VERSION,
        frozen: overrides.frozen.map(|freeze| SavedFreeze {
            since: freeze.since.to_string(),
            until: freeze.until.map(|at| at.to_string()),
        }),
        drains: overrides.drains.iter().map(drained).collect(),
    }
}

/// What a file says.
fn parse(text: &str) -> Result<Overrides, Damage> {
    let whole: OverridesFile = serde_json::from_str(text)?;
    if whole.version != VERSION {
        return Err(Damage::Value(format!("version {}", whole.version)));
    }
    let frozen = whole.frozen.map(|frozen| -> Result<_, Damage> {
        Ok(Freeze {
            since: moment(&frozen.since)?,
            until: frozen.until.as_deref().map(moment).transpose()?,
        })
    });
    let mut seen = HashSet::new();
    let mut drains = Vec::new();
    for drained in whole.drains {
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
    Ok(Overrides {
        frozen: frozen.transpose()?,
        drains,
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
fn moment(text: &str) -> Result<UnixSeconds, Damage> {
    let moment: Result<Timestamp, _> = text.parse();
    let seconds = moment.map(Timestamp::as_second);
    let seconds = seconds.map_err(|error| Damage::Value(format!("{text:?}: {error}")))?;
    let seconds = u64::try_from(seconds);
    seconds
        .map(UnixSeconds)
        .map_err(|_| Damage::Value(format!("{text:?}: before 1970")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of everything.
    fn everything() -> Overrides {
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
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path());
        assert_eq!(read(&path), Decided::default());
        for overrides in [everything(), Overrides::default()] {
            write(&path, &overrides).unwrap();
            let decided = Decided {
                overrides,
                ..Decided::default()
            };
            assert_eq!(read(&path), decided);
        }
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }

    #[test]
    fn of_a_damaged_file_the_last_good_form_is_in_force_and_it_stays_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path());
        write(&path, &everything()).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        // The last octet is the end of the line: without it the file is still whole.
        for length in 0..text.len() - 1 {
            let mut file = File::create(&path).unwrap();
            file.write_all(&text.as_bytes()[..length]).unwrap();
            let decided = read(&path);
            assert_eq!(decided.overrides, everything(), "{length}");
            let problem = decided.problem.unwrap();
            assert!(problem.ends_with("its last good form is in force"));
            assert_eq!(fs::read(&path).unwrap().len(), length);
        }
        for damaged in ["", "{}", "nonsense"] {
            let mut last = File::create(folder.path().join("overrides.json.last")).unwrap();
            last.write_all(damaged.as_bytes()).unwrap();
            let decided = read(&path);
            assert_eq!(decided.overrides, Overrides::default());
            assert!(decided.problem.unwrap().contains("nothing is in force"));
        }
        // A folder, or something that nobody writes into, is no file.
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(
            read(&path)
                .problem
                .unwrap()
                .contains("expected a regular file")
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path());
        write(&path, &everything()).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        for (from, to) in [
            ("\"version\": 1", "\"version\": 2"),
            ("\"ew1d\"", "\"region/eu\""),
            ("\"ew1d\"", "\"a b\""),
            ("\"over_seconds\": 600", "\"over_seconds\": -1"),
            ("2027", "1927"),
            ("\"from\": 0.", "\"from\": 7."),
            ("\"until\"", "\"unto\""),
        ] {
            let wrong = text.replacen(from, to, 1);
            assert_ne!(wrong, text, "{from}");
            assert!(parse(&wrong).is_err(), "{from} {to}");
        }
    }
}
