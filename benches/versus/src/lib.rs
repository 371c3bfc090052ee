//! What the programs of the comparison share: sockets in batches, the query file and its expected
//! answers, a histogram of latencies, and arguments.

pub mod answers;
pub mod arguments;
pub mod batch;
pub mod histogram;
pub mod queries;
