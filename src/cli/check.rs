//! `gazetteer check`

use std::path::Path;
use std::process::ExitCode;

use super::output;
use crate::config::{self, Source, facts};

/// Prints every problem of a configuration and of the facts files that it names.
pub(super) fn check(file: &Path) -> anyhow::Result<ExitCode> {
    let mut lines = Vec::new();
    let mut problems = Vec::new();
    match config::load(file) {
        Err(found) => problems = found,
        Ok(config) => {
            for member in &config.sources {
                let Source::File { path } = &member.source else {
                    continue;
                };
                if path.exists() {
                    problems.extend(facts::load(path).err().unwrap_or_default());
                } else {
                    // No error: a file may come later, and its member's last facts are held.
                    let (name, path) = (&member.member, path.display());
                    lines.push(format!("note: member \"{name}\": {path} does not exist\n"));
                }
            }
            if problems.is_empty() {
                let (fleet, path) = (&config.fleet, file.display());
                let federations = count(fleet.federations.len(), "federation");
                let members = count(fleet.members.len(), "member");
                lines.push(format!("{path}: right, {federations}, {members}\n"));
            }
        }
    }
    let found: Vec<_> = problems
        .iter()
        .map(|problem| format!("{problem}\n"))
        .collect();
    output::print(&(found.concat() + &lines.concat()))?;
    Ok(if problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A number of things in words.
fn count(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
