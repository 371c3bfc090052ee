//! The command line: what a person or a service manager says, and the wiring of the daemon.
//!
//! ```text
//! gazetteer serve ─▶ config ─▶ state folder locked ─▶ sockets bound ─▶ publish ─▶ sources
//!          check ──▶ config, facts files
//!          clusters, explain ──HTTP──▶ admin address of the running daemon
//! ```
//!
//! Standard output is for what was asked; logs and errors go to standard error.

mod admin_client;
mod age;
mod arguments;
mod check;
mod clusters;
mod completions;
mod explain;
mod output;
mod ready;
mod reload;
mod resolving;
mod run;
mod serve;
mod signals;
mod state_dir;

pub use run::run;
