//! The files of a configuration: `config`, `facts-files`, `fragments`.

use super::checker::Checker;
use super::finding::CheckFinding;
use super::id::CheckId;
use super::surroundings::CheckedFiles;
use crate::config::Source;

/// Says how the files are.
pub(super) fn check_files(checker: &Checker<'_>, files: &CheckedFiles) {
    let of_config = files.of_config.clone();
    let Some(config) = &files.config else {
        checker.say_needed(CheckId::Config, of_config);
        return;
    };
    let fragments = config.membership.from_folder.len();
    let right = || {
        let federations = count(config.fleet.federations.len(), "federation");
        let members = count(config.fleet.members.len(), "member");
        let fragments = match fragments {
            0 => String::new(),
            some => format!(", {}", count(some, "fragment")),
        };
        format!("right, {federations}, {members}{fragments}")
    };
    checker.say(CheckId::Config, or_ok(of_config, right));
    let is_file = |source: &Source| matches!(source, Source::File { .. });
    let facts = config.sources.iter();
    let facts = facts.filter(|member| is_file(&member.source)).count();
    if facts == 0 {
        checker.skip(CheckId::FactsFiles, "no member has one");
    } else {
        let right = || format!("right, {}", count(facts, "file"));
        checker.say(CheckId::FactsFiles, or_ok(files.of_facts.clone(), right));
    }
    if fragments == 0 && files.of_fragments.is_empty() {
        checker.skip(CheckId::Fragments, "there are none");
    } else {
        let right = || format!("right, {}", count(fragments, "fragment"));
        checker.say(CheckId::Fragments, or_ok(files.of_fragments.clone(), right));
    }
}

/// What was found; if that is nothing, that all is right.
pub(super) fn or_ok(
    findings: Vec<CheckFinding>,
    right: impl FnOnce() -> String,
) -> Vec<CheckFinding> {
    if findings.is_empty() {
        vec![CheckFinding::ok(right())]
    } else {
        findings
    }
}

/// A number of things in words.
pub(super) fn count(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
