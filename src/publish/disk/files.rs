//! The files of one member: a base with all its facts, and a log of what has changed since.
//!
//! ```text
//! <stem>.base            all facts, closed by their number
//! <stem>.log             changes since; its header names the base that it belongs to
//! <stem>.base.previous   the base before, with
//! <stem>.log.previous    its log: what is read when the base is damaged
//! ```
//!
//! A new base is written beside the old one, synced, and takes its name last, so that at every
//! moment some base and the log that names it are whole. Records are absolute (`is there`, `is
//! gone`), so reading one twice does no harm.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::{error, warn};

use super::fact::{Fact, MemberMeta};
use super::facts_v1::{Decoder, Payload, PayloadError};
use super::frames::{BaseId, FrameError, Frames, HEADER};
use super::{facts_v1, frames};
use crate::model::limits::KEPT_FACTS;
use crate::model::{NamespacedName, Service};
use crate::names::Label;

/// Whose facts a set of files holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::publish) enum FileOwner {
    /// What belongs to no member: the SOA serial and resolved host names.
    Fleet,
    /// A member.
    Member(Label),
}

impl FileOwner {
    /// The first part of the names of its files; no member is called as the fleet is.
    fn stem(&self) -> &str {
        match self {
            Self::Fleet => "_fleet",
            Self::Member(name) => name.as_str(),
        }
    }
}

/// Everything that is kept of an owner.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::publish) struct MemberImage {
    /// All but services.
    pub(in crate::publish) kept: MemberMeta,
    /// The services, each once.
    pub(in crate::publish) services: Vec<(NamespacedName, Arc<Service>)>,
}

/// Where writing goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::publish) enum LogTail {
    /// There are no files.
    #[default]
    Fresh,
    /// There is a base, and perhaps a log.
    At {
        /// The base.
        id: BaseId,
        /// Its octets.
        base: u64,
        /// The good octets of its log; 0 when there is none.
        log: u64,
    },
    /// The files are not what was read: a new base must be written first.
    NeedsRewrite,
}

/// Why a base cannot be used.
#[derive(Debug, thiserror::Error)]
pub(in crate::publish) enum FileError {
    /// It cannot be read: use the previous one.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// It holds something else than facts: use the previous one.
    #[error(transparent)]
    Payload(#[from] PayloadError),
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        Self::Frame(error.into())
    }
}

/// The names of an owner's files.
#[derive(Debug, Clone)]
pub(in crate::publish) struct Paths {
    /// The folder, which exists.
    pub(in crate::publish) folder: PathBuf,
    /// Whose they are.
    pub(in crate::publish) owner: FileOwner,
}

impl Paths {
    /// The file with this ending.
    pub(in crate::publish) fn of(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", self.owner.stem()))
    }

    /// Reads what is kept. Wrong files are logged; without any good one there is nothing.
    pub(in crate::publish) fn read(&self) -> (MemberImage, LogTail) {
        let (base, previous) = (self.of("base"), self.of("base.previous"));
        let (log, log_previous) = (self.of("log"), self.of("log.previous"));
        let mut has_files = false;
        for (base, logs) in [
            (&base, [&log, &log_previous]),
            (&previous, [&log_previous, &log]),
        ] {
            match read_base(base, logs) {
                Ok(read) => {
                    let is_regular =
                        base == &self.of("base") && read.log.is_none_or(|used| used == &log);
                    let tail = LogTail::At {
                        id: read.id,
                        base: read.base,
                        log: read.log_good,
                    };
                    return (
                        read.whole,
                        if is_regular {
                            tail
                        } else {
                            LogTail::NeedsRewrite
                        },
                    );
                }
                Err(FileError::Frame(FrameError::Io(error)))
                    if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    has_files = true;
                    error!(file = %base.display(), %error, "persisted facts cannot be read");
                }
            }
        }
        (
            MemberImage::default(),
            if has_files {
                LogTail::NeedsRewrite
            } else {
                LogTail::Fresh
            },
        )
    }

    /// Removes all files.
    pub(in crate::publish) fn remove(&self) -> io::Result<()> {
        for ending in [
            "log",
            "log.previous",
            "base",
            "base.previous",
            "base.new",
            "log.new",
        ] {
            match fs::remove_file(self.of(ending)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// What a base and its log say.
#[derive(Debug)]
struct ReadImage<'a> {
    /// All facts.
    whole: MemberImage,
    /// The base.
    id: BaseId,
    /// Its octets.
    base: u64,
    /// The log that belongs to it.
    log: Option<&'a PathBuf>,
    /// The good octets of that log.
    log_good: u64,
}

/// Reads a base and the first of `logs` that belongs to it.
fn read_base<'a>(base: &Path, logs: [&'a PathBuf; 2]) -> Result<ReadImage<'a>, FileError> {
    let (id, mut frames) = open(base)?;
    let found = logs
        .into_iter()
        .find_map(|log| Some((log, Changes::read(log, id)?)));
    let (log, mut changes) = found.map_or_else(
        || (None, Changes::default()),
        |(log, changes)| (Some(log), changes),
    );
    let mut services = Vec::new();
    let kept = scan_base(&mut frames, &mut changes, |name, service, _| {
        services.push((name, service));
        Ok(())
    })?;
    let mut whole = MemberImage { kept, services };
    let log_good = changes.good;
    changes.apply(&mut whole);
    Ok(ReadImage {
        whole,
        id,
        base: frames.good(),
        log,
        log_good,
    })
}

/// Reads a base to its end. Gives each service that the log does not override to `take`, with its
/// payload, and returns the rest.
pub(in crate::publish) fn scan_base(
    frames: &mut Frames<BufReader<File>>,
    changes: &mut Changes,
    mut take: impl FnMut(NamespacedName, Arc<Service>, &[u8]) -> io::Result<()>,
) -> Result<MemberMeta, FileError> {
    let mut kept = MemberMeta::default();
    let mut records = 0;
    loop {
        let payload = frames.next()?.ok_or(FrameError::CutOff)?;
        match facts_v1::decode(payload, &mut changes.known)? {
            Payload::End(expected) if expected == records => return Ok(kept),
            Payload::End(_) => return Err(FrameError::CutOff.into()),
            Payload::Fact(fact) => {
                if let Some((name, Some(service))) = kept.fold(fact)
                    && !changes.overrides(&name)
                {
                    take(name, service, payload)?;
                }
            }
        }
        records += 1;
    }
}

/// Opens a file of frames.
pub(in crate::publish) fn open(
    path: &Path,
) -> Result<(BaseId, Frames<BufReader<File>>), FrameError> {
    // What has taken the place of a file is never waited for.
    let mut options = OpenOptions::new();
    let options = options.read(true).custom_flags(libc::O_NONBLOCK);
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("expected a regular file").into());
    }
    if KEPT_FACTS.is_exceeded_by(metadata.len()) {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge).into());
    }
    let file = BufReader::with_capacity(1 << 18, file);
    Frames::open(file, frames::FACTS)
}

/// What a log says, folded.
#[derive(Debug, Default)]
pub(in crate::publish) struct Changes {
    /// All but services, in order.
    others: Vec<Fact>,
    /// The services that it names: there, or gone.
    services: HashMap<NamespacedName, Option<Arc<Service>>>,
    /// It discards what the base says.
    is_discarding: bool,
    /// Its good octets.
    good: u64,
    /// What was decoded before.
    known: Decoder,
}

impl Changes {
    /// Reads a log as far as it is good; `None` when it is missing or belongs to another base.
    pub(in crate::publish) fn read(path: &Path, id: BaseId) -> Option<Self> {
        let (of, mut frames) = match open(path) {
            Ok(opened) => opened,
            Err(FrameError::Io(error)) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                warn!(file = %path.display(), %error, "ignoring unreadable fact log");
                return None;
            }
        };
        if of != id {
            return None;
        }
        let mut changes = Self {
            good: HEADER as u64,
            ..Self::default()
        };
        loop {
            let next = match frames.next() {
                Ok(None) => break,
                Ok(Some(payload)) => {
                    facts_v1::decode(payload, &mut changes.known).map_err(FileError::from)
                }
                Err(error) => Err(error.into()),
            };
            match next {
                Ok(Payload::Fact(fact)) => changes.fold(fact),
                Ok(Payload::End(_)) => {}
                Err(error) => {
                    let good = changes.good;
                    warn!(file = %path.display(), good, %error, "truncating damaged tail of fact log");
                    break;
                }
            }
            changes.good = frames.good();
        }
        Some(changes)
    }

    /// Folds one record.
    fn fold(&mut self, fact: Fact) {
        match fact {
            Fact::Service(name, service) => {
                self.services.insert(name, Some(service));
            }
            Fact::Gone(name) => {
                self.services.insert(name, None);
            }
            fact => {
                if fact == Fact::Discarded {
                    self.services.clear();
                    self.is_discarding = true;
                }
                self.others.push(fact);
            }
        }
    }

    /// Whether the base's record of a service no longer holds.
    pub(in crate::publish) fn overrides(&self, name: &NamespacedName) -> bool {
        self.is_discarding || self.services.contains_key(name)
    }

    /// Folds the changes into what the base says, less what they override.
    pub(in crate::publish) fn apply(self, whole: &mut MemberImage) {
        for fact in self.others {
            whole.kept.fold(fact);
        }
        whole
            .kept
            .hostnames
            .retain(|_, resolved| resolved.is_some());
        let services = self.services.into_iter();
        whole
            .services
            .extend(services.filter_map(|(name, service)| Some((name, service?))));
    }
}
