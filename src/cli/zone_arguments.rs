//! The arguments of `gazetteer zone`.

use std::path::PathBuf;

use clap::Subcommand;

use crate::wire::NameBuf;

/// Examples of `zone`.
pub(super) const ZONE: &str = "\
Nothing is contacted: files are read as the daemon reads them.

Examples:
  gazetteer zone check zones/example.com.zone --apex example.com
  gazetteer zone list --config /etc/gazetteer/gazetteer.toml
  gazetteer zone show example.com --config /etc/gazetteer/gazetteer.toml";

/// What to do with zones.
#[derive(Debug, Subcommand)]
pub(super) enum Zone {
    /// List every problem of a master file
    Check {
        /// The master file.
        file: PathBuf,
        /// The apex of its zone; without it, the name of the file less `.zone`.
        #[arg(long)]
        apex: Option<NameBuf>,
    },
    /// List the zones of a configuration that have static records
    List {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Print the static records of a zone as a master file
    Show {
        /// The apex.
        apex: NameBuf,
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}
