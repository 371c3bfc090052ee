//! The Kubernetes source against a fake API server with faults on demand.

#[path = "../fake_apiserver/mod.rs"]
mod fake_apiserver;
mod smoke;
