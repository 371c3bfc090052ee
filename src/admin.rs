//! The admin address: metrics, health, and the read-only JSON API that the command line asks.
//!
//! Everything it shows is taken from one snapshot at the moment of the request. It changes nothing
//! and holds no state of its own.
//!
//! ```text
//! GET /metrics      telemetry, in Prometheus' text format
//! GET /livez        200 while the process serves; never depends on members
//! GET /readyz       200 once ready (names: decision 10), 503 before that and while ending
//! GET /v1/clusters  the members, as `gazetteer clusters` shows them
//! GET /v1/explain   how one query is answered and why
//! ```

mod clusters;
mod error;
mod explain;
mod server;

pub use clusters::{Cluster, clusters};
pub use error::{Error, QuestionError};
pub use explain::{Explained, Level, MemberPart, Question, explain};
pub use server::{Bound, Shown, bind};
