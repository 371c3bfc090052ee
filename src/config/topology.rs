//! `[[region]]`, `[[network]]` and `locality`: where members, clients and this daemon stand.

use std::collections::{HashMap, HashSet};

use ipnet::IpNet;

use super::countries::{continents, countries};
use super::problem::{PartProblems, Placed};
use super::section::Section;
use super::values;
use crate::model::{self, GeoCode, Location, Network, StaticRegion};
use crate::names::Label;

/// A region or zone as it is written and as it is published.
#[derive(Debug, Clone)]
pub(super) struct TopologyLabel {
    /// What names hold.
    pub(super) label: Label,
    /// What the file says, in lower case.
    pub(super) written: String,
    /// Where it says so.
    pub(super) at: usize,
}

/// A region and its zones.
#[derive(Debug, Default)]
pub(super) struct RegionAndZones {
    /// The region.
    pub(super) region: Option<TopologyLabel>,
    /// The zones.
    pub(super) zones: Vec<TopologyLabel>,
}

/// Reads a region, from `region_key`, and `zones`.
pub(super) fn place_of(section: &Section<'_>, region_key: &'static str) -> RegionAndZones {
    let region = section
        .text(region_key, "region", topology_value)
        .map(TopologyLabel::from);
    let zones = section.texts("zones", topology_value).unwrap_or_default();
    let zones: Vec<_> = zones.into_iter().map(TopologyLabel::from).collect();
    if let Some(zone) = zones.first().filter(|_| !section.has(region_key)) {
        section
            .report
            .add(zone.at, format!("zones {:?}: need a region", zone.written));
    }
    RegionAndZones { region, zones }
}

/// A region or zone value.
pub(super) fn topology_value(text: &str) -> Result<(Label, String), String> {
    Ok((values::place(text)?, text.to_ascii_lowercase()))
}

impl From<Placed<(Label, String)>> for TopologyLabel {
    fn from(read: Placed<(Label, String)>) -> Self {
        let (label, written) = read.value;
        Self {
            label,
            written,
            at: read.at,
        }
    }
}

/// What a `[[region]]` says.
pub(super) struct RegionDraft {
    /// Its region and zones, as written.
    pub(super) place: RegionAndZones,
    /// Countries.
    pub(super) countries: Vec<Placed<GeoCode>>,
    /// Continents.
    pub(super) continents: Vec<Placed<GeoCode>>,
    /// The region, when it is whole.
    pub(super) whole: Option<StaticRegion>,
}

/// Reads one `[[region]]`.
pub(super) fn region(section: Section<'_>) -> RegionDraft {
    section.require("name");
    let place = place_of(&section, "name");
    let location = section.table("location").and_then(|location| {
        let degrees = |key, most: f64| {
            location.require(key);
            location.number(key, -most..=most)
        };
        let (lat, lon) = (degrees("lat", 90.0), degrees("lon", 180.0));
        location.finish();
        Some(Location {
            lat: lat?,
            lon: lon?,
        })
    });
    let (countries, continents) = (countries(&section), continents(&section));
    section.finish();
    let codes = |codes: &[Placed<GeoCode>]| codes.iter().map(|code| code.value).collect();
    let whole = place.region.as_ref().map(|region| StaticRegion {
        name: region.label.clone(),
        zones: place.zones.iter().map(|zone| zone.label.clone()).collect(),
        location,
        countries: codes(&countries),
        continents: codes(&continents),
    });
    RegionDraft {
        place,
        countries,
        continents,
        whole,
    }
}

/// What a `[[network]]` names.
pub(super) struct NetworkDraft {
    /// Its networks.
    pub(super) cidrs: Vec<Placed<IpNet>>,
    /// Its member.
    pub(super) member: Option<Placed<Label>>,
    /// Its region and zone.
    pub(super) place: RegionAndZones,
}

/// Reads one `[[network]]`.
pub(super) fn network(section: Section<'_>) -> NetworkDraft {
    section.require("cidrs");
    let cidrs = section.texts("cidrs", values::network);
    if cidrs.as_ref().is_some_and(Vec::is_empty)
        && section.array("cidrs").is_some_and(<[_]>::is_empty)
    {
        section
            .report
            .add(section.at, "cidrs: at least one network is required");
    }
    let member = section.text("member", "member", values::label);
    let place = client_place(&section);
    let places = section.has("region") || section.has("zone");
    if section.has("member") == places {
        let message = "network: give a region, a region and a zone, or a member";
        section.report.add(section.at, message);
    }
    section.finish();
    NetworkDraft {
        cidrs: cidrs.unwrap_or_default(),
        member,
        place,
    }
}

impl NetworkDraft {
    /// Its networks, each with where its clients stand.
    pub(super) fn networks(&self) -> impl Iterator<Item = Network> {
        let mut place = self.place.standing();
        place.member = self.member.as_ref().map(|member| member.value.clone());
        self.cidrs.iter().map(move |cidr| Network {
            cidr: cidr.value,
            place: place.clone(),
        })
    }
}

impl RegionAndZones {
    /// Where a client in it stands.
    pub(super) fn standing(&self) -> model::Place {
        model::Place {
            region: self.region.as_ref().map(|region| region.label.clone()),
            zone: self.zones.first().map(|zone| zone.label.clone()),
            member: None,
        }
    }
}

/// Reads `locality`.
pub(super) fn locality(section: Section<'_>) -> RegionAndZones {
    section.require("region");
    let place = client_place(&section);
    section.finish();
    place
}

/// Reads `region` and `zone`.
fn client_place(section: &Section<'_>) -> RegionAndZones {
    let region = section
        .text("region", "region", topology_value)
        .map(TopologyLabel::from);
    let zone = section
        .text("zone", "zone", topology_value)
        .map(TopologyLabel::from);
    if let Some(zone) = zone.as_ref().filter(|_| !section.has("region")) {
        section.report.add(
            zone.at,
            format!("zone {:?}: requires a region", zone.written),
        );
    }
    RegionAndZones {
        region,
        zones: zone.into_iter().collect(),
    }
}

/// Reports labels that two different values would share, and zones listed more than once in one list.
pub(super) fn check_places<'a>(
    report: &PartProblems<'_>,
    places: impl Iterator<Item = &'a RegionAndZones>,
) {
    let mut regions: HashMap<&Label, &TopologyLabel> = HashMap::new();
    let mut zones: HashMap<(Option<&Label>, &Label), &TopologyLabel> = HashMap::new();
    for place in places {
        let region = place.region.as_ref();
        if let Some(region) = region {
            let known = regions.entry(&region.label).or_insert(region);
            collide(report, "region", known, region);
        }
        let within = region.map(|region| &region.label);
        let mut listed = HashSet::new();
        for zone in &place.zones {
            if !listed.insert(&zone.written) {
                report.add(
                    zone.at,
                    format!("zone {:?}: listed more than once", zone.written),
                );
            }
            let known = zones.entry((within, &zone.label)).or_insert(zone);
            collide(report, "zone", known, zone);
        }
    }
}

/// Reports two different values that are published as one label.
fn collide(report: &PartProblems<'_>, kind: &str, known: &TopologyLabel, other: &TopologyLabel) {
    if known.written != other.written {
        let line = report.line(known.at);
        let message = format!(
            "{kind} {:?}: published as {:?}, as {:?} of line {line} is",
            other.written,
            other.label.as_str(),
            known.written
        );
        report.add(other.at, message);
    }
}
