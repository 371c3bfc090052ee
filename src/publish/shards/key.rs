//! A shard, a member's part of a service, and what its source says of it.

use std::sync::Arc;

use crate::model::{MemberIdx, NamespacedName, Service};

/// A member's part of a service.
pub(in crate::publish) type ShardKey = (MemberIdx, NamespacedName);

/// The facts about a shard; `None` when it is gone.
pub(in crate::publish) type ShardUpdate = Option<Arc<Service>>;
