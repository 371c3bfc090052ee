//! What is wrong with a file, and where.
//!
//! However much is wrong, the first [`PROBLEMS`] problems are kept and the rest is counted, and the
//! places of all of them cost time that is linear in the length of the file.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::read::{ReadError, Unreadable};
use crate::model::limits::{Limit, PROBLEMS};

/// One thing that is wrong with a file. Correct the value at its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}:{column}: {message}", path.display())]
pub struct Problem {
    /// The file, as it was named.
    pub path: PathBuf,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The value and what is wrong with it.
    pub message: String,
    /// How many problems this is: 1, but for the last one of a file that has more than are listed.
    pub count: usize,
    /// The limit that is exceeded, if that is why.
    pub limit: Option<&'static Limit>,
}

impl Problem {
    /// How many problems a list of them stands for.
    pub fn total(problems: &[Self]) -> usize {
        problems.iter().map(|problem| problem.count).sum()
    }

    /// A problem of the file as a whole.
    pub(super) fn whole(path: &Path, message: String) -> Self {
        Self {
            path: path.to_owned(),
            line: 1,
            column: 1,
            message,
            count: 1,
            limit: None,
        }
    }
}

impl From<ReadError> for Problem {
    /// A file that cannot be read, at the octet that is no text where that is why.
    fn from(error: ReadError) -> Self {
        let limit = error.limit();
        let (line, column, message) = match *error.reason {
            Unreadable::NotUtf8 { line, column } => (line, column, "not UTF-8".to_owned()),
            reason => (1, 1, format!("cannot be read: {reason}")),
        };
        Self {
            path: error.path,
            line,
            column,
            message,
            count: 1,
            limit,
        }
    }
}

/// A value and the octet that it starts at, in the text that it was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed<T> {
    /// The value.
    pub(super) value: T,
    /// Its place.
    pub(super) at: usize,
}

/// The longest message that is kept, in octets: it quotes values, which may be as long as a file.
const LONGEST_MESSAGE: usize = 512;

/// The problems of one file.
#[derive(Debug)]
pub(super) struct FileProblems<'a> {
    /// The file's text, which places point into.
    text: &'a str,
    /// The file.
    path: &'a Path,
    /// What was found.
    found: RefCell<Found>,
    /// Where lines are, once somebody has asked.
    lines: OnceCell<Lines>,
}

/// What was found.
#[derive(Debug, Default)]
struct Found {
    /// The first ones in file order, each once, with the limit that is exceeded.
    listed: BTreeMap<(usize, String), Option<&'static Limit>>,
    /// How many there are besides.
    others: usize,
}

impl<'a> FileProblems<'a> {
    /// No problems yet.
    pub(super) fn new(text: &'a str, path: &'a Path) -> Self {
        Self {
            text,
            path,
            found: RefCell::default(),
            lines: OnceCell::new(),
        }
    }

    /// Adds a problem at a place of the file.
    pub(super) fn add(&self, at: usize, message: impl Into<String>) {
        self.add_with(at, message.into(), None);
    }

    /// Adds at a place of the file that there is more than a limit lets through.
    pub(super) fn exceed(&self, at: usize, message: String, limit: &'static Limit) {
        self.add_with(at, message, Some(limit));
    }

    /// Adds a problem.
    fn add_with(&self, at: usize, mut message: String, limit: Option<&'static Limit>) {
        let mut found = self.found.borrow_mut();
        let is_full = found.listed.len() >= PROBLEMS.length();
        if is_full && last_of(&found.listed).is_some_and(|last| last <= at) {
            found.others += 1;
            return;
        }
        if message.len() > LONGEST_MESSAGE {
            message.truncate(boundary(&message, LONGEST_MESSAGE));
            message.push('…');
        }
        if found.listed.insert((at, message), limit).is_none() && is_full {
            found.listed.pop_last();
            found.others += 1;
        }
    }

    /// Whether there is no problem.
    pub(super) fn is_empty(&self) -> bool {
        self.found.borrow().listed.is_empty()
    }

    /// The line of a place of the file, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        let at = boundary(self.text, at);
        let lines = self.lines.get_or_init(|| Lines::of(self.text));
        lines.before(self.text, at) + 1
    }

    /// The problems in file order; the last of them stands for those that are not listed.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let Found { listed, others } = self.found.take();
        let problem = |at, message, count, limit| Problem {
            path: self.path.to_owned(),
            line: self.line(at),
            column: self.column(at),
            message,
            count,
            limit,
        };
        let last = last_of(&listed).unwrap_or_default();
        let rest = (others > 0).then(|| {
            let plural = if others == 1 { "" } else { "s" };
            let message = format!("and {others} more problem{plural}");
            problem(last, message, others, Some(&PROBLEMS))
        });
        let listed = listed.into_iter();
        let listed = listed.map(|((at, message), limit)| problem(at, message, 1, limit));
        listed.chain(rest).collect()
    }

    /// The column of a place of the file, in characters, from 1.
    fn column(&self, at: usize) -> usize {
        let before = self.text.get(..boundary(self.text, at));
        let before = before.unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        before.get(line_start..).unwrap_or_default().chars().count() + 1
    }
}

/// The place of the last problem.
fn last_of(listed: &BTreeMap<(usize, String), Option<&'static Limit>>) -> Option<usize> {
    listed.last_key_value().map(|((at, _), _)| *at)
}

/// How many lines end before places: counted once, for every so many octets.
#[derive(Debug)]
struct Lines(Vec<usize>);

/// How many octets are between two counts.
const STEP: usize = 4096;

impl Lines {
    /// Those of a text.
    fn of(text: &str) -> Self {
        let mut counts = Vec::with_capacity(text.len() / STEP + 1);
        let mut count = 0;
        for step in text.as_bytes().chunks(STEP) {
            counts.push(count);
            count += newlines(step);
        }
        Self(counts)
    }

    /// How many lines of the same text end before a place.
    fn before(&self, text: &str, at: usize) -> usize {
        let step = (at / STEP).min(self.0.len().saturating_sub(1));
        let counted = self.0.get(step).copied().unwrap_or_default();
        let rest = text.as_bytes().get(step * STEP..at);
        counted + rest.map_or(0, newlines)
    }
}

/// The last place between characters that is not behind `at`.
fn boundary(text: &str, at: usize) -> usize {
    let mut places = (0..=at.min(text.len())).rev();
    let is_boundary = |at: &usize| text.is_char_boundary(*at);
    places.find(is_boundary).unwrap_or_default()
}

/// How many lines end in these octets.
#[expect(clippy::naive_bytecount, reason = "the compiler makes it fast enough")]
fn newlines(octets: &[u8]) -> usize {
    octets.iter().filter(|octet| **octet == b'\n').count()
}

/// Takes the problems of one part of a file, whose places count from the start of the part.
#[derive(Debug)]
pub(super) struct PartProblems<'a> {
    /// The problems of the file.
    findings: &'a FileProblems<'a>,
    /// Where the part starts in the file.
    base: usize,
}

impl<'a> PartProblems<'a> {
    /// For the part of a file that starts at `base`.
    pub(super) fn new(findings: &'a FileProblems<'a>, base: usize) -> Self {
        Self { findings, base }
    }

    /// Adds a problem.
    pub(super) fn add(&self, at: usize, message: impl Into<String>) {
        self.findings.add(self.place(at), message);
    }

    /// Adds that there is more than a limit lets through.
    pub(super) fn exceed(&self, at: usize, message: String, limit: &'static Limit) {
        self.findings.exceed(self.place(at), message, limit);
    }

    /// Whether the file has no problem.
    pub(super) fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// The line of a place, from 1, in the file.
    pub(super) fn line(&self, at: usize) -> usize {
        self.findings.line(self.place(at))
    }

    /// A place of the part as a place of the file.
    pub(super) fn place(&self, at: usize) -> usize {
        self.base + at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_problems_are_listed_and_the_rest_is_counted() {
        let text = "é\n".repeat(10_000);
        let findings = FileProblems::new(&text, Path::new("f"));
        for line in (0..10_000).rev() {
            findings.add(line * 3 + 2, format!("{line}"));
        }
        findings.add(2, "0");
        let problems = findings.into_problems();
        assert_eq!(problems.len(), 101);
        assert_eq!(Problem::total(&problems), 10_000);
        assert_eq!(problems[0].to_string(), "f:1:2: 0");
        assert_eq!(problems[99].to_string(), "f:100:2: 99");
        assert_eq!(problems[100].to_string(), "f:100:2: and 9900 more problems");
    }

    #[test]
    fn lines_are_counted_across_steps() {
        let text = format!("{}\n\nx", "a".repeat(2 * STEP));
        let findings = FileProblems::new(&text, Path::new("f"));
        assert_eq!(findings.line(STEP), 1);
        assert_eq!(findings.line(2 * STEP), 1);
        assert_eq!(findings.line(2 * STEP + 1), 2);
        assert_eq!(findings.line(usize::MAX), 3);
        assert_eq!(FileProblems::new("", Path::new("f")).line(7), 1);
    }

    #[test]
    fn a_message_is_cut() {
        let findings = FileProblems::new("", Path::new("f"));
        findings.add(0, "é".repeat(1000));
        let problems = findings.into_problems();
        assert_eq!(problems[0].message, format!("{}…", "é".repeat(256)));
    }
}
