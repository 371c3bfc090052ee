//! `gazetteer zone`

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};

use super::kept_members;
use super::output;
use super::table::table;
use super::zone_arguments::Zone;
use crate::config::{Config, Problem, read_zone, zone_text};
use crate::model::StaticZone;
use crate::wire::NameBuf;

/// Does it.
pub(super) fn zone(arguments: &Zone) -> anyhow::Result<ExitCode> {
    match arguments {
        Zone::Check { file, apex } => check(file, apex.as_ref()),
        Zone::List { config } => match load(config) {
            Ok(config) => list(&config),
            Err(problems) => Ok(tell(&problems)),
        },
        Zone::Show { apex, config } => match load(config) {
            Ok(config) => show(&config, apex),
            Err(problems) => Ok(tell(&problems)),
        },
    }
}

/// A configuration with the records of its zones.
fn load(file: &Path) -> Result<Config, Vec<Problem>> {
    kept_members::load(file).map(|known| known.loaded.config)
}

/// Prints problems.
fn tell(problems: &[Problem]) -> ExitCode {
    for problem in problems {
        output::complain(&problem.to_string());
    }
    ExitCode::FAILURE
}

fn check(file: &Path, apex: Option<&NameBuf>) -> anyhow::Result<ExitCode> {
    let apex = if let Some(apex) = apex {
        apex.clone()
    } else {
        let name = file.file_name().and_then(|name| name.to_str());
        let name = name.unwrap_or_default();
        let name = name.strip_suffix(".zone").unwrap_or(name);
        let shown = file.display();
        name.parse()
            .with_context(|| format!("{shown}: not called by an apex: say --apex"))?
    };
    match read_zone(file, &apex) {
        Ok(zone) => {
            let records = records(&zone);
            output::print(&format!(
                "{}: {records} records of {apex} are right\n",
                file.display()
            ))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(problems) => Ok(tell(&problems)),
    }
}

fn list(config: &Config) -> anyhow::Result<ExitCode> {
    let head = ["APEX", "RECORDS", "SERIAL", "FILE"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for zone in &config.fleet.statics {
        let mut federations = config.fleet.federations.iter();
        let serial = if federations.any(|it| it.apex == zone.apex) {
            "(of the snapshot)".to_owned()
        } else {
            let serial = zone.serial().map(|serial| serial.to_string());
            serial.unwrap_or_default()
        };
        let file = zone.files.first().map(|file| file.display().to_string());
        rows.push(vec![
            zone.apex.to_string().trim_end_matches('.').to_owned(),
            records(zone).to_string(),
            serial,
            file.unwrap_or_default(),
        ]);
    }
    output::print(&table(&rows))?;
    Ok(ExitCode::SUCCESS)
}

fn show(config: &Config, apex: &NameBuf) -> anyhow::Result<ExitCode> {
    let Some(zone) = config.fleet.statics.iter().find(|zone| zone.apex == *apex) else {
        bail!("{apex}: no zone of the configuration has a file and this apex");
    };
    output::print(&zone_text(zone))?;
    Ok(ExitCode::SUCCESS)
}

/// How many records a zone has.
fn records(zone: &StaticZone) -> usize {
    zone.sets.iter().map(|set| set.rdata.len()).sum()
}
