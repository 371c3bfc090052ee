//! The program: an allocator, a crypto provider, and the command line.

use std::process::ExitCode;

/// Keeps memory steady while snapshots come and go.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // Fails only where a provider was installed before, and then that one serves.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    gazetteer::cli::run()
}
