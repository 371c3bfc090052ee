//! A loop that follows one kind of object of the host cluster.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{info, warn};

use super::super::super::kubernetes::{HostClient, HostNews, HostQuery, HostTiming, follow_host};
use crate::model::Shown;
use crate::telemetry::Metrics;

/// News that may wait to be taken in.
const NEWS: usize = 16;

/// A loop that follows one kind of object; it ends with this.
pub(super) struct Following {
    /// What it says.
    news: mpsc::Receiver<HostNews>,
    /// Has it list again.
    again: Arc<Notify>,
    /// It was told to list again, and has not yet.
    is_asked: bool,
    /// What was last said of why it does not go on.
    failure: Option<String>,
    /// Owns the loop.
    _task: JoinSet<()>,
}

impl Following {
    /// Starts a loop.
    pub(super) fn start(runtime: &Handle, client: &Arc<HostClient>, query: HostQuery) -> Self {
        let (said, news) = mpsc::channel(NEWS);
        let again = Arc::new(Notify::new());
        let mut task = JoinSet::new();
        let (client, timing) = (Arc::clone(client), HostTiming::default());
        let run = follow_host(client, query, said, Arc::clone(&again), timing);
        task.spawn_on(run, runtime);
        Self {
            news,
            again,
            is_asked: false,
            failure: None,
            _task: task,
        }
    }

    /// Waits for news, and asks for another list once it is `due`. Of no loop there is never any. Safe to
    /// cancel.
    pub(super) async fn next(following: &mut Option<Self>, due: Option<Instant>) -> HostNews {
        let Some(following) = following else {
            return std::future::pending().await;
        };
        loop {
            let due = due.filter(|_| !following.is_asked);
            let wait = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some(news) = following.news.recv() => return news,
                () = wait => {
                    following.is_asked = true;
                    following.again.notify_one();
                }
            }
        }
    }

    /// Says what news mean for who is told: that nothing is known, once, and that it is again. `what` are
    /// the objects.
    pub(super) fn tell(&mut self, what: &str, news: &HostNews, metrics: &Metrics) {
        match news {
            HostNews::Failed { why, limit } => {
                if let Some(limit) = limit {
                    metrics.limit_exceeded(limit);
                }
                if self.failure.as_ref() != Some(why) {
                    warn!(what, why = %Shown(why), "the host cluster does not say which members there are: they stay");
                }
                self.failure = Some(why.clone());
            }
            HostNews::Listed(_) => {
                self.is_asked = false;
                if self.failure.take().is_some() {
                    info!(what, "the host cluster says again which members there are");
                }
            }
            HostNews::Applied(_) | HostNews::Deleted(_) | HostNews::NotServed => {}
        }
    }
}
