//! The command line: what a person or a service manager says, and the wiring of the daemon.
//!
//! ```text
//! gazetteer serve ─▶ config ─▶ sockets bound ─▶ rights dropped ─▶ state folder locked ─▶ publish ─▶ sources
//!          check ──▶ config, facts files
//!          check --live ──▶ operate, for the files, the daemon and all members
//!          stub ──▶ config
//!          schema, man, completions: of the program itself
//!          keys ──▶ config, the folder of keys
//!          join, unjoin ──▶ operate, then the admin address of the running daemon
//!          clusters, explain, overrides, events ──HTTP──▶ admin address of the running daemon
//!          drain, cordon, uncordon, freeze, thaw, confirm ──HTTP──▶ its control socket
//! ```
//!
//! Standard output is for what was asked; logs and errors go to standard error.

mod admin_client;
mod age;
mod arguments;
mod check;
mod check_arguments;
mod check_live;
mod checked_daemon;
mod checked_keys;
mod cluster_columns;
mod clusters;
mod clusters_arguments;
mod completions;
mod composed;
mod configured_task;
mod control_client;
mod cookies;
mod daemon_arguments;
mod events;
mod explain;
mod find_daemon;
mod folder_members;
mod host_arguments;
mod host_order;
mod join;
mod join_arguments;
mod join_daemon;
mod kept_members;
mod keys;
mod keys_arguments;
mod keys_list;
mod locating;
mod man;
mod order;
mod other_members;
mod output;
mod override_help;
mod overrides;
mod overriding;
mod predecessor;
mod ready;
mod reload;
mod resolving;
mod rights;
mod run;
mod runtimes;
mod schema;
mod serve;
mod service_manager;
mod signals;
mod signing;
mod state_dir;
mod stub;
mod table;
mod unjoin;
mod watchdog;
mod zone;
mod zone_arguments;
mod zone_files;

pub use run::run;
