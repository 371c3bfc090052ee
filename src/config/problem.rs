//! What is wrong with a file, and where.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::read::{ReadError, Unreadable};

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
}

impl Problem {
    /// A problem of the file as a whole.
    pub(super) fn whole(path: &Path, message: String) -> Self {
        Self {
            path: path.to_owned(),
            line: 1,
            column: 1,
            message,
        }
    }
}

impl From<ReadError> for Problem {
    /// A file that cannot be read, at the octet that is no text where that is why.
    fn from(error: ReadError) -> Self {
        let (line, column, message) = match *error.reason {
            Unreadable::NotUtf8 { line, column } => (line, column, "not UTF-8".to_owned()),
            reason => (1, 1, format!("cannot be read: {reason}")),
        };
        Self {
            path: error.path,
            line,
            column,
            message,
        }
    }
}

/// A value and the octet of the file that it starts at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed<T> {
    /// The value.
    pub(super) value: T,
    /// Its place.
    pub(super) at: usize,
}

/// Gathers the problems of one file.
#[derive(Debug)]
pub(super) struct Report<'a> {
    /// The file's text, which places point into.
    text: &'a str,
    /// The file.
    path: &'a Path,
    /// In file order, each once.
    found: RefCell<BTreeSet<(usize, String)>>,
}

impl<'a> Report<'a> {
    /// No problems yet.
    pub(super) fn new(text: &'a str, path: &'a Path) -> Self {
        Self {
            text,
            path,
            found: RefCell::default(),
        }
    }

    /// Adds a problem.
    pub(super) fn add(&self, at: usize, message: impl Into<String>) {
        self.found.borrow_mut().insert((at, message.into()));
    }

    /// Whether there is no problem.
    pub(super) fn is_empty(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// The line of a place, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.position(at).0
    }

    /// The problems in file order.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let found = self.found.take();
        let problem = |(at, message)| {
            let (line, column) = self.position(at);
            Problem {
                path: self.path.to_owned(),
                line,
                column,
                message,
            }
        };
        found.into_iter().map(problem).collect()
    }

    /// The line and the column of a place.
    fn position(&self, at: usize) -> (usize, usize) {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let before = self.text.get(..at).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let in_line = before.get(line_start..).unwrap_or_default();
        (
            before.matches('\n').count() + 1,
            in_line.chars().count() + 1,
        )
    }
}
