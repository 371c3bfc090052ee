//! What the programs of the comparison share: sockets in batches, the query file and its expected
//! answers, and a histogram of latencies.

pub mod answers;
pub mod batch;
pub mod histogram;
pub mod queries;
