//! What is said of a target, and when its last pass has grown too old to prove anything.

use std::collections::HashSet;

use tokio::time::Instant;

use super::{Driver, Id};
use crate::model::{Delta, Evidence, Verdict, kept};
use crate::telemetry::clock;

impl Driver {
    /// Whether there is anything to be said.
    pub(super) fn has_news(&self) -> bool {
        let are_judged = self.awaited.as_ref().is_some_and(HashSet::is_empty);
        !self.news.is_empty() || !self.parting.is_empty() || are_judged
    }

    /// What is to be said next.
    pub(super) fn next_news(&mut self) -> Delta {
        if self.news.is_empty() && self.parting.is_empty() {
            self.awaited = None;
            return Delta::FirstProbes;
        }
        let mut news = std::mem::take(&mut self.parting);
        news.extend(self.news.drain());
        Delta::Probed(news)
    }

    /// Says what counts of a target now, if that is new or its last pass has become, or is no longer,
    /// recent enough to prove anything. `seen` is what its last probe saw, if not empty.
    pub(super) fn tell(&mut self, id: Id, seen: &str, is_new: bool) {
        let (now, at) = (clock::now(), clock::monotonic() - self.begin);
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let verdict = entry.history.verdict().unwrap_or(Verdict::Unknown);
        let is_recent = entry.history.is_recent(&entry.target.probe, at);
        let is_unproven = verdict.has_passed() && !is_recent;
        let told = entry.told.as_ref();
        let was_unproven = told.and_then(|told| told.unproven_since);
        if !is_new && (told.is_none() || was_unproven.is_some() == is_unproven) {
            return;
        }
        let same = told.filter(|told| told.verdict == verdict);
        let before = told.map_or("", |told| &*told.seen);
        let seen = if seen.is_empty() { before } else { seen };
        let evidence = Evidence {
            verdict,
            since: same.map_or(now, |told| told.since),
            seen: kept(seen).into(),
            unproven_since: is_unproven.then(|| was_unproven.unwrap_or(now)),
        };
        entry.told = Some(evidence.clone());
        self.news.insert(entry.target.clone(), Some(evidence));
    }

    /// Notes when to look whether the last pass of a target has grown too old, unless that is noted.
    pub(super) fn await_lapse(&mut self, id: Id) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        if entry.lapse.is_none()
            && let Some(until) = entry.history.proves_until(&entry.target.probe)
        {
            let at = self.begin + until;
            if at > clock::monotonic() {
                entry.lapse = Some(at);
                self.lapses.insert((at, id));
            }
        }
    }

    /// Says of which targets the last pass has grown too old to prove anything: whatever keeps them
    /// from being judged, or asked, time alone ends a proof.
    pub(super) fn let_lapse(&mut self, now: Instant) {
        while let Some((at, id)) = self.lapses.first().copied()
            && at <= now
        {
            self.lapses.pop_first();
            let Some(entry) = self.entries.get_mut(&id) else {
                continue;
            };
            entry.lapse = None;
            self.await_lapse(id);
            let Some(entry) = self.entries.get(&id) else {
                continue;
            };
            if entry.lapse.is_none() {
                // Known from before, and not asked since: nothing was said of it here.
                let is_new = entry.told.is_none();
                self.tell(id, if is_new { "not asked yet" } else { "" }, is_new);
            }
        }
    }
}
