//! When to publish: at once when idle, and at most once in a window under load.

use std::time::Duration;

use tokio::time::Instant;

/// At most one publication in this time, and how long a change that only takes something away
/// waits for what puts it back (docs/kubernetes.md, Endpoints).
pub(in crate::publish) const WINDOW: Duration = Duration::from_millis(10);

/// When the next publication is due.
#[derive(Debug, Default)]
pub(in crate::publish) struct PublicationPace {
    /// The last publication.
    last: Option<Instant>,
    /// Something is unpublished.
    is_dirty: bool,
}

impl PublicationPace {
    /// Something has changed.
    pub(in crate::publish) fn touch(&mut self) {
        self.is_dirty = true;
    }

    /// When the next publication is due, if any; may have passed.
    pub(in crate::publish) fn due(&self, now: Instant) -> Option<Instant> {
        let earliest = self.last.map_or(now, |last| last + WINDOW);
        self.is_dirty.then_some(earliest)
    }

    /// Everything was published.
    pub(in crate::publish) fn published(&mut self, now: Instant) {
        self.last = Some(now);
        self.is_dirty = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publishes_at_once_when_idle_and_once_in_a_window_under_load() {
        let start = Instant::now();
        let mut pace = PublicationPace::default();
        assert_eq!(pace.due(start), None);
        pace.touch();
        assert_eq!(pace.due(start), Some(start));
        pace.published(start);
        assert_eq!(pace.due(start), None);
        pace.touch();
        let soon = start + Duration::from_millis(3);
        assert_eq!(pace.due(soon), Some(start + WINDOW));
        let later = start + Duration::from_secs(3);
        assert!(pace.due(later).unwrap() <= later);
    }
}
