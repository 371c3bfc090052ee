//! From arguments to an exit status.

use std::process::ExitCode;

use clap::Parser;

use super::arguments::{Arguments, Command};
use super::{check, clusters, completions, explain, output, serve};

/// Runs the program. Exit status: 0 done, 1 it could not be done, 2 the arguments are wrong.
pub fn run() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Serve(arguments) => serve::serve(&arguments),
        Command::Check { file } => check::check(&file),
        Command::Clusters { daemon, output } => clusters::clusters(&daemon, output),
        Command::Explain(arguments) => explain::explain(&arguments),
        Command::Completions { shell } => completions::completions(shell),
    };
    done.unwrap_or_else(|error| {
        output::complain(&format!("error: {error:#}"));
        ExitCode::FAILURE
    })
}
