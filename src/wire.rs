//! Message octets (RFC 1035, 6891, 7871): the view of one request, and the writer of one response.
//!
//! Nothing here allocates on the query path, knows what a federation is, or touches a socket.

mod name;

pub use name::{MAX_NAME, NameBuf, NameError};
