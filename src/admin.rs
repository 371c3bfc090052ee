//! The admin address: metrics, health, and the read-only JSON API that the command line asks; and
//! the control socket, which takes commands.
//!
//! Everything it shows is taken from one snapshot at the moment of the request. The admin address
//! changes nothing; what changes something goes from the control socket to the writer. Neither holds
//! any state of its own.
//!
//! ```text
//! GET /metrics      telemetry, in Prometheus' text format
//! GET /livez        200 while the process serves; never depends on members
//! GET /readyz       200 once ready (docs/names.md, decision 10), 503 before that and while ending
//! GET /v1/status    version, readiness, state folder
//! GET /v1/clusters  the members, as `gazetteer clusters` shows them
//! GET /v1/alone     the services that one member alone has
//! GET /v1/explain   how one query is answered and why
//! GET /v1/overrides what operators have decided
//! GET /v1/events    the last transitions
//!
//! <state-dir>/control:
//! POST /v1/command  drain, uncordon, freeze, thaw, confirm
//! ```

mod alone;
mod clusters;
mod connections;
mod control;
mod error;
mod explain;
mod host;
mod overrides;
mod rest;
mod server;
mod status;
mod view;

pub use alone::Alone;
pub use clusters::{Cluster, clusters};
pub use connections::SERVER;
pub use control::{Control, ControlRequest, bind_control, control_path};
pub use error::{AdminError, QuestionError};
pub use explain::{Explained, ExplainedLevel, MemberPart, Question, explain};
pub use overrides::{Drained, Frozen, Giver, HostInForce, InForceNow, Obeyed, Transition};
pub use server::{AdminSocket, bind};
pub use status::Status;
pub use view::View;
