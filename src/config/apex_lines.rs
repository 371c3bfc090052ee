//! Where a configuration file says which apex a federation and a zone have, found when there is a problem to tell.

use std::path::Path;

use toml::de::{DeArray, DeTable};

use super::problem::{FileProblems, Problem};
use crate::wire::NameBuf;

/// The place of an apex in a file, as `file:line`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FederationLines {
    /// Where the apex is, of the first federation that has it.
    pub(super) apex: String,
    /// Where its name servers are.
    pub(super) nameservers: String,
}

impl FederationLines {
    /// Those of the federation at an apex; without one, the file alone.
    pub(super) fn find(octets: &[u8], path: &Path, apex: &NameBuf) -> Self {
        let text = String::from_utf8_lossy(octets);
        let (root, _) = DeTable::parse_recoverable(&text);
        let federation = tables(root.get_ref(), "federation")
            .into_iter()
            .flatten()
            .filter_map(|table| table.get_ref().as_table())
            .find(|table| place_of(table, apex).is_some());
        let problems = FileProblems::new(&text, path);
        let name = path.file_name().unwrap_or(path.as_os_str());
        let shown = |at: Option<usize>| match at {
            Some(at) => format!("{}:{}", name.display(), problems.line(at)),
            None => name.display().to_string(),
        };
        let servers = federation.and_then(|table| table.get("nameservers"));
        Self {
            apex: shown(federation.and_then(|table| place_of(table, apex))),
            nameservers: shown(servers.map(|servers| servers.span().start)),
        }
    }
}

/// The tables of an array.
fn tables<'t, 'a>(root: &'t DeTable<'a>, key: &str) -> Option<&'t DeArray<'a>> {
    root.get(key)?.get_ref().as_array()
}

/// Where a table has this apex.
fn place_of(table: &DeTable<'_>, apex: &NameBuf) -> Option<usize> {
    let value = table.get("apex")?;
    let name: NameBuf = value.get_ref().as_str()?.parse().ok()?;
    (name == *apex).then(|| value.span().start)
}

/// A problem of a zone, at its place in the file that names it.
pub fn problem_of_zone(octets: &[u8], path: &Path, apex: &NameBuf, message: String) -> Problem {
    let text = String::from_utf8_lossy(octets);
    let problems = FileProblems::new(&text, path);
    let (root, _) = DeTable::parse_recoverable(&text);
    let zones = tables(root.get_ref(), "zone").into_iter().flatten();
    let mut zones = zones.filter_map(|zone| zone.get_ref().as_table());
    let at = zones.find_map(|zone| place_of(zone, apex));
    problems.add(at.unwrap_or(0), message.clone());
    let mut problems = problems.into_problems().into_iter();
    problems
        .next()
        .unwrap_or_else(|| Problem::whole(path, message))
}
