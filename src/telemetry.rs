//! What an operator sees: the clock that stamps it, logs, metrics, and the counters of the DNS
//! workers. It decides nothing, and no static holds any of it: a [`Metrics`] is made once and
//! passed on by `Arc`.
//!
//! ```text
//! serve ──WorkerCounters──▶ Counters ─┐
//! publish, sources, health ──────────▶ Metrics ──render──▶ /metrics (admin)
//! ```
//!
//! Labels of metrics come from closed sets: a member's name at most, never a qname, a client or a
//! service.

pub mod clock;
mod contact;
mod counters;
mod declare;
mod health;
mod keys;
mod logs;
mod members;
mod metrics;
mod serve;
mod signing;
mod snapshot;

pub use contact::LastContact;
pub use counters::{Counters, LimitAction, RCODES, Tally, Totals, TransportLabel, WorkerCounters};
pub use health::{AddressFamily, HealthMetrics, Probed};
pub use keys::KeyTimesShown;
pub use logs::{LogError, LogFormat, LogThread, Logs, init};
pub use members::{MemberGauges, Renewal, SourceEvent};
pub use metrics::{DeltaOutcome, Metrics};
pub use signing::SigningMetrics;
pub use snapshot::SnapshotSums;
