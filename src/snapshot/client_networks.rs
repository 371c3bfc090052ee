//! The networks of clients that settings name, compiled.

use std::collections::HashMap;
use std::net::IpAddr;

use foldhash::fast::RandomState;
use ipnet::IpNet;

use super::settings::Settings;
use crate::model::ListenerIdx;
use crate::vantage::NetworkSet;
use crate::wire::NameBuf;

/// Who is served, who is told more than others, and who gets as many responses as they ask for.
#[derive(Debug, Clone, Default)]
pub struct ClientNetworks {
    /// Whom each DNS address serves; `None` is all. Empty if all serve all.
    allowed: Vec<Option<NetworkSet>>,
    /// Whom the zones serve that do not serve all, by their apexes in wire form.
    zones: HashMap<Box<[u8]>, NetworkSet, RandomState>,
    diagnostics: NetworkSet,
    unlimited: NetworkSet,
}

impl ClientNetworks {
    /// Compiles what settings name.
    pub(super) fn compile(settings: &Settings) -> Self {
        let compile = |networks: &[IpNet]| NetworkSet::compile(networks.iter().copied());
        let allowed = settings.allowed.iter();
        let allowed = allowed.map(|networks| networks.as_deref().map(compile));
        let mut allowed: Vec<_> = allowed.collect();
        if allowed.iter().all(Option::is_none) {
            allowed.clear();
        }
        let unlimited = settings.rate_limits.exempt.iter().chain(&settings.trusted);
        let zones = settings.zones_allowed.iter();
        Self {
            allowed,
            zones: zones
                .map(|(apex, networks)| (apex.as_wire().into(), compile(networks)))
                .collect(),
            diagnostics: compile(&settings.diagnostics),
            unlimited: NetworkSet::compile(unlimited.copied()),
        }
    }

    /// Whether clients at an address are served by a DNS address.
    #[inline]
    pub fn are_served(&self, listener: Option<ListenerIdx>, client: IpAddr) -> bool {
        if self.allowed.is_empty() {
            return true;
        }
        let place = listener.and_then(|listener| usize::try_from(listener.0).ok());
        let allowed = place.and_then(|place| self.allowed.get(place)?.as_ref());
        allowed.is_none_or(|allowed| allowed.contains(client))
    }

    /// Whether every zone serves all clients.
    #[inline]
    pub fn have_all_zones(&self) -> bool {
        self.zones.is_empty()
    }

    /// Whether clients at an address are served the zone with this apex.
    pub fn are_served_zone(&self, apex: &NameBuf, client: IpAddr) -> bool {
        let allowed = self.zones.get(apex.as_wire());
        allowed.is_none_or(|allowed| allowed.contains(client))
    }

    /// Whether an address is told what others are not.
    pub fn are_diagnostic(&self, client: IpAddr) -> bool {
        self.diagnostics.contains(client)
    }

    /// Whether an address gets as many responses as it asks for.
    #[inline]
    pub fn are_unlimited(&self, client: IpAddr) -> bool {
        self.unlimited.contains(client)
    }
}
