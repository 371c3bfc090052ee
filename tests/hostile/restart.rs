//! Restarts, and what must not be forgotten by them.

use crate::loopback;
use crate::ports::Port;
use crate::stage::{NAME, Stage, service};
use crate::wait::{self, SOON};

/// The port of load balancers.
const PORT: u16 = 8099;

#[test]
fn an_address_that_was_dead_before_a_restart_is_not_answered_after_it() {
    let [dead, alive] = loopback::addresses([1, 2], &[PORT]);
    let mut stage = Stage::new();
    stage.federation = "probe = { kind = \"tcp\", interval = \"500ms\", timeout = \"200ms\", \
                        down = 2, up = 1 }"
        .to_owned();
    let ports = format!("ports = [{{ name = \"http\", protocol = \"TCP\", port = {PORT} }}]");
    let (dead_text, alive_text) = (dead.to_string(), alive.to_string());
    stage.put("m1.toml", &service("my-service", &[&dead_text], &ports));
    stage.put("m2.toml", &service("my-service", &[&alive_text], &ports));
    let (first, _second) = (Port::open(dead, PORT), Port::open(alive, PORT));
    let mut daemon = stage.start();
    daemon.until_answers(NAME, &[&dead_text, &alive_text]);
    wait::until("both have passed a probe", SOON, || {
        let (_, metrics) = daemon.get("/metrics").ok_or("no metrics")?;
        let up = "gazetteer_health_targets{verdict=\"up\"} 2";
        if metrics.contains(up) {
            Ok(())
        } else {
            Err(metrics)
        }
    });
    drop(first);
    daemon.until_answers(NAME, &[&alive_text]);
    wait::throughout("it is kept", std::time::Duration::from_secs(1), || {
        daemon.check(NAME, &[&alive_text])
    });
    daemon.signal("KILL");
    daemon.end();
    let daemon = stage.start();
    wait::throughout(
        "dead after a restart too",
        std::time::Duration::from_secs(5),
        || daemon.check(NAME, &[&alive_text]),
    );
}

#[test]
fn a_start_right_after_a_kill_takes_the_same_ports() {
    let [own] = loopback::addresses([9], &[5300, 9153]);
    let mut stage = Stage::new();
    stage.listen = format!("dns = [\"{own}:5300\"]");
    stage.admin = format!("{own}:9153");
    let mut daemons = vec![stage.start()];
    for _ in 0..10 {
        if let Some(last) = daemons.last() {
            last.signal("KILL");
        }
        // The one that was killed is not waited for.
        daemons.push(stage.start());
    }
}

#[test]
fn an_address_that_stays_taken_is_an_error_that_names_it() {
    let [own] = loopback::addresses([9], &[5300]);
    let mut stage = Stage::new();
    stage.listen = format!("dns = [\"{own}:5300\"]");
    let first = stage.start();
    "state-dir = \"other\"".clone_into(&mut stage.top);
    stage.configure();
    let (is_good, printed) = stage.run(&["serve", "gazetteer.toml"]);
    let expected = format!("{own}:5300 (UDP) is already served by another process");
    assert!(!is_good && printed.contains(&expected), "{printed}");
    first.assert_runs();
}
