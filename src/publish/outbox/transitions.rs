//! Transitions: each is one line of the log, one count and one event.

use std::collections::HashMap;
use std::sync::Arc;

use tracing::{info, warn};

use super::events::TransitionEvent;
use crate::model::{EventKind, MemberSet, Shown};
use crate::publish::EventLog;
use crate::publish::now::Now;
use crate::telemetry::Metrics;

/// How many transitions of one kind are logged in a second: enough for one of every member. What is
/// left out is counted in the log; events and metrics have all of them.
const LINES: usize = MemberSet::CAPACITY;

/// Where transitions are shown.
#[derive(Debug)]
pub(in crate::publish) struct TransitionLog {
    /// The list that operators read.
    events: EventLog,
    /// Where they are counted.
    metrics: Arc<Metrics>,
    /// How many of each kind came since the last [`Self::next_second`].
    lines: HashMap<EventKind, usize>,
}

impl TransitionLog {
    /// No transition yet.
    pub(in crate::publish) fn new(events: EventLog, metrics: Arc<Metrics>) -> Self {
        Self {
            events,
            metrics,
            lines: HashMap::new(),
        }
    }

    /// Where transitions are counted.
    pub(in crate::publish) fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Counts a transition that nobody needs to read about.
    pub(in crate::publish) fn count(&self, kind: EventKind) {
        self.metrics.transition(kind);
    }

    /// Shows a transition.
    pub(in crate::publish) fn show(&mut self, now: Now, transited: TransitionEvent) {
        self.metrics.transition(transited.kind);
        let lines = self.lines.entry(transited.kind).or_default();
        *lines += 1;
        if *lines <= LINES {
            let what = &transited;
            let kind = what.kind.as_str();
            // Parts of all of these may come from members.
            let (subject, why) = (Shown(&what.subject), Shown(&what.why));
            let (from, to) = (Shown(&what.from), Shown(&what.to));
            if what.is_worse {
                warn!(%subject, %from, %to, %why, "{kind} changed state");
            } else {
                info!(%subject, %from, %to, %why, "{kind} changed state");
            }
        }
        self.events.add(now.wall, transited);
    }

    /// A second is over: says what was left out of the log in it. Returns how many lines.
    pub(in crate::publish) fn next_second(&mut self) -> usize {
        let mut all = 0;
        for (kind, lines) in self.lines.drain() {
            let left_out = lines.saturating_sub(LINES);
            if left_out > 0 {
                warn!(
                    kind = kind.as_str(),
                    left_out, "further state changes of this second are not logged"
                );
            }
            all += left_out;
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::model::UnixSeconds;

    #[test]
    fn a_storm_is_counted_and_kept_but_not_all_logged() {
        let (events, metrics) = (EventLog::default(), Arc::new(Metrics::new()));
        let mut transits = TransitionLog::new(events.clone(), metrics.clone());
        let now = Now {
            instant: Instant::now(),
            wall: UnixSeconds(7),
        };
        let shard = |n: usize| TransitionEvent {
            kind: EventKind::Shard,
            subject: n.to_string(),
            from: "ready".into(),
            to: "out".into(),
            why: "no ready endpoint".into(),
            by: None,
            is_worse: true,
        };
        (0..10_000).for_each(|n| transits.show(now, shard(n)));
        transits.count(EventKind::Target);
        assert_eq!(transits.next_second(), 10_000 - LINES);
        transits.show(now, shard(10_000));
        assert_eq!(transits.next_second(), 0);
        let last = events.since(10_000);
        assert_eq!(
            (last.len(), last[0].id, &*last[0].subject),
            (1, 10_001, "10000")
        );
        let text = metrics.render(UnixSeconds(7));
        for line in [
            "gazetteer_publish_transitions_total{kind=\"shard\"} 10001",
            "gazetteer_publish_transitions_total{kind=\"target\"} 1",
            "gazetteer_publish_transitions_total{kind=\"brake\"} 0",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
    }
}
