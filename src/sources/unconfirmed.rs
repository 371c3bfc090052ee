//! When to list a member a second time: the writer holds back what its last list took away.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::names::Label;

/// The members whose lists are to be confirmed.
pub type UnconfirmedMembers = watch::Receiver<Arc<BTreeSet<Label>>>;

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
