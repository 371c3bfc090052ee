//! Regions and zones: what stands between `svc` and an apex, and who is there (docs/names.md, D.4).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::apexes::Apexes;
use super::wire_labels::wire_labels;
use crate::model::{Fleet, MemberIdx, MemberSet, TopologyFacts};
use crate::names::Label;

/// The marker label in wire form.
const MARKER: &[u8] = b"\x03svc";

/// The place of a scope in [`Scopes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScopeIdx(u32);

impl ScopeIdx {
    /// The place as an index.
    #[inline]
    fn get(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// What the topology labels of a name pin down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The marker `svc` and the labels in wire form, without a root: what stands between a key and
    /// an apex.
    pub path: Box<[u8]>,
    /// Its level.
    pub level: Level,
    /// Members that stand in it.
    pub members: MemberSet,
    /// Where a name falls back to; the global level has none.
    pub parent: Option<ScopeIdx>,
}

/// A level of the hierarchy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Everywhere.
    Global,
    /// One region.
    Region,
    /// One zone of one region.
    Zone,
}

/// Every known scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes {
    all: Vec<Scope>,
    by_labels: HashMap<Box<[u8]>, ScopeIdx, foldhash::fast::RandomState>,
    /// The narrowest scope that holds all of a member, by its seat.
    narrowest: Vec<ScopeIdx>,
    /// The longest path, in octets.
    pub(super) longest: usize,
    /// Labels that are not published, with the member that they were learnt for.
    pub(super) warnings: Vec<(MemberIdx, String)>,
}

/// The known zones of each region, and who stands where.
#[derive(Default)]
struct Places {
    regions: BTreeMap<Label, BTreeMap<Label, MemberSet>>,
    members: BTreeMap<Label, MemberSet>,
    warnings: Vec<(MemberIdx, String)>,
}

impl Scopes {
    /// Compiles what is configured and learnt; `topology` has one entry for each seat.
    pub(super) fn compile(fleet: &Fleet, apexes: &Apexes, topology: &[TopologyFacts]) -> Self {
        let mut places = Places::default();
        for region in &fleet.regions {
            places.know(&region.name, region.zones.iter());
        }
        for (index, facts) in MemberIdx::all().zip(topology) {
            places.add_member(index, facts, apexes);
        }
        let mut scopes = Self {
            all: vec![Scope {
                path: MARKER.into(),
                level: Level::Global,
                members: MemberSet::ALL,
                parent: None,
            }],
            by_labels: HashMap::from_iter([(Box::default(), Self::GLOBAL)]),
            narrowest: Vec::new(),
            longest: 0,
            warnings: Vec::new(),
        };
        scopes.fill(&mut places);
        scopes.narrowest = MemberIdx::all()
            .take(topology.len())
            .map(|member| places.narrowest(member))
            .map(|labels| scopes.find(&wire_labels(labels)).unwrap_or(Self::GLOBAL))
            .collect();
        scopes.warnings = places.warnings;
        scopes.longest = scopes
            .all
            .iter()
            .map(|scope| scope.path.len())
            .max()
            .unwrap_or(0);
        scopes
    }

    /// The global level.
    pub const GLOBAL: ScopeIdx = ScopeIdx(0);

    fn fill(&mut self, places: &mut Places) {
        let mut short: BTreeMap<&Label, Vec<(ScopeIdx, MemberSet)>> = BTreeMap::new();
        for (region, zones) in &places.regions {
            let members = places.members.get(region).copied().unwrap_or_default();
            let parent = self.add([region.as_str()], Level::Region, members, Self::GLOBAL);
            for (zone, members) in zones {
                self.add(
                    [zone.as_str(), region.as_str()],
                    Level::Zone,
                    *members,
                    parent,
                );
                short.entry(zone).or_default().push((parent, *members));
            }
        }
        for (zone, regions) in short {
            // A label that names a region means the region; Federation v1 really published it.
            if places.regions.contains_key(zone) {
                continue;
            }
            if let [(parent, members)] = regions.as_slice() {
                self.add([zone.as_str()], Level::Zone, *members, *parent);
            } else {
                for member in regions.iter().flat_map(|(_, members)| members.iter()) {
                    let warning = format!(
                        "zone \"{zone}\" is in several regions: only its long name is published"
                    );
                    places.warnings.push((member, warning));
                }
            }
        }
    }

    fn add<'a>(
        &mut self,
        labels: impl IntoIterator<Item = &'a str>,
        level: Level,
        members: MemberSet,
        parent: ScopeIdx,
    ) -> ScopeIdx {
        let index = ScopeIdx(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        let labels = wire_labels(labels);
        let path = [MARKER, &labels].concat().into();
        self.by_labels.insert(labels, index);
        self.all.push(Scope {
            path,
            level,
            members,
            parent: Some(parent),
        });
        index
    }

    /// The scope that `labels` (wire form, without a root) pin down; `None` if there is none or the
    /// labels are ambiguous.
    #[inline]
    pub fn find(&self, labels: &[u8]) -> Option<ScopeIdx> {
        if labels.is_empty() {
            Some(Self::GLOBAL)
        } else {
            self.by_labels.get(labels).copied()
        }
    }

    /// The scope itself, then where it falls back to, the global level last.
    #[inline]
    pub fn chain(&self, scope: ScopeIdx) -> impl Iterator<Item = &Scope> {
        std::iter::successors(self.all.get(scope.get()), |scope| {
            self.all.get(scope.parent?.get())
        })
    }

    /// Where the names that a client inside a member falls back to begin: its zone by its long
    /// name; its region if it stands in several zones or none; the global level without a region
    /// (docs/names.md, D.8).
    #[inline]
    pub fn narrowest(&self, member: MemberIdx) -> ScopeIdx {
        let narrowest = self.narrowest.get(member.get()).copied();
        narrowest.unwrap_or(Self::GLOBAL)
    }

    /// Members that stand in any of `regions`.
    pub(super) fn members_of(&self, regions: &[Label]) -> MemberSet {
        let of = |region: &Label| {
            let scope = self.find(&wire_labels([region.as_str()]))?;
            let scope = self.all.get(scope.get())?;
            (scope.level == Level::Region).then_some(scope.members)
        };
        regions
            .iter()
            .filter_map(of)
            .fold(MemberSet::EMPTY, |all, members| all | members)
    }
}

impl Places {
    /// The labels of the narrowest scope that holds all of a member.
    fn narrowest(&self, member: MemberIdx) -> impl Iterator<Item = &str> {
        let mut regions = self.members.iter();
        let region = regions.find(|(_, members)| members.contains(member));
        let region = region.map(|(region, _)| region);
        let zones = region.and_then(|region| self.regions.get(region));
        let mut zones = zones
            .into_iter()
            .flatten()
            .filter(|(_, members)| members.contains(member))
            .map(|(zone, _)| zone);
        let zone = zones.next().filter(|_| zones.next().is_none());
        zone.into_iter().chain(region).map(Label::as_str)
    }

    /// A region and zones exist, whoever is there.
    fn know<'a>(&mut self, region: &Label, zones: impl Iterator<Item = &'a Label>) {
        let known = self.regions.entry(region.clone()).or_default();
        for zone in zones {
            known.entry(zone.clone()).or_default();
        }
    }

    fn add_member(&mut self, member: MemberIdx, facts: &TopologyFacts, apexes: &Apexes) {
        let mut reserved = BTreeSet::new();
        let mut is_free = |label: &Label| {
            let free = !apexes.reserves(label);
            if !free {
                reserved.insert(label.clone());
            }
            free
        };
        for (region, zone) in &facts.known {
            if is_free(region) {
                self.know(region, zone.iter().filter(|zone| is_free(zone)));
            }
        }
        if let Some(region) = facts.region.as_ref().filter(|region| is_free(region)) {
            self.members
                .entry(region.clone())
                .or_default()
                .insert(member);
            let zones: Vec<&Label> = facts.zones.iter().filter(|zone| is_free(zone)).collect();
            self.know(region, zones.iter().copied());
            if let Some(known) = self.regions.get_mut(region) {
                for zone in zones {
                    known.entry(zone.clone()).or_default().insert(member);
                }
            }
        } else if facts.region.is_none() && !facts.zones.is_empty() {
            self.warnings.push((
                member,
                "zones without a region are not published".to_owned(),
            ));
        }
        for label in reserved {
            let warning = format!("region or zone \"{label}\" is reserved and not published");
            self.warnings.push((member, warning));
        }
    }
}
