//! What look-ups of host names go by.

use crate::model::AddressPolicy;
use crate::wire::NameBuf;

/// What host names have to keep to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Zones that this process answers for: a name in one of them, or that leads into one, would be
    /// answered from itself.
    pub own_zones: Vec<NameBuf>,
    /// Which addresses count.
    pub addresses: AddressPolicy,
}
