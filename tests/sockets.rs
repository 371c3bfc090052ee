//! The `serve` room over real sockets on loopback.

#[path = "sockets/abuse.rs"]
mod abuse;
#[path = "sockets/answers.rs"]
mod answers;
#[path = "sockets/bind.rs"]
mod bind;
#[path = "sockets/fixture.rs"]
mod fixture;
#[path = "sockets/signing.rs"]
mod signing;
#[path = "sockets/tcp.rs"]
mod tcp;
#[path = "sockets/udp.rs"]
mod udp;
#[path = "validate/mod.rs"]
mod validate;
#[path = "sockets/world.rs"]
mod world;
