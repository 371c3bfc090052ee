//! What the probes of one target add up to: a state machine that takes the time as an argument.

use std::borrow::Cow;
use std::time::Duration;

use crate::model::{Damper, Finding, Probe, Verdict};

/// What came of one probe, with what was seen, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ProbeOutcome {
    /// It passed.
    Passed(Cow<'static, str>),
    /// It failed, and something answered: the network works.
    Answered(Cow<'static, str>),
    /// It failed, and nothing was heard.
    Silent(Cow<'static, str>),
    /// Our own host could not even ask: this says nothing of the target.
    Local(Cow<'static, str>),
}

/// Whether a failure may count for a withdrawal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Confirmation {
    /// The network worked while the target failed.
    Yes,
    /// Something was heard last time it was asked, but not since the target began to fail: it is to
    /// be asked again first.
    Ask,
    /// Nothing is heard at all, or nothing was when the probe began.
    No,
}

/// What the result of a probe changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct VerdictChange {
    /// The verdict is another.
    pub(super) is_new: bool,
    /// Why it is not down, though it has failed often enough.
    pub(super) unconfirmed: Option<Confirmation>,
}

/// Failures in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Failing {
    /// When the first probe of them began.
    pub(super) first: Duration,
    /// When the last probe of them began.
    pub(super) last: Duration,
}

/// The history of one target. Times are since any fixed moment, of a clock that never goes back.
#[derive(Debug, Clone, Default)]
pub(super) struct History {
    /// What counts; `None` until it has passed once.
    verdict: Option<Verdict>,
    /// That was found by another probe of the address, or by another process, and stands until this
    /// one has passed or failed often enough.
    is_inherited: bool,
    /// The other probe asked something else: that it passed does not say that this one can.
    is_another: bool,
    /// Failures in a row.
    failures: u8,
    /// Passes in a row.
    passes: u8,
    /// When the failures in a row were.
    failing: Failing,
    /// How often it went down of late.
    damper: Damper,
    /// When it last passed, whatever asked.
    passed: Option<Duration>,
}

impl History {
    /// Goes on from what is known of its address, which last passed at `passed` for what asked before.
    /// That proves something until this probe fails: else a process that is started again and again
    /// would prove for ever what is long dead.
    pub(super) fn inherited(known: &Finding, passed: Option<Duration>) -> Self {
        Self {
            verdict: Some(known.verdict()),
            is_inherited: true,
            passed: passed.filter(|_| known.proves()),
            ..Self::default()
        }
    }

    /// The same, where what asked before asked something else: what is down stays so, and what fails
    /// this probe is not down until it has passed it.
    #[must_use]
    pub(super) fn for_another(self) -> Self {
        Self {
            is_another: true,
            ..self
        }
    }

    /// When it last passed, whatever asked.
    pub(super) fn last_pass(&self) -> Option<Duration> {
        self.passed
    }

    /// Whether to ask again without a pause: it was up for another probe, fails, and has not failed
    /// often enough.
    pub(super) fn is_hurried(&self, probe: &Probe) -> bool {
        let is_doubted = matches!(self.verdict, Some(Verdict::Suspect | Verdict::Damped));
        self.is_inherited && is_doubted && (1..probe.down).contains(&self.failures)
    }

    /// Whether this probe has had its say: it passed, or failed as often as it takes.
    pub(super) fn is_judged(&self, probe: &Probe) -> bool {
        let has_failed = self.failures >= probe.down;
        let is_still_down = self.verdict == Some(Verdict::Down) && self.failures > 0;
        !self.is_inherited || has_failed || is_still_down
    }

    /// Until when its last pass proves that it works.
    pub(super) fn proves_until(&self, probe: &Probe) -> Option<Duration> {
        Some(self.passed?.saturating_add(probe.proof()))
    }

    /// Whether its last pass still proves at `now` that it works. A verdict that is held, since
    /// nothing is heard or this host cannot ask, proves nothing by itself.
    pub(super) fn is_recent(&self, probe: &Probe, now: Duration) -> bool {
        self.proves_until(probe).is_some_and(|until| now < until)
    }

    /// What counts now.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        self.verdict
    }

    /// A probe passed at `now`.
    pub(super) fn passed(&mut self, probe: &Probe, now: Duration) -> VerdictChange {
        self.failures = 0;
        self.passes = self.passes.saturating_add(1);
        self.passed = Some(now);
        if std::mem::take(&mut self.is_inherited) {
            // It was not this probe that found it down: neither `up` nor a quiet time holds it.
            self.verdict = Some(Verdict::Up);
            return VerdictChange {
                is_new: true,
                unconfirmed: None,
            };
        }
        let new = match self.verdict {
            None | Some(Verdict::Up | Verdict::Suspect) => Verdict::Up,
            Some(verdict) if self.passes < probe.up => verdict,
            Some(_) if self.damper.is_quiet(now) => Verdict::Damped,
            Some(_) => Verdict::Up,
        };
        self.change_to(new)
    }

    /// A probe that began at `started` failed at `now`. `confirm` says whether the failures may
    /// count for a withdrawal.
    pub(super) fn failed(
        &mut self,
        probe: &Probe,
        started: Duration,
        now: Duration,
        confirm: impl FnOnce(Failing) -> Confirmation,
    ) -> VerdictChange {
        if self.failures == 0 {
            self.failing.first = started;
        }
        self.failing.last = started;
        self.failures = self.failures.saturating_add(1);
        self.passes = 0;
        if self.is_inherited {
            self.passed = None;
        }
        self.judge(probe, now, confirm)
    }

    /// Judges the failures in a row at `now`, when more may be known of the network than at the
    /// last of them.
    pub(super) fn judge(
        &mut self,
        probe: &Probe,
        now: Duration,
        confirm: impl FnOnce(Failing) -> Confirmation,
    ) -> VerdictChange {
        if self.is_inherited && self.verdict == Some(Verdict::Down) {
            return VerdictChange {
                // Said once, as its own.
                is_new: self.failures == 1,
                unconfirmed: None,
            };
        }
        let (Some(verdict @ (Verdict::Up | Verdict::Suspect | Verdict::Damped)), 1..) =
            (self.verdict, self.failures)
        else {
            return VerdictChange::default();
        };
        // What is suppressed stays so until it is down.
        let doubted = match verdict {
            Verdict::Damped => Verdict::Damped,
            _ => Verdict::Suspect,
        };
        if self.failures < probe.down {
            return self.change_to(doubted);
        }
        let confirmation = confirm(self.failing);
        if confirmation == Confirmation::Yes && self.is_inherited && self.is_another {
            // A new check that nothing passes, as one with a wrong path, withdraws nothing.
            *self = Self::default();
            return VerdictChange {
                is_new: true,
                unconfirmed: None,
            };
        }
        if confirmation == Confirmation::Yes {
            // What is suppressed is not withdrawn once more.
            if verdict != Verdict::Damped {
                self.damper.withdrawn(now);
            }
            self.is_inherited = false;
            return self.change_to(Verdict::Down);
        }
        VerdictChange {
            unconfirmed: Some(confirmation),
            ..self.change_to(doubted)
        }
    }

    /// Takes a verdict.
    fn change_to(&mut self, new: Verdict) -> VerdictChange {
        VerdictChange {
            is_new: self.verdict.replace(new) != Some(new),
            unconfirmed: None,
        }
    }
}

#[cfg(test)]
#[path = "tests/history.rs"]
mod tests;
