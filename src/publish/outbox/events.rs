//! The last transitions, for those who look after the daemon.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::model::{Event, EventKind, Peer, UnixSeconds, kept};

/// How many events are kept; older ones are in the logs.
pub const KEPT: usize = 4096;

/// The last [`KEPT`] events. Cheap to clone; off the query path.
#[derive(Debug, Clone, Default)]
pub struct EventLog(Arc<Mutex<Ring>>);

/// The events themselves.
#[derive(Debug, Default)]
struct Ring {
    /// Oldest first.
    kept: VecDeque<Event>,
    /// The number of the newest.
    newest: u64,
}

/// A transition before it has a number.
#[derive(Debug, Clone)]
pub(in crate::publish) struct TransitionEvent {
    /// What kind of thing.
    pub(in crate::publish) kind: EventKind,
    /// Which one.
    pub(in crate::publish) subject: String,
    /// Its state before.
    pub(in crate::publish) from: String,
    /// Its state now.
    pub(in crate::publish) to: String,
    /// Why.
    pub(in crate::publish) why: String,
    /// Who gave the command that it comes from, if it comes from one.
    pub(in crate::publish) by: Option<Peer>,
    /// Something was lost by it: the log warns.
    pub(in crate::publish) is_worse: bool,
}

impl EventLog {
    /// Adds an event, and drops the oldest if there are too many.
    pub(in crate::publish) fn add(&self, at: UnixSeconds, transited: TransitionEvent) {
        let mut ring = self.0.lock();
        ring.newest += 1;
        let event = Event {
            id: ring.newest,
            at,
            kind: transited.kind,
            subject: transited.subject,
            from: transited.from,
            to: transited.to,
            // What members say may be long, and thousands are kept.
            why: kept(&transited.why),
            by: transited.by,
        };
        if ring.kept.len() == KEPT {
            ring.kept.pop_front();
        }
        ring.kept.push_back(event);
    }

    /// The events after number `after`, oldest first.
    pub fn since(&self, after: u64) -> Vec<Event> {
        let ring = self.0.lock();
        let newer = ring.kept.iter().filter(|event| event.id > after);
        newer.cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_events_go_first() {
        let events = EventLog::default();
        for n in 0..KEPT + 2 {
            let transited = TransitionEvent {
                kind: EventKind::Member,
                subject: n.to_string(),
                from: String::new(),
                to: String::new(),
                why: String::new(),
                by: None,
                is_worse: false,
            };
            events.add(UnixSeconds(1), transited);
        }
        let all = events.since(0);
        assert_eq!(all.len(), KEPT);
        assert_eq!((all[0].id, &*all[0].subject), (3, "2"));
        assert_eq!(events.since(KEPT as u64 + 1).len(), 1);
    }
}
