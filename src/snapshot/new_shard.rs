//! A shard in the making: what compiling an entry works on.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use smallvec::SmallVec;

use crate::model::{MemberIdx, Service};

/// A shard in the making.
pub(super) struct NewShard {
    /// The member.
    pub(super) member: MemberIdx,
    /// TTL of its addresses, in seconds.
    pub(super) ttl: u32,
    /// Its addresses, ascending; those past 65,535, which fit no message, are left out.
    pub(super) ipv4: SmallVec<[Ipv4Addr; 4]>,
    /// Its addresses, ascending; those past 65,535, which fit no message, are left out.
    pub(super) ipv6: SmallVec<[Ipv6Addr; 4]>,
    /// The port of the member's gateway, if its addresses are these and it has one port for all.
    pub(super) gateway_port: Option<u16>,
    /// What the member says.
    pub(super) facts: Arc<Service>,
}

impl NewShard {
    /// Whether it has any address for clients outside.
    pub(super) fn has_address(&self) -> bool {
        !self.ipv4.is_empty() || !self.ipv6.is_empty()
    }
}
