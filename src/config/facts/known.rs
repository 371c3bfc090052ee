//! What a facts file says, from reading to reading.

use std::hash::BuildHasher;
use std::path::Path;
use std::sync::Arc;

use foldhash::quality::RandomState;
use hashbrown::HashTable;

use super::pieces::{Piece, PieceKind, pieces};
use super::service::service;
use crate::config::parse::read_part;
use crate::config::problem::{FileProblems, PartProblems, Problem};
use crate::config::section::Section;
use crate::model::limits::FACTS_TABLE;
use crate::model::{Change, NamespacedName, Service, Specs};

/// The services of a facts file, as it was right last.
///
/// A piece of the file whose hash is that of a piece before is not parsed again: 64 bits, keyed
/// anew in each process, so that one change in 10¹³ at a million services would go unseen.
#[derive(Debug, Default)]
pub struct FactsFile {
    /// Its services; `None` where one was removed.
    entries: Vec<Option<Entry>>,
    /// Which of `entries` are free.
    free: Vec<u32>,
    /// Indexes of `entries` by the hashes of their pieces.
    by_piece: HashTable<u32>,
    /// Indexes of `entries` by names.
    by_name: HashTable<u32>,
    /// Hashes pieces and names.
    hasher: RandomState,
    /// Specs of its services, shared.
    specs: Specs,
    /// Whether it said that it is whole.
    is_whole: bool,
    /// The text read last was refused for one reason: it lacks the mark of the one before.
    lacks_mark: bool,
}

/// How a text differs from the one before.
#[derive(Debug, Default)]
pub struct Differences {
    /// Indexes of entries that are new or changed, in file order.
    changed: Vec<u32>,
    /// The names of services that are gone.
    gone: Vec<NamespacedName>,
}

/// One service.
#[derive(Debug)]
struct Entry {
    /// The hash of its piece.
    piece: u64,
    /// Its name.
    name: NamespacedName,
    /// What the file says of it.
    service: Arc<Service>,
}

/// A service that was parsed.
struct Parsed {
    /// Where its name stands in the file.
    at: usize,
    /// What is to be known of it.
    entry: Entry,
}

/// What one reading found.
#[derive(Default)]
struct Reading {
    /// Which of the entries are in the file as they were.
    same: Bits,
    /// What is not, in file order.
    parsed: Vec<Parsed>,
    /// Whether the file ends with its mark.
    is_whole: bool,
}

impl FactsFile {
    /// Takes a new text of the file, if it is right. A wrong text changes nothing. Takes time that
    /// is linear in the text, and memory for what differs.
    pub fn read(&mut self, text: &str, path: &Path) -> Result<Differences, Vec<Problem>> {
        let findings = FileProblems::new(text, path);
        if text.is_empty() {
            // A writer that was interrupted leaves this; one who means it writes a comment.
            findings.add(0, "0 octets long; a file without services holds a comment");
            return Err(findings.into_problems());
        }
        self.lacks_mark = false;
        let reading = self.look(text, &findings);
        if self.is_repeated(&reading, &findings) {
            // What it repeats was not parsed, so its line is not known.
            drop(reading);
            let whole = Self::default().read(text, path);
            let unseen = || vec![Problem::whole(path, "a service is given twice".to_owned())];
            return Err(whole.err().unwrap_or_else(unseen));
        }
        if findings.is_empty() && self.is_whole && !reading.is_whole {
            self.lacks_mark = true;
            findings.add(
                text.len(),
                "[end]: missing, and the file had it before, so it was cut",
            );
        }
        if findings.is_empty() {
            Ok(self.take(reading))
        } else {
            Err(findings.into_problems())
        }
    }

    /// Whether the text that was right last ends with `[end]`: it was not cut.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Whether the text that was read last is wrong for nothing but a missing `[end]`.
    pub fn lacks_mark(&self) -> bool {
        self.lacks_mark
    }

    /// Takes a text without `[end]` again: somebody has said that none was lost.
    pub fn forget_mark(&mut self) {
        self.is_whole = false;
        self.lacks_mark = false;
    }

    /// Every service, in no order.
    pub fn services(&self) -> impl Iterator<Item = (&NamespacedName, &Arc<Service>)> {
        let entries = self.entries.iter().flatten();
        entries.map(|entry| (&entry.name, &entry.service))
    }

    /// The changes that lead from the text before to the one that was read last, which found these
    /// differences. A service that moves to another name is never absent: removals come last.
    pub fn changes(&self, differences: Differences) -> impl Iterator<Item = Change> {
        let entry = |index| self.entry(index);
        let changed = differences.changed.into_iter().filter_map(entry);
        let upsert = |entry: &Entry| Change::Upsert(entry.name.clone(), Arc::clone(&entry.service));
        let gone = differences.gone.into_iter().map(Change::Remove);
        changed.map(upsert).chain(gone)
    }

    /// Every service, in file order where the file was read once.
    pub(super) fn into_services(self) -> impl Iterator<Item = (NamespacedName, Arc<Service>)> {
        let entries = self.entries.into_iter().flatten();
        entries.map(|entry| (entry.name, entry.service))
    }

    /// Parses what is not as it was.
    fn look(&mut self, text: &str, findings: &FileProblems<'_>) -> Reading {
        let mut reading = Reading {
            same: Bits::of(self.entries.len()),
            ..Reading::default()
        };
        // Where services are given as a value, which ends with it.
        let mut inline = None;
        for piece in pieces(text) {
            if FACTS_TABLE.is_exceeded_by(piece.text.len() as u64) {
                let (octets, most) = (piece.text.len(), FACTS_TABLE.most);
                let problem = format!(
                    "a table of {octets} octets exceeds the limit of {most}; is a list or string unterminated?"
                );
                findings.exceed(piece.at, problem, &FACTS_TABLE);
                continue;
            }
            if reading.is_whole {
                findings.add(piece.at, "[end]: must be the last table of the file");
            }
            if piece.kind == PieceKind::Service {
                if let Some(at) = inline.take() {
                    let line = findings.line(at);
                    findings.add(piece.at, format!("service: already defined on line {line}"));
                }
                if self.is_same(&piece, &mut reading) {
                    continue;
                }
            }
            let report = PartProblems::new(findings, piece.at);
            read_part(&report, piece.text, |root| {
                if piece.kind == PieceKind::End {
                    end(root.table("end"));
                    reading.is_whole = true;
                } else {
                    let given = root.has("service") && piece.kind == PieceKind::Root;
                    inline = inline.or(given.then_some(piece.at));
                    self.parse(&piece, &root, &mut reading.parsed);
                }
                root.finish();
                Some(())
            });
        }
        reading
    }

    /// Whether a piece is as it was, and is so for the first time in this reading.
    fn is_same(&self, piece: &Piece<'_>, reading: &mut Reading) -> bool {
        let hash = self.hasher.hash_one(piece.text);
        let has_hash = |index: &u32| self.entry(*index).is_some_and(|entry| entry.piece == hash);
        let found = self.by_piece.find(hash, has_hash);
        found.is_some_and(|index| reading.same.set(*index))
    }

    /// Parses the services of a piece: one, unless they are not given by headers.
    fn parse(&mut self, piece: &Piece<'_>, root: &Section<'_>, parsed: &mut Vec<Parsed>) {
        for table in root.tables("service") {
            let (name, service) = service(table, &mut self.specs);
            let Some(name) = name else { continue };
            let (at, mut name) = (name.at, name.value);
            // Neighbours are often of one namespace.
            if let Some(last) = parsed
                .last()
                .map(|last: &Parsed| &last.entry.name.namespace)
                && *last == name.namespace
            {
                name.namespace = last.clone();
            }
            let piece = match piece.kind {
                PieceKind::Service => self.hasher.hash_one(piece.text),
                // Parsed again whenever the file is.
                _ => self.hasher.hash_one(&name),
            };
            let service = Arc::new(service);
            parsed.push(Parsed {
                at,
                entry: Entry {
                    piece,
                    name,
                    service,
                },
            });
        }
    }

    /// Whether something that was parsed has the name of something that is as it was. Reports what
    /// was parsed twice.
    fn is_repeated(&self, reading: &Reading, findings: &FileProblems<'_>) -> bool {
        let mut names: HashTable<&Parsed> = HashTable::with_capacity(reading.parsed.len());
        let hash = |name: &NamespacedName| self.hasher.hash_one(name);
        let mut is_repeated = false;
        for parsed in &reading.parsed {
            let name = &parsed.entry.name;
            let is_name = |other: &&Parsed| other.entry.name == *name;
            if let Some(first) = names.find(hash(name), is_name) {
                let line = findings.line(first.at);
                let problem = format!("service \"{name}\": already defined on line {line}");
                findings.add(parsed.at, problem);
                continue;
            }
            names.insert_unique(hash(name), parsed, |other| hash(&other.entry.name));
            let known = self.find(name);
            is_repeated |= known.is_some_and(|index| reading.same.has(index));
        }
        is_repeated
    }

    /// Makes a right text what is known.
    fn take(&mut self, reading: Reading) -> Differences {
        let Reading {
            mut same,
            parsed,
            is_whole,
        } = reading;
        self.is_whole = is_whole;
        let mut differences = Differences::default();
        for parsed in &parsed {
            if let Some(index) = self.find(&parsed.entry.name) {
                same.set(index);
            }
        }
        for index in same.unset() {
            differences.gone.extend(self.remove(index));
        }
        self.entries
            .reserve(parsed.len().saturating_sub(self.free.len()));
        for Parsed { entry, .. } in parsed {
            if let Some(index) = self.replace(entry) {
                differences.changed.push(index);
            }
        }
        differences
    }

    /// An entry.
    fn entry(&self, index: u32) -> Option<&Entry> {
        self.entries.get(index as usize)?.as_ref()
    }

    /// The index of a name.
    fn find(&self, name: &NamespacedName) -> Option<u32> {
        let has_name = |index: &u32| self.entry(*index).is_some_and(|entry| entry.name == *name);
        let found = self.by_name.find(self.hasher.hash_one(name), has_name);
        found.copied()
    }

    /// Takes an entry out.
    fn remove(&mut self, index: u32) -> Option<NamespacedName> {
        let entry = self.entries.get_mut(index as usize)?.take()?;
        self.free.push(index);
        unindex(&mut self.by_piece, entry.piece, index);
        unindex(&mut self.by_name, self.hasher.hash_one(&entry.name), index);
        Some(entry.name)
    }

    /// Puts an entry in the place of the one of its name, or in a new one. Returns its index if
    /// anything differs.
    fn replace(&mut self, new: Entry) -> Option<u32> {
        let piece = new.piece;
        let (index, is_changed) = match self.find(&new.name) {
            Some(index) => {
                let old = self.entries.get_mut(index as usize)?.as_mut()?;
                let is_changed = old.service != new.service;
                unindex(&mut self.by_piece, old.piece, index);
                old.piece = piece;
                if is_changed {
                    old.service = new.service;
                }
                (index, is_changed)
            }
            None => (self.insert(new)?, true),
        };
        let entries = &self.entries;
        let hash = |index: &u32| hash_at(entries, *index, |entry| entry.piece);
        self.by_piece.insert_unique(piece, index, hash);
        is_changed.then_some(index)
    }

    /// Puts a new entry in.
    fn insert(&mut self, new: Entry) -> Option<u32> {
        let name = self.hasher.hash_one(&new.name);
        let index = if let Some(index) = self.free.pop() {
            *self.entries.get_mut(index as usize)? = Some(new);
            index
        } else {
            // A file of 512 MiB has fewer services.
            let index = u32::try_from(self.entries.len()).ok()?;
            self.entries.push(Some(new));
            index
        };
        let (entries, hasher) = (&self.entries, &self.hasher);
        let hash = |index: &u32| hash_at(entries, *index, |entry| hasher.hash_one(&entry.name));
        self.by_name.insert_unique(name, index, hash);
        Some(index)
    }
}

/// A hash of the entry at an index.
fn hash_at(entries: &[Option<Entry>], index: u32, hash: impl Fn(&Entry) -> u64) -> u64 {
    let entry = entries.get(index as usize).and_then(Option::as_ref);
    entry.map_or(0, hash)
}

/// Takes an index out of a table.
fn unindex(table: &mut HashTable<u32>, hash: u64, index: u32) {
    if let Ok(found) = table.find_entry(hash, |other| *other == index) {
        found.remove();
    }
}

/// Reads `[end]`.
fn end(section: Option<Section<'_>>) {
    let Some(section) = section else { return };
    section.require("complete");
    if let Some(no) = section
        .boolean("complete")
        .filter(|complete| !complete.value)
    {
        section.report.add(no.at, "complete: true, or no [end]");
    }
    section.finish();
}

/// A bit for each of so many indexes.
#[derive(Debug, Default)]
struct Bits {
    /// The bits.
    words: Vec<u64>,
    /// How many there are.
    count: usize,
}

impl Bits {
    /// So many, none of them set.
    fn of(count: usize) -> Self {
        Self {
            words: vec![0; count.div_ceil(64)],
            count,
        }
    }

    /// Sets one; says whether it was not set.
    fn set(&mut self, index: u32) -> bool {
        let Some(word) = self.words.get_mut(index as usize / 64) else {
            return false;
        };
        let before = std::mem::replace(word, *word | 1 << (index % 64));
        before != *word
    }

    /// Whether one is set.
    fn has(&self, index: u32) -> bool {
        let word = self.words.get(index as usize / 64);
        word.is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    /// Those that are not set.
    fn unset(&self) -> impl Iterator<Item = u32> {
        let all = 0..u32::try_from(self.count).unwrap_or(u32::MAX);
        all.filter(|index| !self.has(*index))
    }
}
