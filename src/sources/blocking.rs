//! Work that waits for disks or keeps a processor busy, off the asynchronous workers.
//!
//! Reading takes a thread of the runtime's pool, of which each source holds one at most: a file
//! system that hangs costs its own source alone. Parsing large files takes a turn besides, so that
//! files of many members, however large or wrong, are parsed by as many threads as there are
//! processors and are not all in memory as trees at once. Small files need no turn: they do not
//! wait for large ones.

use std::num::NonZero;
use std::path::PathBuf;
use std::sync::LazyLock;

use tokio::sync::Semaphore;

use crate::config::read::{self, ReadError};
use crate::model::limits::Limit;

/// Files of at most as many octets are parsed without a turn: they take some milliseconds.
const SMALL: usize = 1 << 20;

/// Turns of parsing: as many as there are processors.
static TURNS: LazyLock<Semaphore> = LazyLock::new(|| {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    Semaphore::new(processors)
});

/// Does what may wait for a disk on a blocking thread. Panics when `work` does. While the runtime
/// shuts down it never returns.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // Whoever asked is about to be dropped.
        Err(_) => std::future::pending().await,
    }
}

/// Parses what is `octets` long on a blocking thread, in its turn. As [`blocking`] otherwise.
pub async fn parse<T: Send + 'static>(
    octets: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    // The semaphore is never closed.
    let turn = match octets {
        0..=SMALL => None,
        _ => TURNS.acquire().await.ok(),
    };
    blocking(move || {
        let _turn = turn;
        work()
    })
    .await
}

/// As [`read::read`], on a blocking thread.
pub async fn read(path: PathBuf, limit: &'static Limit) -> Result<Vec<u8>, ReadError> {
    blocking(move || read::read(&path, limit)).await
}

/// As [`read::read_text`], on a blocking thread.
pub async fn read_text(path: PathBuf, limit: &'static Limit) -> Result<String, ReadError> {
    blocking(move || read::read_text(&path, limit)).await
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::model::limits::FACTS_FILE;

    #[tokio::test]
    async fn a_fifo_that_nobody_writes_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        let error = read(fifo, &FACTS_FILE).await.unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with(": expected a regular file, found a FIFO"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_small_file_does_not_wait_for_the_turns_of_large_ones() {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let turns = u32::try_from(processors).unwrap();
        let all = TURNS.acquire_many(turns).await.unwrap();
        assert_eq!(parse(SMALL, || 1).await, 1);
        let mut large = Box::pin(parse(SMALL + 1, || 2));
        assert!(futures::poll!(&mut large).is_pending());
        drop(all);
        assert_eq!(large.await, 2);
    }
}
