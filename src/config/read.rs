//! The one reader of files that somebody else writes: the configuration, facts, kubeconfigs and what
//! they name, overrides, GeoIP databases.
//!
//! It reads regular files only, through symbolic links, and no more of them than a [`Limit`] lets
//! through. What is no regular file is refused without being opened where possible, and never waited
//! for: a FIFO without a writer, a terminal and a device would block whoever opens or reads them. It
//! blocks like any reading of a disk does; asynchronous callers go through `sources::blocking`.

use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::model::limits::Limit;

/// A file cannot be read, or not be used as text. Shows the file and the reason.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct ReadError {
    /// The file, as it was named.
    pub path: PathBuf,
    /// What is wrong with it. Boxed: errors are rare, and results of readers are many.
    pub reason: Box<Unreadable>,
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The system does not let it be read, or it is not there: correct the path or the rights.
    #[error(transparent)]
    Refused(#[from] io::Error),
    /// It is a folder, a FIFO, a socket or a device: name a file.
    #[error("expected a regular file, found {0}")]
    Kind(&'static str),
    /// It is larger than files of its use may be: make it smaller.
    #[error("{octets} octets exceed the limit of {}", limit.most)]
    TooLarge {
        /// Its length as far as is known; it may grow while it is read.
        octets: u64,
        /// What it exceeds.
        limit: &'static Limit,
    },
    /// It is not encoded in UTF-8: correct the octet named.
    #[error("not UTF-8: line {line}, column {column}")]
    NotUtf8 {
        /// Of the first wrong octet, from 1.
        line: usize,
        /// Of the first wrong octet, in characters, from 1.
        column: usize,
    },
}

impl ReadError {
    /// A file and the reason.
    fn new(path: &Path, reason: Unreadable) -> Self {
        Self {
            path: path.to_owned(),
            reason: Box::new(reason),
        }
    }

    /// What the system says; [`io::ErrorKind::InvalidData`] where the file is there and wrong.
    pub fn kind(&self) -> io::ErrorKind {
        match &*self.reason {
            Unreadable::Refused(error) => error.kind(),
            Unreadable::Kind(_) => io::ErrorKind::InvalidInput,
            Unreadable::TooLarge { .. } => io::ErrorKind::FileTooLarge,
            Unreadable::NotUtf8 { .. } => io::ErrorKind::InvalidData,
        }
    }

    /// The limit that the file exceeds, if that is why.
    pub fn limit(&self) -> Option<&'static Limit> {
        match &*self.reason {
            Unreadable::TooLarge { limit, .. } => Some(limit),
            _ => None,
        }
    }
}

/// The octets of a regular file of at most `limit.most` octets.
pub fn read(path: &Path, limit: &'static Limit) -> Result<Vec<u8>, ReadError> {
    octets(path, limit).map_err(|reason| ReadError::new(path, reason))
}

/// The text of a regular file of at most `limit.most` octets. A byte order mark stays in it.
pub fn read_text(path: &Path, limit: &'static Limit) -> Result<String, ReadError> {
    text(path, read(path, limit)?)
}

/// The octets of the file at `path` as text.
pub fn text(path: &Path, octets: Vec<u8>) -> Result<String, ReadError> {
    String::from_utf8(octets).map_err(|error| {
        let end = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(error.as_bytes().get(..end).unwrap_or_default());
        let in_line = before.rsplit('\n').next().unwrap_or_default();
        let reason = Unreadable::NotUtf8 {
            line: before.matches('\n').count() + 1,
            column: in_line.chars().count() + 1,
        };
        ReadError::new(path, reason)
    })
}

/// Reads a regular file.
fn octets(path: &Path, limit: &'static Limit) -> Result<Vec<u8>, Unreadable> {
    let (file, length) = open(path, limit)?;
    let mut octets = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    // It may grow while it is read.
    file.take(limit.most + 1).read_to_end(&mut octets)?;
    let read = octets.len() as u64;
    if limit.is_exceeded_by(read) {
        return Err(Unreadable::TooLarge {
            octets: read,
            limit,
        });
    }
    Ok(octets)
}

/// Opens a regular file, and says how long it is.
fn open(path: &Path, limit: &'static Limit) -> Result<(File, u64), Unreadable> {
    // To open some devices is to start something, so they are not opened to be looked at. What
    // takes the place of a file between the look and the opening is caught by the flags.
    suits(&std::fs::metadata(path)?, limit)?;
    let mut options = OpenOptions::new();
    options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    let file = options.read(true).open(path)?;
    let length = suits(&file.metadata()?, limit)?;
    Ok((file, length))
}

/// The length of a file that may be read.
fn suits(file: &Metadata, limit: &'static Limit) -> Result<u64, Unreadable> {
    if !file.is_file() {
        return Err(Unreadable::Kind(kind(file.file_type())));
    }
    let octets = file.len();
    if limit.is_exceeded_by(octets) {
        return Err(Unreadable::TooLarge { octets, limit });
    }
    Ok(octets)
}

/// What else a file can be, in words.
fn kind(of: FileType) -> &'static str {
    if of.is_dir() {
        "a folder"
    } else if of.is_fifo() {
        "a FIFO"
    } else if of.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    /// A limit of tests.
    static SMALL: Limit = Limit {
        name: "small",
        most: 8,
        unit: "octets",
        reason: "tests are small",
    };

    /// What a reading fails with, without the path.
    fn failure(path: &Path) -> String {
        let shown = read_text(path, &SMALL).unwrap_err().to_string();
        let prefix = format!("{}: ", path.display());
        shown
            .strip_prefix(&prefix)
            .expect("the path first")
            .to_owned()
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "nothing of a test survives a crash"
    )]
    fn regular_files_are_read_through_links_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "12345678").unwrap();
        std::os::unix::fs::symlink("file", at("link")).unwrap();
        assert_eq!(read_text(&at("link"), &SMALL).unwrap(), "12345678");
        let _bound = UnixListener::bind(at("socket")).unwrap();
        assert_eq!(
            failure(&at("socket")),
            "expected a regular file, found a socket"
        );
        assert_eq!(
            failure(folder.path()),
            "expected a regular file, found a folder"
        );
        assert_eq!(
            failure(Path::new("/dev/zero")),
            "expected a regular file, found a device"
        );
        assert_eq!(
            read(&at("none"), &SMALL).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "nothing of a test survives a crash"
    )]
    fn what_is_too_large_or_no_text_is_refused_with_its_size_or_place() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "123456789").unwrap();
        assert_eq!(failure(file.path()), "9 octets exceed the limit of 8");
        let limit = read(file.path(), &SMALL).unwrap_err().limit();
        assert_eq!(limit.map(|limit| limit.name), Some("small"));
        std::fs::write(file.path(), b"a\n\xc3\xa9\xff").unwrap();
        assert_eq!(failure(file.path()), "not UTF-8: line 2, column 2");
        assert_eq!(read(file.path(), &SMALL).unwrap(), b"a\n\xc3\xa9\xff");
    }

    #[test]
    fn a_file_that_grows_or_has_no_length_is_bounded_all_the_same() {
        // Files of /proc say that they hold nothing.
        let error = read(Path::new("/proc/self/status"), &SMALL).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}
