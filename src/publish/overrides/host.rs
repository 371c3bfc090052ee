//! Decisions that all replicas share: a `ConfigMap` in the host cluster, as it was last seen. It is only
//! read here, and nothing that the host fails to say takes one back.

use std::collections::BTreeSet;
use std::time::Duration;

use super::decision::{later, left};
use super::form;
use super::host_file::KeptOverrides;
use super::steady::dated;
use crate::model::limits::{DRAINS, OVERRIDES_FILE};
use crate::model::{
    ConfirmedRemoval, Drain, Freeze, OVERRIDES_KEY, Overrides, OverridesNews, OverridesSaid,
    SharedOverrides, SharedText, UnixSeconds,
};
use crate::publish::command::HostStanding;

/// How long a confirmation is good for.
pub(in crate::publish) const CONFIRMED: Duration = Duration::from_secs(300);

/// What the `ConfigMap` says, as it was last seen.
#[derive(Debug, Default)]
pub(in crate::publish) struct HostOverrides {
    /// The `ConfigMap`, `NAMESPACE/NAME`; `None` where none is configured.
    object: Option<String>,
    /// What it says, by the dates of those who wrote it, and by the moments of this process.
    said: (Overrides, Overrides),
    /// What of it is in force, by the moments of this process, with when each is safe here.
    pub(in crate::publish) now: Overrides,
    /// Removals that operators have confirmed, as it says, and when by the moments of this process.
    confirmations: Vec<(ConfirmedRemoval, UnixSeconds)>,
    /// Those of them that have done what they could.
    done: BTreeSet<ConfirmedRemoval>,
    /// The `resourceVersion` of what is in force.
    version: Option<String>,
    /// When it was last known to be up to date, by the moments of this process.
    seen: Option<UnixSeconds>,
    /// Why it may not be up to date; `None` while it is.
    absence: Option<String>,
    /// What is wrong with the object as it is now: it is not in force.
    problem: Option<String>,
}

/// Reads what is under the key of a `ConfigMap`; the error says what is wrong with it.
pub(in crate::publish) fn read(text: Option<&str>) -> Result<SharedOverrides, String> {
    let text = text.ok_or_else(|| format!("it has no key {OVERRIDES_KEY}"))?;
    if OVERRIDES_FILE.is_exceeded_by(text.len() as u64) {
        return Err(format!(
            "{OVERRIDES_KEY}: over {} octets",
            OVERRIDES_FILE.most
        ));
    }
    let shared = form::parse(text).map_err(|damage| format!("{OVERRIDES_KEY}: {damage}"))?;
    let drains = shared.overrides.drains.len();
    if DRAINS.is_exceeded_by(drains as u64) {
        return Err(format!(
            "{OVERRIDES_KEY}: {drains} drains, over {}",
            DRAINS.most
        ));
    }
    if shared.overrides.frozen.is_none()
        && let Some(waiting) = shared.overrides.drains.iter().find(|it| it.begun.is_none())
    {
        let target = &waiting.target;
        return Err(format!(
            "{OVERRIDES_KEY}: {target} waits for a thaw, and nothing is frozen"
        ));
    }
    Ok(shared)
}

impl HostOverrides {
    /// What an earlier process has seen, where a `ConfigMap` is configured. The wall clock is `ahead` of the
    /// moments of this process.
    pub(in crate::publish) fn new(
        object: Option<String>,
        kept: Option<KeptOverrides>,
        ahead: i64,
    ) -> Self {
        let mut host = Self {
            object,
            ..Self::default()
        };
        if host.object.is_none() {
            return host;
        }
        host.absence = Some("not seen since the start".to_owned());
        if let Some(kept) = kept {
            let in_force = dated(&kept.overrides, ahead.saturating_neg());
            host.said = (unsafe_of(&kept.overrides), unsafe_of(&in_force));
            host.now = in_force;
            host.version = Some(kept.version);
            host.seen = Some(date(kept.seen, ahead.saturating_neg()));
        }
        host
    }

    /// The `ConfigMap`, `NAMESPACE/NAME`, if one is configured.
    pub(in crate::publish) fn object(&self) -> Option<&str> {
        self.object.as_deref()
    }

    /// Takes another `ConfigMap`. What the one before said is in force until this one is seen; without one
    /// nothing is.
    pub(in crate::publish) fn configure(&mut self, object: Option<String>) {
        if object.is_none() {
            // What is in force is taken out by [`Self::follow`].
            *self = Self {
                now: std::mem::take(&mut self.now),
                ..Self::default()
            };
        } else if object != self.object {
            self.absence = Some("another ConfigMap is configured, and not seen yet".to_owned());
            self.object = object;
        }
    }

    /// Takes in what is heard of the `ConfigMap`. Returns what is news for people, if anything is: that it
    /// is right and up to date again, or the error why it is not. What is in force follows by
    /// [`Self::follow`].
    pub(in crate::publish) fn hear(
        &mut self,
        news: OverridesNews,
        now: UnixSeconds,
        ahead: i64,
    ) -> Option<Result<String, String>> {
        if self.object.as_ref() != Some(&news.object) {
            // It is of what an earlier configuration has named.
            return None;
        }
        let before = self.trouble();
        match news.said {
            OverridesSaid::Lost(why) => {
                // Up to this moment it was up to date.
                if self.absence.is_none() {
                    self.seen = Some(now);
                }
                self.absence = Some(why);
            }
            OverridesSaid::Seen(None) => {
                (self.seen, self.absence) = (Some(now), None);
                self.problem = Some("it is not there".to_owned());
            }
            OverridesSaid::Seen(Some(SharedText { version, text })) => {
                (self.seen, self.absence) = (Some(now), None);
                match read(text.as_deref()) {
                    Ok(shared) => {
                        self.problem = None;
                        self.version = Some(version);
                        self.take(shared, ahead);
                    }
                    Err(problem) => self.problem = Some(problem),
                }
            }
        }
        let after = self.trouble();
        match (before, after) {
            (before, Some(after)) => (before.as_ref() != Some(&after)).then_some(Err(after)),
            (Some(_), None) => {
                let object = self.object.as_deref().unwrap_or_default();
                let version = self.version.as_deref().unwrap_or_default();
                let says = format!("ConfigMap {object}: in force, resourceVersion {version}");
                Some(Ok(says))
            }
            (None, None) => None,
        }
    }

    /// What keeps what is in force from being what the `ConfigMap` says, if anything does.
    fn trouble(&self) -> Option<String> {
        let problem = self.problem.as_ref().or(self.absence.as_ref())?;
        let object = self.object.as_ref()?;
        let last = match self.version {
            Some(_) => "what was last seen stays in force",
            None => "nothing of it is in force",
        };
        Some(format!("ConfigMap {object}: {problem}; {last}"))
    }

    /// Takes in what it says. What it said before keeps its moments, whatever the wall clock says now.
    fn take(&mut self, shared: SharedOverrides, ahead: i64) {
        let behind = ahead.saturating_neg();
        let written = unsafe_of(&shared.overrides);
        let mut moments = dated(&written, behind);
        let (before, known) = &self.said;
        for (new, moment) in written.drains.iter().zip(&mut moments.drains) {
            let mut pairs = before.drains.iter().zip(&known.drains);
            if let Some((_, same)) = pairs.find(|(old, _)| *old == new) {
                *moment = same.clone();
            }
        }
        if written.frozen == before.frozen {
            moments.frozen = known.frozen;
        }
        self.said = (written, moments);
        let known = std::mem::take(&mut self.confirmations);
        let confirmed = shared.confirmations.into_iter().map(|new| {
            let same = known.iter().find(|(old, _)| *old == new);
            let at = same.map_or(date(new.at, behind), |(_, at)| *at);
            (new, at)
        });
        self.confirmations = confirmed.collect();
        let confirmations = &self.confirmations;
        let is_there = |one: &ConfirmedRemoval| confirmations.iter().any(|(there, _)| there == one);
        self.done.retain(is_there);
    }

    /// Puts in force what is to be by now; `elsewhere` is a freeze of this daemon's own. Returns what was
    /// before, if that was other.
    pub(in crate::publish) fn follow(
        &mut self,
        elsewhere: Option<Freeze>,
        now: UnixSeconds,
    ) -> Option<Overrides> {
        let mut next = left(&self.said.1, elsewhere, now);
        let same = |a: &Drain, b: &Drain| {
            (&a.target, a.from, a.begun, a.over) == (&b.target, b.from, b.begun, b.over)
        };
        for drain in &mut next.drains {
            let mut before = self.now.drains.iter();
            let before = before.find(|before| same(before, drain));
            drain.safe_at = before.and_then(|before| before.safe_at);
        }
        let before = std::mem::replace(&mut self.now, next);
        (before != self.now).then_some(before)
    }

    /// The confirmations that are good now and have not done what they could.
    pub(in crate::publish) fn due(&self, now: UnixSeconds) -> Vec<ConfirmedRemoval> {
        let is_good = |at: UnixSeconds| at <= later(now, CONFIRMED) && now < later(at, CONFIRMED);
        let good = self.confirmations.iter().filter(|(_, at)| is_good(*at));
        let good = good.map(|(confirmation, _)| confirmation);
        good.filter(|one| !self.done.contains(*one))
            .cloned()
            .collect()
    }

    /// A confirmation has let removals through: what comes later needs another one.
    pub(in crate::publish) fn note_done(&mut self, confirmation: ConfirmedRemoval) {
        self.done.insert(confirmation);
    }

    /// What is to be on disk at this moment; `None` while nothing was ever seen. It is up to date to a
    /// minute.
    pub(in crate::publish) fn kept(&self, now: UnixSeconds, ahead: i64) -> Option<KeptOverrides> {
        let mut overrides = self.said.0.clone();
        let in_force = dated(&self.now, ahead);
        for drain in &mut overrides.drains {
            drain.safe_at = in_force.drain(&drain.target).and_then(|it| it.safe_at);
        }
        let seen = match self.absence {
            Some(_) => self.seen?,
            None => UnixSeconds(now.0 - now.0 % 60),
        };
        Some(KeptOverrides {
            object: self.object.clone()?,
            version: self.version.clone()?,
            seen: date(seen, ahead),
            overrides,
        })
    }

    /// Whether what is in force may not be what the `ConfigMap` says, and for how many seconds the host has
    /// been out of contact.
    pub(in crate::publish) fn staleness(&self, now: UnixSeconds) -> (bool, u64) {
        let is_absent = self.absence.is_some();
        let since = self.seen.filter(|_| is_absent);
        let age = since.map_or(0, |seen| now.0.saturating_sub(seen.0));
        (is_absent || self.problem.is_some(), age)
    }

    /// How it is known, by the dates of a wall clock that is so far ahead.
    pub(in crate::publish) fn standing(&self, ahead: i64) -> Option<HostStanding> {
        let seen = self.seen.map(|seen| date(seen, ahead));
        Some(HostStanding {
            object: self.object.clone()?,
            version: self.version.clone(),
            absence: self.absence.clone().map(|why| (seen, why)),
            problem: self.problem.clone(),
        })
    }
}

/// A moment by a wall clock that is so far ahead.
fn date(at: UnixSeconds, ahead: i64) -> UnixSeconds {
    UnixSeconds(at.0.saturating_add_signed(ahead))
}

/// The same without when each is safe: that is another moment for every daemon.
fn unsafe_of(overrides: &Overrides) -> Overrides {
    let mut overrides = overrides.clone();
    for drain in &mut overrides.drains {
        drain.safe_at = None;
    }
    overrides
}
