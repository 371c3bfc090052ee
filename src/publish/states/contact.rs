//! Whether a member is in contact, after what happened.

use tokio::time::Instant;

use super::{Contact, Happening};

impl Contact {
    /// The contact after something happened.
    pub(super) fn after(self, happening: Happening, now: Instant) -> Self {
        match (self, happening) {
            (_, Happening::Synced)
            | (Self::Live | Self::Gone { .. }, Happening::Resumed)
            | (Self::Live, Happening::Returning) => Self::Live,
            (_, Happening::Restored) => Self::Gone {
                since: now,
                lost: None,
                is_returning: false,
            },
            (Self::Live, Happening::Lost) => Self::Gone {
                since: now,
                lost: Some(now),
                is_returning: false,
            },
            (
                Self::Gone {
                    since,
                    lost,
                    is_returning,
                },
                Happening::Lost,
            ) => {
                let lost = lost.filter(|_| !is_returning).unwrap_or(now);
                Self::Gone {
                    since,
                    lost: Some(lost),
                    is_returning: false,
                }
            }
            (Self::Gone { since, lost, .. }, Happening::Returning) => Self::Gone {
                since,
                lost,
                is_returning: true,
            },
            (_, Happening::Forgotten) | (Self::Without, _) => Self::Without,
        }
    }

    /// When its source reported the loss, while it is lost.
    pub(super) fn lost(self) -> Option<Instant> {
        match self {
            Self::Gone {
                lost,
                is_returning: false,
                ..
            } => lost,
            _ => None,
        }
    }

    /// Whether it answers: its facts are live, or it is listing.
    pub(super) fn is_back(self) -> bool {
        matches!(self, Self::Live) || self.is_returning()
    }

    /// Whether it answers again and is listing.
    pub(super) fn is_returning(self) -> bool {
        matches!(
            self,
            Self::Gone {
                is_returning: true,
                ..
            }
        )
    }

    /// Whether there are facts.
    pub(super) fn has_facts(self) -> bool {
        !matches!(self, Self::Without)
    }
}
