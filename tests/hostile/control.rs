//! Health endpoints, new clients, changes and signals while strangers fill every core.

use std::time::Duration;

use tokio::time::Instant;

use crate::clients::{self, Harm};
use crate::daemon::Daemon;
use crate::stage::{NAME, SECOND, Stage, service};
use crate::wait::until;

/// Far above what is right, on a machine whose cores are all busy.
const BOUND: Duration = Duration::from_secs(3);

/// So many connections or threads fill every core.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Everything that control is for goes on under harm.
fn assert_controlled(stage: &Stage, daemon: &Daemon) {
    for round in 0..3 {
        let start = Instant::now();
        assert_eq!(daemon.get("/livez"), Some((200, "ok\n".to_owned())));
        assert!(start.elapsed() < BOUND, "/livez: {:?}", start.elapsed());

        let start = Instant::now();
        let new_client = daemon.answer_tcp(NAME);
        assert!(new_client.is_ok(), "a new TCP client: {new_client:?}");
        assert!(start.elapsed() < BOUND, "TCP: {:?}", start.elapsed());

        let address = format!("203.0.113.{}", 100 + round);
        stage.put("m1.toml", &service("my-service", &[&address], ""));
        until("a change is served", 3 * BOUND, || {
            daemon.check(NAME, &[&address, SECOND])
        });
    }
}

/// SIGTERM ends it.
fn assert_ends(mut daemon: Daemon, harm: Vec<Harm>) {
    let start = Instant::now();
    daemon.signal("TERM");
    assert!(daemon.end().success());
    assert!(
        start.elapsed() < 3 * BOUND,
        "SIGTERM: {:?}",
        start.elapsed()
    );
    drop(harm);
}

#[test]
fn pipelining_tcp_clients_stop_neither_health_nor_new_clients_nor_changes_nor_signals() {
    let stage = Stage::new();
    let daemon = stage.start();
    let harm = clients::pipelines(daemon.dns, NAME, 2 * cores());
    assert_controlled(&stage, &daemon);
    assert_ends(daemon, vec![harm]);
}
