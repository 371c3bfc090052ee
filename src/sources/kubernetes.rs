//! Facts from a member cluster's API (docs/kubernetes.md).
//!
//! Owns the clients, the watches and the heartbeat of one member, and the translation of what they
//! say. Refuses to decide anything: it reports facts, and the loss and return of contact.
//!
//! ```text
//! API ──list, watch──▶ watches ──objects──▶ convert ──▶ index ──Change──▶ deltas
//!  └────GET /readyz──▶ heartbeat ─────────▶ contact ──Lost, Returning, Resumed──┘
//! ```
//!
//! - `convert` and `index` are pure and synchronous; `contact` is pure and is given the time.
//! - No Kubernetes object is kept: the index holds converted facts, counts and keys.
//! - A member that cannot be reached costs the others nothing: every task waits on its own API only.

mod annotations;
mod client;
mod convert;
mod copies;
mod driver;
mod failure;
mod front;
mod host;
mod index;
mod nodes;
mod objects;
mod request;
mod service_survey;
mod sorted;
mod survey;

#[cfg(fuzzing)]
pub use client::fuzzing::read_kubeconfig;
pub use client::{
    CredentialFacts, MemberClient, ObjectAccess, ObjectCredentials, ObjectRules, ObjectUser,
    OperatorClient, TokenClaims, TokenForm, TokenOrder, TokenPlace, TrustKind, check, files_named,
    forget_token, member_client, operator_client,
};
pub(super) use client::{WebBody, WebClient};
#[cfg(fuzzing)]
pub use driver::fuzzing::read_watch;
pub use driver::{CredentialStore, Timing, run, run_with};
pub use host::{
    HostClient, HostClients, HostNews, HostObject, HostQuery, HostRefusal, HostTiming, follow_host,
};
pub use service_survey::{ServiceSurvey, SurveyedServices};
pub use survey::{NodeSurvey, survey_nodes};

#[cfg(test)]
mod tests;
