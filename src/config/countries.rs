//! The countries and continents of a `[[region]]`.

use super::problem::Placed;
use super::section::Section;
use crate::model::GeoCode;

/// Reads a list of countries.
pub(super) fn countries(section: &Section<'_>) -> Vec<Placed<GeoCode>> {
    let country = |text: &str| {
        GeoCode::new(text)
            .ok_or_else(|| "expected a country code of two letters such as JP".to_owned())
    };
    section.texts("countries", country).unwrap_or_default()
}

/// Reads a list of continents.
pub(super) fn continents(section: &Section<'_>) -> Vec<Placed<GeoCode>> {
    let continent = |text: &str| {
        let code = GeoCode::new(text).filter(|code| GeoCode::CONTINENTS.contains(code));
        code.ok_or_else(|| "expected one of AF, AN, AS, EU, NA, OC, SA".to_owned())
    };
    section.texts("continents", continent).unwrap_or_default()
}
