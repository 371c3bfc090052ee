//! The whole room with its thread, against listeners on loopback.

use tokio::net::TcpListener;

use super::*;
use crate::model::{Probe, Verdict};

#[tokio::test]
async fn a_listener_that_closes_is_down_and_the_thread_ends_when_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let probe = Probe {
        interval: Duration::from_millis(20),
        timeout: Duration::from_millis(20),
        ..Probe::default()
    };
    let target = ProbeTarget {
        address: listener.local_addr().unwrap(),
        probe: Arc::new(probe),
    };
    let (wanted, targets) = watch::channel(ProbeTargets::unit(target.clone()));
    let (said, mut heard) = mpsc::channel(1);
    let health = spawn(
        targets,
        watch::channel(Findings::default()).1,
        said,
        Arc::new(Metrics::new()),
        CancellationToken::new(),
    )
    .unwrap();
    let mut listener = Some(listener);
    let last = loop {
        let news = match heard.recv().await {
            Some(Delta::Probed(news)) => news,
            Some(Delta::FirstProbes) => continue,
            other => panic!("{other:?}"),
        };
        let [(of, Some(evidence))] = &*news else {
            panic!("{news:?}");
        };
        assert_eq!(*of, target);
        match evidence.verdict {
            Verdict::Up => listener = None,
            Verdict::Suspect => {}
            _ if listener.is_none() => break evidence.clone(),
            verdict => panic!("{verdict:?} while it listens"),
        }
    };
    assert_eq!((last.verdict, &*last.seen), (Verdict::Down, "refused"));
    assert!(last.since.0 > 0);
    wanted.send_replace(ProbeTargets::new());
    assert_eq!(
        heard.recv().await,
        Some(Delta::Probed(vec![(target, None)]))
    );
    tokio::task::spawn_blocking(|| health.stop()).await.unwrap();
    assert_eq!(heard.recv().await, None);
}
