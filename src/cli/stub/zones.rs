//! What the DNS server of a member has to be told, in no language yet.

use std::net::SocketAddr;

use crate::names::Label;

/// The port of DNS (RFC 1035 section 4.2).
pub(super) const PORT: u16 = 53;

/// What the DNS server of a member has to be told.
pub(super) struct Zones<'c> {
    /// The zones, without the dot at the end.
    pub(super) names: Vec<String>,
    /// Where gazetteer is; never empty.
    pub(super) servers: Vec<SocketAddr>,
    /// The member, if gazetteer does not know it by its listener.
    pub(super) hint: Option<&'c Label>,
}
