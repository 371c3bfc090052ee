//! What clients, members, operators, clocks and disks may do to the program, and what holds meanwhile.
//!
//! Each test starts the program, does one kind of harm to it and looks at what it answers. Bounds
//! of time are generous: they tell a daemon that goes on from one that stands still, no more.

mod api;
#[expect(dead_code, reason = "the tests that share it use the rest")]
mod clients;
#[path = "../cli/daemon.rs"]
#[expect(dead_code, reason = "the tests that share it use the rest")]
mod daemon;
#[path = "../real/dns.rs"]
#[expect(dead_code, reason = "the tests that share it use the rest")]
mod dns;
#[path = "../fake_apiserver/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "the tests that share it use the rest"
)]
mod fake_apiserver;
#[path = "../real/faketime.rs"]
mod faketime;
#[path = "../real/loopback.rs"]
mod loopback;
#[path = "../mmdb/mod.rs"]
mod mmdb;
mod ports;
#[path = "../cli/program.rs"]
#[expect(dead_code, reason = "the tests that share it use the rest")]
mod program;
#[path = "../real/responder.rs"]
#[expect(dead_code, reason = "the tests that share it use the rest")]
mod responder;
mod stage;
#[path = "../real/wait.rs"]
#[expect(dead_code, reason = "the tests that share it use the rest")]
mod wait;

mod addresses;
mod control;
mod database;
mod files;
mod hostnames;
mod limits;
mod members;
mod replicas;
mod restart;
mod secrets;
mod state;
mod time;
