//! Connections without sockets, and with time that stands still until everybody waits.

use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::*;
use crate::model::UnixSeconds;

/// Takes streams from a test.
struct Given(mpsc::Receiver<DuplexStream>);

impl Acceptor for Given {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> io::Result<(DuplexStream, Option<Peer>)> {
        match self.0.recv().await {
            Some(stream) => Ok((stream, None)),
            None => std::future::pending().await,
        }
    }
}

/// A site that a test connects to.
struct World {
    /// Gives it connections.
    connect: mpsc::Sender<DuplexStream>,
    /// Lets `/v1/slow` answer, once for each permit.
    go: Arc<Notify>,
    /// Its metrics.
    metrics: Arc<Metrics>,
    /// Ends it.
    cancel: CancellationToken,
    /// Serves it.
    task: JoinSet<()>,
}

impl World {
    /// Serves `/v1/slow`, `/v1/large`, and `/livez`, which has kept places.
    fn new() -> Self {
        let (connect, given) = mpsc::channel(1);
        let (go, metrics) = (Arc::new(Notify::new()), Arc::new(Metrics::new()));
        let cancel = CancellationToken::new();
        let slow = Arc::clone(&go);
        let router = Router::new()
            .route("/livez", get(async || "ok\n"))
            .route("/v1/large", get(async || "x".repeat(1 << 20)))
            .route(
                "/v1/slow",
                get(async move || {
                    slow.notified().await;
                    "done\n"
                }),
            );
        let site = Site {
            what: "test",
            router,
            kept: &["/livez"],
            metrics: Arc::clone(&metrics),
        };
        let mut task = JoinSet::new();
        let end = cancel.clone();
        task.spawn(async move { serve(Given(given), site, &end).await });
        Self {
            connect,
            go,
            metrics,
            cancel,
            task,
        }
    }

    /// A connection whose client has sent `octets`.
    async fn send(&self, octets: &str) -> DuplexStream {
        let (mut ours, theirs) = duplex(4096);
        self.connect.send(theirs).await.unwrap();
        ours.write_all(octets.as_bytes()).await.unwrap();
        // Let it be read.
        tokio::time::sleep(Duration::from_millis(1)).await;
        ours
    }

    /// A connection that asks for a path.
    async fn ask(&self, path: &str) -> DuplexStream {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
            .await
    }

    /// How often a limit was met.
    fn exceeded(&self, limit: &str) -> u64 {
        let text = self.metrics.render(UnixSeconds(7));
        let head = format!("gazetteer_limit_exceeded_total{{limit=\"{limit}\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&head));
        line.unwrap().parse().unwrap()
    }
}

/// Everything that comes until the connection ends.
async fn rest_of(mut stream: DuplexStream) -> String {
    let mut text = String::new();
    // A stream that was cut ends, too.
    let _ = stream.read_to_string(&mut text).await;
    text
}

#[tokio::test(start_paused = true)]
async fn a_connection_has_one_request() {
    let world = World::new();
    let request = "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";
    let stream = world.send(&request.repeat(100)).await;
    let text = rest_of(stream).await;
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 1, "{text}");
    assert!(text.contains("connection: close\r\n"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_end_is_not_waited_for() {
    let world = World::new();
    let start = Instant::now();
    assert_eq!(rest_of(world.send("").await).await, "");
    let text = rest_of(world.send("GET /livez HTTP/1.1\r\nHos").await).await;
    assert!(!text.contains("200"), "{text}");
    let waited = start.elapsed().as_secs();
    assert!((10..12).contains(&waited), "{waited}");
    assert_eq!(world.exceeded("admin-head"), 2);
    // Nor is one that is too long.
    let text = format!("GET / HTTP/1.1\r\nA: {}", "a".repeat(20_000));
    let (mut ours, theirs) = duplex(1 << 20);
    world.connect.send(theirs).await.unwrap();
    ours.write_all(text.as_bytes()).await.unwrap();
    assert!(rest_of(ours).await.starts_with("HTTP/1.1 431 "));
    assert_eq!(world.exceeded("admin-head-size"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_no_answer_is_left_after_the_time_of_a_request() {
    let world = World::new();
    let mut stream = world.ask("/v1/large").await;
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(world.exceeded("admin-request"), 1);
    let mut text = Vec::new();
    stream.read_to_end(&mut text).await.unwrap();
    assert!(text.len() <= 4096, "{}", text.len());
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_gets_the_place_of_the_longest_at_rest() {
    let world = World::new();
    // Who takes nothing of an answer rests longer than whoever came later.
    let mut held = vec![world.ask("/v1/large").await];
    for _ in 1..ADMIN_CONNECTIONS.most {
        held.push(world.send("GET /livez HTTP/1.1\r\n").await);
    }
    assert_eq!(world.exceeded("admin-connections"), 0);
    for newcomer in 1..4 {
        let text = rest_of(world.ask("/livez").await).await;
        assert!(text.ends_with("\r\n\r\nok\n"), "{text}");
        assert_eq!(world.exceeded("admin-connections"), newcomer);
        // An answered newcomer leaves a place free.
        held.push(world.send("GET").await);
    }
    let mut octets = Vec::new();
    held.remove(0).read_to_end(&mut octets).await.unwrap();
    assert!(octets.len() <= 4096, "{}", octets.len());
}

#[tokio::test(start_paused = true)]
async fn places_are_kept_for_health_whatever_else_is_asked() {
    let world = World::new();
    let most = ADMIN_CONNECTIONS.most - ADMIN_KEPT.most;
    let mut asked = Vec::new();
    for _ in 0..most {
        asked.push(world.ask("/v1/slow").await);
    }
    let text = rest_of(world.ask("/v1/slow").await).await;
    assert!(text.starts_with("HTTP/1.1 503 "), "{text}");
    let text = rest_of(world.ask("/livez").await).await;
    assert!(text.ends_with("\r\n\r\nok\n"), "{text}");
    // Whoever rests beside them gives way, not those who wait for us.
    for _ in 0..2 * ADMIN_KEPT.most {
        asked.push(world.send("GET").await);
    }
    assert_eq!(world.exceeded("admin-connections"), 1 + ADMIN_KEPT.most);
    for _ in 0..most {
        world.go.notify_one();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for stream in asked.drain(..usize::try_from(most).unwrap()) {
        assert!(rest_of(stream).await.ends_with("done\n"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_waits_a_second_for_what_is_being_answered() {
    let mut world = World::new();
    let idle = world.send("").await;
    let done = world.ask("/v1/slow").await;
    world.cancel.cancel();
    tokio::time::sleep(Duration::from_millis(500)).await;
    world.go.notify_one();
    assert!(rest_of(done).await.ends_with("done\n"));
    assert_eq!(rest_of(idle).await, "");
    world.task.join_next().await.unwrap().unwrap();
}
