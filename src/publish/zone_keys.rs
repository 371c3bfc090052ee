//! What the zones of a configuration are signed with.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::Config;
use crate::dnssec::ZoneKeys;
use crate::keys::KeysByZone;
use crate::wire::NameBuf;

/// The keys of the zones that are to be signed. One whose keys nobody has told yet has none that are
/// usable: it is not answered rather than answered unsigned.
pub(in crate::publish) fn zone_keys(
    config: &Config,
    told: &KeysByZone,
) -> BTreeMap<NameBuf, Arc<ZoneKeys>> {
    let ttl = u32::try_from(config.dnssec.dnskey_ttl.as_secs()).unwrap_or(u32::MAX);
    let zones = config.signed_zones().filter_map(|(apex, _)| {
        let keys = match told.get(apex) {
            Some(told) => told.clone()?,
            None => Arc::new(ZoneKeys::new(apex.clone(), ttl, &[])),
        };
        Some((apex.clone(), keys))
    });
    zones.collect()
}
