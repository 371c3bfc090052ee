//! Which apexes are signed, and with what keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::apex::ApexIdx;
use super::apexes::Apexes;
use crate::dnssec::ZoneKeys;
use crate::wire::NameBuf;

/// The keys of apexes, by their names as configured and by their places.
#[derive(Debug, Clone, Default)]
pub(super) struct SigningKeys {
    /// As they were given, for apexes that are served or not.
    given: Arc<BTreeMap<NameBuf, Arc<ZoneKeys>>>,
    /// Those of each apex that is served; empty if none is signed.
    placed: Arc<Vec<Option<Arc<ZoneKeys>>>>,
}

impl SigningKeys {
    /// Takes other keys.
    pub(super) fn set(&mut self, given: BTreeMap<NameBuf, Arc<ZoneKeys>>, apexes: &Apexes) {
        self.given = Arc::new(given);
        self.place(apexes);
    }

    /// Finds the places anew, when the apexes are others.
    pub(super) fn place(&mut self, apexes: &Apexes) {
        let keys: Vec<_> = apexes
            .names()
            .map(|name| self.given.get(name).cloned())
            .collect();
        let is_any_signed = keys.iter().any(Option::is_some);
        self.placed = Arc::new(if is_any_signed { keys } else { Vec::new() });
    }

    /// Whether any apex that is served is signed.
    #[inline]
    pub(super) fn is_any(&self) -> bool {
        !self.placed.is_empty()
    }

    /// The keys of an apex; `None` for one that is not signed.
    #[inline]
    pub(super) fn of(&self, apex: ApexIdx) -> Option<&Arc<ZoneKeys>> {
        self.placed.get(apex.get())?.as_ref()
    }
}
