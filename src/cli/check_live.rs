//! `gazetteer check --live`

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::check::{Found, FoundIn};
use super::check_arguments::{CheckArguments, CheckOutput, LiveArguments};
use super::daemon_arguments::Daemon;
use super::{checked_daemon, checked_keys, join, output};
use crate::config::{Config, ObjectMember};
use crate::model::Identity;
use crate::names::Label;
use crate::operate::{
    CheckSettings, CheckSurroundings, CheckedDaemon, CheckedFiles, CheckedKeys, ContextChoice,
    quoted,
};
use crate::{operate, publish};

/// What the command line knows of a configuration.
struct Here {
    /// Its file.
    file: PathBuf,
    /// Where the daemon is, as far as that is said.
    daemon: Daemon,
}

impl CheckSurroundings for Here {
    fn files(&self, objects: &[ObjectMember]) -> CheckedFiles {
        let (found, config) = Found::of(&self.file, objects);
        let file = quoted(&self.file.display().to_string());
        let hint = format!("gazetteer check {file}, once it is mended there");
        let findings = |place| found.findings(place, &hint);
        CheckedFiles {
            of_config: findings(FoundIn::Config),
            of_facts: findings(FoundIn::Facts),
            of_fragments: findings(FoundIn::Fragments),
            of_objects: findings(FoundIn::Objects),
            config: config.map(Arc::new),
        }
    }

    fn daemon(&self, config: &Config) -> Result<CheckedDaemon, String> {
        checked_daemon::ask(&self.daemon, config)
    }

    fn keys(&self, config: &Config) -> Result<Vec<CheckedKeys>, String> {
        checked_keys::read(config).map_err(|error| error.to_string())
    }

    fn identities(&self, config: &Arc<Config>) -> BTreeMap<Label, Identity> {
        publish::kept_identities(config)
    }
}

/// Looks at all of a federation.
pub(super) fn check(arguments: &CheckArguments) -> anyhow::Result<ExitCode> {
    let live = &arguments.live_arguments;
    let settings = CheckSettings {
        file: arguments.file.clone(),
        host: host(live)?,
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
    let report = match join::runtime()?.block_on(operate::check(&settings, &around)) {
        Ok(report) => report,
        Err(wrong) => {
            output::complain(&format!("error: {wrong}"));
            return Ok(ExitCode::from(2));
        }
    };
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

/// The operator's context of the host cluster, if one is given.
fn host(live: &LiveArguments) -> anyhow::Result<Option<ContextChoice>> {
    let choice = live.host_context.as_ref().map(|context| {
        Ok(ContextChoice {
            paths: join::kubeconfigs(live.kubeconfig.as_ref())?,
            context: context.clone(),
        })
    });
    choice.transpose()
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
