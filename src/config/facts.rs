//! Facts files: what a `file` source says of its member (docs/services.md, Facts files).
//!
//! A file may hold a million services and change often, so it is never one tree in memory, and what
//! has not changed is not parsed again.
//!
//! ```text
//! text ──pieces──▶ one [[service]] each ──hash as before?──▶ known
//!                                        └─else─toml──▶ service ──differs?──▶ Change
//! ```

mod known;
mod pieces;
mod service;

use std::path::Path;
use std::sync::Arc;

pub use self::known::{Differences, FactsFile};
use super::problem::Problem;
use super::read::read_text;
use crate::model::limits::FACTS_FILE;
use crate::model::{NamespacedName, Service};

/// Reads a facts file.
///
/// Errors are every problem of the file, in file order, never none of them.
pub fn load(path: &Path) -> Result<Vec<(NamespacedName, Service)>, Vec<Problem>> {
    let text = read_text(path, &FACTS_FILE).map_err(|error| vec![error.into()])?;
    parse(&text, path)
}

/// Reads the text of a facts file; problems name `path`. In file order, each service once.
pub fn parse(text: &str, path: &Path) -> Result<Vec<(NamespacedName, Service)>, Vec<Problem>> {
    let mut file = FactsFile::default();
    file.read(text, path)?;
    let services = file.into_services();
    Ok(services
        .map(|(name, service)| (name, Arc::unwrap_or_clone(service)))
        .collect())
}
