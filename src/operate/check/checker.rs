//! Runs checks of one subject, each within its limit.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::timeout;

use super::finding::CheckFinding;
use super::id::CheckId;
use super::line::{CheckLine, CheckSubject};
use super::settings::CheckSettings;
use crate::telemetry::clock;

/// What a check has come to.
pub(super) struct Checked<T> {
    /// What was found, never nothing.
    pub(super) findings: Vec<CheckFinding>,
    /// What other checks need of it; `None` is that they cannot be made.
    pub(super) value: Option<T>,
}

impl<T> Checked<T> {
    /// That something is wrong, and others cannot go on from here.
    pub(super) fn failed(finding: CheckFinding) -> Self {
        Self {
            findings: vec![finding],
            value: None,
        }
    }
}

impl From<CheckFinding> for Checked<()> {
    fn from(finding: CheckFinding) -> Self {
        vec![finding].into()
    }
}

impl From<Vec<CheckFinding>> for Checked<()> {
    fn from(findings: Vec<CheckFinding>) -> Self {
        Self {
            findings,
            value: Some(()),
        }
    }
}

/// Says something.
type Said = Box<dyn Fn() -> String + Send>;

/// What a check that is under way has met with, so that a time-out can say it.
#[derive(Default)]
pub(super) struct Attempts(Mutex<Option<Said>>);

impl Attempts {
    /// Notes how far it has come, or why the last attempt failed.
    pub(super) fn note(&self, what: impl Into<String>) {
        let what = what.into();
        self.note_with(move || what.clone());
    }

    /// The same, of what is asked for only then.
    pub(super) fn note_with(&self, what: impl Fn() -> String + Send + 'static) {
        *self.0.lock() = Some(Box::new(what));
    }
}

/// The checks of one subject.
pub(super) struct Checker<'c> {
    /// What is wanted.
    settings: &'c CheckSettings,
    /// What they are about.
    subject: CheckSubject,
    /// What they have found.
    lines: Mutex<Vec<CheckLine>>,
}

impl<'c> Checker<'c> {
    /// Nothing is checked yet.
    pub(super) fn new(settings: &'c CheckSettings, subject: CheckSubject) -> Self {
        Self {
            settings,
            subject,
            lines: Mutex::default(),
        }
    }

    /// Whether one of these checks is wanted.
    pub(super) fn wants(&self, ids: &[CheckId]) -> bool {
        ids.iter().any(|id| self.settings.wants(*id))
    }

    /// What is wanted.
    pub(super) fn settings(&self) -> &'c CheckSettings {
        self.settings
    }

    /// Makes a check, if it is wanted.
    pub(super) async fn run(&self, id: CheckId, work: impl AsyncFnOnce(&Attempts) -> Checked<()>) {
        if self.settings.wants(id) {
            self.need(id, work).await;
        }
    }

    /// Makes a check that others need, wanted or not. One that is not is told of if it fails.
    pub(super) async fn need<T>(
        &self,
        id: CheckId,
        work: impl AsyncFnOnce(&Attempts) -> Checked<T>,
    ) -> Option<T> {
        let begin = clock::monotonic();
        let limit = self.settings.timeout;
        let attempts = Attempts::default();
        let checked = timeout(limit, work(&attempts)).await;
        let checked = checked.unwrap_or_else(|_| {
            let last = attempts.0.lock().take();
            let last = last.map_or(String::new(), |last| format!(": {}", last()));
            let says = format!("timed out after {limit:?}{last}");
            Checked::failed(CheckFinding::failure(says).hint(format!(
                "gazetteer check {} --live --only {id} --timeout {:?}",
                self.settings.file_word(),
                limit.saturating_mul(3)
            )))
        });
        self.add(id, checked.findings, begin.elapsed());
        checked.value
    }

    /// Says what was found without waiting for anything, if that is wanted.
    pub(super) fn say(&self, id: CheckId, findings: Vec<CheckFinding>) {
        if self.settings.wants(id) {
            self.say_needed(id, findings);
        }
    }

    /// The same of what others need: it is told of if it fails, wanted or not.
    pub(super) fn say_needed(&self, id: CheckId, findings: Vec<CheckFinding>) {
        self.add(id, findings, Duration::ZERO);
    }

    /// Says that a check was not made.
    pub(super) fn skip(&self, id: CheckId, why: &str) {
        self.say(id, vec![CheckFinding::skipped(why)]);
    }

    /// Adds lines.
    fn add(&self, id: CheckId, findings: Vec<CheckFinding>, took: Duration) {
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let lines = findings.into_iter().map(|finding| CheckLine {
            subject: self.subject.clone(),
            id,
            finding,
            ms,
        });
        let is_wanted = self.settings.wants(id);
        let lines = lines.filter(|line| is_wanted || line.is_failure());
        self.lines.lock().extend(lines);
    }

    /// What was found, in the order of the table of checks.
    pub(super) fn into_lines(self) -> Vec<CheckLine> {
        let mut lines = self.lines.into_inner();
        lines.sort_by_key(|line| line.id);
        lines
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::super::super::progress::StepMark;
    use super::*;

    /// Settings that want these checks.
    fn settings(only: &[CheckId]) -> CheckSettings {
        CheckSettings {
            file: "g.toml".into(),
            host: None,
            only: only.iter().copied().collect(),
            members: [].into(),
            through: Vec::new(),
            parents: Vec::new(),
            resolvers: Vec::new(),
            timeout: Duration::from_secs(2),
            wait: Duration::ZERO,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_takes_too_long_says_its_limit_and_how_far_it_came() {
        let settings = settings(&[]);
        let checker = Checker::new(&settings, CheckSubject::Configuration);
        let value: Option<()> = checker
            .need(CheckId::FactsFiles, async |attempts| {
                attempts.note("connection refused");
                pending().await
            })
            .await;
        assert!(value.is_none());
        checker
            .run(CheckId::Config, async |_| pending().await)
            .await;
        let lines = checker.into_lines();
        let says: Vec<_> = lines.iter().map(|line| &*line.finding.says).collect();
        assert_eq!(
            says,
            [
                "timed out after 2s",
                "timed out after 2s: connection refused"
            ]
        );
        assert!(lines.iter().all(CheckLine::is_failure));
    }

    #[tokio::test]
    async fn what_is_not_wanted_is_made_only_if_it_is_needed_and_told_of_only_if_it_fails() {
        let settings = settings(&[CheckId::Fragments]);
        let checker = Checker::new(&settings, CheckSubject::Configuration);
        checker
            .run(CheckId::Config, async |_| unreachable!("nobody wants it"))
            .await;
        let good = checker
            .need(CheckId::Config, async |_| Checked {
                findings: vec![CheckFinding::ok("right")],
                value: Some(1),
            })
            .await;
        assert_eq!(good, Some(1));
        let bad = checker
            .need(CheckId::FactsFiles, async |_| {
                Checked::<()>::failed(CheckFinding::failure("wrong"))
            })
            .await;
        assert!(bad.is_none());
        checker.skip(CheckId::Fragments, "none");
        let lines = checker.into_lines();
        let states: Vec<_> = lines
            .iter()
            .map(|line| (line.id, line.finding.state))
            .collect();
        let expected = [
            (CheckId::FactsFiles, StepMark::Failure),
            (CheckId::Fragments, StepMark::Skipped),
        ];
        assert_eq!(states, expected);
    }
}
