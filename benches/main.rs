//! Benches of single rooms: `cargo bench`, or `cargo bench -- respond` for a part.

mod answer;
mod snapshot;
mod vantage;
mod world;

use criterion::{criterion_group, criterion_main};

criterion_group!(
    benches,
    answer::steps,
    answer::answers,
    snapshot::one_change,
    snapshot::storm,
    snapshot::table,
    vantage::find
);
criterion_main!(benches);
