//! What of `state-dir` cannot be used, and why. It only keeps: nothing of it stops answers, so it is
//! said instead, by `/readyz?verbose`, a metric, `gazetteer clusters` and the log.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::{info, warn};

/// How many troubles are told: each member has files that may fail.
const TOLD: usize = 8;

/// What of the state folder cannot be used. Cheap to clone; off the query path.
#[derive(Debug, Clone, Default)]
pub struct Storage(Arc<Mutex<BTreeMap<String, String>>>);

impl Storage {
    /// A part of the folder cannot be used. A line of the log when it could be before, or for
    /// another reason.
    pub fn fails(&self, part: &str, why: impl Display) {
        let why = why.to_string();
        let before = self.0.lock().insert(part.to_owned(), why.clone());
        if before.as_ref() != Some(&why) {
            warn!(part, %why, "cannot write to state-dir: state will be lost at a restart");
        }
    }

    /// A part of the folder can be used.
    pub fn works(&self, part: &str) {
        if self.0.lock().remove(part).is_some() {
            info!(part, "state-dir can be used again");
        }
    }

    /// How many parts cannot be used.
    pub fn count(&self) -> usize {
        self.0.lock().len()
    }

    /// What cannot be used, and why, the first few.
    pub fn troubles(&self) -> Vec<String> {
        let parts = self.0.lock();
        let told = parts.iter().take(TOLD);
        let mut troubles: Vec<_> = told.map(|(part, why)| format!("{part}: {why}")).collect();
        if parts.len() > TOLD {
            troubles.push(format!("{} more", parts.len() - TOLD));
        }
        troubles
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn troubles_are_told_until_they_are_over() {
        let storage = Storage::default();
        for n in 0..=TOLD {
            storage.fails(&format!("facts of m{n}"), "no space");
        }
        let troubles = storage.troubles();
        assert_eq!((troubles.len(), storage.count()), (TOLD + 1, TOLD + 1));
        assert_eq!(troubles.first().unwrap(), "facts of m0: no space");
        assert_eq!(troubles.last().unwrap(), "1 more");
        for n in 0..=TOLD {
            storage.works(&format!("facts of m{n}"));
        }
        assert!(storage.troubles().is_empty());
    }
}
