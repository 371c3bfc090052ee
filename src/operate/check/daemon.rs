//! The running daemon: `daemon-ready`, `daemon-state-dir`, `daemon-overrides`.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::super::shell::quoted;
use super::super::spans::DAY;
use super::checker::{Checked, Checker};
use super::files::or_ok;
use super::finding::CheckFinding;
use super::id::CheckId;
use super::surroundings::{CheckSurroundings, CheckedDaemon};
use crate::config::Config;
use crate::telemetry::clock;

/// The checks of a daemon.
pub(super) const DAEMON: [CheckId; 3] = [
    CheckId::DaemonReady,
    CheckId::DaemonStateDir,
    CheckId::DaemonOverrides,
];

/// Looks at the daemon, if one is found.
pub(super) async fn check_daemon(
    checker: &Checker<'_>,
    around: &Arc<dyn CheckSurroundings>,
    config: &Arc<Config>,
) {
    if !checker.wants(&DAEMON) {
        return;
    }
    let (asked, of) = (Arc::clone(around), Arc::clone(config));
    let daemon = checker
        .need(CheckId::DaemonReady, async |attempts| {
            attempts.note("no answer of the daemon");
            let answer = spawn_blocking(move || asked.daemon(&of)).await;
            let answer = answer.unwrap_or_else(|error| Err(error.to_string()));
            match answer {
                Ok(daemon) => Checked {
                    findings: vec![judge_ready(&daemon)],
                    value: Some(daemon),
                },
                Err(why) => Checked::failed(CheckFinding::skipped(why)),
            }
        })
        .await;
    let Some(daemon) = daemon else {
        let why = "there is no daemon to be asked";
        checker.skip(CheckId::DaemonStateDir, why);
        checker.skip(CheckId::DaemonOverrides, why);
        return;
    };
    let folder = daemon.state_dir.clone();
    let troubles = daemon.troubles.iter().map(|trouble| {
        let hint = format!("ls -ld {}", quoted(&folder));
        CheckFinding::failure(trouble.clone()).hint(hint)
    });
    let troubles = or_ok(troubles.collect(), || folder.clone());
    checker.say(CheckId::DaemonStateDir, troubles);
    let findings = or_ok(judge_overrides(&daemon), || {
        "not frozen, nothing held back, no drain older than 24 h".to_owned()
    });
    checker.say(CheckId::DaemonOverrides, findings);
}

/// Whether it is ready.
fn judge_ready(daemon: &CheckedDaemon) -> CheckFinding {
    if daemon.is_ready {
        return CheckFinding::ok("ready");
    }
    let unwatched = daemon.unwatched.join("; ");
    let why = if unwatched.is_empty() {
        "not ready".to_owned()
    } else {
        format!("not ready: {unwatched}")
    };
    let arguments = &daemon.arguments;
    CheckFinding::failure(why).hint(format!("gazetteer clusters{arguments}"))
}

/// What keeps answers from following facts.
fn judge_overrides(daemon: &CheckedDaemon) -> Vec<CheckFinding> {
    let mut findings = Vec::new();
    let arguments = &daemon.arguments;
    if let Some(since) = &daemon.frozen {
        let says = format!("answers are frozen since {since}");
        findings.push(CheckFinding::warning(says).hint(format!("gazetteer thaw{arguments}")));
    }
    for (says, command) in &daemon.held_back {
        let finding = CheckFinding::warning(says.clone());
        findings.push(match command {
            Some(command) => finding.hint(format!("{command}{arguments}")),
            None => finding,
        });
    }
    let now = clock::now();
    for drain in &daemon.drains {
        if now.0.saturating_sub(drain.since.0) > DAY {
            let (target, since) = (&drain.target, drain.since);
            let says = format!("{target} is drained since {since}");
            findings.push(
                CheckFinding::warning(says).hint(format!("gazetteer uncordon {target}{arguments}")),
            );
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::surroundings::CheckedDrain;
    use super::*;
    use crate::model::UnixSeconds;

    #[test]
    fn a_drain_of_more_than_a_day_is_worth_a_look() {
        let since = |ago| CheckedDrain {
            target: "zone/a".to_owned(),
            since: UnixSeconds(clock::now().0 - ago),
        };
        let of = |drain| CheckedDaemon {
            is_ready: true,
            drains: vec![drain],
            ..CheckedDaemon::default()
        };
        assert_eq!(judge_overrides(&of(since(DAY - 60))), []);
        let found = judge_overrides(&of(since(DAY + 60)));
        let hints: Vec<_> = found
            .iter()
            .map(|finding| finding.hint.as_deref())
            .collect();
        assert_eq!(hints, [Some("gazetteer uncordon zone/a")]);
    }

    #[test]
    fn a_daemon_that_is_not_ready_says_whom_it_waits_for() {
        let daemon = CheckedDaemon {
            unwatched: vec!["m is Syncing".to_owned()],
            ..CheckedDaemon::default()
        };
        assert_eq!(judge_ready(&daemon).says, "not ready: m is Syncing");
    }
}
