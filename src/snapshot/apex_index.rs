//! Apexes by their names.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::apex::{Apex, ApexIdx};
use crate::wire::{NameBuf, Qname};

/// The places of apexes, by their names in wire form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ApexIndex {
    by_name: HashMap<Box<[u8]>, ApexIdx, RandomState>,
    /// How many labels the longest name has.
    most_labels: usize,
}

impl ApexIndex {
    /// Those of a list.
    pub(super) fn of(apexes: &[Apex]) -> Self {
        let places = apexes.iter().enumerate();
        Self {
            by_name: places
                .map(|(place, apex)| (apex.name.as_wire().into(), ApexIdx::new(place)))
                .collect(),
            most_labels: apexes
                .iter()
                .map(|apex| apex.labels)
                .max()
                .unwrap_or_default(),
        }
    }

    /// The longest apex that a name is, or lies below, without the first `skip` labels of the name.
    pub(super) fn find(&self, name: &Qname, skip: usize) -> Option<ApexIdx> {
        let labels = name.label_count();
        let first = labels.saturating_sub(self.most_labels).max(skip);
        (first..=labels).find_map(|skip| self.by_name.get(name.suffix(skip)).copied())
    }

    /// The longest apex above the apex `name`.
    pub(super) fn above(&self, name: &NameBuf) -> Option<ApexIdx> {
        self.find(&Qname::from_name(name), 1)
    }
}
