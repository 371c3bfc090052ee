//! What a zone hint may say (docs/names.md, decision 11).

use std::collections::HashMap;

use super::places::Places;
use crate::model::{Fleet, Place, TopologyFacts, VantageIdx};
use crate::names::Label;

/// The longest hint: a zone and a region of 63 octets, and the dot between them.
const LONGEST: usize = 127;

/// Every hint that means something: the name of a member, or a known region or `zone.region`, as
/// names have them. A name that is both is the member.
#[derive(Debug, Clone, Default)]
pub(super) struct Hints(HashMap<Box<[u8]>, VantageIdx, foldhash::fast::RandomState>);

impl Hints {
    /// Compiles the members of a fleet, and the regions and zones that are known.
    pub(super) fn compile(fleet: &Fleet, topology: &[TopologyFacts], places: &mut Places) -> Self {
        let mut hints = Self::default();
        for region in &fleet.regions {
            hints.know(places, &region.name, None);
            for zone in &region.zones {
                hints.know(places, &region.name, Some(zone));
            }
        }
        for (region, zone) in topology.iter().flat_map(|facts| &facts.known) {
            hints.know(places, region, zone.as_ref());
        }
        for (_, member) in fleet.members.iter() {
            let place = places.intern_member(&member.name);
            hints
                .0
                .insert(member.name.as_str().as_bytes().into(), place);
        }
        hints
    }

    /// A region or zone is known.
    fn know(&mut self, places: &mut Places, region: &Label, zone: Option<&Label>) {
        let hint = match zone {
            Some(zone) => format!("{zone}.{region}"),
            None => region.to_string(),
        };
        let place = Place {
            region: Some(region.clone()),
            zone: zone.cloned(),
            member: None,
        };
        let place = places.intern(&place);
        self.0.insert(hint.into_bytes().into(), place);
    }

    /// The place that a hint names, in whatever case.
    pub(super) fn get(&self, hint: &[u8]) -> Option<VantageIdx> {
        let mut lower = [0; LONGEST];
        let lower = lower.get_mut(..hint.len())?;
        lower.copy_from_slice(hint);
        lower.make_ascii_lowercase();
        self.0.get(&*lower).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Member, StaticRegion};

    #[test]
    fn members_regions_and_zones_are_known() {
        let label = |text: &str| text.parse::<Label>().unwrap();
        let member = |name: &str| Member {
            name: label(name),
            region: None,
            zones: Vec::new(),
            namespaces: Vec::new(),
            cluster_domain: None,
            gateway: None,
            addresses_from: Vec::new(),
        };
        let fleet = Fleet {
            members: ["m1", "eu"].map(member).into_iter().collect(),
            regions: vec![StaticRegion {
                name: label("eu"),
                zones: vec![label("a")],
                location: None,
                countries: Vec::new(),
                continents: Vec::new(),
            }],
            ..Fleet::default()
        };
        let facts = TopologyFacts {
            known: [(label("us"), Some(label("b")))].into(),
            ..TopologyFacts::default()
        };
        let mut places = Places::new(&fleet);
        let hints = Hints::compile(&fleet, &[facts, TopologyFacts::default()], &mut places);
        let check = |hint: &[u8], expected: Option<&str>| {
            let place = hints.get(hint).map(|index| {
                let place = &places.all()[usize::try_from(index.0).unwrap()];
                let labels = [&place.member, &place.region, &place.zone]
                    .map(|label| label.as_ref().map_or("-", Label::as_str));
                labels.join(" ")
            });
            assert_eq!(place.as_deref(), expected, "{hint:?}");
        };
        check(b"m1", Some("m1 - -"));
        check(b"eu", Some("eu - -"));
        check(b"A.eu", Some("- eu a"));
        check(b"b.US", Some("- us b"));
        check(b"us", None);
        check(b"a.us", None);
        check(b"", None);
        check(b"\xff\0", None);
        check(&[b'a'; 127], None);
        check(&[b'a'; 128], None);
    }
}
