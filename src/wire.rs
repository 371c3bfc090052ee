//! Message octets (RFC 1035, 6891, 7871): the view of one request, and the writer of one response.
//!
//! ```text
//! request ─▶ Query::parse ─▶ Query, Qname ─▶ (answer) ─▶ ResponseWriter ─▶ response
//!                 └─ Reject ─▶ reject ─────────────────────────────────────▶ response
//! ```
//!
//! Nothing here allocates on the query path, knows what a federation is, or touches a socket.
//! No input makes it panic: whatever does not fit or does not parse is a value.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod codes;
mod cookie_query;
mod cookies;
mod cursor;
mod edns;
mod finish;
mod header;
mod labels;
mod name;
mod name_parts;
mod opt;
mod patch;
mod qname;
mod query;
mod rdata;
mod record;
mod reject;
mod rejected;
mod response;
mod soa;
mod tsig;

#[cfg(test)]
mod tests;

pub use codes::{class, ede, opcode, rcode, rrtype};
pub use cookie_query::{answer_cookie, cookie_without_question};
pub use cookies::{ClientCookie, CookieResult, CookieSecrets, SentCookie};
pub use edns::{ClientSubnet, Edns};
pub use labels::{NameText, labels, parent, split_label, suffixes};
pub use name::{MAX_NAME, NameBuf, NameError};
pub use name_parts::{NameParts, Owner, Soa};
pub use opt::{EdeList, OptReply};
pub use patch::{Mark, SetWalk, WrittenSet};
pub use qname::Qname;
pub use query::Query;
pub use reject::Reject;
pub use rejected::reject;
pub use response::{ResponseWriter, udp_limit};
pub use soa::{SoaRdata, is_newer_serial};
