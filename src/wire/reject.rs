//! Why a request is not a query that can be answered.

/// Why a request is not a query that can be answered. [`super::reject()`] writes the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reject {
    /// A response, or too short for a header: send nothing.
    Silent,
    /// Malformed.
    FormErr,
    /// It asks for nothing, which it may if it has a cookie (RFC 7873 section 5.4).
    NoQuestion,
    /// An operation other than QUERY and NOTIFY.
    NotImp,
    /// NOTIFY: no zone here has a primary elsewhere.
    Refused,
    /// An EDNS version above 0.
    BadVers,
    /// It is signed with a key, and none is known here.
    BadKey,
}
