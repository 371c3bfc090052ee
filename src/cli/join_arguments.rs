//! The arguments of `join` and `unjoin`, and their help.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::daemon_arguments::{Daemon, Output};
use super::override_help::lasting;
use crate::names::Label;
use crate::operate::{member_name, object_name};

/// The shortest life of a token that an API server grants.
const SHORTEST: Duration = Duration::from_secs(600);

/// Examples of `join`.
pub(super) const JOIN: &str = "\
In the member it makes a ServiceAccount that may read what gazetteer reads, and nothing else, and a
token of it; the token is proven before the daemon's side learns of it. What is there already stays:
given again, the command changes nothing.

The daemon's side is a fragment and a kubeconfig in `members.d` beside the configuration, or a Secret
in a host cluster. A kubeconfig of the operator is only used, never copied.

Exit status: 0 joined, 1 not joined (given again it goes on from there), 2 invalid arguments.

Examples:
  gazetteer join gce-europe-west1 --context admin@gce-europe-west1 --config gazetteer.toml
  gazetteer join --context admin@kind-a --host-context admin@host
  gazetteer join gce-europe-west1 --context admin@gce-europe-west1 --config gazetteer.toml --renew
  gazetteer join --print-rbac | kubectl apply -f -";

/// Examples of `unjoin`.
pub(super) const UNJOIN: &str = "\
It says first which services only this member has, and wants --yes if there are any. Then it removes
what `join` made: the daemon's side, and in the member what has the label of this installation; the
ClusterRole too, once nobody is bound to it.

With --force a member that cannot be reached leaves too, and the commands that clean its side are
printed.

Exit status: 0 gone, 1 not, 2 invalid arguments.

Examples:
  gazetteer unjoin gce-europe-west1 --config gazetteer.toml
  gazetteer unjoin gce-europe-west1 --config gazetteer.toml --force";

/// Where the daemon's members are written down.
#[derive(Debug, Args)]
#[group(id = "side")]
pub(super) struct Side {
    /// The configuration of the daemon: its members are in `members.d` beside it
    #[arg(long, value_name = "FILE", conflicts_with = "host_context")]
    pub(super) config: Option<PathBuf>,
    /// Context of the host cluster, in which a Secret is the member
    #[arg(long, value_name = "CONTEXT")]
    pub(super) host_context: Option<String>,
    /// Namespace of the Secrets in the host cluster
    #[arg(long, value_name = "NAMESPACE", default_value = "gazetteer", value_parser = label)]
    pub(super) host_namespace: Label,
    /// The operator's kubeconfig; without it KUBECONFIG, else ~/.kube/config
    #[arg(long, value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,
}

/// The arguments of `join`.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command"
)]
pub(super) struct Join {
    /// The member; without it, the ClusterProperty `cluster.clusterset.k8s.io` of the cluster
    #[arg(value_parser = member_name)]
    pub(super) name: Option<Label>,
    /// The operator's context of the member
    #[arg(long, required_unless_present = "print_rbac")]
    pub(super) context: Option<String>,
    /// The daemon's side.
    #[command(flatten)]
    pub(super) side: Side,
    /// URL at which the daemon reaches the API, if that is another one
    #[arg(long, value_name = "URL", value_parser = server)]
    pub(super) server: Option<String>,
    /// Certificates that the API is verified by, instead of those of the kubeconfig
    #[arg(long, value_name = "FILE")]
    pub(super) ca_file: Option<PathBuf>,
    /// The name that the API's certificate is for, if that is not the host of its URL
    #[arg(long, value_name = "NAME")]
    pub(super) tls_server_name: Option<String>,
    /// Do not verify the API's certificate, neither here nor in the daemon
    #[arg(long, conflicts_with_all = ["ca_file", "tls_server_name"])]
    pub(super) insecure_skip_tls_verify: bool,
    /// Namespace of the ServiceAccount
    #[arg(long, default_value = "kube-system", value_parser = label)]
    pub(super) namespace: Label,
    /// ServiceAccount to use, instead of one of the installation's own
    #[arg(long, value_name = "NAME", value_parser = object_name)]
    pub(super) service_account: Option<String>,
    /// How long a token is asked for, 30d if not given; the cluster may grant less
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    pub(super) lifetime: Option<Duration>,
    /// Do not let the daemon renew its token
    #[arg(long, conflicts_with = "long_lived")]
    pub(super) no_renew: bool,
    /// Use a token that does not end, that of a Secret
    #[arg(long, conflicts_with = "lifetime")]
    pub(super) long_lived: bool,
    /// Replace the token though it is good
    #[arg(long)]
    pub(super) renew: bool,
    /// Region of the member, if its nodes are not to say it
    #[arg(long, value_parser = label)]
    pub(super) region: Option<Label>,
    /// Its zones, separated by commas
    #[arg(long, value_delimiter = ',', value_parser = label)]
    pub(super) zones: Vec<Label>,
    /// Replace a member of that name that is another cluster
    #[arg(long)]
    pub(super) replace: bool,
    /// How long to wait until the daemon says Ready
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = lasting)]
    pub(super) wait: Duration,
    /// Say what would be done, and write nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Print the objects of the member as YAML, and contact nothing
    #[arg(long, conflicts_with_all = ["host_context", "dry_run"])]
    pub(super) print_rbac: bool,
    /// Where the daemon is.
    #[command(flatten)]
    pub(super) daemon: Daemon,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    pub(super) output: Output,
}

/// The arguments of `unjoin`.
#[derive(Debug, Args)]
pub(super) struct Unjoin {
    /// The member
    #[arg(value_parser = member_name)]
    pub(super) name: Label,
    /// The operator's context of the member; without it, the one of its name or of its server
    #[arg(long)]
    pub(super) context: Option<String>,
    /// The daemon's side.
    #[command(flatten)]
    pub(super) side: Side,
    /// Also if services are left without a member
    #[arg(long)]
    pub(super) yes: bool,
    /// Leave the member's side as it is, and print the commands that clean it
    #[arg(long)]
    pub(super) force: bool,
    /// Say what would be done, and remove nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Where the daemon is.
    #[command(flatten)]
    pub(super) daemon: Daemon,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    pub(super) output: Output,
}

/// Reads how long a token is to live.
fn lifetime(text: &str) -> Result<Duration, String> {
    let read = lasting(text).ok().filter(|read| *read >= SHORTEST);
    read.ok_or_else(|| "not within 10m to 366d".to_owned())
}

/// Reads a region, a zone or a namespace.
fn label(text: &str) -> Result<Label, String> {
    text.parse().map_err(|error| format!("{text:?}: {error}"))
}

/// Reads the URL of an API.
fn server(text: &str) -> Result<String, String> {
    let has_host = |rest: &str| !rest.is_empty() && !rest.starts_with('/');
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    match rest {
        Some(rest) if has_host(rest) && !rest.contains(['@', ' ']) => Ok(text.to_owned()),
        _ => Err("expected a URL such as https://198.51.100.40:6443".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_is_read_strictly() {
        assert!(lifetime("9m").is_err() && lifetime("367d").is_err());
        assert_eq!(lifetime("30d"), Ok(Duration::from_secs(30 * 86_400)));
        assert!(server("198.51.100.40:6443").is_err() && server("https:///x").is_err());
        assert!(server("https://me@198.51.100.40").is_err());
        assert!(server("https://198.51.100.40:6443").is_ok());
        assert!(object_name("a.b-c").is_ok() && object_name("A").is_err());
    }
}
