//! The arguments of every command, and its help.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::check_arguments::{CHECK, CheckArguments};
use super::clusters_arguments::{CLUSTERS, ClustersArguments};
use super::daemon_arguments::endpoint;
pub(super) use super::daemon_arguments::{Daemon, Output};
use super::host_arguments::HostPlace;
use super::join_arguments::{JOIN, Join, UNJOIN, Unjoin};
use super::keys_arguments::{KEYS, KeysArguments};
use super::override_help as help;
use super::zone_arguments::{ZONE, Zone};
use crate::model::OverrideTarget;
use crate::names::Label;
use crate::telemetry;

/// What the program is, for `--help`.
const ABOUT: &str = "\
gazetteer answers DNS queries for services that run in several Kubernetes clusters.

It watches member clusters and serves names of the form

    service.namespace.federation.svc[.zone][.region].apex

with the addresses of healthy load balancers. Where a zone has none it answers with a CNAME to the \
region, and where the region has none, to the global name.";

/// Examples of the program, for `--help`.
const EXAMPLES: &str = "\
Examples:
  gazetteer serve zones/demo.toml
      Start the built-in example, then ask it:
      dig @127.0.0.1 -p 5300 my-service.my-namespace.my-federation.svc.europe-west1-d.example.com

  gazetteer check /etc/gazetteer/gazetteer.toml
      List every problem of a configuration, with file, line and column; with --live, look at the
      whole federation.

  gazetteer join gce-europe-west1 --context admin@gce-europe-west1 --config gazetteer.toml
      Make a cluster a member.

  gazetteer clusters
      Show the member clusters of the running daemon.

  gazetteer explain my-service.my-namespace.my-federation.svc.example.com --from 203.0.113.9
      Explain how a query of that client is answered.

  gazetteer drain region/europe-west1 --over 10m
      Gradually remove the members of a region from answers.";

/// Examples of `serve`.
const SERVE_EXAMPLES: &str = "\
Once its sockets are bound it prints one line of JSON on standard output, with the addresses it is
bound to, and the same line with \"ready\":true when it is ready:

  {\"ready\":false,\"dns\":[\"127.0.0.1:5300\"],\"admin\":\"127.0.0.1:9153\"}

Signals:
  HUP        reload the configuration (a change of the file does the same); an invalid file is
             rejected, the running configuration stays in force; listeners need a restart
  TERM       return 503 from /readyz, go on serving for `shutdown-delay`, then exit; a second one
             exits at once
  INT        as TERM, without the delay

Examples:
  gazetteer serve zones/demo.toml
  gazetteer serve /etc/gazetteer/gazetteer.toml --log-format json --log gazetteer=debug,kube=warn";

/// Examples of `explain`.
const EXPLAIN_EXAMPLES: &str = "\
It says which level answers, which members were candidates, why each was left out, and shows the
response as dig would. It runs the code that answers queries, on the same snapshot.

With --config it needs no daemon and contacts no API: it reads the facts files of the configuration
and the last facts of the other members in `state-dir`, and says how old those are.

Examples:
  gazetteer explain my-service.my-namespace.my-federation.svc.europe-west1-d.example.com
  gazetteer explain _http._tcp.my-service.my-namespace.my-federation.svc.example.com SRV
  gazetteer explain my-service.my-namespace.my-federation.svc.example.com AAAA --from 2001:db8::7
  gazetteer explain my-service.my-namespace.my-federation.svc.cluster.local --listener vm-ams
  gazetteer explain example.com NS --config zones/demo.toml";

/// Examples of `stub`.
const STUB_EXAMPLES: &str = "\
It forwards every apex, the domains of clustersets, and the zones of federations in the member's
`cluster-domain`, to the listeners that are bound to the member. Without one it forwards to the
others, and CoreDNS then names the member in each query, by an EDNS option that gazetteer accepts
from the networks in `listen.trusted`. Nothing is contacted.

Examples:
  gazetteer stub corefile --config /etc/gazetteer/gazetteer.toml --member gce-europe-west1
  gazetteer stub unbound --config gazetteer.toml --member vm-ams --address 10.0.0.53";

/// Examples of `schema`.
const SCHEMA_EXAMPLES: &str = "\
What keys say of each other it does not know: `gazetteer check` has the last word.

Examples:
  gazetteer schema > gazetteer.schema.json
      Then begin the configuration with this line, which editors know:
      #:schema gazetteer.schema.json
  gazetteer schema fragment > fragment.schema.json";

/// The program.
#[derive(Debug, Parser)]
#[command(name = "gazetteer", version, about = ABOUT.lines().next(), long_about = ABOUT)]
#[command(after_help = EXAMPLES, max_term_width = 100, arg_required_else_help = true)]
pub(super) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve DNS as configured
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(ServeArguments),
    /// Check a configuration and list every problem; with --live, the whole federation
    #[command(after_help = CHECK)]
    Check(Box<CheckArguments>),
    /// Show the member clusters of the running daemon
    #[command(after_help = CLUSTERS)]
    Clusters(ClustersArguments),
    /// Join a cluster as a member: make its ServiceAccount and token, and prove them
    #[command(after_help = JOIN)]
    Join(Box<Join>),
    /// Take a member away, and what `join` made in it
    #[command(after_help = UNJOIN)]
    Unjoin(Unjoin),
    /// Explain how a query is answered
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(ExplainArguments),
    /// Gradually remove a member, region, zone or service from answers
    #[command(after_help = help::DRAIN)]
    Drain(DrainArguments),
    /// Remove a member, region, zone or service from answers immediately
    #[command(after_help = help::CORDON)]
    Cordon(CordonArguments),
    /// Revert a drain or cordon
    #[command(after_help = help::UNCORDON)]
    Uncordon {
        /// What: as for `drain`
        target: OverrideTarget,
        /// Where the daemon is.
        #[command(flatten)]
        order: Order,
    },
    /// Stop answers from changing
    #[command(after_help = help::FREEZE)]
    Freeze {
        /// Thaw after this time
        #[arg(long = "for", value_name = "DURATION", value_parser = help::lasting)]
        lasting: Option<Duration>,
        /// Where the daemon is.
        #[command(flatten)]
        order: Order,
    },
    /// Let answers change again
    #[command(after_help = help::THAW)]
    Thaw {
        /// Where the daemon is.
        #[command(flatten)]
        order: Order,
    },
    /// Apply removals that are held back because too many came at once
    #[command(after_help = help::CONFIRM)]
    Confirm {
        /// The member
        member: Label,
        /// Where the daemon is.
        #[command(flatten)]
        order: Order,
    },
    /// Show what operators have drained, cordoned and frozen
    #[command(after_help = help::OVERRIDES)]
    Overrides {
        /// Where the daemon is.
        #[command(flatten)]
        daemon: Daemon,
        /// Output format
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
    /// Show recent state changes
    #[command(after_help = help::EVENTS)]
    Events(EventsArguments),
    /// Make, roll and show the DNSSEC keys of zones
    #[command(after_help = KEYS)]
    Keys(KeysArguments),
    /// Print what the DNS server of a member needs to forward names to gazetteer
    #[command(after_help = STUB_EXAMPLES)]
    Stub(StubArguments),
    /// Check, list and show static records of zones
    #[command(after_help = ZONE)]
    Zone {
        /// What to do.
        #[command(subcommand)]
        command: Zone,
    },
    /// Write man pages, one for each command
    #[command(after_help = "Examples:\n  gazetteer man /usr/local/share/man/man1")]
    Man {
        /// The folder to write into
        folder: PathBuf,
    },
    /// Print the JSON Schema of the configuration, for editors
    #[command(after_help = SCHEMA_EXAMPLES)]
    Schema {
        /// What it is of
        #[arg(value_enum, default_value_t)]
        of: SchemaOf,
    },
    /// Print completions for a shell
    #[command(
        after_help = "Examples:\n  gazetteer completions bash > /etc/bash_completion.d/gazetteer"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// The arguments of `serve`.
#[derive(Debug, Args)]
pub(super) struct ServeArguments {
    /// The configuration
    pub(super) file: PathBuf,
    /// Format of the logs on standard error
    #[arg(
        long,
        value_enum,
        default_value_t,
        env = "GAZETTEER_LOG_FORMAT",
        hide_env_values = true
    )]
    pub(super) log_format: LogFormatArgument,
    /// Log level, or levels by module as in `gazetteer=debug,kube=warn`
    #[arg(
        long,
        default_value = "info,kube_client=error",
        env = "RUST_LOG",
        value_name = "FILTER",
        hide_env_values = true
    )]
    pub(super) log: String,
}

/// The arguments of `explain`.
#[derive(Debug, Args)]
pub(super) struct ExplainArguments {
    /// The name that is asked
    pub(super) name: String,
    /// The type that is asked
    #[arg(default_value = "A", value_name = "TYPE")]
    pub(super) qtype: String,
    /// The address of the client that asks
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(super) from: IpAddr,
    /// Ask at the address of `listen.dns` that is bound to this member; without it, at one that is
    /// bound to none
    #[arg(long, value_name = "MEMBER")]
    pub(super) listener: Option<Label>,
    /// Explain from this configuration, without a daemon
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Where the daemon is.
    #[command(flatten)]
    pub(super) daemon: Daemon,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    pub(super) output: Output,
}

/// The arguments of `drain`.
#[derive(Debug, Args)]
pub(super) struct DrainArguments {
    /// How long its share takes to fall from all to none
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = help::over)]
    pub(super) over: Duration,
    /// What, and for how long.
    #[command(flatten)]
    pub(super) cordon: CordonArguments,
}

/// The arguments of `cordon`.
#[derive(Debug, Args)]
pub(super) struct CordonArguments {
    /// What: MEMBER, region/REGION, zone/ZONE or service/NAMESPACE/NAME
    pub(super) target: OverrideTarget,
    /// Revert it after this time
    #[arg(long = "for", value_name = "DURATION", value_parser = help::lasting)]
    pub(super) lasting: Option<Duration>,
    /// Where the daemon is.
    #[command(flatten)]
    pub(super) order: Order,
}

/// The arguments of `events`.
#[derive(Debug, Args)]
pub(super) struct EventsArguments {
    /// Number of events
    #[arg(short = 'n', value_name = "NUMBER", default_value_t = 20)]
    pub(super) last: usize,
    /// Keep showing new events
    #[arg(short, long)]
    pub(super) follow: bool,
    /// Where the daemon is.
    #[command(flatten)]
    pub(super) daemon: Daemon,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    pub(super) output: Output,
}

/// The arguments of `stub`.
#[derive(Debug, Args)]
pub(super) struct StubArguments {
    /// The DNS server
    #[arg(value_enum, value_name = "SERVER")]
    pub(super) server: StubServer,
    /// The configuration of gazetteer
    #[arg(long, value_name = "FILE")]
    pub(super) config: PathBuf,
    /// The member whose DNS it is
    #[arg(long)]
    pub(super) member: Label,
    /// Where that DNS reaches gazetteer, if the configuration does not say; may be repeated
    #[arg(long = "address", value_name = "ADDRESS[:PORT]", value_parser = endpoint)]
    pub(super) addresses: Vec<(IpAddr, Option<u16>)>,
}

/// A DNS server that forwards to gazetteer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum StubServer {
    /// CoreDNS: server blocks
    Corefile,
    /// kube-dns: its config map
    KubeDns,
    /// Unbound: stub zones
    Unbound,
    /// BIND: forward zones
    Bind,
    /// dnsmasq: servers for domains
    Dnsmasq,
    #[value(help = "PowerDNS Recursor: forward zones")]
    PdnsRecursor,
    /// systemd-resolved: a delegate, of systemd 258 and later
    SystemdResolved,
}

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum SchemaOf {
    /// The configuration
    #[default]
    Configuration,
    /// A file of the members folder
    Fragment,
}

/// Whom a command is given to, and how the outcome is shown.
#[derive(Debug, Args)]
pub(super) struct Order {
    /// Where the daemon is.
    #[command(flatten)]
    pub(super) daemon: Daemon,
    /// Where all replicas learn of it.
    #[command(flatten)]
    pub(super) host: HostPlace,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    pub(super) output: Output,
}

/// A form of logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum LogFormatArgument {
    /// For people
    #[default]
    Text,
    /// One JSON object per line
    Json,
}

impl From<LogFormatArgument> for telemetry::LogFormat {
    fn from(format: LogFormatArgument) -> Self {
        match format {
            LogFormatArgument::Text => Self::Text,
            LogFormatArgument::Json => Self::Json,
        }
    }
}
