//! Room for targets, shared out fairly among members.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::target_users::{Map, TargetUser};
use crate::model::{MemberIdx, ProbeTarget};

/// Who holds room, and who waits for some: while there is none, a member that holds less gets that
/// of one that holds more.
#[derive(Debug, Default)]
pub(super) struct FairShare {
    members: BTreeMap<MemberIdx, Share>,
    /// The turns of users that wait, with the members for whose targets they do.
    turns: Map<TargetUser, SmallVec<[(MemberIdx, u64); 1]>>,
    /// The last number given.
    last: u64,
}

/// What is one member's.
#[derive(Debug, Default)]
struct Share {
    /// Its targets, in the order in which they came.
    held: BTreeMap<u64, ProbeTarget>,
    /// Users that wait for room for its targets, the one that has waited longest first.
    waiting: BTreeMap<u64, TargetUser>,
}

impl FairShare {
    /// A member holds room for a target from now on. Returns the number to give it back with.
    pub(super) fn hold(&mut self, member: MemberIdx, target: ProbeTarget) -> u64 {
        self.last += 1;
        let share = self.members.entry(member).or_default();
        share.held.insert(self.last, target);
        self.last
    }

    /// A member gives room back.
    pub(super) fn release(&mut self, member: MemberIdx, number: u64) {
        if let Some(share) = self.members.get_mut(&member) {
            share.held.remove(&number);
            self.forget_if_idle(member);
        }
    }

    /// Drops what is kept of a member that has nothing.
    fn forget_if_idle(&mut self, member: MemberIdx) {
        let share = self.members.get(&member);
        if share.is_some_and(|share| share.held.is_empty() && share.waiting.is_empty()) {
            self.members.remove(&member);
        }
    }

    /// The target that has to go for a new one of a member: the last that came of the member that
    /// holds most, if that holds at least two more. So every such exchange brings the members closer
    /// together, and none is ever taken back.
    pub(super) fn to_displace(&self, member: MemberIdx) -> Option<ProbeTarget> {
        let held = self.members.get(&member).map_or(0, |own| own.held.len());
        let most = self.members.values().max_by_key(|share| share.held.len())?;
        let is_owed = most.held.len() > held + 1;
        let (_, target) = most.held.last_key_value().filter(|_| is_owed)?;
        Some(target.clone())
    }

    /// A user waits for room for targets of these members, and of no others.
    pub(super) fn wait(&mut self, user: &TargetUser, members: &[MemberIdx]) {
        let before = self.turns.remove(user).unwrap_or_default();
        let mut turns = SmallVec::new();
        for (member, turn) in before {
            if members.contains(&member) {
                turns.push((member, turn));
            } else if let Some(share) = self.members.get_mut(&member) {
                share.waiting.remove(&turn);
                self.forget_if_idle(member);
            }
        }
        for member in members {
            if turns.iter().all(|(of, _)| of != member) {
                self.last += 1;
                turns.push((*member, self.last));
                let share = self.members.entry(*member).or_default();
                share.waiting.insert(self.last, user.clone());
            }
        }
        if !turns.is_empty() {
            self.turns.insert(user.clone(), turns);
        }
    }

    /// Whether nobody waits.
    pub(super) fn is_idle(&self) -> bool {
        self.turns.is_empty()
    }

    /// Users whose turn it is while there is so much room: those of the members that hold least first.
    /// They wait no more for the member whose turn they had.
    pub(super) fn admit(&mut self, mut room: usize) -> Vec<TargetUser> {
        let mut admitted = Vec::new();
        if self.turns.is_empty() {
            return admitted;
        }
        let held = self.members.iter();
        let mut held: BTreeMap<_, _> = held
            .map(|(member, share)| (*member, share.held.len()))
            .collect();
        loop {
            let waits = |member| {
                let share = self.members.get(member);
                share.is_some_and(|share| !share.waiting.is_empty())
            };
            let least = held.iter().filter(|(member, _)| waits(member));
            let Some((member, least)) = least.min_by_key(|(_, held)| **held) else {
                break;
            };
            let (member, least) = (*member, *least);
            if room > 0 {
                room -= 1;
            } else if let Some(most) = held.values_mut().max().filter(|most| **most > least + 1) {
                *most -= 1;
            } else {
                break;
            }
            held.insert(member, least + 1);
            let share = self.members.get_mut(&member);
            let Some((_, user)) = share.and_then(|share| share.waiting.pop_first()) else {
                break;
            };
            if let Some(turns) = self.turns.get_mut(&user) {
                turns.retain(|(of, _)| *of != member);
                if turns.is_empty() {
                    self.turns.remove(&user);
                }
            }
            self.forget_if_idle(member);
            admitted.push(user);
        }
        admitted
    }
}
