//! Pauses after failures, longer each time, with jitter; the return of the API ends them.

use std::mem::{Discriminant, discriminant};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use super::super::failure::Failure;
use super::link::Link;
use super::timing::Timing;

/// The pauses of one task.
pub(super) struct Pauses {
    /// How long they are.
    builder: ExponentialBuilder,
    /// The ones to come.
    next: ExponentialBackoff,
    /// Those to come after what was too much: to ask for it again costs much.
    next_rare: ExponentialBackoff,
    /// How long these are.
    rare: ExponentialBuilder,
    /// What kind of failure they followed.
    follow: Option<Discriminant<Failure>>,
    /// The last failure was of too much.
    follow_too_much: bool,
    /// The last watch has neither said anything nor stood for a while.
    is_doubted: bool,
}

impl Pauses {
    /// Pauses as `timing` has them.
    pub(super) fn new(timing: &Timing) -> Self {
        let builder = between(timing.first_pause, timing.longest_pause);
        let rare = between(timing.first_rare_pause, timing.longest_rare_pause);
        Self {
            builder,
            next: builder.build(),
            rare,
            next_rare: rare.build(),
            follow: None,
            follow_too_much: false,
            is_doubted: false,
        }
    }

    /// Whether the last watch was no contact: it started, and ended before it had said anything or
    /// had stood for a while.
    pub(super) fn is_doubted(&self) -> bool {
        self.is_doubted
    }

    /// A watch was contact, or is not yet.
    pub(super) fn set_doubted(&mut self, is_doubted: bool) {
        self.is_doubted = is_doubted;
    }

    /// Whether the last failure was of too much, and nothing was right since.
    pub(super) fn follow_too_much(&self) -> bool {
        self.follow_too_much
    }

    /// The next pause.
    pub(super) fn longer(&mut self) -> Duration {
        self.next.next().unwrap_or_default()
    }

    /// The next pause, after `failure`. Another kind of failure is progress: an API that starts
    /// refuses connections first, and rights next.
    pub(super) fn after(&mut self, failure: &Failure) -> Duration {
        self.follow_too_much = matches!(failure, Failure::TooMuch { .. });
        if self.follow_too_much {
            return self.next_rare.next().unwrap_or_default();
        }
        let follow = Some(discriminant(failure));
        if self.follow != follow {
            self.reset();
            self.follow = follow;
        }
        self.longer()
    }

    /// Waits after `failure`. Has the heartbeat look whether the API answers at all, and ends when
    /// it does so again: a return during the attempt that failed ends the pause before it begins.
    pub(super) async fn wait_after(&mut self, failure: &Failure, link: &mut Link) {
        let pause = self.after(failure);
        if matches!(failure, Failure::Transport(_) | Failure::Answer(_)) {
            link.look.notify_one();
        }
        self.wait(pause, link).await;
    }

    /// Waits after a watch that ended too soon, as after a failure.
    pub(super) async fn wait_longer(&mut self, link: &mut Link) {
        let pause = self.longer();
        link.look.notify_one();
        self.wait(pause, link).await;
    }

    /// Waits for `pause`, or until the API returns.
    pub(super) async fn wait(&mut self, pause: Duration, link: &mut Link) {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            // The sender lives as long as the session, and this task no longer.
            _ = link.returns.changed() => self.next = self.builder.build(),
        }
    }

    /// Begins with short pauses again.
    pub(super) fn reset(&mut self) {
        self.next = self.builder.build();
        if !self.follow_too_much {
            self.next_rare = self.rare.build();
        }
        self.follow_too_much = false;
    }
}

/// Pauses from `first` to `longest`, doubled each time.
fn between(first: Duration, longest: Duration) -> ExponentialBuilder {
    ExponentialBuilder::new()
        .with_min_delay(first)
        .with_max_delay(longest)
        .without_max_times()
        .with_jitter()
}
