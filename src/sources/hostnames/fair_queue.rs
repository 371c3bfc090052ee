//! Whose name is asked for next: the members that name them take turns. Pure: it is given the time.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use crate::model::{MemberIdx, MemberSet};
use crate::wire::NameBuf;

/// How many names are asked for at once. One member alone has half of it.
pub(super) const AT_ONCE: usize = 32;

/// When names are due, of each member by itself.
///
/// A name is asked for in the turn of whichever of its members comes first. Whose turn it is follows
/// from how many names are being asked for in the turns of each, and from when it last had one. A
/// member has fewer of them than are free: so there is always one for a member that has none, however
/// long the names of others take.
#[derive(Debug, Default)]
pub(super) struct FairQueue {
    /// The members that have names.
    members: BTreeMap<MemberIdx, Turn>,
    /// How many names are being asked for.
    asking: usize,
    /// The last number given.
    last: u64,
}

/// What is one member's.
#[derive(Debug, Default)]
struct Turn {
    /// Its names that are not being asked for, by when to ask.
    due: BTreeSet<(Instant, NameBuf)>,
    /// How many names are being asked for in its turns.
    asking: usize,
    /// When it last had a turn.
    served: u64,
}

impl FairQueue {
    /// A name is due at a time.
    pub(super) fn insert(&mut self, at: Instant, hostname: &NameBuf, members: MemberSet) {
        for member in members.iter() {
            let turn = self.members.entry(member).or_default();
            turn.due.insert((at, hostname.clone()));
        }
    }

    /// A name is not due any more.
    pub(super) fn remove(&mut self, at: Instant, hostname: &NameBuf, members: MemberSet) {
        let key = (at, hostname.clone());
        for member in members.iter() {
            if let Some(turn) = self.members.get_mut(&member) {
                turn.due.remove(&key);
                self.forget_if_idle(member);
            }
        }
    }

    /// A name whose time has come, and in whose turn it is asked for. It stays due until it is
    /// [removed](Self::remove).
    pub(super) fn next(&mut self, now: Instant) -> Option<(MemberIdx, NameBuf)> {
        let free = AT_ONCE - self.asking;
        let may_ask = self.members.iter().filter(|(_, turn)| {
            let is_due = turn.due.first().is_some_and(|(at, _)| *at <= now);
            is_due && turn.asking < free
        });
        let first = may_ask.min_by_key(|(_, turn)| (turn.asking, turn.served));
        let member = *first?.0;
        let turn = self.members.get_mut(&member)?;
        let (_, hostname) = turn.due.first().cloned()?;
        self.last += 1;
        turn.served = self.last;
        turn.asking += 1;
        self.asking += 1;
        Some((member, hostname))
    }

    /// When the next name is due of those that may be asked for then.
    pub(super) fn next_at(&self) -> Option<Instant> {
        let free = AT_ONCE - self.asking;
        let may_ask = self.members.values().filter(|turn| turn.asking < free);
        let first = may_ask.filter_map(|turn| turn.due.first());
        first.map(|(at, _)| *at).min()
    }

    /// A name that was asked for in the turn of a member is asked for no more.
    pub(super) fn end(&mut self, member: MemberIdx) {
        if let Some(turn) = self.members.get_mut(&member) {
            turn.asking -= 1;
            self.asking -= 1;
            self.forget_if_idle(member);
        }
    }

    /// No name is asked for any more.
    pub(super) fn end_all(&mut self) {
        self.asking = 0;
        self.members.retain(|_, turn| {
            turn.asking = 0;
            !turn.due.is_empty()
        });
    }

    /// Drops what is kept of a member that has nothing.
    fn forget_if_idle(&mut self, member: MemberIdx) {
        let turn = self.members.get(&member);
        if turn.is_some_and(|turn| turn.due.is_empty() && turn.asking == 0) {
            self.members.remove(&member);
        }
    }
}
