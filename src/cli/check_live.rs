//! `gazetteer check --live`

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::check::{Found, FoundIn};
use super::check_arguments::{CheckArguments, CheckOutput, LiveArguments};
use super::daemon_arguments::Daemon;
use super::join_daemon::Asking;
use super::{checked_daemon, join, output};
use crate::config::Config;
use crate::model::Identity;
use crate::names::Label;
use crate::operate::{CheckSettings, CheckSurroundings, CheckedDaemon, CheckedFiles};
use crate::{config, operate, publish};

/// What the command line knows of a configuration.
struct Here {
    /// Its file.
    file: PathBuf,
    /// Where the daemon is, as far as that is said.
    daemon: Daemon,
}

impl CheckSurroundings for Here {
    fn files(&self) -> CheckedFiles {
        let (found, config) = Found::of(&self.file);
        CheckedFiles {
            config: config.map(Arc::new),
            of_config: found.findings(FoundIn::Config),
            of_facts: found.findings(FoundIn::Facts),
            of_fragments: found.findings(FoundIn::Fragments),
        }
    }

    fn daemon(&self, config: &Config) -> Result<CheckedDaemon, String> {
        checked_daemon::ask(&Asking::of(&self.daemon, Some(&config.state_dir)))
    }

    fn identities(&self, config: &Arc<Config>) -> BTreeMap<Label, Identity> {
        publish::kept_identities(config)
    }
}

/// Looks at all of a federation.
pub(super) fn check(arguments: &CheckArguments) -> anyhow::Result<ExitCode> {
    let live = &arguments.live_arguments;
    if let Ok(config) = config::load(&arguments.file)
        && let Some(wrong) = unknown_member(live, &config)
    {
        output::complain(&format!("error: {wrong}"));
        return Ok(ExitCode::from(2));
    }
    let settings = CheckSettings {
        only: live.only.iter().copied().collect(),
        members: live.member.iter().cloned().collect(),
        through: live.through.clone(),
        parents: live.parent.clone(),
        resolvers: live.resolver.clone(),
        timeout: live.timeout,
        wait: live.wait.unwrap_or(Duration::ZERO),
    };
    let around: Arc<dyn CheckSurroundings> = Arc::new(Here {
        file: arguments.file.clone(),
        daemon: arguments.daemon.clone(),
    });
    let report = join::runtime()?.block_on(operate::check(&settings, &around));
    let is_ascii = live.ascii || !is_utf8();
    output::print(&match live.output {
        CheckOutput::Text => report.text(false, is_ascii),
        CheckOutput::Short => report.text(true, is_ascii),
        CheckOutput::Json => report.json(live.strict),
    })?;
    Ok(if report.is_ok(live.strict) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What is wrong with a member that is named, if one is none.
fn unknown_member(live: &LiveArguments, config: &Config) -> Option<String> {
    let known: BTreeSet<_> = config.sources.iter().map(|source| &source.member).collect();
    let through = live.through.iter().map(|(member, _)| ("--through", member));
    let members = live.member.iter().map(|member| ("--member", member));
    let mut named = members.chain(through);
    let (argument, unknown) = named.find(|(_, member)| !known.contains(member))?;
    let known: Vec<_> = known.into_iter().map(ToString::to_string).collect();
    let known = known.join(", ");
    Some(format!(
        "{argument}: no member is called \"{unknown}\" (there are: {known})"
    ))
}

/// Whether the locale has UTF-8: the first of these variables that is set says it (POSIX, 8.2).
fn is_utf8() -> bool {
    let variables = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter();
    let mut said = variables
        .filter_map(std::env::var_os)
        .filter(|value| !value.is_empty());
    let said = said.next().unwrap_or_default();
    let said = said.to_string_lossy().to_ascii_lowercase();
    said.contains("utf-8") || said.contains("utf8")
}
