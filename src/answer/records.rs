//! Writers of records, and of what stands in their place.

pub(super) mod addresses;
pub(super) mod clusterset;
pub(super) mod ending;
pub(super) mod family;
mod limit;
pub(super) mod many;
pub(super) mod names;
mod ports;
pub(super) mod soa;
pub(super) mod srv;
pub(super) mod targets;
