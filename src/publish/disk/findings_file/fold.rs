//! The file, folded record by record: what it says at its end.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use super::record::{
    FindingsRecord, MOST_KEPT, MemberRecords, Out, RestoredFindings, ShardRecords, place,
};
use crate::config;
use crate::model::limits::KEPT_PROBES;
use crate::model::{Finding, Findings, Place, UnixSeconds};
use crate::publish::disk::frames::{FINDINGS, FrameError, Frames, HEADER};
use crate::publish::members::states::MemberRecord;

/// For how long, in seconds, what is down counts as down without anybody who looks.
const FRESH: u64 = 3600;

/// For how long, in seconds, a process may go on after it has last written down the time: it does so
/// every minute, a little late at worst.
const NOTED: u64 = 75;

/// How many shards are kept.
const MOST_SHARDS: usize = 65_536;

/// The file as it says. While it is read, times are by the wall clock of its beginning, however often
/// that was set since; they may be negative there, and wrap.
#[derive(Debug, Default)]
pub(super) struct FindingsFile {
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
    fn date(&mut self, decided: Option<UnixSeconds>, now: UnixSeconds) -> i64 {
        let at = |by: i64| {
            move |at: u64| {
                let at = at.wrapping_add_signed(by).cast_signed();
                at.max(0).cast_unsigned()
            }
        };
        // What operators decide is dated by the clock as it was set last.
        let decided = decided.map(|at| at.0.wrapping_add_signed(self.clock_set.wrapping_neg()));
        let latest = at(self.clock_set)(self.latest(decided));
        let by = now.0.min(latest).wrapping_sub(latest).cast_signed();
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

    /// When an earlier process was there last, as far as anything says.
    fn latest(&self, decided: Option<u64>) -> u64 {
        let members = self.members.values().flat_map(|member| {
            let last = member.withdrawals.map(|(_, last)| last);
            member.lost.into_iter().chain(last)
        });
        let shards = self.shards.values().map(|shard| shard.last);
        let begun = self.begun.iter().copied();
        let after = members.chain(shards).chain(begun).chain(decided);
        let after = after.map(|at| at.wrapping_sub(self.held).cast_signed());
        let noted = after.filter(|after| *after <= NOTED.cast_signed());
        self.held.wrapping_add_signed(noted.fold(0, i64::max))
    }

    /// What counts of it.
    pub(super) fn count(
        mut self,
        here: Option<&Place>,
        decided: Option<UnixSeconds>,
        now: UnixSeconds,
    ) -> RestoredFindings {
        let clock_set = self.date(decided, now);
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
pub(super) fn read(path: &Path) -> Result<Option<FindingsFile>, FrameError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::members::states::HoldRecord;
    use crate::publish::shards::damping::ShardRecord;

    /// What counts, at a time, of a member that was lost at 1000, when its hold ends at 1060 and all was
    /// last so at 1010, with a shard that went out last at 1020, and then the records `then`.
    fn dated(then: &[FindingsRecord], now: u64) -> (u64, Option<u64>, u64, i64) {
        let hold = HoldRecord {
            federation: "f".to_owned(),
            until: Some(1060),
            has_passed: false,
        };
        let member = MemberRecord {
            lost: Some(1000),
            holds: vec![hold],
            withdrawals: None,
        };
        let shard = ShardRecord {
            count: 2,
            last: 1020,
            since: 1015,
        };
        let mut file = FindingsFile::default();
        file.fold(FindingsRecord::Held(1010));
        file.fold(FindingsRecord::Member("m".to_owned(), member));
        file.fold(FindingsRecord::Shard(Default::default(), shard));
        for record in then {
            let octets = postcard::to_allocvec(record).unwrap();
            file.fold(postcard::from_bytes(&octets).unwrap());
        }
        let counts = file.count(None, None, UnixSeconds(now));
        let member = counts.members.get("m").unwrap();
        let shard = counts.shards.values().next().unwrap();
        let until = member.holds.first().and_then(|hold| hold.until);
        (member.lost.unwrap(), until, shard.last, counts.clock_set)
    }

    #[test]
    fn times_are_dated_anew_when_the_wall_clock_is_set() {
        use FindingsRecord::{ClockSet, Held};
        let set = |by| [ClockSet(by), ClockSet(5)];
        assert_eq!(dated(&[], 1030), (1000, Some(1060), 1020, 0));
        let forward = (1105, Some(1165), 1125, 0);
        assert_eq!(dated(&set(100), 1130), forward);
        // Times before the beginning of the clock are kept too, but none comes of it that is not.
        assert_eq!(dated(&set(-1010), 30), (0, Some(55), 15, 0));
        let there_and_back = [ClockSet(-1010), Held(7), ClockSet(1010)];
        assert_eq!(dated(&there_and_back, 1030), (1000, Some(1060), 1020, 0));
    }

    #[test]
    fn no_time_has_passed_where_the_wall_clock_was_set_back_while_nobody_looked() {
        assert_eq!(dated(&[], 520), (500, Some(560), 520, -500));
        // What came long after all was last so was not: its time is wrong.
        let held = [FindingsRecord::Held(900)];
        assert_eq!(dated(&held, 400), (500, Some(560), 520, -500));
        // Nor since operators decided something, unless that is dated wrongly itself.
        let of = |decided| {
            let mut file = FindingsFile::default();
            file.fold(FindingsRecord::Held(1010));
            file.fold(FindingsRecord::ClockSet(100));
            let decided = Some(UnixSeconds(decided));
            file.count(None, decided, UnixSeconds(520)).clock_set
        };
        assert_eq!((of(1105), of(1180), of(1186)), (-590, -660, -590));
    }
}
