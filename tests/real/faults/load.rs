//! Queries for every name, without a pause, while something breaks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use std::collections::BTreeSet;
use std::net::IpAddr;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use tokio::time::Instant;

use crate::dns::{self, Answer, Client};
use crate::wait::{SOON, until};

/// How many threads ask over UDP; one more asks over TCP.
const UDP: usize = 3;
/// A steady load, not a flood: the machine has other work in these scenarios.
const PAUSE: Duration = Duration::from_millis(2);
/// Between two connections.
const TCP_PAUSE: Duration = Duration::from_millis(25);

/// Something that is asked.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// The name.
    pub(crate) name: String,
    /// The type of records, A or AAAA.
    pub(crate) kind: RecordType,
    /// The service that it names.
    pub(crate) service: String,
}

/// The part of an answer that is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The response code.
    pub(crate) code: ResponseCode,
    /// The addresses at the end of the chain.
    pub(crate) addresses: BTreeSet<IpAddr>,
}

/// One query.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    /// Which question.
    pub(crate) question: usize,
    /// When it was sent.
    pub(crate) sent: Instant,
    /// When its answer came, or when there was no time left for one.
    pub(crate) received: Instant,
    /// The answer, if one came.
    pub(crate) reply: Option<Arc<Reply>>,
    /// Over TCP.
    pub(crate) tcp: bool,
}

/// What the threads of a load share.
struct Shared {
    /// Whom to ask.
    server: SocketAddr,
    /// What to ask.
    questions: Vec<Question>,
    /// Ends the threads.
    ended: AtomicBool,
    /// Asks for silence.
    paused: AtomicBool,
    /// How many threads are not in the middle of a query.
    silent: AtomicUsize,
}

/// A running load; it ends when dropped.
pub(crate) struct Load {
    /// What its threads share.
    shared: Arc<Shared>,
    /// The threads.
    threads: Vec<JoinHandle<Vec<Sample>>>,
}

impl Load {
    /// Asks these questions, over and over.
    pub(crate) fn start(server: SocketAddr, questions: Vec<Question>) -> Self {
        let shared = Arc::new(Shared {
            server,
            questions,
            ended: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            silent: AtomicUsize::new(0),
        });
        let threads = (0..=UDP).map(|number| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.ask(number))
        });
        let threads = threads.collect();
        Self { shared, threads }
    }

    /// Asks nothing until [`resume`](Self::resume); no query is on its way when this returns.
    pub(crate) fn pause(&self) {
        self.shared.paused.store(true, Ordering::SeqCst);
        until("the load is silent", SOON, || {
            match self.shared.silent.load(Ordering::SeqCst) {
                silent if silent == self.threads.len() => Ok(()),
                silent => Err(format!("{silent} threads are")),
            }
        });
    }

    /// Asks on.
    pub(crate) fn resume(&self) {
        self.shared.paused.store(false, Ordering::SeqCst);
    }

    /// Ends it and gives every query.
    pub(crate) fn stop(mut self) -> (Vec<Question>, Vec<Sample>) {
        self.shared.ended.store(true, Ordering::SeqCst);
        let threads = std::mem::take(&mut self.threads);
        let samples = threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("query loop"))
            .collect();
        (self.shared.questions.clone(), samples)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
    }
}

impl Shared {
    /// The loop of one thread. Each starts at another question.
    fn ask(&self, number: usize) -> Vec<Sample> {
        let tcp = number == UDP;
        let client = Client::new(self.server);
        let mut last: Vec<Option<Arc<Reply>>> = vec![None; self.questions.len()];
        let mut samples = Vec::new();
        let first = number * self.questions.len() / (UDP + 1);
        for question in (0..self.questions.len()).cycle().skip(first) {
            if self.ended.load(Ordering::SeqCst) || !self.wait() {
                break;
            }
            let (Some(asked), Some(last)) = (self.questions.get(question), last.get_mut(question))
            else {
                break;
            };
            let sent = Instant::now();
            let answer = if tcp {
                dns::ask_tcp(self.server, &asked.name, asked.kind)
            } else {
                client.ask(&asked.name, asked.kind)
            };
            samples.push(Sample {
                question,
                sent,
                received: Instant::now(),
                reply: answer.ok().map(|answer| shared_reply(answer, last)),
                tcp,
            });
            std::thread::sleep(if tcp { TCP_PAUSE } else { PAUSE });
        }
        samples
    }

    /// Waits while the load is paused. Says whether it goes on.
    fn wait(&self) -> bool {
        if !self.paused.load(Ordering::SeqCst) {
            return true;
        }
        self.silent.fetch_add(1, Ordering::SeqCst);
        while self.paused.load(Ordering::SeqCst) && !self.ended.load(Ordering::SeqCst) {
            std::thread::sleep(PAUSE);
        }
        self.silent.fetch_sub(1, Ordering::SeqCst);
        !self.ended.load(Ordering::SeqCst)
    }
}

/// What is judged of an answer, kept once for as long as it does not change.
fn shared_reply(answer: Answer, last: &mut Option<Arc<Reply>>) -> Arc<Reply> {
    let reply = Reply {
        code: answer.code,
        addresses: answer.addresses,
    };
    match last {
        Some(last) if **last == reply => Arc::clone(last),
        _ => Arc::clone(last.insert(Arc::new(reply))),
    }
}
