//! A loop of queries beside a scenario: what it saw, and what went unanswered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use hickory_proto::rr::RecordType;
use tokio::time::Instant;

use crate::dns::Client;

/// What a loop saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Queries sent.
    pub(crate) sent: u64,
    /// Queries without an answer within the client's time-out.
    pub(crate) unanswered: u64,
    /// Each change of an answer: when, the name, the answer; the first answers come first.
    pub(crate) changes: Vec<(Duration, String, String)>,
}

impl Seen {
    /// Fails if a query was not answered, or too few were sent to say anything.
    pub(crate) fn assert_all_answered(&self) {
        assert!(self.sent > 20, "only {} queries were sent", self.sent);
        assert_eq!(
            self.unanswered, 0,
            "unanswered of {} queries; {self:#?}",
            self.sent
        );
    }

    /// Fails if any answer changed, or any query went unanswered.
    pub(crate) fn assert_unchanged(&self, names: usize) {
        self.assert_all_answered();
        assert_eq!(
            self.changes.len(),
            names,
            "answers changed: {:#?}",
            self.changes
        );
    }
}

/// A running loop.
pub(crate) struct Watcher {
    /// Ends the loop.
    stop: Arc<AtomicBool>,
    /// The thread of the loop.
    thread: Option<JoinHandle<Seen>>,
}

impl Watcher {
    /// Asks for the A records of these names, one after the other, until stopped.
    pub(crate) fn start(server: SocketAddr, names: &[String]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, names) = (Arc::clone(&stop), names.to_vec());
        let thread = std::thread::spawn(move || watch(server, &names, &stopped));
        Self {
            stop,
            thread: Some(thread),
        }
    }

    /// Ends the loop and gives what it saw.
    pub(crate) fn stop(mut self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("running loop");
        thread.join().expect("query loop")
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// The loop.
fn watch(server: SocketAddr, names: &[String], stop: &AtomicBool) -> Seen {
    let client = Client::new(server);
    let start = Instant::now();
    let mut seen = Seen::default();
    let mut last = vec![String::new(); names.len()];
    while !stop.load(Ordering::Relaxed) {
        for (name, last) in names.iter().zip(&mut last) {
            seen.sent += 1;
            match client.ask(name, RecordType::A) {
                Ok(answer) => {
                    let answer = answer.to_string();
                    if *last != answer {
                        seen.changes
                            .push((start.elapsed(), name.clone(), answer.clone()));
                        *last = answer;
                    }
                }
                Err(_) => seen.unanswered += 1,
            }
        }
        // A steady load, not a flood: the machine has other work in these scenarios.
        std::thread::sleep(Duration::from_millis(2));
    }
    seen
}
