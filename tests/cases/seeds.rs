//! The queries of all cases as files, for fuzzing to begin with.

use std::path::Path;

use crate::ask::Ask;
use crate::script::{Case, Kind};

/// Writes every query of the cases into a folder.
#[expect(
    clippy::disallowed_methods,
    reason = "nothing of a test survives a crash"
)]
pub(crate) fn write(cases: &[Case], folder: &Path) -> Result<(), String> {
    let steps = cases.iter().flat_map(|case| &case.steps);
    for (number, step) in steps.enumerate() {
        if let Kind::Query(words, _) = &step.kind {
            let ask = Ask::parse(words, 0).map_err(|why| format!("{}: {why}", step.place))?;
            let file = folder.join(format!("case-{number}"));
            std::fs::write(&file, &ask.octets).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}
