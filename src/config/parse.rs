//! Text of TOML: a whole file, or a part of one.

use std::path::Path;

use toml::de::DeTable;

use super::problem::{FileProblems, PartProblems, Problem};
use super::section::Section;

/// Parses a file and reads its root table. Where the text is no TOML, its syntax errors are the
/// problems: what a broken table means is anyone's guess.
pub(super) fn parse_table<T>(
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
