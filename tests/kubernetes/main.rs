//! The Kubernetes source against a fake API server with faults on demand.

mod brake;
mod check;
mod credentials;
#[path = "../fake_apiserver/mod.rs"]
mod fake_apiserver;
mod faults;
mod host_objects;
mod join;
mod join_host;
mod kubeconfigs;
mod limits;
mod loss;
mod member;
mod overrides;
mod proxies;
mod renewal;
mod returns;
mod smoke;
mod sync;
mod unjoin;
