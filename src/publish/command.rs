//! What operators ask of the writer, and what it says.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::model::limits::DRAINS;
use crate::model::{Drain, FULL_SHARE, Freeze, OverrideTarget, Peer, UnixSeconds};
use crate::names::Label;

/// What an operator asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperatorCommand {
    /// Take something out of answers.
    Drain {
        /// What.
        target: OverrideTarget,
        /// How long its share takes to fall to none; zero is at once.
        over: Duration,
        /// For how long it is out; `None` until taken back.
        lasting: Option<Duration>,
    },
    /// Take a drain or cordon back.
    Uncordon(OverrideTarget),
    /// Let answers stay as they are.
    Freeze {
        /// For how long; `None` until thawed.
        lasting: Option<Duration>,
    },
    /// Let answers follow the facts again.
    Thaw,
    /// Let withheld removals of a member through.
    Confirm(Label),
    /// Let members go whose removal is withheld.
    ConfirmMembers,
    /// A member is meant to be gone: that it is absent where members come from needs no second look, and
    /// counts for no brake.
    Forget(Label),
}

/// A command on its way to the writer.
#[derive(Debug)]
pub struct CommandRequest {
    /// What is asked for.
    pub command: OperatorCommand,
    /// Who asks; `None` where the system does not say.
    pub by: Option<Peer>,
    /// Told once the command is kept on disk and answers follow it.
    pub reply: oneshot::Sender<Result<CommandOutcome, CommandRefused>>,
}

/// Who has given a command, in words.
pub(super) fn giver(by: Option<Peer>) -> String {
    by.map_or_else(
        || "an operator".to_owned(),
        |by| format!("an operator ({by})"),
    )
}

/// What a command has brought about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommandOutcome {
    /// The drain that a drain or cordon is now.
    pub drain: Option<InForce>,
    /// Since when answers are frozen, if they are.
    pub frozen: Option<Freeze>,
    /// What an operator should know.
    pub notes: Vec<String>,
}

/// Who has decided something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OverrideOrigin {
    /// Operators of this daemon, by its control socket.
    Local,
    /// Operators of all replicas, by a `ConfigMap` of the host cluster.
    Host,
}

/// A drain, and what it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    /// Who has decided it.
    pub origin: OverrideOrigin,
    /// What was decided.
    pub drain: Drain,
    /// The members that it means now, in configuration order; empty for a service.
    pub members: Vec<Label>,
    /// The share that is left in answers, of [`FULL_SHARE`].
    pub share: u16,
}

impl InForce {
    /// Its state in one word.
    pub fn state(&self) -> &'static str {
        self.drain.state(self.share)
    }

    /// The share that is left, 0 to 1.
    pub fn fraction(&self) -> f64 {
        f64::from(self.share) / f64::from(FULL_SHARE)
    }
}

/// How the `ConfigMap` is known, for everybody to see. Moments are dates of the wall clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostStanding {
    /// `NAMESPACE/NAME`.
    pub object: String,
    /// The `resourceVersion` of what is in force; `None` before anything was seen.
    pub version: Option<String>,
    /// While the host is out of contact: when it was last known to be up to date, if ever, and why it is
    /// not now.
    pub absence: Option<(Option<UnixSeconds>, String)>,
    /// What is wrong with the object as it is now: what was last right is in force.
    pub problem: Option<String>,
}

/// Everything that operators have decided, and what it does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ActiveOverrides {
    /// Answers stay as they were.
    pub frozen: Option<Freeze>,
    /// Who has decided that; nobody while they are not.
    pub frozen_by: Vec<OverrideOrigin>,
    /// What is drained, in the order of the commands: those of this daemon before those of the host.
    pub drains: Vec<InForce>,
    /// How the `ConfigMap` of the host cluster is known, where one is configured.
    pub host: Option<HostStanding>,
    /// What of the state folder cannot be used, and why.
    pub troubles: Vec<String>,
}

/// Why a command was not obeyed. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum CommandRefused {
    /// There is no such thing. Correct the name.
    #[error("unknown {kind} {name:?}{}", like(.near))]
    Unknown {
        /// What kind of thing.
        kind: &'static str,
        /// What was given.
        name: String,
        /// Known ones, the most similar first.
        near: Vec<String>,
    },
    /// It is in answers already.
    #[error("{target} is neither drained nor cordoned{}", in_force(.others))]
    NotOut {
        /// What was given.
        target: OverrideTarget,
        /// What is out.
        others: Vec<OverrideTarget>,
    },
    /// There is nothing to thaw.
    #[error("answers are not frozen")]
    NotFrozen,
    /// It was decided for all replicas. Take it back there.
    #[error("{what} by the ConfigMap of the host cluster: take it back with --host-context")]
    OfHost {
        /// What was decided.
        what: String,
    },
    /// There are as many drains as there may be. Take one back first.
    #[error("there are {} drains and cordons already: uncordon one first, or drain a region", DRAINS.most)]
    TooMany,
    /// There is nothing to confirm.
    #[error("no removals of {member} are held back")]
    NothingWithheld {
        /// The member.
        member: Label,
    },
    /// There is nothing to confirm.
    #[error("no removals of members are withheld")]
    NoMembersWithheld,
    /// It does not go by itself. Remove it from the configuration.
    #[error("{member} is in the configuration itself: remove it there")]
    OfConfiguration {
        /// The member.
        member: Label,
    },
    /// It cannot be kept, so that a restart would forget it. Make room on the disk.
    #[error("rejected: cannot write {path}: {problem}")]
    NotKept {
        /// The file.
        path: String,
        /// What the system says.
        problem: String,
    },
}

/// Names like the one that was given, for the end of a sentence.
fn like(names: &[String]) -> String {
    if names.is_empty() {
        String::new()
    } else {
        format!("; near it: {}", names.join(", "))
    }
}

/// What is out, for the end of a sentence.
fn in_force(targets: &[OverrideTarget]) -> String {
    let targets: Vec<_> = targets.iter().map(ToString::to_string).collect();
    match targets.as_slice() {
        [] => "; nothing is".to_owned(),
        targets => format!("; these are: {}", targets.join(", ")),
    }
}
