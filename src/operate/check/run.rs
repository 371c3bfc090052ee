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
use super::host::{SeenHost, check_host, host_of, judge_unseen};
use super::id::CheckId;
use super::line::{CheckLine, CheckSubject, member};
use super::member::{CheckedMember, SeenMember, check_member, wants_members};
use super::mending::Mending;
use super::report::CheckReport;
use super::settings::CheckSettings;
use super::surroundings::{CheckSurroundings, CheckedFiles, CheckedHostMember};
use crate::config::Config;
use crate::names::Label;
use crate::sources::kubernetes::ObjectCredentials;
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
///
/// # Errors
///
/// The settings name a member that there is not.
pub async fn check(
    settings: &CheckSettings,
    around: &Arc<dyn CheckSurroundings>,
) -> Result<CheckReport, String> {
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
        round.make(around, &mut seen).await?;
        report.take(&round.looked, round.lines);
        let failing = report.failing();
        if failing.is_empty() || clock::monotonic() >= deadline {
            return Ok(report);
        }
        let is_readable = !failing.contains(&CheckSubject::Configuration);
        again = is_readable.then_some(failing);
        sleep(AGAIN).await;
    }
}

/// Whether anything is wanted for which it must be known which members the host cluster names.
fn wants_host(settings: &CheckSettings) -> bool {
    let ids = [CheckId::HostMembers, CheckId::Stub];
    wants_members(settings) || ids.iter().any(|id| settings.wants(*id))
}

impl<'r> Round<'r> {
    /// Makes the checks. Of members that are not looked at, what was seen before counts.
    async fn make(
        &mut self,
        around: &Arc<dyn CheckSurroundings>,
        seen: &mut BTreeMap<Label, SeenMember>,
    ) -> Result<(), String> {
        let objects = ObjectCredentials::default();
        let (files, unseen) = self.read(around, &objects).await;
        let Some(config) = &files.config else {
            return Ok(());
        };
        if let Some(unseen) = &unseen {
            self.settings.check_named(config, unseen)?;
        }
        let daemon = self
            .wants(&CheckSubject::Daemon)
            .then(|| self.checker(CheckSubject::Daemon));
        let has_members = wants_members(self.settings);
        let mut checkers = Vec::new();
        for (place, source) in config.sources.iter().enumerate() {
            let subject = member(config, place, source);
            let has_api = source.source.is_kubernetes();
            let is_needed = has_members || self.settings.asks_through(source);
            let is_wanted =
                is_needed && self.settings.wants_member(&source.member) && self.wants(&subject);
            let index = config.fleet.members.find(&source.member);
            let known = index.and_then(|index| config.fleet.members.get(index));
            let Some(known) = known.filter(|_| has_api && is_wanted) else {
                continue;
            };
            let host_context = self.settings.host.as_ref();
            let host_context = host_context.map(|choice| &*choice.context);
            let checked = CheckedMember {
                config,
                source,
                member: known,
                objects: objects.clone(),
                mending: Mending::new(config, source, host_context),
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
        Ok(())
    }

    /// Reads the files, with the members of the host cluster where there is one, and says how they are.
    /// Who of them was not seen, as the host was not read; `None` where it is not known who there is.
    async fn read(
        &mut self,
        around: &Arc<dyn CheckSurroundings>,
        objects: &ObjectCredentials,
    ) -> (CheckedFiles, Option<Vec<CheckedHostMember>>) {
        let asked = Arc::clone(around);
        let files = spawn_blocking(move || asked.files(&[])).await;
        // Such a task ends in panic or at shutdown only.
        let mut files: CheckedFiles = files.unwrap_or_default();
        let mut unseen = Some(Vec::new());
        let checker = self.checker(CheckSubject::Configuration);
        if let Some(config) = files.config.clone()
            && let Some(host) = host_of(&config)
            && wants_host(self.settings)
        {
            match check_host(&checker, around, &config, host, objects).await {
                Some(SeenHost::Read(read)) => files = read,
                Some(SeenHost::Unread(members)) if !members.is_empty() => {
                    let all = config.sources.len();
                    self.tell_unseen(all, &members);
                    unseen = Some(members);
                }
                Some(SeenHost::Unread(_)) | None => unseen = None,
            }
        }
        let asks_host = self.settings.only.contains(&CheckId::HostMembers);
        if asks_host
            && files
                .config
                .as_deref()
                .is_some_and(|config| host_of(config).is_none())
        {
            checker.skip(CheckId::HostMembers, "no host cluster is asked for members");
        }
        check_files(&checker, &files);
        self.take(checker);
        (files, unseen)
    }

    /// Says how the daemon sees members of a host that was not read; `place` is the first one's.
    fn tell_unseen(&mut self, place: usize, members: &[CheckedHostMember]) {
        for (at, member) in members.iter().enumerate() {
            let subject =
                CheckSubject::Member(place + at, member.name.clone(), member.origin.clone());
            if self.settings.wants_member(&member.name) && self.wants(&subject) {
                let checker = self.checker(subject);
                checker.say(CheckId::ApiReachable, vec![judge_unseen(member)]);
                self.take(checker);
            }
        }
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
