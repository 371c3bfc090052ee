//! The queries and the GeoIP databases of all cases as files, for fuzzing to begin with.

use std::path::Path;

use crate::ask::Ask;
use crate::script::{Case, Kind};
use crate::world;

/// Writes every query and every GeoIP database of the cases into `queries` and `databases` of a
/// folder.
#[expect(
    clippy::disallowed_methods,
    reason = "nothing of a test survives a crash"
)]
pub(crate) fn write(cases: &[Case], folder: &Path) -> Result<(), String> {
    let steps = cases.iter().flat_map(|case| &case.steps);
    for (number, step) in steps.enumerate() {
        let (kind, octets) = match &step.kind {
            Kind::Query(words, _) => ("queries", Ask::parse(words, 0).map(|ask| ask.octets)),
            Kind::Event(words, lines) if words == "database" => {
                ("databases", world::database_octets(lines))
            }
            Kind::Event(..) | Kind::Refuse(..) => continue,
        };
        let octets = octets.map_err(|why| format!("{}: {why}", step.place))?;
        let folder = folder.join(kind);
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let file = folder.join(format!("case-{number}"));
        std::fs::write(&file, &octets).map_err(|error| error.to_string())?;
    }
    Ok(())
}
