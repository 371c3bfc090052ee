//! The arguments of `keys`, and their help.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::daemon_arguments::Output;
use super::override_help::lasting;
use crate::dnssec::{Algorithm, DsDigest};
use crate::wire::NameBuf;

/// What `keys` is about, and examples.
pub(super) const KEYS: &str = "\
Keys are files in the folder `dnssec.keys` of the configuration. These commands change files alone;
the daemon watches them, and replicas that share them agree on every step. Nothing that needs the
parent happens before its DS records say so: `tend` asks the name servers in `parent` of the
[[zone]], or `ds-seen` says that they have it.

Examples:
  gazetteer keys generate example.com
      Make the first key; then give what `keys ds example.com` prints to the parent.

  gazetteer keys list
      What each key is, and its next step.

  gazetteer keys roll example.com
      Make a successor; the rest follows from the clock and the parent.

  gazetteer keys unsign example.com
      Ask the parent to delete its DS records, and stop signing once they are gone.";

/// The arguments of `keys`.
#[derive(Debug, Args)]
pub(super) struct KeysArguments {
    /// The configuration of the daemon
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/gazetteer/gazetteer.toml",
        env = "GAZETTEER_CONFIG",
        hide_env_values = true,
        global = true
    )]
    pub(super) config: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub(super) command: KeysCommand,
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Make the first key of a zone
    Generate(NewKeyArguments),
    /// Begin to replace the key of a zone: make its successor
    Roll(NewKeyArguments),
    /// Show keys, what each is, and its next step
    List {
        /// The zone; without it, all
        #[arg(value_parser = zone)]
        zone: Option<NameBuf>,
        /// Output format
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
    /// Print the DS record for the parent of a zone, and the DNSKEY record that it is of
    Ds {
        /// The zone
        #[arg(value_parser = zone)]
        zone: NameBuf,
        /// The digest of the DS record
        #[arg(long, value_enum, default_value_t)]
        digest: DigestArgument,
        /// Output format
        #[arg(short, long, value_enum, default_value_t)]
        output: DsOutput,
    },
    /// Say that all name servers of the parent have the DS record of a key
    DsSeen {
        /// The key
        #[command(flatten)]
        key: KeyArgument,
        /// TTL of the DS record at the parent
        #[arg(long, value_name = "DURATION", value_parser = lasting)]
        ttl: Duration,
    },
    /// Take in a key: BIND's pair of files, or PKCS#8 in PEM
    Import {
        /// The files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The zone
        #[arg(value_parser = zone)]
        zone: NameBuf,
    },
    /// Write a key as BIND's pair of files, or as PKCS#8 in PEM
    Export {
        /// The key
        #[command(flatten)]
        key: KeyArgument,
        /// The format
        #[arg(long, value_enum)]
        format: FormatArgument,
        /// The folder to write into
        #[arg(long, value_name = "FOLDER", default_value = ".")]
        folder: PathBuf,
    },
    /// Make successors that are due, set times, and ask parents for DS records
    Tend,
    /// Ask the parent to delete its DS records, and stop signing once they are gone
    Unsign {
        /// The zone
        #[arg(value_parser = zone)]
        zone: NameBuf,
    },
}

/// Which key is made.
#[derive(Debug, Args)]
pub(super) struct NewKeyArguments {
    /// The zone
    #[arg(value_parser = zone)]
    pub(super) zone: NameBuf,
    /// Its algorithm, ECDSAP256SHA256 or ED25519; without it, that of the configuration
    #[arg(long, value_name = "ALGORITHM")]
    pub(super) algorithm: Option<Algorithm>,
}

/// Which key is meant.
#[derive(Debug, Args)]
pub(super) struct KeyArgument {
    /// The tag of the key
    pub(super) tag: u16,
    /// Its zone, where keys of several zones have that tag
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    pub(super) zone: Option<NameBuf>,
}

/// A form in which DS records are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum DsOutput {
    /// For zone files: a DS and a DNSKEY record
    #[default]
    Text,
    /// For programs
    Json,
    /// For `delv -a` and `named.conf`
    TrustAnchors,
}

/// A digest of DS records.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(super) enum DigestArgument {
    /// SHA-256
    #[default]
    Sha256,
    /// SHA-384
    Sha384,
}

impl From<DigestArgument> for DsDigest {
    fn from(digest: DigestArgument) -> Self {
        match digest {
            DigestArgument::Sha256 => Self::Sha256,
            DigestArgument::Sha384 => Self::Sha384,
        }
    }
}

/// A format of keys.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum FormatArgument {
    /// BIND's pair of files
    Bind,
    /// PKCS#8 in PEM
    Pem,
}

/// Reads the name of a zone.
fn zone(text: &str) -> Result<NameBuf, String> {
    let zone: NameBuf = text
        .parse()
        .map_err(|error: crate::wire::NameError| error.to_string())?;
    if zone == NameBuf::root() {
        return Err("expected a domain name other than the root".to_owned());
    }
    Ok(zone)
}
