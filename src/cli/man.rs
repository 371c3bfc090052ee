//! `gazetteer man`

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::CommandFactory;

use super::arguments::Arguments;

/// Writes man pages into a folder that is there: `gazetteer.1`, and `gazetteer-COMMAND.1` for each command.
pub(super) fn man(folder: &Path) -> anyhow::Result<ExitCode> {
    let written = clap_mangen::generate_to(Arguments::command(), folder);
    written.with_context(|| format!("cannot write man pages into {}", folder.display()))?;
    Ok(ExitCode::SUCCESS)
}
