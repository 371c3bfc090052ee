//! How often the clients of a network get an answer.

use std::net::IpAddr;

use crate::answer::rated::Rated;
use crate::snapshot::Snapshot;
use crate::vantage::ClientPrefix;

/// How often clients like `from` get such an answer over UDP, if that is limited.
pub(super) fn note(snapshot: &Snapshot, from: IpAddr, rated: &Rated<'_>) -> Option<String> {
    let limits = &snapshot.settings().rate_limits;
    let each = limits.of(rated.class);
    if each == 0 || snapshot.client_networks().are_unlimited(from) {
        return None;
    }
    let network = ClientPrefix::of(None, from);
    let (address, length) = (network.address(), network.length);
    let class = rated.class.as_str();
    let beyond = match limits.slip {
        _ if limits.is_dry_run => "more are counted".to_owned(),
        0 => "more are dropped".to_owned(),
        slip => format!("of more 1 of {slip} is truncated, the others are dropped"),
    };
    Some(format!(
        "{address}/{length} gets {each} of these ({class}) a second over UDP; {beyond}"
    ))
}
