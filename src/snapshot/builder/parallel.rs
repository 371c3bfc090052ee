//! Runs a function over many items on all cores.

use std::num::NonZero;
use std::sync::mpsc;
use std::thread;

use parking_lot::Mutex;

/// Runs `work` on each item, on as many threads as there are cores. Each result is given to `take`
/// on this thread as it comes, in no order; only a few results wait for it. Returns when all is
/// done.
pub fn map_in_parallel<T: Send, R: Send>(
    items: impl IntoIterator<Item = T, IntoIter: Send>,
    work: impl Fn(T) -> R + Sync,
    mut take: impl FnMut(R),
) {
    let items = Mutex::new(items.into_iter());
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let (done, coming) = mpsc::sync_channel(threads);
    thread::scope(|scope| {
        for _ in 0..threads {
            let (items, work, done) = (&items, &work, done.clone());
            scope.spawn(move || {
                loop {
                    // Not a `while let`, which would hold the lock while it works.
                    let Some(item) = items.lock().next() else {
                        break;
                    };
                    if done.send(work(item)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(done);
        for outcome in coming {
            take(outcome);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_worked_on_once() {
        let mut taken = Vec::new();
        map_in_parallel(0..1000, |item| item * 2, |outcome| taken.push(outcome));
        taken.sort_unstable();
        assert_eq!(taken, (0..1000).map(|item| item * 2).collect::<Vec<_>>());
    }
}
