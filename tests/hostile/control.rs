//! Health endpoints, new clients, changes and signals while strangers fill every core.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
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
        // Over TCP: where strangers flood UDP the kernel drops queries of others.
        let wanted = [&*address, SECOND].map(|text| text.parse().expect("address"));
        until("a change is served", 3 * BOUND, || {
            match daemon.answer_tcp(NAME)? {
                answer if answer.addresses == wanted.into() => Ok(()),
                answer => Err(answer.to_string()),
            }
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

#[test]
fn a_udp_flood_stops_neither_health_nor_tcp_clients_nor_changes_nor_signals() {
    let stage = Stage::new();
    let daemon = stage.start();
    let harm = clients::full_flood(daemon.dns, NAME, 2 * cores());
    assert_controlled(&stage, &daemon);
    assert_ends(daemon, vec![harm]);
}

#[test]
fn logs_that_nobody_reads_stop_neither_health_nor_tcp_clients_nor_changes_nor_signals() {
    let stage = Stage::new();
    let pipe = stage.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo runs").success());
    // Both ends are held here, and nothing is ever read.
    let mut options = std::fs::OpenOptions::new();
    options
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK);
    let mut held = options.open(&pipe).expect("a pipe");
    let daemon = stage.start_by("exec \"$@\" --log trace 2>pipe", &[]);
    while held.write(b"x").is_ok() {}
    assert_controlled(&stage, &daemon);
    let (_, metrics) = daemon.get("/metrics").expect("a reply");
    let dropped = "gazetteer_telemetry_dropped_log_lines_total";
    assert!(metrics.contains(dropped), "{metrics}");
    assert_ends(daemon, Vec::new());
}

#[test]
fn the_last_line_of_the_logs_is_read() {
    let mut daemon = Stage::new().start();
    daemon.signal("TERM");
    assert!(daemon.end().success());
    let lines: Vec<String> = daemon.logs.iter().collect();
    let last = lines.last().expect("it logs");
    assert!(last.ends_with("shut down"), "{lines:?}");
}
