//! A task that runs on something that the configuration names, where it names it.

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The task, and what it runs on.
#[derive(Debug)]
pub(super) struct ConfiguredTask<S> {
    /// What is named; without it there is no task.
    named: Option<S>,
    /// The task.
    task: TaskTracker,
    /// Ends it.
    cancel: CancellationToken,
    /// Runs it.
    runtime: Handle,
}

impl<S: Clone + PartialEq> ConfiguredTask<S> {
    /// Starts the task that `run` makes of what is named, on `runtime`. It is to end once the token is
    /// cancelled.
    pub(super) fn start<F>(
        named: Option<S>,
        runtime: Handle,
        run: impl FnOnce(S, CancellationToken) -> F,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (task, cancel) = (TaskTracker::new(), CancellationToken::new());
        if let Some(named) = named.clone() {
            task.spawn_on(run(named, cancel.clone()), &runtime);
        }
        task.close();
        Self {
            named,
            task,
            cancel,
            runtime,
        }
    }

    /// Whether this is what is named.
    pub(super) fn runs_on(&self, named: Option<&S>) -> bool {
        self.named.as_ref() == named
    }

    /// What runs it.
    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Ends the task.
    pub(super) async fn shutdown(&self) {
        self.cancel.cancel();
        self.task.wait().await;
    }
}
