//! The services that one member alone has.

use serde::{Deserialize, Serialize};

use crate::snapshot::Snapshot;

/// So many services are named.
const NAMED: usize = 1_000;

/// The services that one member alone has: without it their names have no member left.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alone {
    /// How many there are.
    pub count: usize,
    /// The first of them in octet order, at most 1,000, as `service.namespace.federation`.
    pub services: Vec<String>,
}

/// The services that a member alone has; none of a member that is not there. Costs O(all services).
pub(super) fn alone(snapshot: &Snapshot, member: &str) -> Alone {
    let mut members = snapshot.members();
    let found = members.find(|(_, status)| status.name.as_str() == member);
    let services = found.into_iter();
    let mut services: Vec<_> = services
        .flat_map(|(index, _)| snapshot.services_only_of(index))
        .collect();
    services.sort_unstable();
    let count = services.len();
    services.truncate(NAMED);
    Alone { count, services }
}
