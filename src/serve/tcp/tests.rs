//! Sessions over streams in memory: who waits for whom, and what one may take. Time stands still
//! but where a test lets it pass.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::budget::{EVENT_INTERVAL, Turns};
use super::limits::{Limits, Open};
use super::session::{End, StreamSession};
use super::{ListenerContext, messages::KERNEL_UNSENT};
use crate::answer::Client;
use crate::model::{Fleet, limits};
use crate::serve::Respond;
use crate::serve::signer::lanes;
use crate::snapshot::{Generation, Serial, Settings, Snapshot, SnapshotBuilder};
use crate::telemetry::Counters;

/// A client with much to ask.
const GREEDY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// A client that asks one thing at a time.
const QUIET: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

/// Sessions with `respond`.
struct Fixture<R> {
    /// What they share.
    shared: Arc<ListenerContext<R>>,
    /// The places for them.
    open: Arc<Open>,
    /// What is counted of them.
    counters: Counters,
    /// The sessions.
    sessions: JoinSet<End>,
}

impl<R: Respond> Fixture<R> {
    /// No session yet, of at most `total`.
    fn new(total: usize, respond: R) -> Self {
        let mut builder = SnapshotBuilder::new(Arc::new(Fleet::default()), Settings::default());
        let snapshot = builder.snapshot(Generation(0), Serial(0));
        let counters = Counters::default();
        let shared = ListenerContext::new(
            None,
            respond,
            Arc::new(ArcSwap::from_pointee(snapshot)),
            counters.worker(),
            (Turns::new(1), lanes(counters.signing()).0),
            Duration::from_secs(10),
        );
        let limits = Limits {
            total,
            per_client: total,
            idle: Duration::from_secs(10),
        };
        Self {
            shared: Arc::new(shared),
            open: Arc::new(Open::new(limits)),
            counters,
            sessions: JoinSet::new(),
        }
    }

    /// The client's end of a new session, with room for `octets` on their way in each direction.
    fn connect(&mut self, address: IpAddr, octets: usize) -> Option<DuplexStream> {
        let slot = self.open.enter(address)?;
        let (near, far) = duplex(octets);
        let session = StreamSession::new(far, address, Arc::clone(&self.shared), slot);
        self.sessions.spawn(async move {
            let (_stream, end) = session.run(&CancellationToken::new()).await;
            end
        });
        Some(near)
    }
}

/// `count` requests of a header alone, each with its length.
fn requests(count: usize) -> Vec<u8> {
    [0, 12, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0].repeat(count)
}

#[test]
fn who_has_much_to_ask_lets_others_come_first() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .event_interval(EVENT_INTERVAL)
        .enable_time()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(crowd());
}

/// One thing at a time asked beside a crowd with much to ask.
async fn crowd() {
    let greedy = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&greedy);
    let respond = move |_: &Snapshot, request: &[u8], client: &Client, out: &mut [u8]| {
        if client.address == GREEDY {
            count.fetch_add(1, Ordering::Relaxed);
        }
        out.get_mut(..request.len())?.copy_from_slice(request);
        Some(request.len())
    };
    let mut fixture = Fixture::new(51, respond);
    let mut crowd = Vec::new();
    for _ in 0..50 {
        let mut much = fixture.connect(GREEDY, 1 << 20).unwrap();
        much.write_all(&requests(5000)).await.unwrap();
        crowd.push(much);
    }
    let mut one = fixture.connect(QUIET, 1 << 20).unwrap();
    // Each of the crowd has its first stay.
    let mut before = 50 * 64;
    for _ in 0..20 {
        one.write_all(&requests(1)).await.unwrap();
        one.read_exact(&mut [0; 14]).await.unwrap();
        let answered = greedy.load(Ordering::Relaxed);
        // Then as many go before each of two wake-ups, of the session and of this test, as are run
        // between two looks at what is ready; without turns, all of the crowd would.
        let between = 2 * (EVENT_INTERVAL as usize + 2);
        assert!(
            answered <= before + between * 64,
            "{answered} after {before}"
        );
        before = answered.max(50 * 64);
    }
    // Nothing is left out for them.
    for mut much in crowd {
        much.read_exact(&mut vec![0; 14 * 5000]).await.unwrap();
    }
}

/// Answers everything with the largest message.
fn largest(_: &Snapshot, _: &[u8], _: &Client, out: &mut [u8]) -> Option<usize> {
    Some(out.get(..65_535)?.len())
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_is_answered_no_more_than_is_let_unsent() {
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    let respond = move |a: &Snapshot, b: &[u8], c: &Client, out: &mut [u8]| {
        count.fetch_add(1, Ordering::Relaxed);
        largest(a, b, c, out)
    };
    let mut fixture = Fixture::new(1, respond);
    let mut client = fixture.connect(GREEDY, 14_000).unwrap();
    client.write_all(&requests(1000)).await.unwrap();
    // It is given up after a while.
    assert_eq!(
        fixture.sessions.join_next().await.unwrap().unwrap(),
        End::Unread
    );
    let octets = made.load(Ordering::Relaxed) * (2 + 65_535) + KERNEL_UNSENT;
    assert!(octets <= limits::TCP_UNSENT.length() + 14_000, "{octets}");
    let totals = fixture.counters.totals();
    assert_eq!((totals.unread, totals.send_errors), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_gives_way_to_a_new_client() {
    let mut fixture = Fixture::new(1, largest);
    let mut client = fixture.connect(GREEDY, 64).unwrap();
    client.write_all(&requests(3)).await.unwrap();
    // A moment without progress may be a long way.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(fixture.connect(QUIET, 64).is_none());
    // Nor does one that reads slowly give way.
    for _ in 0..10 {
        client.read_exact(&mut [0; 64]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(fixture.connect(QUIET, 64).is_none());
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let _other = fixture.connect(QUIET, 64).unwrap();
    assert_eq!(
        fixture.sessions.join_next().await.unwrap().unwrap(),
        End::Unread
    );
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_with_its_client_after_the_last_answer() {
    let mut fixture = Fixture::new(1, largest);
    let mut client = fixture.connect(QUIET, 100).unwrap();
    client.write_all(&requests(3)).await.unwrap();
    client.shutdown().await.unwrap();
    let mut answers = Vec::new();
    client.read_to_end(&mut answers).await.unwrap();
    assert_eq!(answers.len(), 3 * (2 + 65_535));
    assert_eq!(
        fixture.sessions.join_next().await.unwrap().unwrap(),
        End::Closed
    );
}
