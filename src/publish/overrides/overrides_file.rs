//! What operators have decided, on disk: `overrides.json` in `state-dir`, for people to read.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use tracing::error;

use super::form;
use super::steady::dated;
use crate::config::{self, whole_file};
use crate::model::limits::OVERRIDES_FILE;
use crate::model::{Overrides, SharedOverrides, UnixSeconds};

/// The file in `state-dir`.
const NAME: &str = "overrides.json";

/// The ending of the same file again.
const LAST: &str = "json.last";

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
        Ok(text) => {
            let parsed = form::parse(&text).map_err(|damage| damage.to_string())?;
            Ok(Some(parsed.overrides))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.reason.to_string()),
    }
}

/// Writes the file, so that at every moment it is the old or the new one, whole; and beside it the
/// same again, in case it is damaged.
pub(in crate::publish) fn write(path: &Path, overrides: &Overrides) -> io::Result<()> {
    let text = form::text_of(&SharedOverrides {
        overrides: overrides.clone(),
        confirmations: Vec::new(),
    })?;
    let last = path.with_extension(LAST);
    whole_file::write(path, &[&last], text.as_bytes()).map(drop)
}

/// Moves a file that could not be read aside, before another takes its place.
pub(in crate::publish) fn move_aside(path: &Path) -> io::Result<()> {
    match fs::rename(path, path.with_extension("json.bad")) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::*;
    use crate::publish::overrides::form::tests::everything;

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
}
