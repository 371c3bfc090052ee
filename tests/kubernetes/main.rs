//! The Kubernetes source against a fake API server with faults on demand.

mod brake;
mod check;
mod check_hints;
mod check_host;
mod credentials;
#[path = "../cli/daemon.rs"]
#[expect(dead_code, reason = "the tests that share it use the rest")]
mod daemon;
#[path = "../fake_apiserver/mod.rs"]
mod fake_apiserver;
mod faults;
mod host_members;
mod host_objects;
mod host_profiles;
mod host_start;
mod host_tokens;
mod join;
mod join_host;
mod kubeconfigs;
mod limits;
mod loss;
mod many;
mod member;
mod overrides;
#[path = "../cli/program.rs"]
#[expect(dead_code, reason = "the tests that share it use the rest")]
mod program;
mod proxies;
mod renewal;
mod returns;
mod servers;
mod smoke;
mod sync;
mod unjoin;
mod urls;
mod users;
mod ways;
