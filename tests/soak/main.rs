//! Everything at once, at random: API servers are killed and stopped, load balancers die and return,
//! the daemon is killed and started again, clocks jump, the disk of its state fills, strangers flood.
//! Meanwhile a load of queries is held against what was true, as under single faults.
//!
//! `GAZETTEER_SOAK_SECONDS` is how long it goes on, two minutes without it; `GAZETTEER_SOAK_SEED`
//! repeats the events of a run, which prints its seed. Needs root, for a state folder on a disk of
//! its own.

#[path = "../hostile/api.rs"]
#[expect(dead_code, reason = "the tests that share it use the rest")]
mod api;
#[path = "../hostile/clients.rs"]
#[expect(dead_code, reason = "the tests that share it use the rest")]
mod clients;
#[path = "../cli/daemon.rs"]
#[expect(dead_code, reason = "the tests that share it use the rest")]
mod daemon;
#[path = "../real/dns.rs"]
#[expect(dead_code, reason = "the tests that share it use the rest")]
mod dns;
mod events;
#[path = "../fake_apiserver/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "the tests that share it use the rest"
)]
mod fake_apiserver;
#[path = "../real/faketime.rs"]
mod faketime;
#[path = "../real/faults/load.rs"]
mod load;
#[path = "../real/loopback.rs"]
mod loopback;
mod place;
#[path = "../hostile/ports.rs"]
mod ports;
#[path = "../cli/program.rs"]
#[expect(dead_code, reason = "the tests that share it use the rest")]
mod program;
mod random;
#[path = "../real/faults/truth.rs"]
#[expect(dead_code, reason = "the tests that share it use the rest")]
mod truth;
#[path = "../real/faults/verdict.rs"]
#[expect(dead_code, reason = "the tests that share it use the rest")]
mod verdict;
#[path = "../real/wait.rs"]
#[expect(dead_code, reason = "the tests that share it use the rest")]
mod wait;

use std::time::Duration;

use crate::events::Soak;
use crate::random::Random;

/// A number of the environment.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect("a number"))
}

#[expect(
    clippy::print_stdout,
    reason = "a test's report is read on standard output"
)]
fn main() {
    let span = Duration::from_secs(number("GAZETTEER_SOAK_SECONDS").unwrap_or(120));
    let seed = number("GAZETTEER_SOAK_SEED").unwrap_or_else(|| std::process::id().into());
    println!("soak of {span:?}: GAZETTEER_SOAK_SEED={seed}");
    let mut soak = Soak::start();
    soak.run(span, &mut Random::new(seed));
    println!("{}", soak.finish());
}
