//! Members that objects of the host cluster name: `host-members`.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::super::contexts::ContextChoice;
use super::super::shell::quoted;
use super::checker::{Attempts, Checked, Checker};
use super::files::{count, or_ok};
use super::finding::CheckFinding;
use super::id::CheckId;
use super::settings::CheckSettings;
use super::surroundings::{CheckSurroundings, CheckedFiles, CheckedHostMember};
use crate::config::{Config, HostCluster, MemberObject, Source};
use crate::model::Shown;
use crate::sources::kubernetes::ObjectCredentials;
use crate::sources::members::{HostSurvey, survey_host};

/// What is known of members of the host cluster.
pub(super) enum SeenHost {
    /// It has said which there are: the files, read with them.
    Read(CheckedFiles),
    /// It has not. These are what the daemon knows, if one was found.
    Unread(Vec<CheckedHostMember>),
}

/// The host cluster, if its objects may be members.
pub(super) fn host_of(config: &Config) -> Option<&HostCluster> {
    let host = config.membership.host.as_ref();
    host.filter(|host| host.secrets.is_some() || host.profiles.is_some())
}

/// Asks the host cluster which members there are, by the daemon's rights or by those of the operator's
/// context. How they are reached is put into `objects`.
pub(super) async fn check_host(
    checker: &Checker<'_>,
    around: &Arc<dyn CheckSurroundings>,
    config: &Arc<Config>,
    host: &HostCluster,
    objects: &ObjectCredentials,
) -> Option<SeenHost> {
    let settings = checker.settings();
    let work = async |attempts: &Attempts| {
        attempts.note("no answer of the host cluster");
        let survey = match asked(settings, host) {
            Ok(host) => survey_host(&host, objects.clone()).await,
            Err(why) => HostSurvey {
                failed: vec![why],
                ..HostSurvey::default()
            },
        };
        if survey.failed.is_empty() {
            read(settings, around, survey).await
        } else {
            unread(settings, around, config, &survey.failed).await
        }
    };
    checker.need(CheckId::HostMembers, work).await
}

/// The host cluster as it is asked: at the operator's context, if one is given.
fn asked(settings: &CheckSettings, host: &HostCluster) -> Result<HostCluster, String> {
    let mut asked = host.clone();
    if let Some(choice) = &settings.host {
        let (path, context) = kubeconfig_of(choice)?;
        asked.source = Source::Kubeconfig { path, context };
    }
    Ok(asked)
}

/// The kubeconfig of a context.
fn kubeconfig_of(choice: &ContextChoice) -> Result<(PathBuf, String), String> {
    let (path, _) = choice.find().map_err(|error| error.to_string())?;
    Ok((path, choice.context.clone()))
}

/// Reads the files anew with the members of the host, and says what is wrong with these.
async fn read(
    settings: &CheckSettings,
    around: &Arc<dyn CheckSurroundings>,
    survey: HostSurvey,
) -> Checked<SeenHost> {
    let HostSurvey {
        members,
        wrong,
        ignored,
        ..
    } = survey;
    let all = members.len();
    let of_secrets = |object: &MemberObject| matches!(object, MemberObject::Secret { .. });
    let secrets = members.iter().filter(|one| of_secrets(&one.object)).count();
    let asked = Arc::clone(around);
    let files = spawn_blocking(move || asked.files(&members)).await;
    // Such a task ends in panic or at shutdown only.
    let files: CheckedFiles = files.unwrap_or_default();
    let hint = || {
        let host = settings.host_word();
        format!("kubectl --context {host} edit it, in the host cluster")
    };
    let wrong = wrong.iter();
    let mut findings: Vec<_> = wrong
        .map(|why| CheckFinding::failure(Shown(why).to_string()).hint(hint()))
        .collect();
    findings.extend(files.of_objects.iter().cloned());
    let findings = or_ok(findings, || {
        let (secrets, profiles) = (
            count(secrets, "member"),
            count(all.saturating_sub(secrets), "member"),
        );
        let more = match ignored {
            0 => String::new(),
            some => format!("; {} of others left alone", count(some, "object")),
        };
        format!("{secrets} of Secrets, {profiles} of ClusterProfiles{more}")
    });
    Checked {
        findings,
        value: Some(SeenHost::Read(files)),
    }
}

/// Says why the host was not read. Whom the daemon knows is then known by name.
async fn unread(
    settings: &CheckSettings,
    around: &Arc<dyn CheckSurroundings>,
    config: &Arc<Config>,
    failed: &[String],
) -> Checked<SeenHost> {
    let why = failed.join("; ");
    let why = Shown(&why).to_string();
    let (asked, of) = (Arc::clone(around), Arc::clone(config));
    let daemon = spawn_blocking(move || asked.daemon(&of)).await;
    let daemon = daemon.unwrap_or_else(|error| Err(error.to_string()));
    let hint = match &settings.host {
        None => format!(
            "gazetteer check {} --live --host-context HOST",
            settings.file_word()
        ),
        Some(choice) => format!("kubectl --context {} get secrets", quoted(&choice.context)),
    };
    match daemon {
        Ok(daemon) => {
            let members = count(daemon.host_members.len(), "member");
            let says = format!("not read from here: {why}; the daemon knows {members} of it");
            Checked {
                findings: vec![CheckFinding::warning(says).hint(hint)],
                value: Some(SeenHost::Unread(daemon.host_members)),
            }
        }
        Err(_) => Checked {
            findings: vec![CheckFinding::failure(why).hint(hint)],
            value: Some(SeenHost::Unread(Vec::new())),
        },
    }
}

/// How the daemon sees a member of a host that was not read.
pub(super) fn judge_unseen(member: &CheckedHostMember) -> CheckFinding {
    let says = format!("the daemon says {}", member.says);
    if member.is_ready {
        CheckFinding::skipped(format!("not asked from here; {says}"))
    } else {
        CheckFinding::warning(says).hint("gazetteer clusters")
    }
}
