//! The arguments of `check`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

use super::daemon_arguments::{Daemon, endpoint};
use super::override_help::lasting;
use crate::names::Label;
use crate::operate::{CHECKS, CheckId};

/// The port of DNS (RFC 1035, 4.2).
const DNS: u16 = 53;

/// Examples of `check`.
pub(super) const CHECK: &str = "\
Without --live nothing is contacted: the facts files of members, the fragments of the members folder
and the kubeconfigs are checked too.

With --live the daemon, if one runs here, and the APIs of all members are asked, with the daemon's
own credentials; so is the host cluster, whose members are looked at too. Each line begins with how it is:

  √ ok  ‼ worth a look  × wrong  - not looked at      (with --ascii: ok !! xx --)

docs/checks.md describes each check, and how to mend what it finds.

Exit status: 0 nothing is wrong, 1 something is, 2 invalid arguments.

Examples:
  gazetteer check zones/demo.toml
  gazetteer check /etc/gazetteer/gazetteer.toml --live
  gazetteer check gazetteer.toml --live --member gce-europe-west1 --wait 5m -o short";

/// The arguments of `check`.
#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    /// The configuration
    pub(super) file: PathBuf,
    /// Look at the running daemon and at all members too
    #[arg(long)]
    pub(super) live: bool,
    /// What is looked at, and how.
    #[command(flatten)]
    pub(super) live_arguments: LiveArguments,
    /// Where the daemon is.
    #[command(flatten)]
    pub(super) daemon: Daemon,
}

/// What is looked at, and how.
#[derive(Debug, Args)]
pub(super) struct LiveArguments {
    /// These checks alone, and what they need
    #[arg(long, value_name = "ID,…", requires = "live", value_delimiter = ',', value_parser = id(), hide_possible_values = true)]
    pub(super) only: Vec<CheckId>,
    /// These members alone
    #[arg(long, value_name = "NAME,…", requires = "live", value_delimiter = ',')]
    pub(super) member: Vec<Label>,
    /// The DNS server of a member, at which its pods ask; may be repeated
    #[arg(long, value_name = "MEMBER=ADDRESS[:PORT]", requires = "live", value_parser = through)]
    pub(super) through: Vec<(Label, SocketAddr)>,
    /// A server of the zone above an apex; may be repeated
    #[arg(long, value_name = "ADDRESS[:PORT]", requires = "live", value_parser = server)]
    pub(super) parent: Vec<SocketAddr>,
    /// A resolver of clients; may be repeated
    #[arg(long, value_name = "ADDRESS[:PORT]", requires = "live", value_parser = server)]
    pub(super) resolver: Vec<SocketAddr>,
    /// Context of the host cluster: read which members there are with the operator's rights, where the
    /// daemon's way there is not open from here
    #[arg(long, value_name = "CONTEXT", requires = "live")]
    pub(super) host_context: Option<String>,
    /// The operator's kubeconfig; without it KUBECONFIG, else ~/.kube/config
    #[arg(long, value_name = "FILE", requires = "host_context")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// How long one check may take
    #[arg(long, value_name = "DURATION", requires = "live", default_value = "10s", value_parser = lasting)]
    pub(super) timeout: Duration,
    /// Repeat what is wrong until it passes, for so long
    #[arg(long, value_name = "DURATION", requires = "live", value_parser = lasting)]
    pub(super) wait: Option<Duration>,
    /// What is worth a look is wrong too
    #[arg(long, requires = "live")]
    pub(super) strict: bool,
    /// Print ASCII alone, as where the locale is not UTF-8
    #[arg(long, requires = "live")]
    pub(super) ascii: bool,
    /// Output format
    #[arg(short, long, value_enum, requires = "live", default_value_t)]
    pub(super) output: CheckOutput,
}

/// A form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum CheckOutput {
    /// For people
    #[default]
    Text,
    /// For people, without what is as it should be
    Short,
    /// For programs
    Json,
}

/// Reads a check.
fn id() -> impl TypedValueParser<Value = CheckId> {
    let names = CHECKS.iter().map(|id| id.name());
    PossibleValuesParser::new(names).map(|name| {
        let mut ids = CHECKS.iter().copied();
        // The parser lets through nothing else.
        ids.find(|id| id.name() == name).unwrap_or(CheckId::Config)
    })
}

/// Reads the address of a DNS server.
fn server(text: &str) -> Result<SocketAddr, String> {
    let (address, port): (IpAddr, Option<u16>) = endpoint(text)?;
    Ok(SocketAddr::new(address, port.unwrap_or(DNS)))
}

/// Reads a member and the address of its DNS server.
fn through(text: &str) -> Result<(Label, SocketAddr), String> {
    let parts = text.split_once('=');
    let (member, address) =
        parts.ok_or("expected MEMBER=ADDRESS, as in gce-us-central1=10.96.0.10")?;
    let member = member
        .parse()
        .map_err(|error| format!("member {member:?}: {error}"))?;
    Ok((member, server(address)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_have_the_port_of_dns_unless_they_have_another() {
        assert_eq!(server("10.96.0.10").unwrap().port(), 53);
        assert_eq!(server("[fd00::53]:5353").unwrap().port(), 5353);
        let (member, address) = through("m=10.96.0.10:54").unwrap();
        assert_eq!((member.as_str(), address.port()), ("m", 54));
        for wrong in ["10.96.0.10", "=10.96.0.10", "a@b=10.96.0.10", "m=x", "m="] {
            assert!(through(wrong).is_err(), "{wrong}");
        }
    }
}
