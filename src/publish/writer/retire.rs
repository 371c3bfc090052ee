//! Replaced snapshots, until nobody reads them: the writer drops them, so that no query thread ever
//! runs the deep drop of a root.

use std::sync::Arc;

/// Replaced values that somebody may still read.
#[derive(Debug)]
pub(in crate::publish) struct Retired<T>(Vec<Arc<T>>);

impl<T> Retired<T> {
    /// Nothing.
    pub(in crate::publish) fn new() -> Self {
        Self(Vec::new())
    }

    /// Takes a replaced value, which no new reader can find any more.
    pub(in crate::publish) fn push(&mut self, replaced: Arc<T>) {
        self.0.push(replaced);
    }

    /// Drops those that nobody reads. Returns how many are left.
    pub(in crate::publish) fn sweep(&mut self) -> usize {
        // No new reader can come, so a count of one stays one.
        self.0.retain(|replaced| Arc::strong_count(replaced) > 1);
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_dropped_by_the_sweep_after_its_last_reader() {
        let mut retired = Retired::new();
        let root = Arc::new(());
        let reader = Arc::clone(&root);
        let watch = Arc::downgrade(&root);
        retired.push(root);
        assert_eq!(retired.sweep(), 1);
        drop(reader);
        assert!(watch.upgrade().is_some());
        assert_eq!(retired.sweep(), 0);
        assert!(watch.upgrade().is_none());
    }
}
