//! Which services use a probe target.

use std::collections::HashMap;

use super::apex::FederationIdx;
use crate::model::NamespacedName;

/// How many targets there are at most.
pub(super) const MOST_TARGETS: usize = 65_536;

/// A hash map of the writer.
pub(super) type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// A service in a federation.
pub(super) type TargetUser = (FederationIdx, NamespacedName);
