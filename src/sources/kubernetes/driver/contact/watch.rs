//! What is known of the watch of one kind. Pure: it is given the time.

use std::time::Duration;

use tokio::time::Instant;

use super::super::super::failure::Failure;
use super::watch_status::WatchStatus;

/// A list whose pages still come after this time leaves its member without status for too long.
const LONGEST_LIST: Duration = Duration::from_secs(300);

/// The watch of one kind.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    /// Since when it is down, `None` while it is up.
    pub(super) down_since: Option<Instant>,
    /// Why it is down.
    pub(super) failure: Failure,
    /// Since when it waits for its turn.
    queued_at: Option<Instant>,
    /// How many lists have begun since it was up last.
    lists: u32,
    /// When a page last came.
    pub(super) page_at: Option<Instant>,
    /// When the list that is under way began.
    began_at: Option<Instant>,
    /// When the list that is complete began.
    listed_from: Option<Instant>,
    /// When something last came of it that leads to a watch.
    progress_at: Instant,
    /// It has been up, and no start or list of it has failed since.
    is_followed: bool,
}

impl Watch {
    /// One of which nothing is known.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            down_since: Some(now),
            failure: Failure::Transport("no answer yet".to_owned()),
            queued_at: None,
            lists: 0,
            page_at: None,
            began_at: None,
            listed_from: None,
            progress_at: now,
            is_followed: false,
        }
    }

    /// Takes in what the watch says.
    pub(super) fn hear(&mut self, status: WatchStatus, now: Instant) {
        if let Some(at) = self.queued_at.take()
            && let Some(since) = &mut self.down_since
        {
            *since += now.duration_since(at);
        }
        if !matches!(status, WatchStatus::Ended(_) | WatchStatus::Failed(_)) {
            self.progress_at = now;
        }
        match status {
            WatchStatus::Queued => self.queued_at = Some(now),
            WatchStatus::Turn => {}
            WatchStatus::Listing => {
                self.began_at = Some(now);
                self.lists = self.lists.saturating_add(1);
                self.page_at = Some(now);
                if !self.is_barred() {
                    self.failure = Failure::Transport("the list does not go on".to_owned());
                }
            }
            WatchStatus::Progress => self.page_at = Some(now),
            WatchStatus::Up => {
                self.is_followed = true;
                self.down_since = None;
                self.lists = 0;
                self.page_at = None;
            }
            WatchStatus::Ended(why) => {
                self.down_since.get_or_insert(now);
                self.failure = Failure::Transport(why);
            }
            WatchStatus::Failed(failure) => {
                self.is_followed = false;
                self.down_since.get_or_insert(now);
                self.failure = failure;
            }
        }
    }

    /// Whether it is denied what it needs, or is said more than is read; it stays so until it is
    /// up.
    pub(super) fn is_barred(&self) -> bool {
        let is_barring = matches!(
            self.failure,
            Failure::Refused { .. } | Failure::TooMuch { .. }
        );
        self.down_since.is_some() && is_barring
    }

    /// Whether it has been down for too long. Waiting for its turn is not being down, and neither
    /// is listing while pages come; but lists that lead to no watch are.
    pub(super) fn is_lost(&self, patience: Duration, now: Instant) -> bool {
        let is_old = |since: Instant| now.duration_since(since) >= patience;
        let is_endless = |since: Instant| now.duration_since(since) >= LONGEST_LIST;
        let is_listing = self.lists == 1
            && self.page_at.is_some_and(|at| !is_old(at))
            && !self.down_since.is_some_and(is_endless);
        self.down_since.is_some_and(is_old) && !is_listing && self.queued_at.is_none()
    }

    /// The list that is under way is complete.
    pub(super) fn end_list(&mut self) {
        self.listed_from = self.began_at.take();
    }

    /// Whether a complete list began at `since` or later.
    pub(super) fn is_listed_since(&self, since: Instant) -> bool {
        self.listed_from.is_some_and(|from| from >= since)
    }

    /// Whether nobody is to wait for its list: it is not followed, or nothing has come for a while.
    pub(super) fn is_hopeless(&self, patience: Duration, now: Instant) -> bool {
        !self.is_followed || now.duration_since(self.progress_at) >= patience
    }

    /// When something last came that leads to a watch: now, while it waits for its turn.
    pub(super) fn progress_at(&self, now: Instant) -> Instant {
        self.queued_at.map_or(self.progress_at, |_| now)
    }
}
