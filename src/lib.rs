//! gazetteer: an authoritative DNS server for federations of Kubernetes clusters.
//!
//! Data flows one way, and a room imports only rooms above it in `tests/architecture.rs`:
//!
//! ```text
//! sources ──Delta──▶ publish ──fold──▶ snapshot ──ArcSwap──▶ answer ──bytes──▶ serve
//! ```
#![deny(unsafe_code)]

pub mod admin;
pub mod answer;
pub mod cli;
pub mod config;
pub mod decide;
pub mod dnssec;
pub mod health;
pub mod keys;
pub mod model;
pub mod names;
pub mod operate;
pub mod publish;
pub mod serve;
pub mod snapshot;
pub mod sources;
pub mod telemetry;
pub mod vantage;
pub mod wire;
