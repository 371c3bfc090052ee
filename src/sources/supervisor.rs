//! One task for each member, started, stopped and replaced as the configuration says.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info};

use super::blocking::blocking;
use super::unconfirmed::UnconfirmedMembers;
use crate::config::MemberSource;
use crate::model::{Change, Delta, Epoch, Loss};
use crate::names::Label;

/// How long a source that was told to end may take before it is aborted.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// How long after a failure of its own a source starts again.
const RESTART_DELAY: Duration = Duration::from_secs(5);

/// What one run of a source needs.
#[derive(Debug, Clone)]
pub struct Lifetime {
    /// The member, and where its facts come from.
    pub source: MemberSource,
    /// This run: older ones of the member are not listened to.
    pub epoch: Epoch,
    /// Where changes go.
    pub deltas: mpsc::Sender<Delta>,
    /// Members that are to be listed again, a while after they have come among these.
    pub unconfirmed: UnconfirmedMembers,
    /// Ends the run.
    pub cancel: CancellationToken,
}

/// A run of a source. It ends when it is cancelled or nobody receives.
type Run = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Starts a run of a source.
type Start = Arc<dyn Fn(Lifetime) -> Run + Send + Sync>;

/// Is told of a member that is gone, once its source has ended. May block.
type Gone = Arc<dyn Fn(&Label) + Send + Sync>;

/// Keeps one source running for each member, each on its own: none waits for another.
pub struct Supervisor {
    /// What every run shares.
    shared: Shared,
    /// Members present, and those gone whose task may not have ended yet.
    members: BTreeMap<Label, Kept>,
}

/// What every run shares.
#[derive(Clone)]
struct Shared {
    /// Starts a run.
    start: Start,
    /// Is told who is gone.
    gone: Gone,
    /// Where changes go.
    deltas: mpsc::Sender<Delta>,
    /// Members that are to be listed again.
    unconfirmed: UnconfirmedMembers,
    /// The last epoch given.
    epochs: Arc<AtomicU64>,
    /// Owns every task.
    tasks: TaskTracker,
    /// Ends every task.
    cancel: CancellationToken,
}

/// The task of one member.
struct Kept {
    /// What it runs; `None` when the member is gone.
    source: Option<MemberSource>,
    /// Ends it.
    cancel: CancellationToken,
    /// The task.
    task: JoinHandle<()>,
}

impl Supervisor {
    /// No member yet. `start` makes a run of a source; `gone`, which may block, is told of each member that
    /// is gone, once its source has ended. Must live within a tokio runtime.
    pub fn new<F>(
        deltas: mpsc::Sender<Delta>,
        unconfirmed: UnconfirmedMembers,
        start: impl Fn(Lifetime) -> F + Send + Sync + 'static,
        gone: impl Fn(&Label) + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let shared = Shared {
            start: Arc::new(move |lifetime| Box::pin(start(lifetime))),
            gone: Arc::new(gone),
            deltas,
            unconfirmed,
            epochs: Arc::default(),
            tasks: TaskTracker::new(),
            cancel: CancellationToken::new(),
        };
        Self {
            shared,
            members: BTreeMap::new(),
        }
    }

    /// Makes `sources` the members: new ones start, changed ones are replaced, others that are not
    /// listed end. Returns at once.
    pub fn apply(&mut self, sources: &[MemberSource]) {
        self.members
            .retain(|_, kept| kept.source.is_some() || !kept.task.is_finished());
        let is_gone = |member: &Label| !sources.iter().any(|source| source.member == *member);
        let known = self.members.iter();
        let gone = known.filter(|(member, kept)| kept.source.is_some() && is_gone(member));
        let gone: Vec<Label> = gone.map(|(member, _)| member.clone()).collect();
        for member in gone {
            let Some(kept) = self.members.remove(&member) else {
                continue;
            };
            info!(%member, "source stopped");
            kept.cancel.cancel();
            let shared = self.shared.clone();
            let task = shared.clone().forget(kept.task, member.clone());
            let kept = Kept {
                source: None,
                cancel: kept.cancel,
                task: shared.tasks.spawn(task),
            };
            self.members.insert(member, kept);
        }
        for source in sources {
            let kept = self.members.get(&source.member);
            if kept.is_none_or(|kept| kept.source.as_ref() != Some(source)) {
                self.replace(source.clone());
            }
        }
    }

    /// Starts a source, once the one before it has ended.
    fn replace(&mut self, source: MemberSource) {
        let before = self.members.remove(&source.member);
        let before = before.map(|kept| {
            kept.cancel.cancel();
            kept.task
        });
        let cancel = self.shared.cancel.child_token();
        let keep = self
            .shared
            .clone()
            .keep(before, source.clone(), cancel.clone());
        let task = self.shared.tasks.spawn(keep);
        let kept = Kept {
            source: Some(source),
            cancel,
            task,
        };
        let member = kept.source.as_ref().map(|source| source.member.clone());
        if let Some(member) = member {
            self.members.insert(member, kept);
        }
    }

    /// Ends every source, and returns when they have ended.
    pub async fn shutdown(self) {
        self.shared.cancel.cancel();
        self.shared.tasks.close();
        let ended = tokio::time::timeout(2 * END_TIMEOUT, self.shared.tasks.wait()).await;
        if ended.is_err() {
            error!("source does not stop in time");
        }
    }
}

impl std::fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sources = self
            .members
            .values()
            .filter_map(|kept| kept.source.as_ref());
        f.debug_list().entries(sources).finish()
    }
}

impl Shared {
    /// Tells that a member is gone, after its task.
    async fn forget(self, task: JoinHandle<()>, member: Label) {
        end(task).await;
        let gone = Arc::clone(&self.gone);
        blocking(move || gone(&member)).await;
    }

    /// Runs a source until `cancel`, after the task `before` it. A run that fails by itself is a
    /// loss of its member, and is followed by another.
    async fn keep(
        self,
        before: Option<JoinHandle<()>>,
        source: MemberSource,
        cancel: CancellationToken,
    ) {
        if let Some(before) = before {
            end(before).await;
        }
        while !cancel.is_cancelled() {
            let epoch = Epoch(self.epochs.fetch_add(1, Ordering::Relaxed) + 1);
            let lifetime = Lifetime {
                source: source.clone(),
                epoch,
                deltas: self.deltas.clone(),
                unconfirmed: self.unconfirmed.clone(),
                cancel: cancel.clone(),
            };
            let mut run = self.tasks.spawn((self.start)(lifetime));
            let ended = tokio::select! {
                ended = &mut run => ended,
                () = cancel.cancelled() => return end(run).await,
            };
            if cancel.is_cancelled() || self.deltas.is_closed() {
                return;
            }
            let why = ended
                .err()
                .map_or("it ended".to_owned(), |error| error.to_string());
            error!(member = %source.member, why, restart = ?RESTART_DELAY, "source failed");
            let lost = Delta::Member {
                member: source.member.clone(),
                epoch,
                change: Change::Lost(Loss::Client(format!("source failed: {why}"))),
            };
            let pause = async {
                // Nobody receives when everything ends.
                let _ = self.deltas.send(lost).await;
                tokio::time::sleep(RESTART_DELAY).await;
            };
            cancel.run_until_cancelled(pause).await;
        }
    }
}

/// Waits for a task that was told to end; aborts one that does not.
async fn end(mut task: JoinHandle<()>) {
    if tokio::time::timeout(END_TIMEOUT, &mut task).await.is_err() {
        error!("source aborted: it did not stop in time");
        task.abort();
        // An aborted task is all that is left to wait for; how it ended does not matter.
        let _ = task.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;

    /// A file source of `member`.
    fn file(member: &str, path: &str) -> MemberSource {
        MemberSource {
            member: member.parse().unwrap(),
            has_topology: true,
            facts_limit: 1 << 30,
            renews: true,
            addresses_from: Vec::new(),
            front: None,
            source: Source::File { path: path.into() },
        }
    }

    /// A supervisor of runs that say when they start and when they end, and of members that are gone;
    /// members called `stuck` ignore being cancelled, those called `broken` panic.
    fn supervisor() -> (
        Supervisor,
        mpsc::UnboundedReceiver<String>,
        mpsc::Receiver<Delta>,
    ) {
        let (said, heard) = mpsc::unbounded_channel();
        let (deltas, received) = mpsc::channel(100);
        let unconfirmed = tokio::sync::watch::channel(Arc::default()).1;
        let tell = said.clone();
        let gone = move |member: &Label| tell.send(format!("gone {member}")).unwrap_or_default();
        let start = move |lifetime: Lifetime| {
            let said = said.clone();
            async move {
                let Source::File { path } = &lifetime.source.source else {
                    panic!("no file");
                };
                let name = format!("{} {}", lifetime.source.member, path.display());
                said.send(format!("start {name}")).unwrap();
                assert!(lifetime.source.member.as_str() != "broken", "on purpose");
                if lifetime.source.member.as_str() == "stuck" {
                    std::future::pending::<()>().await;
                }
                lifetime.cancel.cancelled().await;
                said.send(format!("end {name}")).unwrap();
            }
        };
        let supervisor = Supervisor::new(deltas, unconfirmed, start, gone);
        (supervisor, heard, received)
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_changed_is_replaced_and_the_old_ends_first() {
        let (mut supervisor, mut heard, _received) = supervisor();
        supervisor.apply(&[file("a", "1"), file("b", "1")]);
        let mut starts = [heard.recv().await.unwrap(), heard.recv().await.unwrap()];
        starts.sort();
        assert_eq!(starts, ["start a 1", "start b 1"]);
        supervisor.apply(&[file("a", "2"), file("b", "1")]);
        assert_eq!(heard.recv().await.unwrap(), "end a 1");
        assert_eq!(heard.recv().await.unwrap(), "start a 2");
        supervisor.apply(&[file("b", "1")]);
        // Its run has ended before it is told that it is gone, and that before it comes back.
        supervisor.apply(&[file("a", "3"), file("b", "1")]);
        assert_eq!(heard.recv().await.unwrap(), "end a 2");
        assert_eq!(heard.recv().await.unwrap(), "gone a");
        assert_eq!(heard.recv().await.unwrap(), "start a 3");
        supervisor.shutdown().await;
        let mut ends = [heard.recv().await.unwrap(), heard.recv().await.unwrap()];
        ends.sort();
        assert_eq!(ends, ["end a 3", "end b 1"]);
        assert_eq!(heard.recv().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_does_not_end_delays_its_own_member_only() {
        let (mut supervisor, mut heard, _received) = supervisor();
        supervisor.apply(&[file("stuck", "1"), file("a", "1")]);
        heard.recv().await.unwrap();
        heard.recv().await.unwrap();
        supervisor.apply(&[file("stuck", "2"), file("a", "2")]);
        assert_eq!(heard.recv().await.unwrap(), "end a 1");
        assert_eq!(heard.recv().await.unwrap(), "start a 2");
        assert_eq!(heard.recv().await.unwrap(), "start stuck 2");
        supervisor.shutdown().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_fails_is_a_loss_and_starts_again_with_a_new_epoch() {
        let (mut supervisor, mut heard, mut received) = supervisor();
        supervisor.apply(&[file("broken", "1")]);
        let mut last = Epoch(0);
        for _ in 0..3 {
            assert_eq!(heard.recv().await.unwrap(), "start broken 1");
            match received.recv().await.unwrap() {
                Delta::Member {
                    epoch,
                    change: Change::Lost(Loss::Client(_)),
                    ..
                } => {
                    assert!(epoch > last);
                    last = epoch;
                }
                other => panic!("{other:?}"),
            }
        }
        supervisor.shutdown().await;
    }
}
