//! `gazetteer unjoin`

use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use super::daemon_arguments::Output;
use super::join::{configuration, kubeconfigs, place, runtime, teller};
use super::join_arguments::Unjoin;
use super::join_daemon::Asking;
use super::output;
use crate::operate::{Leaving, OperateError, Progress, StepMark, Unjoining, Where};

/// So many services are named.
const NAMED: usize = 20;

/// How long a daemon may take to hear that a member has left.
const FORGOTTEN: Duration = Duration::from_secs(10);

/// Takes a member away.
pub(super) fn unjoin(arguments: &Unjoin) -> anyhow::Result<ExitCode> {
    let Some(config) = configuration(&arguments.side) else {
        return Ok(ExitCode::FAILURE);
    };
    let unjoining = Unjoining {
        name: arguments.name.clone(),
        paths: kubeconfigs(arguments.side.kubeconfig.as_ref()).unwrap_or_default(),
        context: arguments.context.clone(),
        place: place(&arguments.side, config.as_ref())?,
        forces: arguments.force,
        is_dry: arguments.dry_run,
    };
    let asking = Asking::of(&arguments.daemon, config.as_ref());
    let is_text = arguments.output == Output::Text;
    let mut tell = teller(is_text);
    let mut progress = Progress::new(&mut tell);
    let done = carry_out(arguments, unjoining, &asking, &mut progress)?;
    let steps = progress.steps;
    if is_text {
        let name = &arguments.name;
        let would = if arguments.dry_run {
            "would leave"
        } else {
            "has left"
        };
        let mut text = format!("{name}: {would}\n");
        let commands = done?;
        if !commands.is_empty() {
            text += "\nIts side is as it was. These clean it:\n";
            text.extend(commands.iter().map(|command| format!("  {command}\n")));
        }
        output::print(&text)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (mut document, code) = match &done {
        Ok(commands) => (json!({"commands": commands}), ExitCode::SUCCESS),
        Err(error) => (json!({"error": error.to_string()}), ExitCode::FAILURE),
    };
    document["member"] = json!(arguments.name.as_str());
    document["steps"] = serde_json::to_value(steps)?;
    output::print(&(serde_json::to_string_pretty(&document)? + "\n"))?;
    Ok(code)
}

/// Looks, says what the leaving does to answers, and takes the member away.
fn carry_out(
    arguments: &Unjoin,
    unjoining: Unjoining,
    asking: &Asking,
    progress: &mut Progress<'_>,
) -> anyhow::Result<Result<Vec<String>, OperateError>> {
    let runtime = runtime()?;
    let is_host = matches!(unjoining.place, Where::Host { .. });
    let is_dry = unjoining.is_dry;
    let leaving = match runtime.block_on(Leaving::look(unjoining, progress)) {
        Ok(leaving) => leaving,
        Err(error) => return Ok(Err(error)),
    };
    if let Err(why) = check_answers(arguments, asking, is_host, progress)
        && !is_dry
    {
        return Ok(Err(OperateError::Refused(why)));
    }
    if let Err(error) = runtime.block_on(leaving.leave(progress)) {
        return Ok(Err(error));
    }
    if !is_dry {
        asking.forget(&arguments.name);
        if !asking.until_forgotten(&arguments.name, FORGOTTEN) {
            let says =
                "the daemon has it still: its own configuration may name it, or a brake holds it";
            progress.found(StepMark::Warning, says);
        }
    }
    Ok(runtime.block_on(leaving.clean(progress)))
}

/// Says which services only this member has. The error is that there are some, or may be, and that the
/// operator has not said `--yes`.
fn check_answers(
    arguments: &Unjoin,
    asking: &Asking,
    is_host: bool,
    progress: &mut Progress<'_>,
) -> Result<(), String> {
    let name = &arguments.name;
    let alone = match asking.alone(name) {
        Ok(alone) => alone,
        Err(reason) => {
            let says = format!("what this does to answers is not known: {reason}");
            progress.found(StepMark::Warning, says);
            // Without a daemon here nobody is answered here; those of a host are elsewhere.
            if is_host && !arguments.yes && !arguments.force {
                return Err(
                    "whether services are left without a member is not known: say --yes, \
                            or give --admin"
                        .to_owned(),
                );
            }
            return Ok(());
        }
    };
    if alone.count == 0 {
        let says = format!("no service is left without a member when {name} leaves");
        progress.found(StepMark::Ok, says);
        return Ok(());
    }
    let mut names: Vec<_> = alone.services.into_iter().take(NAMED).collect();
    if names.len() < alone.count {
        names.push(format!("and {} more", alone.count - names.len()));
    }
    let plural = if alone.count == 1 {
        "service is"
    } else {
        "services are"
    };
    let says = format!(
        "{} {plural} left without a member: {}",
        alone.count,
        names.join(", ")
    );
    progress.found(StepMark::Warning, says);
    if arguments.yes {
        Ok(())
    } else {
        let what = if alone.count == 1 {
            "a service"
        } else {
            "services"
        };
        Err(format!("{what} would be left without a member: say --yes"))
    }
}
