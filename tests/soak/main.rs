//! Everything at once, at random: API servers are killed and stopped, load balancers die and return,
//! the daemon is killed and started again, clocks jump, the disk of its state fills, the resolver
//! fails, strangers flood. Meanwhile a load of queries is held against what the daemon had to know.
//!
//! ```text
//! deck ──▶ events ──▶ world ──▶ knowledge ─┐
//!                       ▲                  ├─▶ judge ──▶ counts, and a line for each violation
//!             load, witness ───────────────┘
//! ```
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
mod deck;
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
mod history;
mod judge;
mod knowledge;
#[path = "../real/faults/load.rs"]
#[expect(dead_code, reason = "the tests that share it use the rest")]
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
#[path = "../real/responder.rs"]
#[expect(dead_code, reason = "the tests that share it use the rest")]
mod responder;
#[path = "../real/faults/truth.rs"]
#[expect(dead_code, reason = "the tests that share it use the rest")]
mod truth;
#[path = "../real/wait.rs"]
#[expect(dead_code, reason = "the tests that share it use the rest")]
mod wait;
mod witness;
mod world;

use std::sync::Arc;
use std::time::Duration;

use crate::events::Events;
use crate::history::History;
use crate::judge::Judgement;
use crate::random::Random;
use crate::world::World;

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
    let history = Arc::new(History::begin(seed));
    println!(
        "soak of {span:?}: GAZETTEER_SOAK_SEED={seed}, history in {}",
        history.path.display()
    );
    let mut world = World::start(&history);
    let (load, witness) = (world.ask(), world.witness());
    let mut events = Events::new(&mut world);
    let deck = events.run(span, &mut Random::new(seed));
    let (questions, samples) = load.stop();
    let accounts = witness.end();
    world.end();
    let judgement = Judgement::on(&questions, samples, &world, &accounts);
    for (card, count) in deck.dealt() {
        println!("{count:>5} {card:?}");
    }
    println!(
        "slowest start: {} ms until an answer",
        world.slowest_start.as_millis()
    );
    print!("{judgement}{}", judgement.lines(&history));
    assert!(judgement.is_right(), "answers that were wrong");
}
