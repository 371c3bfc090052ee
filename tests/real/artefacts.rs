//! What `deploy/artefacts.sh` makes.

use std::path::{Path, PathBuf};
use std::process::Command;

/// One of its files.
pub(crate) fn artefact(name: &str) -> PathBuf {
    let folder = std::env::var_os("GAZETTEER_ARTEFACTS")
        .unwrap_or_else(|| panic!("GAZETTEER_ARTEFACTS is not set: {HINT}"));
    let path = std::path::absolute(Path::new(&folder).join(name)).expect("a path");
    assert!(path.exists(), "{} is missing: {HINT}", path.display());
    path
}

/// What to do about a missing one.
const HINT: &str = "set it to the folder that deploy/artefacts.sh was given";

/// Runs a program to its end, which must be a good one; what it printed.
pub(crate) fn run(program: impl AsRef<Path>, arguments: &[&str]) -> String {
    let program = program.as_ref();
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{} {arguments:?}\n{printed}{said}",
        program.display()
    );
    printed
}
