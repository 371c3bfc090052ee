//! Changes, as sources send them to the one writer.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::{Evidence, GeoDatabase, NamespacedName, ProbeTarget, Service};
use crate::names::Label;
use crate::wire::NameBuf;

/// One connection's lifetime of a member's source: deltas of an older epoch than the member's
/// present one are ignored, so a source that is being replaced cannot speak for its successor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Epoch(pub u64);

/// A list confirms removals that were held back for this long, and not sooner: whatever made the
/// first list wrong has had time to pass.
pub const CONFIRM_DELAY: Duration = Duration::from_secs(5);

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delta {
    /// A member's source speaks of its member.
    Member {
        /// The member's name.
        member: Label,
        /// The lifetime of the source that speaks.
        epoch: Epoch,
        /// What it says.
        change: Change,
    },
    /// The addresses of a load balancer host name, as last resolved; both lists empty when an
    /// authoritative negative has stood for long enough (docs/names.md, decision 9).
    Hostname {
        /// The host name.
        hostname: NameBuf,
        /// From A records.
        ipv4: Box<[Ipv4Addr]>,
        /// From AAAA records.
        ipv6: Box<[Ipv6Addr]>,
        /// The smallest TTL among them.
        ttl: Duration,
    },
    /// A load balancer host name has no address, and why, for people; `None` when it has one. Takes
    /// nothing away.
    Unresolved {
        /// The host name.
        hostname: NameBuf,
        /// Why.
        why: Option<Box<str>>,
    },
    /// What probes have found. A target that never passed has no evidence, and `None` takes back
    /// what was said of one that is probed no more.
    Probed(Vec<(ProbeTarget, Option<Evidence>)>),
    /// Every target that was known to have passed when probing began has been judged anew.
    FirstProbes,
    /// The GeoIP database has been read.
    GeoDatabase(GeoDatabase),
}

/// What a member's source says of its member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Which cluster this is. Sent before the first facts; facts persisted under another identity
    /// are discarded.
    Identity(Identity),
    /// Every service of the member, from a completed list: what is not in it is gone.
    /// The member is in sync from here on.
    Synced(Vec<(NamespacedName, Arc<Service>)>),
    /// A service is new or has changed.
    Upsert(NamespacedName, Arc<Service>),
    /// A service is gone: its object was deleted, or is being deleted.
    Remove(NamespacedName),
    /// Where its nodes stand now. Never removes what was learnt before.
    Topology(LearntTopology),
    /// The networks of its nodes and pods now, ascending.
    Networks(Arc<[IpNet]>),
    /// Whether what its source said last, and says until this is said again, is known to be whole:
    /// then nothing of it waits for confirmation. A source that never says so is taken to be cut.
    Whole(bool),
    /// The member cannot be watched: its facts are held (docs/names.md, decision 5).
    Lost(Loss),
    /// A lost member answers again and is listing; `Synced` follows.
    Returning,
    /// A lost member's watches went on where they were: nothing was missed.
    Resumed,
}

/// Which cluster a member is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// The URL of its API, or the path of its facts file.
    pub origin: String,
    /// The UID of its Service `default/kubernetes`, which lives as long as the cluster's data does,
    /// when it may be read.
    pub uid: Option<String>,
    /// The version it runs (`/version`), `None` for files.
    pub version: Option<String>,
}

/// Where a member's nodes stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LearntTopology {
    /// The most frequent region of its nodes, ties by name.
    pub region: Option<Label>,
    /// The zones of its nodes.
    pub zones: BTreeSet<Label>,
    /// Labels that are not published, and other things an operator should know; full sentences
    /// are not needed, values are.
    pub warnings: Vec<String>,
}

/// Why a member counts as lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loss {
    /// A watch has been down for five seconds.
    Watch(String),
    /// Three heartbeats in a row failed by transport.
    Heartbeat(String),
    /// A kind that it needs is refused or cannot be watched.
    Refused(String),
    /// Its facts file is missing or wrong.
    File(String),
    /// Its facts file is right, but lacks the mark at its end that it had before.
    Mark(String),
    /// Its client cannot be built: credentials, certificates, kubeconfig.
    Client(String),
}
