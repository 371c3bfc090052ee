//! The program from outside: what it prints, and the daemon from its start to its end.

#[path = "cli/admin.rs"]
mod admin;
#[path = "cli/check_live.rs"]
mod check_live;
#[path = "cli/daemon.rs"]
mod daemon;
#[path = "cli/floods.rs"]
mod floods;
#[path = "cli/keys.rs"]
mod keys;
#[path = "cli/kustomize.rs"]
mod kustomize;
#[path = "cli/local.rs"]
mod local;
#[path = "cli/members.rs"]
mod members;
#[path = "cli/members_folder.rs"]
mod members_folder;
#[path = "cli/membership.rs"]
mod membership;
#[path = "cli/names.rs"]
mod names;
#[path = "cli/no_ipv6.rs"]
mod no_ipv6;
#[path = "cli/operators.rs"]
mod operators;
#[path = "cli/output.rs"]
mod output;
#[path = "cli/passed_sockets.rs"]
mod passed_sockets;
#[path = "cli/program.rs"]
mod program;
#[path = "cli/reload.rs"]
mod reload;
#[path = "cli/restart.rs"]
mod restart;
#[path = "cli/rights.rs"]
mod rights;
#[path = "cli/serving.rs"]
mod serving;
#[path = "cli/signing.rs"]
mod signing;
#[path = "cli/storage.rs"]
mod storage;
#[path = "cli/stub.rs"]
mod stub;
#[path = "cli/systemd.rs"]
mod systemd;
#[path = "cli/upgrade.rs"]
mod upgrade;
#[path = "cli/zones.rs"]
mod zones;
