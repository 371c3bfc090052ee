//! Pauses after failures, longer each time, with jitter; the return of the API ends them.

use std::mem::{Discriminant, discriminant};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use super::super::failure::Failure;
use super::Timing;
use super::link::Link;

/// The pauses of one task.
pub(super) struct Pauses {
    /// How long they are.
    builder: ExponentialBuilder,
    /// The ones to come.
    next: ExponentialBackoff,
    /// What kind of failure they followed.
    follow: Option<Discriminant<Failure>>,
}

impl Pauses {
    /// Pauses as `timing` has them.
    pub(super) fn new(timing: &Timing) -> Self {
        Self::between(timing.first_pause, timing.longest_pause)
    }

    /// Pauses from `first` to `longest`, doubled each time.
    pub(super) fn between(first: Duration, longest: Duration) -> Self {
        let builder = ExponentialBuilder::new()
            .with_min_delay(first)
            .with_max_delay(longest)
            .without_max_times()
            .with_jitter();
        Self {
            builder,
            next: builder.build(),
            follow: None,
        }
    }

    /// The next pause.
    pub(super) fn longer(&mut self) -> Duration {
        self.next.next().unwrap_or_default()
    }

    /// The next pause, after `failure`. Another kind of failure is progress: an API that starts
    /// refuses connections first, and rights next.
    pub(super) fn after(&mut self, failure: &Failure) -> Duration {
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
            _ = link.returns.changed() => self.reset(),
        }
    }

    /// Begins with short pauses again.
    pub(super) fn reset(&mut self) {
        self.next = self.builder.build();
    }
}
