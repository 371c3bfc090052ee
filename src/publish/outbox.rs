//! Where everything goes that the writer decides: the next snapshot, the disk, the log with its events,
//! and metrics. Each owner of the writer's state gets it as an argument.

pub(super) mod events;
pub(super) mod transitions;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::time::Instant;

use self::events::TransitionEvent;
use self::transitions::TransitionLog;
use super::disk::Disk;
use super::now::Now;
use crate::model::{EventKind, Evidence, Finding, MemberIdx, ProbeTarget};
use crate::names::Label;
use crate::publish::disk::fact::{Fact, MemberMeta};
use crate::publish::disk::files::{FileOwner, MemberImage};
use crate::publish::disk::findings_log::FindingsLog;
use crate::publish::shards::damping::ShardTurn;
use crate::publish::shards::key::{ShardKey, ShardUpdate};
use crate::snapshot::{Condition, SnapshotBuilder};
use crate::telemetry::Metrics;

/// A change of what a source says of a shard, and what follows from it.
#[derive(Debug)]
pub(super) struct ShardChange {
    /// What its source says of it now.
    pub(super) facts: ShardUpdate,
    /// What is written of that; `None` where it is written with others.
    pub(super) written: Option<Fact>,
    /// It went out or came back.
    pub(super) turn: Option<ShardTurn>,
}

/// A change of what probes say of a target, and what follows from it.
#[derive(Debug)]
pub(super) struct TargetChange {
    /// What they say now; `None` of what is probed no more.
    pub(super) evidence: Option<Evidence>,
    /// What is known of its address now, if that is another thing.
    pub(super) finding: Option<Finding>,
    /// From which verdict to which it went, where that is worth an event.
    pub(super) transition: Option<TransitionEvent>,
}

/// Where everything goes that the writer decides.
#[derive(Debug)]
pub(super) struct Outbox {
    /// Facts, and the snapshot that follows from them.
    pub(super) builder: SnapshotBuilder,
    /// Something of it is not published.
    pub(super) is_dirty: bool,
    /// Where facts are written.
    disk: Disk,
    /// Where findings are written.
    pub(super) record: FindingsLog,
    /// Where transitions are shown.
    transits: TransitionLog,
    /// Where changes are counted.
    pub(super) metrics: Arc<Metrics>,
}

impl Outbox {
    /// Facts that nothing was published of, with where all that follows goes.
    pub(super) fn new(
        builder: SnapshotBuilder,
        (disk, record, transits): (Disk, FindingsLog, TransitionLog),
    ) -> Self {
        let metrics = Arc::clone(transits.metrics());
        Self {
            builder,
            is_dirty: true,
            disk,
            record,
            transits,
            metrics,
        }
    }

    /// The name of a member.
    pub(super) fn name(&self, member: MemberIdx) -> Option<Label> {
        let members = &self.builder.fleet().members;
        members.get(member).map(|member| member.name.clone())
    }

    /// Whether what is on disk is to stay as it is. What changes meanwhile is written afterwards.
    pub(super) fn set_frozen(&mut self, is_frozen: bool) {
        self.disk.set_frozen(is_frozen);
        self.record.set_frozen(is_frozen);
    }

    /// Has a change of a member written.
    pub(super) fn keep(&mut self, member: MemberIdx, fact: Fact) {
        if let Some(name) = self.name(member) {
            self.disk.append(&FileOwner::Member(name), fact);
        }
    }

    /// Has a change written of what is no member's.
    pub(super) fn keep_of_fleet(&mut self, fact: Fact) {
        self.disk.append(&FileOwner::Fleet, fact);
    }

    /// Has a file of facts written anew.
    pub(super) fn replace_file(&mut self, owner: &FileOwner, whole: MemberImage) {
        self.disk.replace(owner, whole);
    }

    /// Has the file of facts of a member that is gone removed.
    pub(super) fn remove_file(&mut self, member: Label) {
        self.disk.remove(&FileOwner::Member(member));
    }

    /// The files of facts that are to be written anew.
    pub(super) fn stale_files(&mut self, now: Instant) -> Vec<FileOwner> {
        self.disk.owed(now)
    }

    /// Ends once everything is on disk.
    pub(super) fn close(self) {
        self.disk.close();
        self.record.close();
    }

    /// Has everything of a member written: its services, and what is kept besides.
    pub(super) fn keep_whole(&mut self, member: MemberIdx, kept: &MemberMeta) {
        let Some(name) = self.name(member) else {
            return;
        };
        let facts = self.builder.facts(member);
        let services = facts
            .map(|(name, service)| (name.clone(), service.clone()))
            .collect();
        let whole = MemberImage {
            kept: kept.clone(),
            services,
        };
        self.disk.replace(&FileOwner::Member(name), whole);
    }

    /// A shard as it is named on disk.
    pub(super) fn key_on_disk(&self, (member, name): &ShardKey) -> Option<[String; 3]> {
        let member = self.name(*member)?.to_string();
        Some([member, name.namespace.to_string(), name.name.to_string()])
    }

    /// Folds a change of a shard, has it written, and says and keeps what follows from it.
    pub(super) fn change_shard(&mut self, key: &ShardKey, change: ShardChange, now: Now) {
        let (member, name) = key;
        let ShardChange {
            facts,
            written,
            turn,
        } = change;
        self.is_dirty |= match facts {
            Some(facts) => self.builder.upsert(*member, name, facts),
            None => self.builder.remove(*member, name),
        };
        if let Some(turn) = turn {
            self.turn_shard(key, turn, now);
        }
        if let Some(fact) = written {
            self.keep(*member, fact);
        }
    }

    /// Says and keeps that a shard went out or came back.
    pub(super) fn turn_shard(&mut self, key: &ShardKey, turn: ShardTurn, now: Now) {
        let ShardTurn {
            condition,
            record,
            transition,
        } = turn;
        if let Some(record) = record
            && let Some(key) = self.key_on_disk(key)
        {
            self.record.shard(key, record, now.instant);
        }
        self.set_condition(key, condition);
        let (member, name) = key;
        if let Some((from, to, why)) = transition
            && let Some(member) = self.name(*member)
        {
            let transited = TransitionEvent {
                kind: EventKind::Shard,
                subject: format!("{name} in {member}"),
                from: from.to_owned(),
                to: to.to_owned(),
                why,
                by: None,
                is_worse: to != "ready",
            };
            self.transited(now, transited);
        }
    }

    /// Folds a change of what probes say of a target, and says and keeps what follows from it.
    pub(super) fn change_target(&mut self, target: &ProbeTarget, change: TargetChange, now: Now) {
        let TargetChange {
            evidence,
            finding,
            transition,
        } = change;
        if finding.is_some() {
            self.change_finding(target.address, finding, now);
        }
        if let Some(transition) = transition {
            self.transited(now, transition);
        }
        self.is_dirty |= self.builder.set_evidence(target, evidence);
    }

    /// Folds and keeps what is known of an address; `None` when that is forgotten.
    pub(super) fn change_finding(&mut self, at: SocketAddr, finding: Option<Finding>, now: Now) {
        self.record.found(at, finding.as_ref(), now.instant);
        self.is_dirty |= self.builder.set_finding(at, finding);
    }

    /// Says what is to be said of a shard.
    pub(super) fn set_condition(
        &mut self,
        (member, name): &ShardKey,
        condition: Option<Condition>,
    ) {
        self.is_dirty |= self.builder.set_condition(*member, name, condition);
    }

    /// A second is over: more transitions are logged again.
    pub(super) fn next_second(&mut self) {
        self.transits.next_second();
    }

    /// Counts a transition that nobody needs to read about.
    pub(super) fn count_transition(&self, kind: EventKind) {
        self.transits.count(kind);
    }

    /// Something went from one state to another: a line of the log, a count, an event.
    pub(super) fn transited(&mut self, now: Now, transited: TransitionEvent) {
        self.transits.show(now, transited);
    }
}
