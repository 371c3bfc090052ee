//! `gazetteer check`

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

use super::{output, rights};
use crate::config::{self, Config, Problem, Source, facts};
use crate::sources::{geoip, kubernetes};

/// What was found: what is wrong, and what is only worth a look.
#[derive(Default)]
struct Found {
    /// Lines of what the daemon could not use.
    wrong: Vec<String>,
    /// Lines of what it would use.
    notes: Vec<String>,
}

/// Prints every problem of a configuration and of the files that it names. Nothing is contacted, and
/// no plugin is run.
pub(super) fn check(file: &Path) -> anyhow::Result<ExitCode> {
    let mut found = Found::default();
    match config::load_all(file) {
        Err(problems) => found.problems(&problems),
        Ok(loaded) => {
            let config = loaded.config;
            let unknown = loaded.unknown.iter();
            let unknown = unknown.map(|problem| format!("warning: {problem}\n"));
            found.notes.extend(unknown);
            for refused in &loaded.refused {
                found.problems(&refused.problems);
            }
            if let Err(error) = rights::ids(&config.account) {
                found.wrong.push(format!("{}: {error:#}\n", file.display()));
            }
            found.members(&config)?;
            found.geoip(&config);
            found.regions(&config);
            if found.wrong.is_empty() {
                let (fleet, path) = (&config.fleet, file.display());
                let federations = count(fleet.federations.len(), "federation");
                let members = count(fleet.members.len(), "member");
                let fragments = match config.membership.from_folder.len() {
                    0 => String::new(),
                    some => format!(", {}", count(some, "fragment")),
                };
                let line = format!("{path}: OK ({federations}, {members}{fragments})\n");
                found.notes.push(line);
            }
        }
    }
    output::print(&(found.wrong.concat() + &found.notes.concat()))?;
    Ok(if found.wrong.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Found {
    /// Problems of a file.
    fn problems(&mut self, problems: &[Problem]) {
        let lines = problems.iter().map(|problem| format!("{problem}\n"));
        self.wrong.extend(lines);
    }

    /// Opens what members have their facts from.
    fn members(&mut self, config: &Config) -> anyhow::Result<()> {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().context("runtime")?;
        for member in &config.sources {
            let (Source::File { path } | Source::Kubeconfig { path, .. }) = &member.source else {
                // Only where it is to run.
                continue;
            };
            if !path.exists() {
                // No error: a file may come later, and its member's last facts are held.
                let (name, path) = (&member.member, path.display());
                let line = format!("note: member \"{name}\": {path} does not exist\n");
                self.notes.push(line);
            } else if let Source::File { path } = &member.source {
                self.problems(&facts::load(path).err().unwrap_or_default());
            } else if let Err(error) = runtime.block_on(kubernetes::check(&member.source)) {
                let (name, path) = (&member.member, path.display());
                let line = format!("{path}: member \"{name}\": {error}\n");
                self.wrong.push(line);
            }
        }
        Ok(())
    }

    /// Opens the GeoIP database.
    fn geoip(&mut self, config: &Config) {
        let Some(path) = &config.geoip else { return };
        if !path.exists() {
            let line = format!("note: geoip: {} does not exist\n", path.display());
            return self.notes.push(line);
        }
        match geoip::read(path) {
            Ok(database) => {
                let warning = geoip::warning(&database);
                let line = |why| format!("warning: geoip: {}: {why}\n", path.display());
                self.notes.extend(warning.map(line));
            }
            Err(error) => self.wrong.push(format!("{error}\n")),
        }
    }

    /// Looks for regions that are most likely misspelt.
    fn regions(&mut self, config: &Config) {
        let but = if config.has_learners() {
            "; one that learns its region may"
        } else {
            ""
        };
        for unheld in config.unheld_regions() {
            let (place, region) = (&unheld.place, &unheld.region);
            self.notes.push(format!(
                "warning: {place}: no member and no [[region]] has region \"{region}\"{but}\n"
            ));
        }
    }
}

/// A number of things in words.
fn count(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
