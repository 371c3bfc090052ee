//! Which region a GeoIP database puts a client in.

use std::net::IpAddr;

use super::places::Places;
use super::prefixes::PrefixMatch;
use crate::model::{
    Fleet, GeoCode, GeoDatabase, GeoRecord, Location, Place, TopologyFacts, VantageIdx,
};
use crate::names::Label;

/// A database, and the regions that what it says leads to.
///
/// Its tree is walked and its record read at each look-up, which allocates nothing: to flatten it as
/// networks are flattened would take as much memory again, and would have to be done anew whenever
/// a region is learnt.
#[derive(Debug, Clone, Default)]
pub(super) struct Geography {
    database: Option<GeoDatabase>,
    /// Ascending.
    countries: Vec<(GeoCode, VantageIdx)>,
    /// Ascending.
    continents: Vec<(GeoCode, VantageIdx)>,
    /// Regions whose location is known.
    located: Vec<(Location, VantageIdx)>,
}

impl Geography {
    /// Compiles the regions of a fleet and those that its members stand in.
    pub(super) fn compile(
        database: Option<&GeoDatabase>,
        fleet: &Fleet,
        topology: &[TopologyFacts],
        places: &mut Places,
    ) -> Self {
        let mut compiled = Self {
            database: database.cloned(),
            ..Self::default()
        };
        if database.is_none() {
            return compiled;
        }
        let mut place = |region: &Label| {
            places.intern(&Place {
                region: Some(region.clone()),
                ..Place::default()
            })
        };
        for region in &fleet.regions {
            let index = place(&region.name);
            let of_codes = |codes: &[GeoCode]| codes.iter().map(|code| (*code, index)).collect();
            let (countries, continents): (Vec<_>, Vec<_>) =
                (of_codes(&region.countries), of_codes(&region.continents));
            compiled.countries.extend(countries);
            compiled.continents.extend(continents);
        }
        compiled.countries.sort_unstable_by_key(|(code, _)| *code);
        compiled.continents.sort_unstable_by_key(|(code, _)| *code);
        let configured = fleet.regions.iter().map(|region| &region.name);
        let learnt = topology.iter().filter_map(|facts| facts.region.as_ref());
        let mut regions: Vec<&Label> = configured.chain(learnt).collect();
        regions.sort_unstable();
        regions.dedup();
        for region in regions {
            if let Some(location) = fleet.location(region) {
                compiled.located.push((location, place(region)));
            }
        }
        compiled
    }

    /// The region of the clients in a prefix, if the database says one thing of all of them: that
    /// of their country, else of their continent, else the one nearest to their location.
    #[inline]
    pub(super) fn find(&self, address: IpAddr, length: u8) -> PrefixMatch<VantageIdx> {
        let nothing = PrefixMatch {
            says: None,
            scope: 0,
        };
        match &self.database {
            Some(database) => database
                .find(address)
                .map_or(nothing, |record| self.read(&record, address, length)),
            None => nothing,
        }
    }

    /// What a record says of the clients in a prefix.
    #[inline(never)]
    fn read(&self, record: &GeoRecord<'_>, address: IpAddr, length: u8) -> PrefixMatch<VantageIdx> {
        let scope = record.prefix(address);
        let says = (scope <= length).then(|| {
            listed(&self.countries, || record.country())
                .or_else(|| listed(&self.continents, || record.continent()))
                .or_else(|| self.nearest(record.location()?))
        });
        PrefixMatch {
            says: says.flatten(),
            scope,
        }
    }

    /// The region nearest to a location.
    fn nearest(&self, client: Location) -> Option<VantageIdx> {
        let regions = self.located.iter();
        regions
            .min_by_key(|(region, _)| region.distance(client))
            .map(|(_, place)| *place)
    }
}

/// The place that a list has for a code; without a list the code is not read.
fn listed(
    list: &[(GeoCode, VantageIdx)],
    code: impl FnOnce() -> Option<GeoCode>,
) -> Option<VantageIdx> {
    if list.is_empty() {
        return None;
    }
    let code = code()?;
    let index = list.binary_search_by_key(&code, |(known, _)| *known).ok()?;
    list.get(index).map(|(_, place)| *place)
}
