//! `gazetteer join`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use serde_json::json;

use super::clusters;
use super::daemon_arguments::Output;
use super::join_arguments::{Join, Side};
use super::join_daemon::{Asking, Heard};
use super::output;
use crate::config::{self, Config};
use crate::operate::{
    self, ApiTrust, ContextChoice, Installation, JoinOutcome, Joining, Mode, Names, Neighbour,
    OperateError, Progress, Step, StepMark, Where,
};

/// Joins a member, and waits until the daemon watches it.
pub(super) fn join(arguments: &Join) -> anyhow::Result<ExitCode> {
    if arguments.print_rbac {
        return print_rbac(arguments);
    }
    let Some(config) = configuration(&arguments.side) else {
        return Ok(ExitCode::FAILURE);
    };
    let joining = joining(arguments, config.as_ref())?;
    let is_text = arguments.output == Output::Text;
    let mut tell = teller(is_text);
    let mut progress = Progress::new(&mut tell);
    let joined = runtime()?.block_on(operate::join(&joining, &mut progress));
    let heard = match &joined {
        Ok(joined) if !joining.is_dry => {
            let asking = Asking::of(&arguments.daemon, config.as_ref());
            let name = joined.member.parse()?;
            Some(asking.until_watched(&name, arguments.wait))
        }
        _ => None,
    };
    if let Some(heard) = &heard {
        let (mark, says) = told(heard);
        progress.found(mark, says);
    }
    let is_waiting = matches!(heard, Some(Heard::Waiting { .. }));
    let steps = progress.steps;
    if is_text {
        let joined = joined?;
        output::print(&ending(&joined, heard.as_ref(), joining.is_dry))?;
    } else {
        print_json(&joined, &steps, heard.as_ref())?;
        if joined.is_err() {
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(if is_waiting {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Prints the objects of a member.
fn print_rbac(arguments: &Join) -> anyhow::Result<ExitCode> {
    let Some(config) = configuration(&arguments.side) else {
        return Ok(ExitCode::FAILURE);
    };
    let folder = config.map(|config| config.membership.folder);
    let installation = folder.map(|folder| -> Result<_, OperateError> {
        let installation = Installation::of_folder(&folder)?;
        // What is printed is to be taken up by later joins.
        installation.keep(&folder)?;
        Ok(installation)
    });
    let names = Names {
        installation: installation.transpose()?,
        namespace: arguments.namespace.to_string(),
        account: arguments.service_account.clone(),
    };
    output::print(&operate::printed(
        &names,
        mode(arguments).unwrap_or(Mode::Renewed),
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// How the token is to live, as far as the operator says.
fn mode(arguments: &Join) -> Option<Mode> {
    match (arguments.no_renew, arguments.long_lived) {
        (true, _) => Some(Mode::Ending),
        (_, true) => Some(Mode::LongLived),
        _ => None,
    }
}

/// The configuration of the daemon, where there is one; `None` after its problems were printed.
#[expect(
    clippy::option_option,
    reason = "there may be none, and it may be wrong"
)]
pub(super) fn configuration(side: &Side) -> Option<Option<Config>> {
    let Some(file) = &side.config else {
        return Some(None);
    };
    match config::load(file) {
        Ok(config) => Some(Some(config)),
        Err(problems) => {
            for problem in problems {
                output::complain(&problem.to_string());
            }
            None
        }
    }
}

/// Where the daemon's members are written down.
pub(super) fn place(side: &Side, config: Option<&Config>) -> anyhow::Result<Where> {
    match (config, &side.host_context) {
        (Some(config), _) => Ok(Where::Folder {
            folder: config.membership.folder.clone(),
            configuration: config.path.clone(),
            neighbours: config
                .sources
                .iter()
                .filter(|member| !config.membership.from_folder.contains(&member.member))
                .map(|member| Neighbour {
                    name: member.member.clone(),
                    source: member.source.clone(),
                })
                .collect(),
        }),
        (None, Some(context)) => Ok(Where::Host {
            choice: ContextChoice {
                paths: kubeconfigs(side.kubeconfig.as_ref())?,
                context: context.clone(),
            },
            namespace: side.host_namespace.to_string(),
        }),
        (None, None) => bail!("give --config FILE or --host-context CONTEXT"),
    }
}

/// The operator's kubeconfigs, as kubectl finds them.
pub(super) fn kubeconfigs(given: Option<&PathBuf>) -> anyhow::Result<Vec<PathBuf>> {
    if let Some(path) = given {
        return Ok(vec![path.clone()]);
    }
    let said = std::env::var_os("KUBECONFIG").filter(|paths| !paths.is_empty());
    if let Some(paths) = said {
        let paths = std::env::split_paths(&paths);
        return Ok(paths.filter(|path| !path.as_os_str().is_empty()).collect());
    }
    let home = std::env::var_os("HOME").context("no kubeconfig: give --kubeconfig")?;
    Ok(vec![Path::new(&home).join(".kube/config")])
}

/// What the arguments say.
fn joining(arguments: &Join, config: Option<&Config>) -> anyhow::Result<Joining> {
    Ok(Joining {
        name: arguments.name.clone(),
        choice: ContextChoice {
            paths: kubeconfigs(arguments.side.kubeconfig.as_ref())?,
            context: arguments.context.clone().unwrap_or_default(),
        },
        trust: ApiTrust {
            server: arguments.server.clone(),
            authority: None,
            server_name: arguments.tls_server_name.clone(),
            skips_verification: arguments.insecure_skip_tls_verify,
        },
        authority: arguments.ca_file.clone(),
        place: place(&arguments.side, config)?,
        namespace: arguments.namespace.to_string(),
        account: arguments.service_account.clone(),
        lifetime: arguments.lifetime.map(|lifetime| lifetime.as_secs()),
        mode: mode(arguments),
        renews: arguments.renew,
        region: arguments.region.clone(),
        zones: arguments.zones.clone(),
        replaces: arguments.replace,
        is_dry: arguments.dry_run,
    })
}

/// Prints steps as they are taken, if people read them.
pub(super) fn teller(is_text: bool) -> impl FnMut(&Step) + Send {
    move |step| {
        if is_text {
            // Nobody reads on: what is done is done all the same.
            let _ = output::print(&format!("{step}\n"));
        }
    }
}

/// Waits for APIs.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().context("runtime")
}

/// What the daemon says, as a step.
fn told(heard: &Heard) -> (StepMark, String) {
    match heard {
        Heard::Watched { seconds, cluster } => {
            let services = cluster.services;
            let plural = if services == 1 { "" } else { "s" };
            let says = format!(
                "the daemon watches it: Ready after {seconds:.1}s, {services} service{plural}"
            );
            (StepMark::Ok, says)
        }
        Heard::Waiting { reason } => (
            StepMark::Failure,
            format!("the daemon does not watch it: {reason}"),
        ),
        Heard::Nobody { reason } => (StepMark::Skipped, format!("no daemon was asked: {reason}")),
    }
}

/// What stands below the steps.
fn ending(joined: &JoinOutcome, heard: Option<&Heard>, is_dry: bool) -> String {
    let name = &joined.member;
    match heard {
        _ if !joined.changed => format!("{name}: unchanged\n"),
        _ if is_dry => format!("{name}: would be joined\n"),
        Some(Heard::Watched { cluster, .. }) => {
            format!("\n{}", clusters::text(std::slice::from_ref(cluster)))
        }
        _ => format!("{name}: joined\n"),
    }
}

/// Prints all of it as one document.
fn print_json(
    joined: &Result<JoinOutcome, OperateError>,
    steps: &[Step],
    heard: Option<&Heard>,
) -> anyhow::Result<()> {
    let mut document = match joined {
        Ok(joined) => serde_json::to_value(joined)?,
        Err(error) => json!({"error": error.to_string()}),
    };
    document["steps"] = serde_json::to_value(steps)?;
    document["daemon"] = serde_json::to_value(heard)?;
    output::print(&(serde_json::to_string_pretty(&document)? + "\n"))?;
    Ok(())
}
