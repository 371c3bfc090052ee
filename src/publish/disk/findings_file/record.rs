//! What the file is made of, and what is made of it.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::model::{Evidence, Findings, Place, UnixSeconds, Verdict, kept};
use crate::names::Label;
use crate::publish::disk::frames;
use crate::publish::members::states::MemberRecord;
use crate::publish::shards::damping::ShardRecord;

/// How many addresses are kept: twice as many as are probed, so that what was probed of late has
/// room too.
pub(in crate::publish) const MOST_KEPT: usize = 2 * 65_536;

/// A record. New variants go to the end, or the version of the file changes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum FindingsRecord {
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
pub(super) struct Out {
    /// It passes again, and is suppressed since it was down too often; else it is down.
    pub(super) is_damped: bool,
    /// Since when, in Unix seconds.
    pub(super) since: u64,
    /// What was seen.
    pub(super) seen: String,
}

impl Out {
    /// Of what is known.
    pub(super) fn of(down: &Evidence) -> Self {
        Self {
            is_damped: down.verdict == Verdict::Damped,
            since: down.since.0,
            seen: down.seen.to_string(),
        }
    }

    /// What is known.
    pub(super) fn evidence(self) -> Evidence {
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

/// The labels of a place.
pub(super) fn place(here: Option<&Place>) -> (Option<String>, Option<String>) {
    let text = |label: Option<&Label>| label.map(ToString::to_string);
    here.map_or((None, None), |here| {
        (text(here.region.as_ref()), text(here.zone.as_ref()))
    })
}

/// Appends a record.
pub(super) fn append(buffer: &mut Vec<u8>, record: &FindingsRecord) {
    frames::push_frame(buffer, |payload| {
        let written = postcard::to_extend(record, std::mem::take(payload));
        *payload = written.expect("a vector takes everything, and every length is known");
    });
}
