//! Everything that the configuration says about names.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{
    AddressPolicy, Federation, GeoCode, Location, MemberIdx, MemberList, Network, Place, Roster,
    ServiceAlias, StaticZone, regions,
};
use crate::names::Label;

/// Everything that the configuration says about names: the fixed part of the world.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fleet {
    /// In configuration order.
    pub federations: Vec<Federation>,
    /// At most [`MemberSet::CAPACITY`](super::MemberSet::CAPACITY).
    pub members: Roster,
    /// Regions and zones that exist even without a member.
    pub regions: Vec<StaticRegion>,
    /// Networks whose clients stand in a known place, those of members included.
    pub networks: Vec<Network>,
    /// Where this daemon itself stands.
    pub locality: Option<Place>,
    /// How far pairs of regions are from each other, where that is not the distance on the globe.
    pub costs: Vec<RegionCost>,
    /// Which addresses count.
    pub addresses: AddressPolicy,
    /// Lists of members that were never heard and are still awaited: there may be members that are not
    /// known yet (docs/names.md, decision 10). Never any but after the start of a daemon.
    pub awaited: BTreeSet<MemberList>,
    /// Static records, each apex once.
    pub statics: Vec<Arc<StaticZone>>,
    /// Owners that have the addresses of a service.
    pub aliases: Vec<ServiceAlias>,
}

impl Fleet {
    /// Where a region lies: as configured, else as the public region of its name does.
    pub fn location(&self, region: &Label) -> Option<Location> {
        let configured = self.regions.iter().find(|known| known.name == *region);
        configured
            .and_then(|region| region.location)
            .or_else(|| regions::public(region.as_str()))
    }
}

/// How far two regions are from each other, both ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionCost {
    /// The regions.
    pub between: [Label; 2],
    /// What stands in for the distance in kilometers.
    pub cost: u32,
}

impl Fleet {
    /// Whether a federation may have members that are not known yet.
    pub fn may_lack_members_of(&self, federation: &Federation) -> bool {
        let is_known = |name: &str| {
            let mut members = self.members.iter();
            members.any(|(_, member)| member.name.as_str() == name)
        };
        let mut patterns = federation.members.iter();
        !self.awaited.is_empty()
            && patterns.any(|pattern| pattern.only_name().is_none_or(|name| !is_known(name)))
    }

    /// Whether clients elsewhere reach all services of a member through its gateway.
    pub fn has_gateway(&self, member: MemberIdx) -> bool {
        let member = self.members.get(member);
        member.is_some_and(|member| member.gateway.is_some())
    }
}

/// A region that exists by configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticRegion {
    /// The label in names.
    pub name: Label,
    /// Its zones.
    pub zones: Vec<Label>,
    /// Where it lies, for distances between regions.
    pub location: Option<Location>,
    /// Countries whose clients a GeoIP database puts here.
    pub countries: Vec<GeoCode>,
    /// Continents whose clients it puts here, countries of other regions left out.
    pub continents: Vec<GeoCode>,
}
