//! `[geoip]` and `[[cost]]`: where on the globe clients are, and how far regions are from each other.

use std::path::{Path, PathBuf};

use super::section::Section;
use super::topology::{TopologyLabel, topology_value};
use super::values;
use crate::model::RegionCost;

/// The largest cost: twice around the Earth.
const MOST_COST: u64 = 80_000;

/// A pair of regions as it is written.
pub(super) struct CostDraft {
    /// The regions, two when it is right.
    pub(super) between: Vec<TopologyLabel>,
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
    let between: Vec<TopologyLabel> = between
        .into_iter()
        .flatten()
        .map(TopologyLabel::from)
        .collect();
    let is_pair = matches!(between.as_slice(), [one, other] if one.label != other.label);
    if written.is_some_and(|written| written != 2) || (between.len() == 2 && !is_pair) {
        section
            .report
            .add(section.at, "between: expected two regions");
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
