//! What a run of checks has come to: for people, and for programs.

use serde::Serialize;

use super::super::progress::StepMark;
use super::line::{CheckLine, CheckSubject};

/// What was found.
#[derive(Debug, Default)]
pub struct CheckReport {
    /// By subject, then in the order of the table of checks.
    lines: Vec<CheckLine>,
}

/// A report for programs.
#[derive(Serialize)]
struct Document {
    /// Whether nothing is wrong.
    ok: bool,
    /// Its lines.
    checks: Vec<DocumentLine>,
}

/// A line for programs.
#[derive(Serialize)]
struct DocumentLine {
    /// Which check.
    id: &'static str,
    /// What it is about.
    subject: String,
    /// Where a member comes from; `None` of all else.
    origin: Option<String>,
    /// How it is.
    state: StepMark,
    /// In words.
    says: String,
    /// What mends it.
    hint: Option<String>,
    /// Where it is described.
    doc: String,
    /// How long it took, in milliseconds.
    ms: u64,
}

impl CheckReport {
    /// Takes in what a round has found: of what it has looked at, it replaces what was found before.
    pub(super) fn take(&mut self, subjects: &[CheckSubject], lines: Vec<CheckLine>) {
        self.lines.retain(|line| !subjects.contains(&line.subject));
        self.lines.extend(lines);
        self.lines
            .sort_by(|a, b| (&a.subject, a.id).cmp(&(&b.subject, b.id)));
    }

    /// What has a check that fails.
    pub(super) fn failing(&self) -> Vec<CheckSubject> {
        let failing = self.lines.iter().filter(|line| line.is_failure());
        let mut subjects: Vec<_> = failing.map(|line| line.subject.clone()).collect();
        subjects.dedup();
        subjects
    }

    /// Whether nothing is wrong; where it `is_strict`, also that nothing is worth a look.
    pub fn is_ok(&self, is_strict: bool) -> bool {
        let states = self.lines.iter().map(|line| line.finding.state);
        let mut bad = states.filter(|state| match state {
            StepMark::Failure => true,
            StepMark::Warning => is_strict,
            StepMark::Ok | StepMark::Skipped => false,
        });
        bad.next().is_none()
    }

    /// For people: lines below what they are about, and the sum. Where it `is_short`, what is as it
    /// should be is left out; where it `is_ascii`, all is ASCII.
    pub fn text(&self, is_short: bool, is_ascii: bool) -> String {
        let mark = |state: StepMark| {
            if is_ascii {
                state.ascii().to_owned()
            } else {
                state.sign().to_string()
            }
        };
        let mut text = String::new();
        let mut subject = None;
        for line in &self.lines {
            let finding = &line.finding;
            if is_short && finding.state == StepMark::Ok {
                continue;
            }
            if subject != Some(&line.subject) {
                subject = Some(&line.subject);
                text.extend([&line.subject.heading(), "\n"]);
            }
            let (mark, id) = (mark(finding.state), line.id);
            text.extend([&mark, " ", id.name(), ": ", &finding.says, "\n"]);
            if let Some(hint) = &finding.hint {
                text.extend(["    hint: ", hint, "; see ", &id.doc(), "\n"]);
            }
        }
        let all = self.lines.len();
        let plural = if all == 1 { "" } else { "s" };
        let states = [
            StepMark::Ok,
            StepMark::Warning,
            StepMark::Failure,
            StepMark::Skipped,
        ];
        let mut sums = Vec::new();
        for state in states {
            let lines = self.lines.iter();
            let some = lines.filter(|line| line.finding.state == state).count();
            if some > 0 || state == StepMark::Ok {
                sums.push(format!("{some} {}", mark(state)));
            }
        }
        let sums = sums.join(", ");
        let sum = format!("{all} check{plural}: {sums}\n");
        text.push_str(&sum);
        if is_ascii { in_ascii(&text) } else { text }
    }

    /// For programs: one JSON document.
    pub fn json(&self, is_strict: bool) -> String {
        let line = |line: &CheckLine| DocumentLine {
            id: line.id.name(),
            subject: line.subject.to_string(),
            origin: line.subject.origin().map(ToString::to_string),
            state: line.finding.state,
            says: line.finding.says.clone(),
            hint: line.finding.hint.clone(),
            doc: line.id.doc(),
            ms: line.ms,
        };
        let document = Document {
            ok: self.is_ok(is_strict),
            checks: self.lines.iter().map(line).collect(),
        };
        serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
    }
}

/// A text of ASCII alone.
fn in_ascii(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '…' => ascii.push_str("..."),
            _ if character.is_ascii() => ascii.push(character),
            _ => ascii.extend(character.escape_default()),
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::finding::CheckFinding;
    use super::super::id::CheckId;
    use super::*;
    use crate::model::MemberOrigin;

    /// A report of these findings.
    fn report(findings: Vec<(CheckSubject, CheckId, CheckFinding)>) -> CheckReport {
        let mut report = CheckReport::default();
        let lines = findings
            .into_iter()
            .map(|(subject, id, finding)| CheckLine {
                subject,
                id,
                finding,
                ms: 12,
            });
        report.take(&[], lines.collect());
        report
    }

    /// One of each state.
    fn example() -> CheckReport {
        let member = CheckSubject::Member(0, "m".parse().unwrap(), MemberOrigin::Folder);
        report(vec![
            (
                member,
                CheckId::Fragments,
                CheckFinding::failure("forbidden…").hint("gazetteer join m --context M"),
            ),
            (
                CheckSubject::Configuration,
                CheckId::Config,
                CheckFinding::ok("right"),
            ),
            (
                CheckSubject::Daemon,
                CheckId::Config,
                CheckFinding::warning("frozen"),
            ),
            (
                CheckSubject::Daemon,
                CheckId::FactsFiles,
                CheckFinding::skipped("none"),
            ),
        ])
    }

    #[test]
    fn people_read_what_each_line_is_about_and_the_sum() {
        let text = example().text(false, false);
        assert_eq!(
            text,
            "configuration\n√ config: right\ndaemon\n‼ config: frozen\n- facts-files: none\n\
             member m (folder)\n× fragments: forbidden…\n    hint: gazetteer join m --context M; see \
             docs/checks.md#fragments\n4 checks: 1 √, 1 ‼, 1 ×, 1 -\n"
        );
        let short = example().text(true, true);
        assert_eq!(
            short,
            "daemon\n!! config: frozen\n-- facts-files: none\nmember m (folder)\nxx fragments: forbidden...\n    \
             hint: gazetteer join m --context M; see docs/checks.md#fragments\n\
             4 checks: 1 ok, 1 !!, 1 xx, 1 --\n"
        );
    }

    #[test]
    fn programs_read_one_document() {
        let document: Value = serde_json::from_str(&example().json(false)).unwrap();
        assert_eq!(document["ok"], false);
        let last = &document["checks"][3];
        assert_eq!(last["subject"], "member/m");
        assert_eq!(last["origin"], "folder");
        assert_eq!(last["state"], "failure");
        assert_eq!(last["doc"], "docs/checks.md#fragments");
        assert_eq!(last["ms"], 12);
        assert_eq!(document["checks"][0]["hint"], Value::Null);
    }

    #[test]
    fn a_warning_is_wrong_only_where_that_is_said() {
        let warned = report(vec![(
            CheckSubject::Daemon,
            CheckId::Config,
            CheckFinding::warning("frozen"),
        )]);
        assert!(warned.is_ok(false) && !warned.is_ok(true));
        assert!(!example().is_ok(false));
        assert_eq!(
            example().failing(),
            [CheckSubject::Member(
                0,
                "m".parse().unwrap(),
                MemberOrigin::Folder
            )]
        );
    }
}
