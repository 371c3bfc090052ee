//! The policy `nearest`: members in tiers by their distance from a client
//! (docs/names.md, decision 6).

use std::collections::BTreeMap;

use super::Distances;
use crate::model::{Fleet, MemberIdx, MemberSet, Place, TopologyFacts};
use crate::names::Label;

/// Tiers for a client at `place`: its member, its zone, its region, then the other regions by their
/// distance; `topology` has one entry for each seat.
///
/// Regions whose distance is not known come last, equal distances merge, and where none is known
/// all other regions are one tier (docs/names.md, D.11.8). The tiers are disjoint and together
/// hold every member.
pub fn nearest(
    fleet: &Fleet,
    topology: &[TopologyFacts],
    distances: &Distances,
    place: &Place,
) -> Box<[MemberSet]> {
    let own = place.member.as_ref().and_then(|name| {
        let index = fleet.members.find(name)?;
        Some((index, topology.get(index.get())?))
    });
    let region = own.map_or(place.region.as_ref(), |(_, facts)| facts.region.as_ref());
    let zones: Vec<&Label> = match own {
        Some((_, facts)) => facts.zones.iter().collect(),
        None => place.zone.iter().collect(),
    };
    let members = || MemberIdx::all().zip(topology);
    let standing = |stands: &dyn Fn(&TopologyFacts) -> bool| -> MemberSet {
        let those = members().filter(|(_, facts)| stands(facts));
        those.map(|(member, _)| member).collect()
    };
    let in_region = |facts: &TopologyFacts| region.is_some() && facts.region.as_ref() == region;
    let in_zone = |facts: &TopologyFacts| zones.iter().any(|zone| facts.zones.contains(zone));
    let mut tiers = vec![
        own.map(|(member, _)| member).into_iter().collect(),
        standing(&|facts| in_region(facts) && in_zone(facts)),
        standing(&in_region),
    ];
    let mut by_distance: BTreeMap<u32, MemberSet> = BTreeMap::new();
    for (member, facts) in members() {
        if let (Some(here), Some(there)) = (region, &facts.region)
            && let Some(distance) = distances.between(here, there)
        {
            by_distance.entry(distance).or_default().insert(member);
        }
    }
    tiers.extend(by_distance.into_values());
    tiers.push(MemberSet::ALL);
    let mut seen = MemberSet::EMPTY;
    let disjoint = tiers.into_iter().map(|tier: MemberSet| {
        let fresh = tier & !seen;
        seen = seen | tier;
        fresh
    });
    disjoint.filter(|tier| !tier.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Location, Member, StaticRegion};

    fn label(text: &str) -> Label {
        text.parse().unwrap()
    }

    /// Members 0 and 1 in zones a and b of region eu, 2 in us, 3 in asia, 4 in moon, which has no
    /// location, 5 nowhere.
    fn world() -> (Fleet, Vec<TopologyFacts>) {
        let place = |region: &str, zone: &str| TopologyFacts {
            region: Some(label(region)),
            zones: [label(zone)].into(),
            ..TopologyFacts::default()
        };
        let topology = vec![
            place("eu", "a"),
            place("eu", "b"),
            place("us", "a"),
            place("asia", "a"),
            place("moon", "a"),
            TopologyFacts::default(),
        ];
        let region = |name: &str, lat, lon| StaticRegion {
            name: label(name),
            zones: Vec::new(),
            location: Some(Location { lat, lon }),
            countries: Vec::new(),
            continents: Vec::new(),
        };
        let member = |index: usize| Member {
            name: label(&format!("m{index}")),
            region: None,
            zones: Vec::new(),
            namespaces: Vec::new(),
            cluster_domain: None,
            gateway: None,
            addresses_from: Vec::new(),
        };
        let fleet = Fleet {
            members: (0..6).map(member).collect(),
            regions: vec![
                region("eu", 50.0, 5.0),
                region("us", 40.0, -80.0),
                region("asia", 25.0, 121.0),
            ],
            ..Fleet::default()
        };
        (fleet, topology)
    }

    fn check(place: &Place, expected: &[&[u8]]) {
        let (fleet, topology) = world();
        let regions = topology.iter().filter_map(|facts| facts.region.as_ref());
        let distances = Distances::compile(&fleet, regions.chain(&place.region));
        let tiers = nearest(&fleet, &topology, &distances, place);
        let (last, tiers) = tiers.split_last().unwrap();
        let tiers: Vec<Vec<u8>> = tiers
            .iter()
            .map(|tier| tier.iter().map(|member| member.0).collect())
            .collect();
        let (rest, expected) = expected.split_last().unwrap();
        let shown: Vec<u8> = last
            .iter()
            .map(|member| member.0)
            .filter(|m| *m < 6)
            .collect();
        assert_eq!(
            (tiers, &shown[..]),
            (expected.iter().map(|t| t.to_vec()).collect(), *rest)
        );
    }

    #[test]
    fn zone_then_region_then_distance() {
        let place = |region: &str, zone: Option<&str>| Place {
            region: Some(label(region)),
            zone: zone.map(label),
            member: None,
        };
        check(&place("eu", Some("b")), &[&[1], &[0], &[2], &[3], &[4, 5]]);
        check(&place("eu", None), &[&[0, 1], &[2], &[3], &[4, 5]]);
        check(&place("us", None), &[&[2], &[0, 1], &[3], &[4, 5]]);
        check(&place("moon", None), &[&[4], &[0, 1, 2, 3, 5]]);
        check(&place("mars", None), &[&[0, 1, 2, 3, 4, 5]]);
    }

    #[test]
    fn a_client_in_a_member_has_its_place() {
        let place = Place {
            member: Some(label("m1")),
            ..Place::default()
        };
        check(&place, &[&[1], &[0], &[2], &[3], &[4, 5]]);
    }
}
