//! What was found from here, on disk: `probes.log` in `state-dir`, what probes say of addresses, and
//! the contact to members. A file of its own, since it is true of where this daemon stands and is not
//! to go along with facts that are copied elsewhere.
//!
//! ```text
//! probes.log       records in the order in which they came: the last of an address or a member counts
//! probes.log.new   a shorter one that says the same, while it is written
//! ```

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing::error;

use super::frames;
use super::frames::{BaseId, FINDINGS, FrameError, Frames, HEADER};
use crate::config;
use crate::model::limits::KEPT_PROBES;
use crate::model::{Evidence, Finding, Findings, Place, UnixSeconds, Verdict, kept};
use crate::names::Label;
use crate::publish::members::states::MemberRecord;
use crate::publish::shards::damping::ShardRecord;

/// The file in `state-dir`.
const NAME: &str = "probes.log";

/// For how long, in seconds, what is down counts as down without anybody who looks.
const FRESH: u64 = 3600;

/// How many addresses are kept: twice as many as are probed, so that what was probed of late has
/// room too.
pub(in crate::publish) const MOST_KEPT: usize = 2 * 65_536;

/// A record. New variants go to the end, or the version of the file changes.
#[derive(Debug, Serialize, Deserialize)]
enum FindingsRecord {
    /// Where the daemon stood that found what follows: region, zone.
    Stood(Option<String>, Option<String>),
    /// All of it was so at this time, in Unix seconds.
    Held(u64),
    /// An address and port has passed; since when it is down, in Unix seconds, and what was seen.
    /// Earlier builds wrote it in place of [`FindingsRecord::Probed`].
    Found(SocketAddr, Option<(u64, String)>),
    /// Nothing is known of it any more.
    Forgotten(SocketAddr),
    /// The contact to a member, by its name.
    Member(String, MemberRecord),
    /// A shard that goes out too often: member, namespace and name of the service.
    Shard([String; 3], ShardRecord),
    /// An address and port has passed: why it is out, if it is, and whether its last pass proves that
    /// it works.
    Probed(SocketAddr, Option<Out>, bool),
    /// A process has begun at this time, in Unix seconds: what passes by the records before was last
    /// asked before then.
    Begun(u64),
    /// The wall clock was set by so many seconds: all times of the records before are later by as many.
    ClockSet(i64),
}

/// Why an address is out.
#[derive(Debug, Serialize, Deserialize)]
struct Out {
    /// It passes again, and is kept back since it was down too often; else it is down.
    is_damped: bool,
    /// Since when, in Unix seconds.
    since: u64,
    /// What was seen.
    seen: String,
}

impl Out {
    /// Of what is known.
    fn of(down: &Evidence) -> Self {
        Self {
            is_damped: down.verdict == Verdict::Damped,
            since: down.since.0,
            seen: down.seen.to_string(),
        }
    }

    /// What is known.
    fn evidence(self) -> Evidence {
        Evidence {
            verdict: if self.is_damped {
                Verdict::Damped
            } else {
                Verdict::Down
            },
            since: UnixSeconds(self.since),
            seen: kept(&self.seen).into(),
            unproven_since: None,
        }
    }
}

/// What is known of the contact to members, by their names.
pub(in crate::publish) type MemberRecords = BTreeMap<String, MemberRecord>;

/// What is known of shards that go out too often, by member, namespace and name of the service.
pub(in crate::publish) type ShardRecords = BTreeMap<[String; 3], ShardRecord>;

/// When addresses were last asked, at the latest.
pub(in crate::publish) type LastAsked = HashMap<SocketAddr, UnixSeconds>;

/// For how long, in seconds, a process may go on after it has last written down the time: it does so
/// every minute, a little late at worst.
const NOTED: u64 = 75;

/// How many shards are kept.
const MOST_SHARDS: usize = 65_536;

/// What was read.
#[derive(Debug, Default)]
pub(in crate::publish) struct RestoredFindings {
    /// What is known of each address, less what has grown old.
    pub(in crate::publish) findings: Findings,
    /// When each that passes was last asked, at the latest.
    pub(in crate::publish) asked: LastAsked,
    /// What is known of the contact to members, less the same.
    pub(in crate::publish) members: MemberRecords,
    /// What is known of shards that go out too often, less the same.
    pub(in crate::publish) shards: ShardRecords,
    /// The octets of the file after which writing goes on; `None` where it is to be written anew.
    pub(in crate::publish) good: Option<u64>,
    /// By how many seconds the wall clock was set, at least, while nobody looked; all times here are by
    /// the present one. Zero where it seems to have gone on.
    pub(in crate::publish) clock_set: i64,
}

/// The path of the file in a state folder.
pub(in crate::publish) fn path(state_dir: &Path) -> PathBuf {
    state_dir.join(NAME)
}

/// Reads the file as it counts at `now` for a daemon that stands at `here`. What is wrong with it is
/// logged; then, as without one, nothing is known.
///
/// What was down an hour ago, or is down for somebody who stands elsewhere, may be up: after a move
/// a whole federation could look dead. What passed may not pass any more. That it has ever passed
/// stays known.
pub(in crate::publish) fn read(
    path: &Path,
    here: Option<&Place>,
    now: UnixSeconds,
) -> RestoredFindings {
    match try_read(path) {
        Ok(Some(read)) => read.count(here, now),
        Ok(None) => RestoredFindings::default(),
        Err(problem) => {
            error!(file = %path.display(), %problem, "what probes have found cannot be read");
            RestoredFindings::default()
        }
    }
}

/// The file as it says. While it is read, times are by the wall clock of its beginning, however often
/// that was set since; they may be negative there, and wrap.
#[derive(Debug, Default)]
struct FindingsFile {
    /// By how many seconds the wall clock was set since the beginning.
    clock_set: i64,
    /// What is known of each address.
    findings: Findings,
    /// How many processes had begun when each was written.
    written: HashMap<SocketAddr, usize>,
    /// When they have begun.
    begun: Vec<u64>,
    /// What is known of the contact to members.
    members: MemberRecords,
    /// What is known of shards.
    shards: ShardRecords,
    /// Where the daemon stood.
    stood: (Option<String>, Option<String>),
    /// When all of it was so.
    held: u64,
    /// The good octets.
    good: u64,
    /// There are others behind them.
    is_cut: bool,
}

impl FindingsFile {
    /// Folds a record.
    fn fold(&mut self, record: FindingsRecord) {
        let by = self.clock_set.wrapping_neg();
        let then = |at: u64| at.wrapping_add_signed(by);
        match record {
            FindingsRecord::Stood(region, zone) => self.stood = (region, zone),
            FindingsRecord::Held(at) => self.held = then(at),
            FindingsRecord::Found(address, down) => {
                let out = down.map(|(since, seen)| Out {
                    is_damped: false,
                    since,
                    seen,
                });
                self.fold(FindingsRecord::Probed(address, out, false));
            }
            FindingsRecord::Probed(address, out, is_passing) => {
                if self.findings.len() >= MOST_KEPT && !self.findings.contains_key(&address) {
                    return;
                }
                let mut down = out.map(Out::evidence);
                if let Some(down) = &mut down {
                    down.since = UnixSeconds(then(down.since.0));
                }
                self.findings.insert(address, Finding { down, is_passing });
                self.written.insert(address, self.begun.len());
            }
            FindingsRecord::Begun(at) => self.begun.push(then(at)),
            FindingsRecord::ClockSet(by) => self.clock_set = self.clock_set.wrapping_add(by),
            FindingsRecord::Forgotten(address) => drop(self.findings.remove(&address)),
            FindingsRecord::Member(name, record) if record == MemberRecord::default() => {
                self.members.remove(&name);
            }
            FindingsRecord::Member(name, mut record) => {
                record.redate(then);
                self.members.insert(name, record);
            }
            FindingsRecord::Shard(key, mut record) => {
                record.redate(then);
                if self.shards.len() < MOST_SHARDS || self.shards.contains_key(&key) {
                    self.shards.insert(key, record);
                }
            }
        }
    }

    /// Gives all times by the present wall clock. One that says less than when all was last so was set
    /// back while nobody looked: then no time has passed since. Returns by how many seconds it was.
    fn date(&mut self, now: UnixSeconds) -> i64 {
        let at = |by: i64| {
            move |at: u64| {
                let at = at.wrapping_add_signed(by).cast_signed();
                at.max(0).cast_unsigned()
            }
        };
        let held = at(self.clock_set)(self.held);
        let by = now.0.min(held).wrapping_sub(held).cast_signed();
        let date = at(self.clock_set.wrapping_add(by));
        self.held = date(self.held);
        for at in &mut self.begun {
            *at = date(*at);
        }
        for record in self.members.values_mut() {
            record.redate(date);
        }
        for record in self.shards.values_mut() {
            record.redate(date);
        }
        let down = self.findings.iter();
        let down = down.filter(|(_, known)| known.down.is_some());
        let down: Vec<_> = down.map(|(at, known)| (*at, known.clone())).collect();
        for (address, mut known) in down {
            if let Some(down) = &mut known.down {
                down.since = UnixSeconds(date(down.since.0));
            }
            self.findings.insert(address, known);
        }
        by
    }

    /// What counts of it.
    fn count(mut self, here: Option<&Place>, now: UnixSeconds) -> RestoredFindings {
        let clock_set = self.date(now);
        let is_elsewhere = self.stood != place(here);
        let is_old = now.0.saturating_sub(self.held) > FRESH;
        if is_elsewhere || is_old {
            let addresses = self.findings.keys().copied();
            self.findings = addresses.map(|at| (at, Finding::default())).collect();
            self.members.clear();
            self.shards.clear();
        }
        let is_whole = !is_elsewhere && !is_old && !self.is_cut;
        // Who has not begun anew since was there for as long as it may have been.
        let latest = now.0.min(self.held.saturating_add(NOTED));
        let passing = self.findings.iter().filter(|(_, known)| known.is_passing);
        let asked = passing.map(|(address, _)| {
            let begun = self.written.get(address);
            let begun = begun.and_then(|written| self.begun.get(*written));
            (
                *address,
                UnixSeconds(begun.map_or(latest, |at| latest.min(*at))),
            )
        });
        RestoredFindings {
            asked: asked.collect(),
            findings: self.findings,
            members: self.members,
            shards: self.shards,
            good: is_whole.then_some(self.good),
            clock_set,
        }
    }
}

/// Reads the file; `None` if there is none.
fn try_read(path: &Path) -> Result<Option<FindingsFile>, FrameError> {
    let octets = match config::read::read(path, &KEPT_PROBES) {
        Ok(octets) => octets,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io::Error::other(error).into()),
    };
    let (_, mut frames) = Frames::open(octets.as_slice(), FINDINGS)?;
    let mut read = FindingsFile {
        good: HEADER as u64,
        ..FindingsFile::default()
    };
    loop {
        let record = match frames.next() {
            Ok(None) => break,
            Ok(Some(payload)) => postcard::from_bytes(payload).map_err(|_| FrameError::Checksum),
            Err(error) => Err(error),
        };
        let Ok(record) = record else {
            // What was being written when the process was killed.
            read.is_cut = true;
            break;
        };
        read.fold(record);
        read.good = frames.good();
    }
    Ok(Some(read))
}

/// The labels of a place.
fn place(here: Option<&Place>) -> (Option<String>, Option<String>) {
    let text = |label: Option<&Label>| label.map(ToString::to_string);
    here.map_or((None, None), |here| {
        (text(here.region.as_ref()), text(here.zone.as_ref()))
    })
}

/// Appends the record of one address.
pub(in crate::publish) fn push(
    buffer: &mut Vec<u8>,
    address: SocketAddr,
    finding: Option<&Finding>,
) {
    let record = match finding {
        None => FindingsRecord::Forgotten(address),
        Some(finding) => {
            let out = finding.down.as_ref().map(Out::of);
            FindingsRecord::Probed(address, out, finding.is_passing)
        }
    };
    append(buffer, &record);
}

/// Appends the record of one member.
pub(in crate::publish) fn push_member(buffer: &mut Vec<u8>, name: &str, member: &MemberRecord) {
    append(
        buffer,
        &FindingsRecord::Member(name.to_owned(), member.clone()),
    );
}

/// Appends the record of one shard.
pub(in crate::publish) fn push_shard(buffer: &mut Vec<u8>, key: &[String; 3], shard: &ShardRecord) {
    append(buffer, &FindingsRecord::Shard(key.clone(), shard.clone()));
}

/// Appends that a process has begun.
pub(in crate::publish) fn push_begun(buffer: &mut Vec<u8>, at: UnixSeconds) {
    append(buffer, &FindingsRecord::Begun(at.0));
}

/// Appends that the wall clock was set by so many seconds.
pub(in crate::publish) fn push_clock_set(buffer: &mut Vec<u8>, by: i64) {
    append(buffer, &FindingsRecord::ClockSet(by));
}

/// Appends that all is so at a time.
pub(in crate::publish) fn push_held(buffer: &mut Vec<u8>, now: UnixSeconds) {
    append(buffer, &FindingsRecord::Held(now.0));
}

/// Appends a record.
fn append(buffer: &mut Vec<u8>, record: &FindingsRecord) {
    frames::push_frame(buffer, |payload| {
        let written = postcard::to_extend(record, std::mem::take(payload));
        *payload = written.expect("a vector takes everything, and every length is known");
    });
}

/// Opens the file to write on after its good octets.
pub(in crate::publish) fn open(path: &Path, good: u64) -> io::Result<File> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.set_len(good)?;
    file.seek(SeekFrom::End(0))?;
    Ok(file)
}

/// Writes the file anew, so that at every moment it is the old or the new one, whole. Returns it,
/// open at its end, and its octets.
pub(in crate::publish) fn write(
    path: &Path,
    here: Option<&Place>,
    now: UnixSeconds,
    (findings, asked): (&Findings, &LastAsked),
    (members, shards): (&MemberRecords, &ShardRecords),
) -> io::Result<(File, u64)> {
    let mut buffer = Vec::new();
    frames::push_header(&mut buffer, FINDINGS, BaseId::default());
    let (region, zone) = place(here);
    append(&mut buffer, &FindingsRecord::Stood(region, zone));
    push_held(&mut buffer, now);
    // Those that were last asked by then come before.
    let mut before: Vec<_> = asked.iter().map(|(address, at)| (*at, *address)).collect();
    before.sort_unstable();
    let mut before = before.into_iter().peekable();
    while let Some((at, address)) = before.next() {
        push(&mut buffer, address, findings.get(&address));
        if before.peek().is_none_or(|(next, _)| *next != at) {
            push_begun(&mut buffer, at);
        }
    }
    for (address, finding) in findings {
        if !asked.contains_key(address) {
            push(&mut buffer, *address, Some(finding));
        }
    }
    for (name, member) in members {
        push_member(&mut buffer, name, member);
    }
    for (key, shard) in shards {
        push_shard(&mut buffer, key, shard);
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    // It may not have been there at the start.
    fs::create_dir_all(folder)?;
    let new = path.with_extension("log.new");
    let mut file = File::create(&new)?;
    file.write_all(&buffer)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(folder)?.sync_all()?;
    Ok((file, buffer.len() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_earlier_builds_have_written_is_down_or_has_passed() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path());
        let (one, two) = ("192.0.2.1:80", "192.0.2.2:80");
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let mut octets = Vec::new();
        frames::push_header(&mut octets, FINDINGS, BaseId::default());
        append(&mut octets, &FindingsRecord::Stood(None, None));
        append(&mut octets, &FindingsRecord::Held(1_800_000_000));
        append(&mut octets, &FindingsRecord::Found(at(one), None));
        let down = Some((1_800_000_000, "refused".to_owned()));
        append(&mut octets, &FindingsRecord::Found(at(two), down));
        File::create(&path).unwrap().write_all(&octets).unwrap();
        let kept = read(&path, None, UnixSeconds(1_800_000_001));
        assert_eq!(kept.findings.get(&at(one)), Some(&Finding::default()));
        let two = kept.findings.get(&at(two)).unwrap();
        let down = two.down.as_ref().unwrap();
        assert_eq!((two.verdict(), &*down.seen), (Verdict::Down, "refused"));
        assert!(!two.is_passing && kept.good.is_some());
    }
}
