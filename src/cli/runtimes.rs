//! Which threads of the daemon run what, so that nobody from outside can keep an operator waiting.
//!
//! | threads | what they run | bound |
//! |---|---|---|
//! | main, `control` | signals, the configuration and its way to the writer, the admin address, the control socket | 2 beside the main one |
//! | `control-wait` | reading and parsing the configuration; waiting for threads that end | [`CONTROL_WAITS`] |
//! | `sources` | lists and watches of members, watched files, host names, the GeoIP database | one per core |
//! | `sources-wait` | reading and parsing facts files, kubeconfigs and databases; credentials | [`SOURCES_WAITS`] |
//! | `udp-N`, `tcp` | queries, in [`crate::serve`] | `workers` for each address, and `workers` |
//! | `health` | probes, in [`crate::health`] | 1 |
//! | `publish` | the writer, and threads that write its files, in [`crate::publish`] | |
//!
//! Threads of one kind share nothing with those of another but the processors, which the kernel
//! gives a thread that has waited before one that has run: what is short and seldom, as all of
//! control is, comes first however many queries there are.

use std::future::Future;
use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

/// How long threads may take after everything else has ended.
const END: Duration = Duration::from_secs(1);

/// Threads of control beside the main one: while one writes a long answer of the admin address,
/// the other answers the next.
const CONTROL: usize = 2;

/// Blocking work of control at once.
const CONTROL_WAITS: usize = 4;

/// Blocking work of sources at once. What waits longest is an exec plugin, which asks its own
/// server for a credential.
const SOURCES_WAITS: usize = 16;

/// The runtimes of the daemon.
#[derive(Debug)]
pub(super) struct Runtimes {
    /// What operators use, and nothing else.
    control: Runtime,
    /// What is watched.
    sources: Runtime,
}

impl Runtimes {
    /// Starts the threads.
    pub(super) fn start() -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Ok(Self {
            control: runtime("control", CONTROL, CONTROL_WAITS)?,
            sources: runtime("sources", cores, SOURCES_WAITS)?,
        })
    }

    /// Where sources run.
    pub(super) fn sources(&self) -> Handle {
        self.sources.handle().clone()
    }

    /// Runs `daemon` on the calling thread, as part of control, and ends all threads after it.
    pub(super) fn run<F: Future>(self, daemon: F) -> F::Output {
        let ended = self.control.block_on(daemon);
        self.sources.shutdown_timeout(END);
        self.control.shutdown_timeout(END);
        ended
    }
}

/// A runtime of `threads`, called `name`, and of at most `waits` more for blocking work.
fn runtime(name: &'static str, threads: usize, waits: usize) -> io::Result<Runtime> {
    let started = Arc::new(AtomicUsize::new(0));
    Builder::new_multi_thread()
        .worker_threads(threads)
        .max_blocking_threads(waits)
        // Those for tasks are started first, and live as long as the runtime. Work that blocks in
        // the first moments may be taken by one of them, and a task's place by a later thread:
        // names are for people.
        .thread_name_fn(move || {
            if started.fetch_add(1, Ordering::Relaxed) < threads {
                name.to_owned()
            } else {
                format!("{name}-wait")
            }
        })
        .enable_all()
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_and_blocking_work_have_threads_of_their_own() {
        let runtimes = Runtimes::start().unwrap();
        let thread = || {
            let thread = std::thread::current();
            (thread.id(), thread.name().map(str::to_owned))
        };
        let sources = runtimes.sources();
        let [task, waits] = runtimes.run(async move {
            let task = sources.spawn(async move { thread() }).await.unwrap();
            let waits = sources.spawn_blocking(thread).await.unwrap();
            [task, waits]
        });
        assert_ne!(task.0, waits.0);
        for name in [task.1, waits.1].map(Option::unwrap) {
            assert!(["sources", "sources-wait"].contains(&&*name), "{name}");
        }
    }
}
