//! The configuration file as a whole.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use toml::de::DeTable;

use super::check::{self, Drafts};
use super::federation::federation;
use super::geography::{cost, geoip};
use super::listen::listen;
use super::member::member;
use super::problem::{FileProblems, PartProblems, Problem};
use super::read::{self, read};
use super::section::Section;
use super::settings::{Account, Config};
use super::state_dir::default_state_dir;
use super::topology::{NetworkDraft, RegionAndZones, locality, network, region};
use super::values;
use crate::model::Fleet;
use crate::model::limits::CONFIGURATION_FILE;

/// How long to go on serving after SIGTERM, when the file does not say.
const SHUTDOWN_DELAY: Duration = Duration::from_secs(5);

/// Reads a configuration file.
///
/// Errors are every problem of the file, in file order, never none of them.
pub fn load(path: &Path) -> Result<Config, Vec<Problem>> {
    load_with_octets(path).map(|(config, _)| config)
}

/// As [`load`], with the octets that were read, for who watches the file for others.
pub fn load_with_octets(path: &Path) -> Result<(Config, Vec<u8>), Vec<Problem>> {
    let octets = read(path, &CONFIGURATION_FILE).map_err(|error| vec![error.into()])?;
    Ok((parse_octets(octets.clone(), path)?, octets))
}

/// As [`load`], from the octets of the file.
pub fn parse_octets(octets: Vec<u8>, path: &Path) -> Result<Config, Vec<Problem>> {
    let text = read::text(path, octets).map_err(|error| vec![error.into()])?;
    parse(&text, path)
}

/// Reads the text of a configuration file; `path` is what its relative paths start from, and what
/// problems name. Reads no file; the environment only for a `state-dir` that is left out.
pub fn parse(text: &str, path: &Path) -> Result<Config, Vec<Problem>> {
    parse_table(text, path, |root| config(root, path))
}

/// Parses a file and reads its root table. Where the text is no TOML, its syntax errors are the
/// problems: what a broken table means is anyone's guess.
fn parse_table<T>(
    text: &str,
    path: &Path,
    read: impl FnOnce(Section<'_>) -> Option<T>,
) -> Result<T, Vec<Problem>> {
    let findings = FileProblems::new(text, path);
    let value = read_part(&PartProblems::new(&findings, 0), text, read);
    if findings.is_empty() {
        value.ok_or_else(|| vec![Problem::whole(path, "incomplete".to_owned())])
    } else {
        Err(findings.into_problems())
    }
}

/// Parses a part of a file, which is TOML by itself, and reads its root table if it is.
pub(super) fn read_part<T>(
    report: &PartProblems<'_>,
    text: &str,
    read: impl FnOnce(Section<'_>) -> Option<T>,
) -> Option<T> {
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let at = error.span().map_or(0, |span| span.start);
        let message = error.message().replace(", expected nothing", "");
        report.add(at, message);
    }
    if errors.is_empty() {
        read(Section::new(report, root.get_ref(), 0))
    } else {
        None
    }
}

/// Reads who the daemon is to be.
fn account(root: &Section<'_>) -> Account {
    let read = |key| root.text(key, key, values::account).map(|name| name.value);
    let (user, group) = (read("user"), read("group"));
    if group.is_some() && !root.has("user") {
        root.report.add(root.at, "group: requires user");
    }
    Account { user, group }
}

/// Reads the root table.
fn config(root: Section<'_>, path: &Path) -> Option<Config> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let report = root.report;
    root.require("version");
    root.text("version", "version", values::choice(&[("v1", ())]));
    let state_dir = if root.has("state-dir") {
        root.text("state-dir", "state-dir", values::plain)
            .map(|given| folder.join(given.value))
    } else {
        root.get("state-dir");
        let default = default_state_dir();
        if default.is_none() {
            report.add(
                0,
                "state-dir: missing, and the platform has no state folder",
            );
        }
        default
    };
    let resolvers = root.texts("resolver", values::resolver).unwrap_or_default();
    let delay = values::duration(Duration::ZERO..=values::HOUR);
    let shutdown_delay = root
        .text("shutdown-delay", "shutdown-delay", delay)
        .map_or(SHUTDOWN_DELAY, |delay| delay.value);
    let account = account(&root);
    let listen = listen(root.table("listen"));
    let policy = listen.listen.address_policy();
    let tables = |key| root.tables(key).into_iter();
    let drafts = Drafts {
        listen,
        federations: tables("federation")
            .map(|section| federation(section, policy))
            .collect(),
        members: tables("member")
            .map(|section| member(section, folder, policy))
            .collect(),
        regions: tables("region").map(region).collect(),
        networks: tables("network").map(network).collect(),
        locality: root.table("locality").map(locality),
        costs: tables("cost").map(cost).collect(),
    };
    let geoip = root
        .table("geoip")
        .and_then(|section| geoip(section, folder));
    root.finish();
    check::check(report, &drafts);
    if !report.is_empty() {
        return None;
    }
    let networks = drafts
        .networks
        .iter()
        .flat_map(NetworkDraft::networks)
        .chain(
            drafts
                .members
                .iter()
                .flat_map(|draft| draft.networks.clone()),
        )
        .collect();
    let (members, sources): (Vec<_>, _) = drafts
        .members
        .into_iter()
        .filter_map(|draft| draft.whole)
        .unzip();
    let mut seen = HashSet::new();
    Some(Config {
        path: path.to_owned(),
        state_dir: state_dir?,
        resolvers: resolvers
            .into_iter()
            .map(|resolver| resolver.value)
            .filter(|resolver| seen.insert(*resolver))
            .collect(),
        listen: drafts.listen.listen,
        fleet: Arc::new(Fleet {
            federations: drafts
                .federations
                .into_iter()
                .filter_map(|draft| draft.whole)
                .collect(),
            members: members.into(),
            regions: drafts
                .regions
                .into_iter()
                .filter_map(|draft| draft.whole)
                .collect(),
            networks,
            locality: drafts.locality.as_ref().map(RegionAndZones::standing),
            costs: drafts
                .costs
                .into_iter()
                .filter_map(|draft| draft.whole)
                .collect(),
            addresses: policy,
        }),
        sources,
        geoip,
        shutdown_delay,
        account,
    })
}
