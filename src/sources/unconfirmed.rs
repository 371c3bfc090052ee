//! What the writer says to a source: that it holds back what the last list took away, and wants
//! another; and that an operator has confirmed a member.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::names::Label;

/// The members whose lists are to be confirmed.
pub type UnconfirmedMembers = watch::Receiver<Arc<BTreeSet<Label>>>;

/// How often an operator has confirmed each member that lacked something else than a list.
pub type ConfirmedMembers = watch::Receiver<Arc<BTreeMap<Label, u64>>>;

/// Waits until an operator confirms a member.
#[derive(Debug)]
pub(super) struct Confirmed {
    /// The member.
    member: Label,
    /// How often each was confirmed.
    members: ConfirmedMembers,
    /// How often this one was when it was last looked at.
    seen: u64,
}

impl Confirmed {
    /// Looks for `member` among `members`, from now on.
    pub(super) fn new(member: Label, members: ConfirmedMembers) -> Self {
        let seen = members.borrow().get(&member).copied().unwrap_or_default();
        Self {
            member,
            members,
            seen,
        }
    }

    /// Waits for the next confirmation. Safe to cancel.
    pub(super) async fn wait(&mut self) {
        loop {
            let count = self.members.borrow_and_update().get(&self.member).copied();
            let count = count.unwrap_or_default();
            if std::mem::replace(&mut self.seen, count) != count {
                return;
            }
            if self.members.changed().await.is_err() {
                // The writer has ended.
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Waits until a member is to be listed again.
#[derive(Debug)]
pub(super) struct Unconfirmed {
    /// The member.
    member: Label,
    /// The members that the writer waits for.
    members: UnconfirmedMembers,
    /// How long to wait after it has come among them, and between lists.
    delay: Duration,
    /// When to list; `None` while it is not among them.
    due: Option<Instant>,
}

impl Unconfirmed {
    /// Looks for `member` among `members`.
    pub(super) fn new(member: Label, members: UnconfirmedMembers, delay: Duration) -> Self {
        Self {
            member,
            members,
            delay,
            due: None,
        }
    }

    /// Whether the writer waits for another list of the member.
    pub(super) fn is_waited_for(&self) -> bool {
        self.members.borrow().contains(&self.member)
    }

    /// Waits until it is time to list; again and again for as long as the writer waits. Safe to
    /// cancel.
    pub(super) async fn wait(&mut self) {
        loop {
            let is_waited_for = self.members.borrow_and_update().contains(&self.member);
            self.due = is_waited_for.then(|| {
                let fresh = Instant::now() + self.delay;
                self.due.unwrap_or(fresh)
            });
            let time = async {
                match self.due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = self.members.changed() => {
                    if changed.is_err() {
                        // The writer has ended.
                        std::future::pending::<()>().await;
                    }
                }
                () = time => {
                    self.due = None;
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CONFIRM_DELAY;

    #[tokio::test(start_paused = true)]
    async fn a_member_is_listed_again_and_again_while_it_is_waited_for() {
        let (members, heard) = watch::channel(Arc::default());
        let label: Label = "m".parse().unwrap();
        let mut unconfirmed = Unconfirmed::new(label.clone(), heard, CONFIRM_DELAY);
        let start = Instant::now();
        let minute = Duration::from_secs(60);
        assert!(
            tokio::time::timeout(minute, unconfirmed.wait())
                .await
                .is_err()
        );
        members.send_replace(Arc::new([label].into()));
        unconfirmed.wait().await;
        unconfirmed.wait().await;
        assert_eq!(start.elapsed(), minute + 2 * CONFIRM_DELAY);
        members.send_replace(Arc::default());
        assert!(
            tokio::time::timeout(minute, unconfirmed.wait())
                .await
                .is_err()
        );
    }
}
