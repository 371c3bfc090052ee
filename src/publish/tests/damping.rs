//! What goes out too often comes back later.

use std::time::Duration;

use tokio::time::Instant;

use super::fixture::{Running, after, available, config, named, service};
use crate::model::{Change, EventKind, MemberIdx, UnixSeconds};
use crate::publish::now::Now;
use crate::publish::shards::damping::{Came, Damping};
use crate::publish::shards::key::ShardKey;
use crate::publish::shards::readiness::ShardReadiness::{Gone, NoEndpoint, Ready};

/// Damping, and the time it started at.
struct Clocked {
    damping: Damping,
    start: Instant,
}

impl Clocked {
    fn new() -> Self {
        let start = Instant::now();
        Self {
            damping: Damping::new(start),
            start,
        }
    }

    /// Both clocks at a second.
    fn now(&self, second: u64) -> Now {
        Now {
            instant: self.start + Duration::from_secs(second),
            wall: UnixSeconds(1000 + second),
        }
    }

    /// The shard goes out at a second.
    fn went(&mut self, second: u64) -> Option<&'static str> {
        let now = self.now(second);
        self.damping.went(&key(1), (Ready, NoEndpoint), now)
    }

    /// The shard is ready at a second: until when it is kept back.
    fn came(&mut self, second: u64) -> Option<u64> {
        let now = self.now(second);
        match self.damping.came(&key(1), now) {
            Came::Damped(condition) => condition.damped_until.map(|until| until.0 - 1000),
            Came::AtOnce(_) => None,
            Came::New => panic!("it was out"),
        }
    }
}

fn key(n: usize) -> ShardKey {
    (MemberIdx(0), named(&format!("s{n}")))
}

#[test]
fn a_shard_returns_at_once_the_first_time_and_later_and_later_then() {
    let mut clocked = Clocked::new();
    assert_eq!((clocked.went(0), clocked.came(1)), (Some("ready"), None));
    assert_eq!((clocked.went(2), clocked.came(3)), (Some("ready"), Some(7)));
    assert_eq!(
        (clocked.went(4), clocked.came(5)),
        (Some("damped"), Some(14))
    );
    let condition = clocked.damping.condition(&key(1), clocked.now(5)).unwrap();
    assert_eq!(
        &*condition.why,
        "ready again, suppressed after 3 withdrawals"
    );
    assert_eq!(condition.since, UnixSeconds(1004));
    assert_eq!(clocked.damping.damped(), 1);
    assert_eq!(clocked.damping.deadline(), Some(clocked.now(14).instant));
    assert_eq!(clocked.damping.pop(clocked.now(13)), None);
    assert_eq!(clocked.damping.pop(clocked.now(14)), Some(key(1)));
    assert_eq!(clocked.damping.condition(&key(1), clocked.now(14)), None);
    assert_eq!(clocked.damping.damped(), 0);
}

#[test]
fn what_is_quiet_or_gone_for_long_is_forgotten() {
    let mut clocked = Clocked::new();
    clocked.went(0);
    clocked.came(1);
    let now = clocked.now(2);
    clocked.damping.went(&key(2), (Ready, Gone), now);
    clocked.damping.went(&key(3), (NoEndpoint, Gone), now);
    clocked.damping.went(&key(4), (Gone, NoEndpoint), now);
    assert_eq!(clocked.damping.remembered(), 3);
    for second in [601, 602, 1300] {
        assert_eq!(clocked.damping.pop(clocked.now(second)), None);
    }
    assert_eq!(clocked.damping.remembered(), 1, "one is out and has facts");
    assert_eq!(clocked.damping.conditions(clocked.now(1300)).count(), 1);
    for n in 0..100_000 {
        clocked
            .damping
            .went(&key(n), (Ready, Gone), clocked.now(1300));
    }
    assert!(clocked.damping.remembered() <= (1 << 16) + 1);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_endpoints_that_flap_grow_nothing_and_delay_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(config(&["a", "b"], folder.path()));
    running.sync("a", "192.0.2.1").await;
    running.sync("b", "192.0.2.2").await;
    let before = running.settled().await.generation().0;
    let flap =
        |n: usize, ready| Change::Upsert(named(&format!("f{n}")), service("192.0.2.9", ready));
    for round in 0..20 {
        for n in 0..1000 {
            running.change("a", flap(n, round % 2)).await;
        }
        after(50).await;
    }
    let published = running.settled().await.generation().0 - before;
    assert!(
        published <= 20 * 50 / 10 + 1,
        "{published} publications in a second"
    );
    running
        .change("b", Change::Upsert(named("t"), service("192.0.2.3", 1)))
        .await;
    after(15).await;
    assert_eq!(available(&running.settled().await, "t"), [1]);
    let events = running.handle.events.since(0);
    assert!(events.len() <= crate::publish::KEPT);
    let last = events
        .iter()
        .rfind(|event| event.kind == EventKind::Shard)
        .unwrap();
    assert_eq!((&*last.from, &*last.to), ("out", "damped"));
    after(1_100).await;
    let text = running.metrics.render(UnixSeconds(0));
    assert!(
        text.contains("gazetteer_publish_damped_shards 1000"),
        "{text}"
    );
    after(320_000).await;
    let text = running.metrics.render(UnixSeconds(0));
    assert!(text.contains("gazetteer_publish_damped_shards 0"), "{text}");
    running.stop().await;
}
