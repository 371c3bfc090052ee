//! Transitions, as operators see them.

use std::fmt;

use super::UnixSeconds;

/// Something went from one state to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Counts the events of one process, from 1.
    pub id: u64,
    /// When.
    pub at: UnixSeconds,
    /// What kind of thing.
    pub kind: EventKind,
    /// Which one: a member, an address and port, `namespace/name` in a member.
    pub subject: String,
    /// Its state before.
    pub from: String,
    /// Its state now.
    pub to: String,
    /// Why, with the evidence.
    pub why: String,
    /// Who gave the command that it comes from, if it comes from one.
    pub by: Option<Peer>,
}

/// The process at the other end of the control socket, as the kernel says it (`SO_PEERCRED`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its effective user when it connected.
    pub uid: u32,
    /// Its number, if it is in a PID namespace that this process sees.
    pub pid: Option<i32>,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "uid {}", self.uid)?;
        self.pid.map_or(Ok(()), |pid| write!(f, ", pid {pid}"))
    }
}

/// What kind of thing an event is of: a closed set, as metrics have it as a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A member's state.
    Member,
    /// A probed target.
    Target,
    /// A member's part of a service: ready or not.
    Shard,
    /// The brake on lost members or withdrawn addresses.
    Brake,
    /// What an operator has decided.
    Override,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Member,
        Self::Target,
        Self::Shard,
        Self::Brake,
        Self::Override,
    ];

    /// Its name in metrics and output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Target => "target",
            Self::Shard => "shard",
            Self::Brake => "brake",
            Self::Override => "override",
        }
    }
}
