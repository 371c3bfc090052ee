//! DNS as clients and the zones above see it: `dns-udp`, `dns-tcp`, `parent-ns`, `parent-glue`,
//! `parent-ds`, `stub` and `ecs`.
//!
//! ```text
//! zones: what is served ─┬─ servers: listeners, and the addresses of name servers
//!                        ├─ parents: the zones above, with ds_records by keys
//!                        ├─ stubs: the DNS servers of members, with what exported says of names
//!                        └─ resolvers: client subnets
//! each asks by client; the last two read what seen says of `_client`
//! ```

mod client;
mod delegation;
mod ds_records;
mod exported;
mod parents;
mod resolvers;
mod seen_client;
mod servers;
mod stubs;
mod zones;

pub(super) use exported::{exported_names, names_of_file};
pub(super) use parents::{UNKNOWN_PARENT, check_parents, knows_parents};
pub(super) use resolvers::check_resolver;
pub(super) use servers::check_servers;
pub(super) use stubs::{StubbedMember, check_stub, pod_resolver};
