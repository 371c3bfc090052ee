//! `gazetteer drain`, `cordon`, `uncordon`, `freeze`, `thaw` and `confirm` for all replicas, in a host
//! cluster.

use std::process::ExitCode;

use anyhow::{anyhow, bail};
use serde_json::{Value, json};

use super::age::age;
use super::arguments::{Order, Output};
use super::join::{kubeconfigs, runtime};
use super::output;
use crate::admin::ControlRequest;
use crate::model::{Drain, Freeze};
use crate::operate::{ContextChoice, OverridesMap, OverridesPlace};
use crate::publish::{AmendedOverrides, OperatorCommand, amend};
use crate::telemetry::clock;

/// How often a command is decided anew since others have written meanwhile.
const ATTEMPTS: usize = 20;

/// Writes a command down for all replicas, and says what is written.
pub(super) fn order_all(
    order: &Order,
    context: &str,
    asked: &ControlRequest,
) -> anyhow::Result<ExitCode> {
    let command = OperatorCommand::try_from(asked.clone()).map_err(|problem| anyhow!(problem))?;
    let host = &order.host;
    let place = OverridesPlace {
        choice: ContextChoice {
            paths: kubeconfigs(host.kubeconfig.as_ref())?,
            context: context.to_owned(),
        },
        namespace: host.host_namespace.to_string(),
        name: host.host_overrides.clone(),
    };
    let object = format!("{}/{}", place.namespace, place.name);
    let (amended, version) = runtime()?.block_on(write(place, &command))?;
    output::print(&match order.output {
        Output::Text => text(asked, &amended, &object, &version),
        Output::Json => {
            let document = document(asked, &amended, &object, &version);
            serde_json::to_string_pretty(&document)? + "\n"
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Reads, decides and writes, until nobody else has written meanwhile.
async fn write(
    place: OverridesPlace,
    command: &OperatorCommand,
) -> anyhow::Result<(AmendedOverrides, String)> {
    let map = OverridesMap::open(place).await?;
    for _ in 0..ATTEMPTS {
        let found = map.read().await?;
        let amended = amend(found.text.as_deref(), command, clock::now())?;
        if let Some(version) = map.write(&found, &amended.text).await? {
            return Ok((amended, version));
        }
    }
    bail!("others write the ConfigMap all the time: nothing was changed, give the command again")
}

/// The drain that a command has brought about.
fn drain_of<'a>(asked: &ControlRequest, amended: &'a AmendedOverrides) -> Option<&'a Drain> {
    let ControlRequest::Drain { target, .. } = asked else {
        return None;
    };
    amended.overrides.drain(&target.parse().ok()?)
}

/// What was written, for people.
fn text(asked: &ControlRequest, amended: &AmendedOverrides, object: &str, version: &str) -> String {
    let frozen = amended.overrides.frozen;
    let mut text = match asked {
        ControlRequest::Drain { target, .. } => match drain_of(asked, amended) {
            Some(Drain { over, until, .. }) => {
                let over = match over.as_secs() {
                    0 => "cordoned".to_owned(),
                    over => format!("drained over {}", age(over)),
                };
                let until = until.map_or_else(String::new, |until| format!(", until {until}"));
                format!("{target}: {over}{until}\n")
            }
            None => format!("{target}: drained\n"),
        },
        ControlRequest::Uncordon { target } => format!("{target}: drain or cordon reverted\n"),
        ControlRequest::Freeze { .. } => match frozen.and_then(|freeze| freeze.until) {
            Some(until) => format!("answers are frozen until {until}\n"),
            None => "answers are frozen until `gazetteer thaw`\n".to_owned(),
        },
        ControlRequest::Thaw => "answers change again\n".to_owned(),
        ControlRequest::Confirm { member } => format!("{member}: confirmed for 5 minutes\n"),
        // It goes to the daemon of a folder alone.
        ControlRequest::Forget { member } => format!("{member}: meant to be gone\n"),
    };
    text.extend(["  configmap  ", object, ", resourceVersion ", version, "\n"]);
    if frozen.is_some()
        && matches!(
            asked,
            ControlRequest::Drain { .. } | ControlRequest::Uncordon { .. }
        )
    {
        text += "note: answers are frozen: it takes effect at `gazetteer thaw`\n";
    }
    text + "note: each daemon whose `membership.overrides` is this ConfigMap follows it; `gazetteer \
            overrides` there says which resourceVersion it has\n"
}

/// What was written, for programs.
fn document(
    asked: &ControlRequest,
    amended: &AmendedOverrides,
    object: &str,
    version: &str,
) -> Value {
    let drain = drain_of(asked, amended).map(|drain| {
        json!({
            "target": drain.target.to_string(),
            "since": drain.begun.map(|at| at.to_string()),
            "over_seconds": drain.over.as_secs(),
            "ends": drain.until.map(|at| at.to_string()),
        })
    });
    let frozen = amended.overrides.frozen.map(|Freeze { since, until }| {
        json!({"since": since.to_string(), "ends": until.map(|at| at.to_string())})
    });
    json!({
        "configmap": object, "resource_version": version, "drain": drain, "frozen": frozen,
    })
}
