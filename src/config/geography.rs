//! `[geoip]`, `[[cost]]` and the codes of a `[[region]]`: where on the globe clients and regions are.

use std::path::{Path, PathBuf};

use super::problem::Placed;
use super::section::Section;
use super::topology::{Topology, topology_value};
use super::values;
use crate::model::{GeoCode, RegionCost};

/// The largest cost: twice around the Earth.
const MOST_COST: u64 = 80_000;

/// A pair of regions as it is written.
pub(super) struct CostDraft {
    /// The regions, two when it is right.
    pub(super) between: Vec<Topology>,
    /// The pair, when it is whole.
    pub(super) whole: Option<RegionCost>,
}

/// Reads one `[[cost]]`.
pub(super) fn cost(section: Section<'_>) -> CostDraft {
    for key in ["between", "cost"] {
        section.require(key);
    }
    let between = section.texts("between", topology_value);
    let cost = section.integer("cost", 0..=MOST_COST);
    let written = section.array("between").map(<[_]>::len);
    let between: Vec<Topology> = between.into_iter().flatten().map(Topology::from).collect();
    let is_pair = matches!(between.as_slice(), [one, other] if one.label != other.label);
    if written.is_some_and(|written| written != 2) || (between.len() == 2 && !is_pair) {
        section.report.add(section.at, "between: not two regions");
    }
    section.finish();
    let whole = match (between.as_slice(), cost) {
        ([one, other], Some(cost)) if is_pair => Some(RegionCost {
            between: [one.label.clone(), other.label.clone()],
            cost: u32::try_from(cost.value).unwrap_or(u32::MAX),
        }),
        _ => None,
    };
    CostDraft { between, whole }
}

/// Reads `[geoip]`; `folder` is what paths are relative to.
pub(super) fn geoip(section: Section<'_>, folder: &Path) -> Option<PathBuf> {
    section.require("database");
    let path = section.text("database", "database", values::plain);
    section.finish();
    Some(folder.join(path?.value))
}

/// Reads a list of countries.
pub(super) fn countries(section: &Section<'_>) -> Vec<Placed<GeoCode>> {
    let country = |text: &str| {
        GeoCode::new(text).ok_or_else(|| "not a country of two letters, such as JP".to_owned())
    };
    section.texts("countries", country).unwrap_or_default()
}

/// Reads a list of continents.
pub(super) fn continents(section: &Section<'_>) -> Vec<Placed<GeoCode>> {
    let continent = |text: &str| {
        let code = GeoCode::new(text).filter(|code| GeoCode::CONTINENTS.contains(code));
        code.ok_or_else(|| "not one of AF, AN, AS, EU, NA, OC, SA".to_owned())
    };
    section.texts("continents", continent).unwrap_or_default()
}
