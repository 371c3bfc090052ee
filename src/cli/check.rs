//! `gazetteer check`

use std::path::Path;
use std::process::ExitCode;

use super::output;
use crate::config::{self, Source, facts};

/// Prints every problem of a configuration and of the facts files that it names.
pub(super) fn check(file: &Path) -> anyhow::Result<ExitCode> {
    let mut notes = String::new();
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
                    let path = path.display();
                    notes += &format!(
                        "note: member \"{}\": {path} does not exist\n",
                        member.member
                    );
                }
            }
            if problems.is_empty() {
                let count = |count: usize, what: &str| match count {
                    1 => format!("1 {what}"),
                    _ => format!("{count} {what}s"),
                };
                let (fleet, path) = (&config.fleet, file.display());
                let federations = count(fleet.federations.len(), "federation");
                let members = count(fleet.members.len(), "member");
                notes += &format!("{path}: right, {federations}, {members}\n");
            }
        }
    }
    let lines: String = problems
        .iter()
        .map(|problem| format!("{problem}\n"))
        .collect();
    output::print(&(lines + &notes))?;
    Ok(if problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
