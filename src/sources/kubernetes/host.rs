//! Objects of the host cluster: those that say which members there are, and what operators have overridden.
//!
//! Each kind has a loop of its own, on the same requests as the lists and watches of members. Here is no
//! heartbeat and no state: what a host fails to say means nothing, so contact with it decides nothing.

mod client;
mod follow;
mod object;
mod query;

pub use self::client::{HostClient, HostClients, HostRefusal};
pub use self::follow::{HostNews, HostTiming, follow_host};
pub use self::object::HostObject;
pub use self::query::HostQuery;
