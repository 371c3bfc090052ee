//! The scenarios, in the order in which they run.

use std::path::Path;

use crate::fleet::Fleet;

mod planes;

/// Tests that need no control planes.
pub(crate) const ALONE: &[(&str, fn(&Path))] = &[];

/// Tests on the shared control planes.
pub(crate) const WITH_CLUSTERS: &[(&str, fn(&Fleet))] = &[(
    "a_ready_pod_of_a_deployment_is_a_ready_endpoint",
    planes::pods_become_endpoints,
)];
