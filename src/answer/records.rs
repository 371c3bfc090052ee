//! Writers of records, and of what stands in their place.

mod address_cap;
pub(super) mod addresses;
pub(super) mod clusterset;
pub(super) mod denial;
pub(super) mod ending;
pub(super) mod family;
pub(super) mod many;
pub(super) mod names;
mod ports;
pub(super) mod rrsig;
pub(super) mod soa;
pub(super) mod srv;
pub(super) mod srv_targets;
pub(super) mod statics;
