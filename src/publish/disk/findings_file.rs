//! What was found from here, on disk: `probes.log` in `state-dir`, what probes say of addresses, and
//! the contact to members. A file of its own, since it is true of where this daemon stands and is not
//! to go along with facts that are copied elsewhere.
//!
//! Its times are those of the wall clock, the only one that two processes share. That it was set is a
//! record too, which dates all records before it anew.
//!
//! ```text
//! probes.log       records in the order in which they came: the last of an address or a member counts
//! probes.log.new   a shorter one that says the same, while it is written
//! ```

mod fold;
mod record;

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tracing::error;

use self::record::{FindingsRecord, Out, append, place};
pub(in crate::publish) use self::record::{
    LastAsked, MOST_KEPT, MemberRecords, RestoredFindings, ShardRecords,
};
use super::frames;
use super::frames::{BaseId, FINDINGS};
use crate::config::whole_file;
use crate::model::{Finding, Findings, Place, UnixSeconds};
use crate::publish::members::states::MemberRecord;
use crate::publish::shards::damping::ShardRecord;

/// The file in `state-dir`.
const NAME: &str = "probes.log";

/// The path of the file in a state folder.
pub(in crate::publish) fn path(state_dir: &Path) -> PathBuf {
    state_dir.join(NAME)
}

/// Reads the file as it counts at `now` for a daemon that stands at `here`; `decided` is when operators
/// decided last, as far as that is kept elsewhere. What is wrong with the file is logged; then, as
/// without one, nothing is known.
///
/// What was down an hour ago, or is down for somebody who stands elsewhere, may be up: after a move
/// a whole federation could look dead. What passed may not pass any more. That it has ever passed
/// stays known.
pub(in crate::publish) fn read(
    path: &Path,
    here: Option<&Place>,
    decided: Option<UnixSeconds>,
    now: UnixSeconds,
) -> RestoredFindings {
    match fold::read(path) {
        Ok(Some(read)) => read.count(here, decided, now),
        Ok(None) => RestoredFindings::default(),
        Err(problem) => {
            error!(file = %path.display(), %problem, "cannot read probe findings");
            RestoredFindings::default()
        }
    }
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
    let file = whole_file::write(path, &[], &buffer)?;
    Ok((file, buffer.len() as u64))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::model::Verdict;

    #[test]
    fn what_earlier_builds_have_written_is_down_or_has_passed() {
        let folder = tempfile::tempdir().unwrap();
        let path = super::path(folder.path());
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
        let kept = read(&path, None, None, UnixSeconds(1_800_000_001));
        assert_eq!(kept.findings.get(&at(one)), Some(&Finding::default()));
        let two = kept.findings.get(&at(two)).unwrap();
        let down = two.down.as_ref().unwrap();
        assert_eq!((two.verdict(), &*down.seen), (Verdict::Down, "refused"));
        assert!(!two.is_passing && kept.good.is_some());
    }
}
