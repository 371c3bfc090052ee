//! Whether a member is in contact, after what happened.

use tokio::time::Instant;

use crate::model::UnixSeconds;

/// What happened to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::publish) enum ContactEvent {
    /// A list is complete.
    Synced,
    /// It cannot be watched.
    Lost,
    /// It answers again and is listing.
    Returning,
    /// Its watches went on where they were.
    Resumed,
    /// Its facts were discarded.
    Forgotten,
}

/// What is known of the contact to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MemberContact {
    /// There are no facts.
    Without,
    /// Its facts are live.
    Live {
        /// Since when without a break.
        since: Instant,
    },
    /// Its facts are as they were when it was last in contact.
    Gone {
        /// Who has said so.
        told: Told,
        /// Since when it answers again and is listing.
        returning: Option<Instant>,
    },
}

/// How a loss is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// It is not: an earlier process was in contact, and nothing was heard since the start.
    Not,
    /// An earlier process knew of it, since this time: it says nothing of what happens now.
    Earlier(UnixSeconds),
    /// Its source has reported it, at this time.
    Now(Instant),
}

impl MemberContact {
    /// The contact after something happened.
    pub(super) fn after(self, event: ContactEvent, now: Instant) -> Self {
        match (self, event) {
            (
                Self::Live { since },
                ContactEvent::Synced | ContactEvent::Resumed | ContactEvent::Returning,
            ) => Self::Live { since },
            (_, ContactEvent::Synced) | (Self::Gone { .. }, ContactEvent::Resumed) => {
                Self::Live { since: now }
            }
            (Self::Live { .. }, ContactEvent::Lost) => Self::Gone {
                told: Told::Now(now),
                returning: None,
            },
            (Self::Gone { told, .. }, ContactEvent::Lost) => Self::Gone {
                // One that fails while it lists has not been in contact since its loss.
                told: match told {
                    Told::Not => Told::Now(now),
                    told => told,
                },
                returning: None,
            },
            (Self::Gone { told, returning }, ContactEvent::Returning) => Self::Gone {
                told,
                returning: returning.or(Some(now)),
            },
            (_, ContactEvent::Forgotten) | (Self::Without, _) => Self::Without,
        }
    }

    /// The wall clock was set by so many seconds.
    pub(super) fn clock_set(&mut self, by: i64) {
        if let Self::Gone {
            told: Told::Earlier(at),
            ..
        } = self
        {
            *at = UnixSeconds(at.0.saturating_add_signed(by));
        }
    }

    /// When its source reported the loss, while it is lost and does not answer.
    pub(super) fn lost(self) -> Option<Instant> {
        match self {
            Self::Gone {
                told: Told::Now(at),
                returning: None,
            } => Some(at),
            _ => None,
        }
    }

    /// Whether its facts are live.
    pub(super) fn is_live(self) -> bool {
        matches!(self, Self::Live { .. })
    }

    /// Whether its facts are not live.
    pub(super) fn is_gone(self) -> bool {
        matches!(self, Self::Gone { .. })
    }

    /// Whether an earlier process was in contact, and nothing was heard since the start.
    pub(super) fn is_presumed(self) -> bool {
        matches!(
            self,
            Self::Gone {
                told: Told::Not,
                returning: None
            }
        )
    }

    /// Since when it answers again and is listing.
    pub(super) fn returning(self) -> Option<Instant> {
        match self {
            Self::Gone { returning, .. } => returning,
            _ => None,
        }
    }

    /// Whether there are facts.
    pub(super) fn has_facts(self) -> bool {
        !matches!(self, Self::Without)
    }
}
