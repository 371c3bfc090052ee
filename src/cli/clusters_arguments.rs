//! The arguments of `clusters`, and their help.

use clap::{Args, ValueEnum};

use super::cluster_columns::Column;
use super::daemon_arguments::Daemon;

/// Examples of `clusters`.
pub(super) const CLUSTERS: &str = "\
Columns:
  STATUS    Syncing      no facts yet
            NeverSynced  no facts within `sync-timeout`: counts as empty
            Ready        in contact: its services are followed
            Held         not in contact, the last facts are served
            Lost         not in contact for longer than `hold`: served where nothing better is left
            Returning    in contact again, and listing
            and, after a comma, Draining or Drained by an operator (gazetteer overrides)
  VERSION   of its API server, last known; - for files
  AGE       since it first synced
  SERVICES  exported to any federation

With -o wide also:
  READY     whether STATUS is Ready: True or False
  CONTACT   since its API last answered; - for files
  TOKEN     how long its token or client certificate is still good; - where it has no end
  ORIGIN    config, folder, secret/NAME or profile/NAME: where the member comes from

Examples:
  gazetteer clusters
  gazetteer clusters -o wide
  gazetteer clusters --columns name,age,ready,version
  gazetteer clusters --admin 127.0.0.1:9153 -o json";

/// The arguments of `clusters`.
#[derive(Debug, Args)]
pub(super) struct ClustersArguments {
    /// Where the daemon is.
    #[command(flatten)]
    pub(super) daemon: Daemon,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    pub(super) output: ClustersOutput,
    #[arg(
        long,
        help = "Show these columns, in this order, separated by commas; the head of `version` is \
                KUBERNETES-VERSION then, as in KubeFed's table",
        value_enum,
        value_delimiter = ',',
        value_name = "COLUMN,…",
        conflicts_with = "output",
        hide_possible_values = true
    )]
    pub(super) columns: Vec<Column>,
}

/// A form of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum ClustersOutput {
    /// For people
    #[default]
    Text,
    /// For people, with more columns
    Wide,
    /// For programs
    Json,
}
