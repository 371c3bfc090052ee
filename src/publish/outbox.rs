//! Where everything goes that the writer decides: the next snapshot, the disk, the log with its events,
//! and metrics. Each owner of the writer's state gets it as an argument.

pub(super) mod events;
pub(super) mod transitions;

use std::sync::Arc;

use self::events::TransitionEvent;
use self::transitions::TransitionLog;
use super::disk::Disk;
use super::now::Now;
use crate::model::MemberIdx;
use crate::names::Label;
use crate::publish::disk::fact::{Fact, MemberMeta};
use crate::publish::disk::files::{FileOwner, MemberImage};
use crate::publish::disk::findings_log::FindingsLog;
use crate::publish::shards::key::ShardKey;
use crate::snapshot::{Condition, SnapshotBuilder};
use crate::telemetry::Metrics;

/// Where everything goes that the writer decides.
#[derive(Debug)]
pub(super) struct Outbox {
    /// Facts, and the snapshot that follows from them.
    pub(super) builder: SnapshotBuilder,
    /// Something of it is not published.
    pub(super) is_dirty: bool,
    /// Where facts are written.
    pub(super) disk: Disk,
    /// Where findings are written.
    pub(super) record: FindingsLog,
    /// Where transitions are shown.
    pub(super) transits: TransitionLog,
    /// Where changes are counted.
    pub(super) metrics: Arc<Metrics>,
}

impl Outbox {
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

    /// Says what is to be said of a shard.
    pub(super) fn set_condition(
        &mut self,
        (member, name): &ShardKey,
        condition: Option<Condition>,
    ) {
        self.is_dirty |= self.builder.set_condition(*member, name, condition);
    }

    /// Something went from one state to another: a line of the log, a count, an event.
    pub(super) fn transited(&mut self, now: Now, transited: TransitionEvent) {
        self.transits.show(now, transited);
    }
}
