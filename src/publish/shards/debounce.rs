//! Changes that only take something away, kept back for a moment: an endpoint that moves between
//! two EndpointSlices is first gone and then back, and nobody may see that (docs/kubernetes.md,
//! Endpoints).
//!
//! Each waits on its own, so what adds something goes out at once beside it.

use std::collections::{HashMap, VecDeque};

use tokio::time::Instant;

use super::key::{ShardKey, ShardUpdate};
use crate::model::{Export, MemberIdx, Service};
use crate::publish::writer::pace::WINDOW;

/// Losses that are not folded yet.
#[derive(Debug, Default)]
pub(in crate::publish) struct PendingRemovals {
    /// What waits, and until when.
    waiting: HashMap<ShardKey, (Instant, ShardUpdate)>,
    /// In order of time, as every loss waits equally long; entries of keys that wait no more, or
    /// until another time, are skipped.
    order: VecDeque<(Instant, ShardKey)>,
}

impl PendingRemovals {
    /// Keeps a loss back. One that waits already for the same service is replaced, and the time
    /// stays: a service that keeps changing is not kept back for ever.
    pub(in crate::publish) fn keep(&mut self, key: ShardKey, change: ShardUpdate, now: Instant) {
        if let Some((_, waiting)) = self.waiting.get_mut(&key) {
            *waiting = change;
        } else {
            let due = now + WINDOW;
            self.order.push_back((due, key.clone()));
            self.waiting.insert(key, (due, change));
        }
    }

    /// Forgets the loss of a service, which newer facts replace.
    pub(in crate::publish) fn cancel(&mut self, key: &ShardKey) {
        self.waiting.remove(key);
    }

    /// Forgets the losses of a member, which a complete list replaces.
    pub(in crate::publish) fn cancel_member(&mut self, member: MemberIdx) {
        self.waiting.retain(|(of, _), _| *of != member);
    }

    /// When the next loss is due; some deadlines may be those of forgotten losses.
    pub(in crate::publish) fn deadline(&self) -> Option<Instant> {
        self.order.front().map(|(due, _)| *due)
    }

    /// Takes one loss that is due, if any.
    pub(in crate::publish) fn pop(&mut self, now: Instant) -> Option<(ShardKey, ShardUpdate)> {
        loop {
            if self.deadline()? > now {
                return None;
            }
            let (due, key) = self.order.pop_front()?;
            if self
                .waiting
                .get(&key)
                .is_some_and(|(until, _)| *until == due)
            {
                let (_, change) = self.waiting.remove(&key)?;
                return Some((key, change));
            }
        }
    }

    /// Takes all that waits, due or not.
    pub(in crate::publish) fn drain(&mut self) -> impl Iterator<Item = (ShardKey, ShardUpdate)> {
        self.order.clear();
        let waiting = std::mem::take(&mut self.waiting);
        waiting.into_iter().map(|(key, (_, change))| (key, change))
    }
}

/// Whether to keep a change back: it makes a service unready, or takes something away and adds
/// nothing.
pub(in crate::publish) fn only_removes(old: &Service, new: &Service) -> bool {
    let offers = |service: &Service| {
        (
            service.is_ready(),
            service.export != Export::Refused,
            service.steering.weight != Some(0),
        )
    };
    let ((was_ready, was_exported, was_weighed), (is_ready, is_exported, is_weighed)) =
        (offers(old), offers(new));
    if was_ready && !is_ready {
        return true;
    }
    let loses = (was_exported && !is_exported)
        || (was_weighed && !is_weighed)
        || lacks(&new.addresses, &old.addresses)
        || lacks(&new.hostnames, &old.hostnames);
    let gains = (is_ready && !was_ready)
        || lacks(&old.addresses, &new.addresses)
        || lacks(&old.hostnames, &new.hostnames);
    loses && !gains
}

/// Whether `set` lacks one of `items`. Both are short.
fn lacks<T: PartialEq>(set: &[T], items: &[T]) -> bool {
    items.iter().any(|item| !set.contains(item))
}
