//! What operators have decided, and the last transitions, in a form for programs.

use serde::{Deserialize, Serialize};

use crate::model::{Event, Freeze, Peer, Shown, UnixSeconds};
use crate::publish::{ActiveOverrides, CommandOutcome, InForce, OverrideOrigin};

/// Everything in force, as `/v1/overrides` and `gazetteer overrides -o json` show it. Moments have
/// the form of RFC 3339.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InForceNow {
    /// Answers stay as they were.
    pub frozen: Option<Frozen>,
    /// What is drained, in the order of the commands: those of this daemon before those of the host.
    pub drains: Vec<Drained>,
    /// The `ConfigMap` of the host cluster with the overrides of all replicas, where one is configured.
    #[serde(default)]
    pub host: Option<HostInForce>,
    /// What of the state folder cannot be used, and why: a restart would not find it.
    #[serde(default)]
    pub troubles: Vec<String>,
}

/// How the `ConfigMap` of the host cluster is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostInForce {
    /// `NAMESPACE/NAME`.
    pub configmap: String,
    /// The `resourceVersion` of what is in force; none before anything was seen.
    pub resource_version: Option<String>,
    /// Whether the host is in contact: what is in force is what the `ConfigMap` says, unless there is a
    /// problem.
    pub in_contact: bool,
    /// While the host is out of contact: when what is in force was last known to be up to date.
    pub last_seen: Option<String>,
    /// While the host is out of contact: how many seconds ago that was.
    pub age_seconds: Option<u64>,
    /// Why the host is out of contact, or what is wrong with the `ConfigMap`: what was last right is in
    /// force.
    pub problem: Option<String>,
}

/// A freeze.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    /// Who has decided it: `local`, `host`, or `local,host`.
    #[serde(default)]
    pub origin: String,
    /// At which moment answers stay.
    pub since: String,
    /// When it ends by itself.
    pub ends: Option<String>,
}

/// A drain or cordon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drained {
    /// What: as in commands.
    pub target: String,
    /// Who has decided it: `local`, by the control socket of this daemon, or `host`, by the `ConfigMap` of
    /// the host cluster.
    #[serde(default)]
    pub origin: String,
    /// `draining`, `out`, or `waiting` for a thaw.
    pub state: String,
    /// The share that is left in answers, 0 to 1.
    pub share: f64,
    /// The members that it means now; empty for a service.
    pub members: Vec<String>,
    /// Since when; none while it waits for a thaw.
    pub since: Option<String>,
    /// How long its share takes to fall, in seconds.
    pub over_seconds: u64,
    /// When it ends by itself.
    pub ends: Option<String>,
    /// After this moment no unexpired answer can name it; none while that is not known.
    pub safe_at: Option<String>,
}

/// What a command has brought about, as the control socket says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Obeyed {
    /// The drain that a drain or cordon is now.
    pub drain: Option<Drained>,
    /// The freeze, if answers are frozen.
    pub frozen: Option<Frozen>,
    /// What an operator should know.
    pub notes: Vec<String>,
}

/// A transition, as `/v1/events` and `gazetteer events -o json` show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// Counts the events of one process, from 1.
    pub id: u64,
    /// When.
    pub at: String,
    /// `member`, `target`, `shard`, `brake` or `override`.
    pub kind: String,
    /// Which one.
    pub subject: String,
    /// Its state before.
    pub from: String,
    /// Its state now.
    pub to: String,
    /// Why.
    pub why: String,
    /// Who gave the command that it comes from, if it comes from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Giver>,
}

/// Who gave a command: the process that connected to the control socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Giver {
    /// Its user.
    pub uid: u32,
    /// Its number, if the daemon could see it.
    pub pid: Option<i32>,
}

impl InForceNow {
    /// What is in force at `now`.
    pub fn new(standing: &ActiveOverrides, now: UnixSeconds) -> Self {
        let origin: Vec<_> = standing.frozen_by.iter().map(|by| word(*by)).collect();
        let frozen = standing.frozen.map(|freeze| Frozen {
            origin: origin.join(","),
            ..freeze.into()
        });
        let host = standing.host.as_ref().map(|host| {
            let (last_seen, absence) = host.absence.clone().unzip();
            let last_seen = last_seen.flatten();
            let problem = host.problem.clone().or(absence);
            HostInForce {
                configmap: host.object.clone(),
                resource_version: host.version.clone(),
                in_contact: host.absence.is_none(),
                last_seen: last_seen.map(|at| at.to_string()),
                age_seconds: last_seen.map(|at| now.0.saturating_sub(at.0)),
                problem: problem.as_deref().map(shown),
            }
        });
        Self {
            frozen,
            drains: standing.drains.iter().map(Drained::from).collect(),
            host,
            troubles: standing.troubles.clone(),
        }
    }
}

/// Who has decided something, in one word.
fn word(origin: OverrideOrigin) -> &'static str {
    match origin {
        OverrideOrigin::Local => "local",
        OverrideOrigin::Host => "host",
    }
}

/// That of this daemon.
impl From<Freeze> for Frozen {
    fn from(freeze: Freeze) -> Self {
        Self {
            origin: word(OverrideOrigin::Local).to_owned(),
            since: freeze.since.to_string(),
            ends: freeze.until.map(|at| at.to_string()),
        }
    }
}

impl From<&InForce> for Drained {
    fn from(in_force: &InForce) -> Self {
        let drain = &in_force.drain;
        Self {
            target: drain.target.to_string(),
            origin: word(in_force.origin).to_owned(),
            state: in_force.state().to_owned(),
            share: in_force.fraction(),
            members: in_force.members.iter().map(ToString::to_string).collect(),
            since: drain.begun.map(|at| at.to_string()),
            over_seconds: drain.over.as_secs(),
            ends: drain.until.map(|at| at.to_string()),
            safe_at: drain.safe_at.map(|at| at.to_string()),
        }
    }
}

impl From<CommandOutcome> for Obeyed {
    fn from(done: CommandOutcome) -> Self {
        Self {
            drain: done.drain.as_ref().map(Drained::from),
            frozen: done.frozen.map(Frozen::from),
            notes: done.notes,
        }
    }
}

impl From<Event> for Transition {
    fn from(event: Event) -> Self {
        Self {
            id: event.id,
            at: event.at.to_string(),
            kind: event.kind.as_str().to_owned(),
            subject: shown(&event.subject),
            from: shown(&event.from),
            to: shown(&event.to),
            why: shown(&event.why),
            by: event.by.map(|Peer { uid, pid }| Giver { uid, pid }),
        }
    }
}

/// A string of which parts may come from a member.
fn shown(text: &str) -> String {
    Shown(text).to_string()
}
