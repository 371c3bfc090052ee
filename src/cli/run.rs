//! From arguments to an exit status.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use super::arguments::{Arguments, Command, CordonArguments};
use super::order::order;
use super::{
    check, check_live, clusters, completions, events, explain, join, keys, man, output, overrides,
    schema, serve, stub, unjoin, zone,
};
use crate::admin::ControlRequest;
use crate::model::EVERY_MEMBER;
use crate::publish::ALL_MEMBERS;

/// Runs the program. Exit status: 0 done, 1 it could not be done, 2 the arguments are wrong.
pub fn run() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Serve(arguments) => serve::serve(&arguments),
        Command::Check(arguments) if arguments.live => check_live::check(&arguments),
        Command::Check(arguments) => check::check(&arguments.file),
        Command::Clusters(arguments) => clusters::clusters(&arguments),
        Command::Join(arguments) => join::join(&arguments),
        Command::Unjoin(arguments) => unjoin::unjoin(&arguments),
        Command::Drain(arguments) => drain(&arguments.cordon, arguments.over),
        Command::Cordon(arguments) => drain(&arguments, Duration::ZERO),
        Command::Uncordon { target, order: to } => {
            let target = target.to_string();
            order(&to, &ControlRequest::Uncordon { target })
        }
        Command::Freeze { lasting, order: to } => {
            let for_seconds = seconds(lasting);
            order(&to, &ControlRequest::Freeze { for_seconds })
        }
        Command::Thaw { order: to } => order(&to, &ControlRequest::Thaw),
        Command::Confirm { member, order: to } => {
            let member = member.to_string();
            let member = if member == EVERY_MEMBER {
                ALL_MEMBERS.to_owned()
            } else {
                member
            };
            order(&to, &ControlRequest::Confirm { member })
        }
        Command::Overrides { daemon, output } => overrides::overrides(&daemon, output),
        Command::Events(arguments) => events::events(&arguments),
        Command::Explain(arguments) => explain::explain(&arguments),
        Command::Keys(arguments) => keys::keys(&arguments),
        Command::Stub(arguments) => stub::stub(&arguments),
        Command::Zone { command } => zone::zone(&command),
        Command::Man { folder } => man::man(&folder),
        Command::Schema { of } => schema::schema(of),
        Command::Completions { shell } => completions::completions(shell),
    };
    done.unwrap_or_else(|error| {
        output::complain(&format!("error: {error:#}"));
        ExitCode::FAILURE
    })
}

/// Takes something out of answers: its share falls to none in `over`.
fn drain(arguments: &CordonArguments, over: Duration) -> anyhow::Result<ExitCode> {
    let asked = ControlRequest::Drain {
        target: arguments.target.to_string(),
        over_seconds: over.as_secs(),
        for_seconds: seconds(arguments.lasting),
    };
    order(&arguments.order, &asked)
}

/// A duration in whole seconds.
fn seconds(duration: Option<Duration>) -> Option<u64> {
    duration.map(|duration| duration.as_secs())
}
