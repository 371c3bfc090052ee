//! What a name inside an apex can be.

use crate::model::Pod;
use crate::snapshot::{
    AliasedService, FederationIdx, FixedName, NamedPort, ScopeIdx, ServiceEntry, Shard, StaticNode,
};

/// What a name inside an apex is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Subject<'s> {
    /// The apex itself.
    Apex,
    /// An infrastructure name.
    Fixed(&'s FixedName),
    /// A name without records above names that exist (RFC 4592 section 2.2.2).
    EmptyNonTerminal,
    /// A service at a level, or one of its SRV owners.
    Level {
        /// The service.
        entry: &'s ServiceEntry,
        /// The level that was asked.
        scope: ScopeIdx,
        /// The port of an SRV owner.
        port: Option<&'s NamedPort>,
    },
    /// The prefix of a service: an alias of its global name (docs/names.md, N9).
    Prefixed {
        /// The service.
        entry: &'s ServiceEntry,
    },
    /// A service, the client's own member first (docs/names.md, D.8), or one of its SRV owners.
    Local {
        /// The service.
        entry: &'s ServiceEntry,
        /// The port of an SRV owner.
        port: Option<&'s NamedPort>,
    },
    /// A service in a clusterset (docs/names.md, D.3, N8), or one of its SRV owners.
    Clusterset {
        /// The service.
        entry: &'s ServiceEntry,
        /// The port of an SRV owner.
        port: Option<&'s NamedPort>,
    },
    /// A service in one member and no other (docs/names.md, decision 7).
    Pinned {
        /// The service.
        entry: &'s ServiceEntry,
        /// The member's shard.
        shard: Shard<'s>,
        /// The port number of an SRV owner.
        port: Option<u16>,
    },
    /// The pods of one host name of a headless service in one member.
    Pods {
        /// The service.
        entry: &'s ServiceEntry,
        /// The member's shard.
        shard: Shard<'s>,
        /// The pods, ready or not.
        pods: &'s [Pod],
    },
    /// An owner of static records.
    Static {
        /// Its records.
        node: &'s StaticNode,
        /// The name exists by a wildcard (RFC 4592).
        is_wildcard: bool,
    },
    /// An owner that has the addresses of a service.
    Aliased {
        /// What it has of them.
        alias: &'s AliasedService,
        /// The service, if it is there.
        entry: Option<&'s ServiceEntry>,
        /// Its static records.
        node: &'s StaticNode,
    },
    /// A name at or below a cut, where another zone begins.
    Delegated {
        /// The records of the cut.
        node: &'s StaticNode,
        /// How many labels of the name are left of the cut.
        skip: usize,
    },
    /// A name below one with a DNAME record.
    Renamed {
        /// The records of that name.
        node: &'s StaticNode,
        /// How many labels of the name are left of it.
        skip: usize,
    },
    /// A name that does not exist.
    Absent {
        /// The federation whose facts say so; `None` when the configuration alone does.
        federation: Option<FederationIdx>,
    },
    /// Too little is known to say that the name does not exist (docs/names.md, decision 10).
    NotReady,
}

impl Subject<'_> {
    /// Whether a wildcard or a DNAME record makes the name: one of names without end.
    #[inline]
    pub(super) fn is_made(&self) -> bool {
        matches!(
            self,
            Self::Renamed { .. }
                | Self::Static {
                    is_wildcard: true,
                    ..
                }
        )
    }
}
