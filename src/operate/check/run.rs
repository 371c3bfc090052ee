//! A run of checks: one round, and others for what fails while there is time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::checker::Checker;
use super::compare::{SeenFleet, compare};
use super::daemon::check_daemon;
use super::dns_round::DnsRound;
use super::files::check_files;
use super::line::{CheckLine, CheckSubject};
use super::member::{CheckedMember, SeenMember, check_member, wants_members};
use super::mending::Mending;
use super::report::CheckReport;
use super::settings::CheckSettings;
use super::surroundings::{CheckSurroundings, CheckedFiles};
use crate::config::{Config, Source};
use crate::names::Label;
use crate::telemetry::clock;

/// How long to wait before what has failed is looked at again.
const AGAIN: Duration = Duration::from_secs(1);

/// So many members are looked at side by side.
const MEMBERS: usize = 32;

/// A round of checks.
struct Round<'r> {
    /// What is wanted.
    settings: &'r CheckSettings,
    /// What failed before; `None` is the first round, that looks at all.
    again: Option<Vec<CheckSubject>>,
    /// What was looked at.
    looked: Vec<CheckSubject>,
    /// What was found.
    lines: Vec<CheckLine>,
}

/// Checks what is wanted. What fails is repeated until it passes, as long as the settings say. The
/// configuration is read anew each time, and all is looked at while it is wrong.
pub async fn check(settings: &CheckSettings, around: &Arc<dyn CheckSurroundings>) -> CheckReport {
    let deadline = clock::monotonic() + settings.wait;
    let mut report = CheckReport::default();
    let mut seen = BTreeMap::new();
    let mut again = None;
    loop {
        let mut round = Round {
            settings,
            again,
            looked: Vec::new(),
            lines: Vec::new(),
        };
        round.make(around, &mut seen).await;
        report.take(&round.looked, round.lines);
        let failing = report.failing();
        if failing.is_empty() || clock::monotonic() >= deadline {
            return report;
        }
        let is_readable = !failing.contains(&CheckSubject::Configuration);
        again = is_readable.then_some(failing);
        sleep(AGAIN).await;
    }
}

impl<'r> Round<'r> {
    /// Makes the checks. Of members that are not looked at, what was seen before counts.
    async fn make(
        &mut self,
        around: &Arc<dyn CheckSurroundings>,
        seen: &mut BTreeMap<Label, SeenMember>,
    ) {
        let asked = Arc::clone(around);
        let files = spawn_blocking(move || asked.files()).await;
        // Such a task ends in panic or at shutdown only.
        let files: CheckedFiles = files.unwrap_or_default();
        let checker = self.checker(CheckSubject::Configuration);
        check_files(&checker, &files);
        self.take(checker);
        let Some(config) = &files.config else { return };
        let daemon = self
            .wants(&CheckSubject::Daemon)
            .then(|| self.checker(CheckSubject::Daemon));
        let has_members = wants_members(self.settings);
        let mut checkers = Vec::new();
        for (place, source) in config.sources.iter().enumerate() {
            let subject = CheckSubject::Member(place, source.member.clone());
            let has_api = !matches!(source.source, Source::File { .. });
            let is_needed = has_members || self.settings.asks_through(source);
            let is_wanted =
                is_needed && self.settings.wants_member(&source.member) && self.wants(&subject);
            let index = config.fleet.members.find(&source.member);
            let member = index.and_then(|index| config.fleet.members.get(index));
            let Some(member) = member.filter(|_| has_api && is_wanted) else {
                continue;
            };
            let checked = CheckedMember {
                config,
                source,
                member,
                mending: Mending::new(config, source),
            };
            checkers.push((self.checker(subject), checked));
        }
        let asked = (Arc::clone(around), Arc::clone(config));
        let kept = spawn_blocking(move || asked.0.identities(&asked.1));
        let members = stream::iter(&checkers).map(async |(checker, checked)| {
            // Boxed: it is large, and there are many.
            let seen = Box::pin(check_member(checker, checked)).await;
            (checked.member.name.clone(), seen)
        });
        let members = members.buffer_unordered(MEMBERS).collect::<Vec<_>>();
        let of_daemon = async {
            if let Some(checker) = &daemon {
                check_daemon(checker, around, config).await;
            }
        };
        let (members, kept, ()) = tokio::join!(members, kept, of_daemon);
        seen.extend(members);
        let kept = kept.unwrap_or_default();
        let fleet = SeenFleet::new(&config.fleet, seen, &kept);
        for (checker, checked) in checkers {
            compare(&checker, &checked.member.name, &checked.mending, &fleet);
            self.take(checker);
        }
        if let Some(checker) = daemon {
            self.take(checker);
        }
        Box::pin(self.check_dns(around, config, seen)).await;
    }

    /// Looks at DNS, once members have said what they export.
    async fn check_dns(
        &mut self,
        around: &Arc<dyn CheckSurroundings>,
        config: &Arc<Config>,
        seen: &BTreeMap<Label, SeenMember>,
    ) {
        let round = DnsRound {
            settings: self.settings,
            around,
            config,
            seen,
        };
        let subjects = round.subjects().into_iter();
        let subjects: Vec<_> = subjects.filter(|subject| self.wants(subject)).collect();
        let checkers = subjects.into_iter().map(|subject| {
            let checker = self.checker(subject.clone());
            (subject, checker)
        });
        let checkers: Vec<_> = checkers.collect();
        round.make(&checkers).await;
        for (_, checker) in checkers {
            self.take(checker);
        }
    }

    /// Whether a subject is looked at in this round.
    fn wants(&self, subject: &CheckSubject) -> bool {
        let mut again = self.again.iter();
        again.all(|failed| failed.contains(subject))
    }

    /// Begins the checks of a subject.
    fn checker(&mut self, subject: CheckSubject) -> Checker<'r> {
        self.looked.push(subject.clone());
        Checker::new(self.settings, subject)
    }

    /// Takes in what checks have found.
    fn take(&mut self, checker: Checker<'_>) {
        self.lines.extend(checker.into_lines());
    }
}
