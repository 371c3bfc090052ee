//! `gazetteer drain`, `cordon`, `uncordon`, `freeze`, `thaw` and `confirm`

use std::process::ExitCode;

use super::arguments::{Order, Output};
use super::control_client::give;
use super::host_order::order_all;
use super::output;
use super::overrides::{drained, frozen_line};
use crate::admin::{ControlRequest, Obeyed};

/// Gives a command, waits until clients see what it does, and says what that is.
pub(super) fn order(order: &Order, asked: &ControlRequest) -> anyhow::Result<ExitCode> {
    if let Some(context) = &order.host.host_context {
        return order_all(order, context, asked);
    }
    let obeyed = give(&order.daemon, asked)?;
    output::print(&match order.output {
        Output::Text => text(asked, &obeyed),
        Output::Json => serde_json::to_string_pretty(&obeyed)? + "\n",
    })?;
    Ok(ExitCode::SUCCESS)
}

/// What a command has brought about.
fn text(asked: &ControlRequest, obeyed: &Obeyed) -> String {
    let text = match (asked, &obeyed.drain) {
        (ControlRequest::Drain { .. }, Some(drain)) => drained(drain),
        (ControlRequest::Drain { target, .. }, None) => format!("{target}: drained\n"),
        (ControlRequest::Uncordon { target }, _) => format!("{target}: drain or cordon reverted\n"),
        (ControlRequest::Freeze { .. }, _) => {
            obeyed.frozen.as_ref().map(frozen_line).unwrap_or_default()
        }
        (ControlRequest::Thaw, _) => "answers change again\n".to_owned(),
        (ControlRequest::Confirm { member }, _) => format!("{member}: removals applied\n"),
        (ControlRequest::Forget { member }, _) => format!("{member}: meant to be gone\n"),
    };
    let notes = obeyed.notes.iter();
    let notes: Vec<_> = notes.map(|note| format!("note: {note}\n")).collect();
    text + &notes.concat()
}
