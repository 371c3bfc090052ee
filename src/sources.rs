//! Where facts come from: facts files, Kubernetes APIs, and load balancer host names.
//!
//! A source turns what it sees into [`crate::model::Delta`]s and decides nothing. It never removes
//! facts because it went silent: silence is [`crate::model::Change::Lost`].

pub mod kubernetes;
