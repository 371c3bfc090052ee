//! Writing the files of one owner: appending, compaction, a new base.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};

use super::fact::Fact;
use super::files::{Changes, FileError, LogTail, MemberImage, Paths};
use super::frames::{BaseId, FrameError};
use super::{facts_v1, files, frames};
use crate::telemetry::clock;

/// A log shorter than this is never compacted.
const COMPACT_FROM: u64 = 1 << 20;

/// The open files of one owner.
#[derive(Debug)]
pub(in crate::publish) struct FactLog {
    /// Their names.
    paths: Paths,
    /// Where writing goes on.
    tail: LogTail,
    /// The last base that was written or read: its number is never used again.
    last: BaseId,
    /// The log, once something was written to it.
    log: Option<File>,
    /// Frames that are not written yet.
    buffer: Vec<u8>,
    /// Something was written and not synced.
    is_unsynced: bool,
    /// A log shorter than this is never compacted.
    compact_from: u64,
}

impl FactLog {
    /// The files at `tail`, as they were read. Touches nothing yet.
    pub(in crate::publish) fn new(paths: Paths, tail: LogTail) -> Self {
        let buffer = Vec::new();
        let last = match tail {
            LogTail::At { id, .. } => id,
            _ => BaseId::default(),
        };
        Self {
            paths,
            tail,
            last,
            log: None,
            buffer,
            is_unsynced: false,
            compact_from: COMPACT_FROM,
        }
    }

    /// The same, with another shortest log that is compacted.
    #[cfg(test)]
    pub(in crate::publish) fn compacting(paths: Paths, tail: LogTail, compact_from: u64) -> Self {
        Self {
            compact_from,
            ..Self::new(paths, tail)
        }
    }

    /// Takes a change, to be written by [`Self::write`]. While a new base is owed, changes are
    /// dropped: the base will have them.
    pub(in crate::publish) fn append(&mut self, fact: &Fact) {
        if self.tail != LogTail::NeedsRewrite {
            frames::push_frame(&mut self.buffer, |payload| facts_v1::encode(fact, payload));
        }
    }

    /// Writes what was taken, and compacts a log that has grown too long. After an error a new base
    /// is owed.
    pub(in crate::publish) fn write(&mut self) -> io::Result<()> {
        let result = self.try_write();
        self.owe_after(result)
    }

    /// Makes what was written safe from a loss of power. After an error a new base is owed.
    pub(in crate::publish) fn sync(&mut self) -> io::Result<()> {
        let result = match &self.log {
            Some(log) if self.is_unsynced => log.sync_data(),
            _ => Ok(()),
        };
        self.is_unsynced = false;
        self.owe_after(result)
    }

    /// Writes a new base and starts an empty log. After an error it is still owed.
    pub(in crate::publish) fn replace(&mut self, whole: &MemberImage) -> io::Result<()> {
        self.buffer.clear();
        let result = self.try_replace(whole);
        self.owe_after(result)
    }

    /// Removes the files; what is taken afterwards starts new ones.
    pub(in crate::publish) fn remove(&mut self) -> io::Result<()> {
        self.log = None;
        self.buffer.clear();
        self.is_unsynced = false;
        self.tail = LogTail::Fresh;
        self.paths.remove()?;
        self.paths.sync_folder()
    }

    /// Whether a new base is owed.
    pub(in crate::publish) fn is_behind(&self) -> bool {
        self.tail == LogTail::NeedsRewrite
    }

    /// Whether something was written and not synced.
    pub(in crate::publish) fn is_unsynced(&self) -> bool {
        self.is_unsynced
    }

    /// The octets of the base and its log.
    pub(in crate::publish) fn octets(&self) -> u64 {
        match self.tail {
            LogTail::At { base, log, .. } => base + log,
            _ => 0,
        }
    }

    /// Turns an error into a debt.
    fn owe_after(&mut self, result: io::Result<()>) -> io::Result<()> {
        if result.is_err() {
            self.tail = LogTail::NeedsRewrite;
            self.log = None;
            self.buffer.clear();
        }
        result
    }

    /// Writes what was taken.
    fn try_write(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() || self.tail == LogTail::NeedsRewrite {
            return Ok(());
        }
        if self.tail == LogTail::Fresh {
            let taken = std::mem::take(&mut self.buffer);
            self.try_replace(&MemberImage::default())?;
            self.buffer = taken;
        }
        let LogTail::At { id, base, log } = self.tail else {
            return Ok(());
        };
        let file = match &mut self.log {
            Some(file) => file,
            none => {
                let opened = none.insert(self.paths.open_log(id, log)?);
                if log == 0 {
                    self.paths.sync_folder()?;
                }
                opened
            }
        };
        file.write_all(&self.buffer)?;
        let log = log.max(frames::HEADER as u64) + self.buffer.len() as u64;
        self.tail = LogTail::At { id, base, log };
        self.buffer.clear();
        self.is_unsynced = true;
        if log > self.compact_from.max(base / 2) {
            self.compact(id).map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// Merges the log into a new base. The files have everything that was ever taken, so nobody
    /// need be asked for it; what does not change is copied, and only the log is in memory.
    fn compact(&mut self, id: BaseId) -> Result<(), FileError> {
        let (_, mut frames) = files::open(&self.paths.of("base"))?;
        let log = Changes::read(&self.paths.of("log"), id);
        let mut changes = log.ok_or(FrameError::CutOff)?;
        let mut base = BaseWriter::create(&self.paths, BaseId(id.0 + 1))?;
        let kept = files::scan_base(&mut frames, &mut changes, |_, _, payload| {
            base.put(|buffer| buffer.extend(payload))
        })?;
        let mut rest = MemberImage {
            kept,
            services: Vec::new(),
        };
        changes.apply(&mut rest);
        self.finish(base, &rest)?;
        Ok(())
    }

    /// Writes a new base and an empty log.
    fn try_replace(&mut self, whole: &MemberImage) -> io::Result<()> {
        let id = match self.tail {
            LogTail::At { id, .. } => id.0 + 1,
            // Greater than those of any file that may still lie there.
            _ => (self.last.0 + 1).max(clock::now().0 << 20),
        };
        self.finish(BaseWriter::create(&self.paths, BaseId(id))?, whole)
    }

    /// Adds `whole` to a new base, and lets the base and an empty log take their names.
    fn finish(&mut self, mut base: BaseWriter, whole: &MemberImage) -> io::Result<()> {
        for fact in whole.kept.facts() {
            base.put(|payload| facts_v1::encode(&fact, payload))?;
        }
        for (name, service) in &whole.services {
            let fact = Fact::Service(name.clone(), service.clone());
            base.put(|payload| facts_v1::encode(&fact, payload))?;
        }
        let id = base.id;
        let base = base.close(&self.paths)?;
        let previous = [("log", "log.previous"), ("base", "base.previous")];
        let new = [("base.new", "base"), ("log.new", "log")];
        self.log = None;
        for (from, to) in previous.into_iter().chain(new) {
            match fs::rename(self.paths.of(from), self.paths.of(to)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.paths.sync_folder()?;
        self.last = id;
        self.tail = LogTail::At {
            id,
            base,
            log: frames::HEADER as u64,
        };
        self.is_unsynced = false;
        Ok(())
    }
}

impl Paths {
    /// Makes names that came and went safe from a loss of power.
    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    /// Opens the log of a base at its end: cuts what is not good, and starts it if there is none.
    fn open_log(&self, id: BaseId, good: u64) -> io::Result<File> {
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.of("log"))?;
        file.set_len(good)?;
        file.seek(SeekFrom::End(0))?;
        if good == 0 {
            let mut header = Vec::new();
            frames::push_header(&mut header, frames::FACTS, id);
            file.write_all(&header)?;
        }
        Ok(file)
    }
}

/// A base that is being written beside the one in use.
#[derive(Debug)]
struct BaseWriter {
    /// Which base it will be.
    id: BaseId,
    /// The file.
    file: BufWriter<File>,
    /// The frame being written.
    buffer: Vec<u8>,
    /// Octets so far.
    octets: u64,
    /// Records so far.
    records: u64,
}

impl BaseWriter {
    /// Starts a base.
    fn create(paths: &Paths, id: BaseId) -> io::Result<Self> {
        // It may not have been there at the start.
        fs::create_dir_all(&paths.folder)?;
        let file = BufWriter::with_capacity(1 << 18, File::create(paths.of("base.new"))?);
        let mut buffer = Vec::new();
        frames::push_header(&mut buffer, frames::FACTS, id);
        let mut base = Self {
            id,
            file,
            buffer,
            octets: 0,
            records: 0,
        };
        base.write()?;
        Ok(base)
    }

    /// Adds a record with the payload that `encode` appends.
    fn put(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        frames::push_frame(&mut self.buffer, encode);
        self.records += 1;
        self.write()
    }

    /// Writes the buffer.
    fn write(&mut self) -> io::Result<()> {
        self.octets += self.buffer.len() as u64;
        let written = self.file.write_all(&self.buffer);
        self.buffer.clear();
        written
    }

    /// Ends and syncs the base, and an empty log for it. Returns the octets of the base.
    fn close(mut self, paths: &Paths) -> io::Result<u64> {
        let records = self.records;
        self.put(|payload| facts_v1::encode_end(records, payload))?;
        let octets = self.octets;
        self.file.into_inner()?.sync_all()?;
        frames::push_header(&mut self.buffer, frames::FACTS, self.id);
        let mut log = File::create(paths.of("log.new"))?;
        log.write_all(&self.buffer)?;
        log.sync_all()?;
        Ok(octets)
    }
}
