//! The sockets that DNS queries come in by: UDP and TCP on threads of their own, both straight on
//! [`crate::answer::respond`].
//!
//! ```text
//! bind(&Listen) ──▶ Sockets ──run──▶ Serving ──shutdown──▶ ()
//!                                      │
//!        ┌─────────────────────────────┴─────────────────────────┐
//! udp: `workers` threads per address               tcp: `workers` threads, a runtime of their own
//!   recvmmsg · respond · sendmmsg                    one task per listener accepts
//!   SO_REUSEPORT, 32 datagrams at a time             one task per connection: a session of
//!                                                    2-octet lengths, pipelined
//! ```
//!
//! Invariants:
//! * All addresses are bound, UDP and TCP, before any query is answered, and an address that
//!   anybody else serves is refused (see [`bind`]). Sockets that a service manager has bound are taken
//!   as they are; the workers of an address then share its one UDP socket ([`PassedSockets`]).
//! * A UDP worker takes no lock and allocates nothing after its start. It looks for a new snapshot
//!   once per batch, and lets go of it when idle for 100 ms, so that it never keeps an old
//!   generation alive. Then it sleeps until there is a query.
//! * Nothing but DNS over streams runs on the threads of TCP, and a connection that always has more
//!   to ask lets the others come first after a budget of answers and of time (`tcp/budget.rs`).
//! * A reply leaves from the address that was asked. A socket bound to one address does that by
//!   itself; a wildcard socket takes the packet information of each query and gives it back with
//!   the reply, in `udp/sys.rs`, the one file with unsafe code.
//! * A worker and a connection never sign: what is not in the table of signatures waits in bounded
//!   lanes for the threads that do (`serve/signer.rs`), which answer over UDP from the socket and address
//!   that was asked.
//! * One message that panics, is cut short, or cannot be answered costs that message alone.
//! * A connection at rest holds no buffer: requests are read into, and responses written from,
//!   scratch space of the thread; a connection keeps only what is unfinished. One that does not
//!   take its responses has a bound on what is unsent, the kernel's part included, and gives way.
//!
//! Linux alone is supported.

mod bind;
mod error;
mod exchange;
mod guard;
mod open_files;
mod passed;
mod rate_limit;
mod respond;
mod running;
mod signer;
mod source_address;
mod tcp;
mod udp;

pub use crate::dnssec::{MadeSignatures, SigningLimits};
pub use bind::{Sockets, bind, bind_with};
pub use error::ServeError;
pub use guard::{Guard, LimitVerdict};
pub use passed::PassedSockets;
pub use respond::Respond;
pub use running::{ReceivedQueries, Serving};
