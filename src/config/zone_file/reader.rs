//! Entries into records: owners, TTLs, classes, types, and what `$` begins (RFC 1035 section 5.1, RFC 2308
//! section 4).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::lexer::{Lexer, Token, ZoneEntry};
use super::owner::{self, WireName};
use super::record::{FileRecord, Standing};
use super::ttl::time;
use crate::config::problem::{FileProblems, Problem};
use crate::config::read::read_text;
use crate::model::Shown;
use crate::model::limits::{INCLUDE_DEPTH, Limit, PROBLEMS, ZONE_FILE, ZONE_FILES, ZONE_RECORDS};
use crate::wire::NameBuf;

/// All that was read of a zone.
#[derive(Debug)]
pub(super) struct FileRecords {
    pub(super) records: Vec<FileRecord>,
    /// The file itself and those that it includes.
    pub(super) files: Vec<PathBuf>,
}

/// Reads a master file and what it includes.
///
/// # Errors
/// Every problem, in the order of the files, never none of them.
pub(super) fn read(path: &Path, apex: &NameBuf) -> Result<FileRecords, Vec<Problem>> {
    let Ok(origin) = WireName::from_octets(apex.as_wire().to_vec()) else {
        let message = format!("{apex}: not a name of a zone");
        return Err(vec![Problem::whole(path, message)]);
    };
    let mut reader = Reader {
        apex: origin.clone(),
        folder: path.parent().map(Path::to_owned).unwrap_or_default(),
        read: FileRecords {
            records: Vec::new(),
            files: Vec::new(),
        },
        problems: Vec::new(),
    };
    let mut standing = Standing {
        origin,
        owner: None,
        default_ttl: None,
        last_ttl: None,
    };
    reader.file(path, &mut standing, 0);
    if reader.problems.is_empty() {
        Ok(reader.read)
    } else {
        Err(reader.problems)
    }
}

/// Reads the files of a zone.
struct Reader {
    apex: WireName,
    /// Where included files have to be.
    folder: PathBuf,
    read: FileRecords,
    problems: Vec<Problem>,
}

/// A file that another one includes.
struct Included {
    path: PathBuf,
    /// Its origin, if it is not that of the file that includes it.
    origin: Option<WireName>,
}

impl Reader {
    /// Reads one file, which so many others include.
    fn file(&mut self, path: &Path, standing: &mut Standing, depth: u64) {
        self.read.files.push(path.to_owned());
        let text = match read_text(path, &ZONE_FILE) {
            Ok(text) => text,
            Err(error) => return self.problems.push(error.into()),
        };
        let report = FileProblems::new(&text, path);
        let path: Arc<Path> = path.into();
        let mut lexer = Lexer::new(&text);
        let mut of_included = Vec::new();
        loop {
            let entry = match lexer.next_entry() {
                Ok(Some(entry)) => entry,
                Ok(None) => break,
                Err(error) => {
                    match error.limit {
                        Some(limit) => report.exceed(error.at, error.message, limit),
                        None => report.add(error.at, error.message),
                    }
                    break;
                }
            };
            if ZONE_RECORDS.is_exceeded_by(self.read.records.len() as u64 + 1) {
                let message = format!("more than {} records", ZONE_RECORDS.most);
                report.exceed(entry.at, message, &ZONE_RECORDS);
                break;
            }
            let is_directive = |first: &Token<'_>| first.text.starts_with('$') && !first.is_quoted;
            if !entry.begins_blank && entry.tokens.first().is_some_and(is_directive) {
                if let Some(included) = self.directive(&entry, standing, &report) {
                    if let Some(limit) = self.exceeded(depth + 1) {
                        let message = format!("$INCLUDE: more than {} {}", limit.most, limit.unit);
                        report.exceed(entry.at, message, limit);
                        continue;
                    }
                    let before = self.problems.len();
                    self.include(&included, standing, depth + 1);
                    of_included.extend(self.problems.drain(before..));
                }
            } else if let Some(record) = standing.record(&entry, &self.apex, &report) {
                let place = (Arc::clone(&path), report.line(entry.at));
                self.read.records.push(FileRecord { place, ..record });
            }
        }
        self.problems.extend(report.into_problems());
        self.problems.append(&mut of_included);
        self.problems.truncate(PROBLEMS.length());
    }

    /// The limit that one more file exceeds, so many files deep.
    fn exceeded(&self, depth: u64) -> Option<&'static Limit> {
        if INCLUDE_DEPTH.is_exceeded_by(depth) {
            return Some(&INCLUDE_DEPTH);
        }
        let files = self.read.files.len() as u64 + 1;
        ZONE_FILES.is_exceeded_by(files).then_some(&ZONE_FILES)
    }

    /// Reads an included file. The origin goes back to what it was (RFC 1035 section 5.1), as does the owner.
    fn include(&mut self, included: &Included, standing: &mut Standing, depth: u64) {
        let (origin, owner) = (standing.origin.clone(), standing.owner.clone());
        if let Some(origin) = &included.origin {
            standing.origin = origin.clone();
        }
        self.file(&included.path, standing, depth);
        (standing.origin, standing.owner) = (origin, owner);
    }

    /// Follows what `$` begins. Returns the file that it includes.
    fn directive(
        &self,
        entry: &ZoneEntry<'_>,
        standing: &mut Standing,
        report: &FileProblems<'_>,
    ) -> Option<Included> {
        let (first, rest) = entry.tokens.split_first()?;
        let directive = first.text.to_ascii_uppercase();
        match (directive.as_str(), rest) {
            ("$ORIGIN", [name]) => {
                match owner::read(name, &standing.origin) {
                    Some(origin) => standing.origin = origin,
                    None => report.add(
                        name.at,
                        format!("$ORIGIN: {:?} is no name", Shown(name.text).to_string()),
                    ),
                }
                None
            }
            ("$TTL", [ttl]) => {
                match time(ttl.text) {
                    Some(ttl) => standing.default_ttl = Some(ttl),
                    None => report.add(
                        ttl.at,
                        format!("$TTL: {:?} is no time", Shown(ttl.text).to_string()),
                    ),
                }
                None
            }
            ("$INCLUDE", [file]) => self.included(file, None, report),
            ("$INCLUDE", [file, name]) => {
                let origin = owner::read(name, &standing.origin);
                if origin.is_none() {
                    let shown = Shown(name.text).to_string();
                    report.add(name.at, format!("$INCLUDE: {shown:?} is no name"));
                }
                origin.and_then(|origin| self.included(file, Some(origin), report))
            }
            ("$ORIGIN" | "$TTL", _) => {
                report.add(first.at, format!("{directive}: takes one value"));
                None
            }
            ("$INCLUDE", _) => {
                report.add(first.at, "$INCLUDE: takes a file and at most a name");
                None
            }
            ("$GENERATE", _) => {
                report.add(first.at, "$GENERATE is not taken: write the records out");
                None
            }
            _ => {
                let shown = Shown(first.text).to_string();
                report.add(
                    first.at,
                    format!("{shown:?} is not known: $ORIGIN, $TTL and $INCLUDE are"),
                );
                None
            }
        }
    }

    /// The place of a file to be included: inside the folder of the zone's file, links followed.
    fn included(
        &self,
        file: &Token<'_>,
        origin: Option<WireName>,
        report: &FileProblems<'_>,
    ) -> Option<Included> {
        let path = self.folder.join(file.text);
        let shown = Shown(file.text).to_string();
        let folder = if self.folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            &self.folder
        };
        let place = folder
            .canonicalize()
            .and_then(|folder| Ok((folder, path.canonicalize()?)));
        match place {
            Ok((folder, place)) if place.starts_with(&folder) => Some(Included { path, origin }),
            Ok(_) => {
                let folder = self.folder.display();
                report.add(
                    file.at,
                    format!("$INCLUDE {shown:?}: not in the folder {folder} of the zone's file"),
                );
                None
            }
            Err(error) => {
                report.add(file.at, format!("$INCLUDE {shown:?}: {error}"));
                None
            }
        }
    }
}
