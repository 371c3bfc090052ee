//! The configuration as the daemon uses it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::member_object::MemberObject;
use super::url::UrlSource;
use super::values::{DAY, HOUR};
use crate::dnssec::Algorithm;
use crate::model::{AddressPolicy, Fleet, FrontObject, MemberList, MemberOrigin, RateLimits};
use crate::names::Label;
use crate::wire::NameBuf;

/// A valid configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The file it came from.
    pub path: PathBuf,
    /// Where the last facts of every member are kept.
    pub state_dir: PathBuf,
    /// Resolvers of load balancer host names; none means the system's.
    pub resolvers: Vec<SocketAddr>,
    /// Sockets and their limits. Changes need a restart.
    pub listen: Listen,
    /// What clients may do, and what they are told.
    pub clients: ClientRules,
    /// Everything that names and answers depend on.
    pub fleet: Arc<Fleet>,
    /// Where the facts of each member come from, in the order of `fleet.members`.
    pub sources: Vec<MemberSource>,
    /// Where else members come from.
    pub membership: Membership,
    /// The GeoIP database.
    pub geoip: Option<PathBuf>,
    /// How long to go on serving after SIGTERM.
    pub shutdown_delay: Duration,
    /// How zones are signed.
    pub dnssec: DnssecSettings,
    /// What is said of zones beside their federations.
    pub zones: Vec<ZoneSettings>,
    /// Who the daemon is after its sockets are bound. Changes need a restart.
    pub account: Account,
}

impl Config {
    /// The zones that are signed, and how.
    pub fn signed_zones(&self) -> impl Iterator<Item = (&NameBuf, &ZoneSigning)> {
        let zones = self.zones.iter();
        zones.filter_map(|zone| Some((&zone.apex, zone.signing.as_ref()?)))
    }

    /// The zones that are not served to all, and the networks that they are served to.
    pub fn zones_allowed(&self) -> Vec<(NameBuf, Vec<IpNet>)> {
        let zones = self.zones.iter();
        let zones = zones.filter_map(|zone| Some((zone.apex.clone(), zone.allow.clone()?)));
        zones.collect()
    }
}

/// Where members come from beside `[[member]]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Membership {
    /// The folder of fragments, which need not be there.
    pub folder: PathBuf,
    /// The cluster whose objects are members too.
    pub host: Option<HostCluster>,
    /// The members that fragments have given, in their order.
    pub from_folder: Vec<Label>,
    /// The members that objects of the host cluster have given, in their order.
    pub from_host: Vec<(Label, MemberObject)>,
    /// Those of both whose file or object is gone, and that stay until an operator confirms it.
    pub withheld: Vec<Label>,
    /// What an operator should know of members that objects of the host cluster have given.
    pub warnings: Vec<(Label, String)>,
}

impl Membership {
    /// The `ConfigMap` of the host cluster with the overrides of all replicas: `NAMESPACE/NAME`.
    pub fn overrides_object(&self) -> Option<String> {
        let host = self.host.as_ref()?;
        let name = host.overrides.as_ref()?;
        Some(format!("{}/{name}", host.namespace))
    }

    /// Whether the host cluster is asked for a list of members.
    pub fn asks_host_for(&self, list: MemberList) -> bool {
        self.host.as_ref().is_some_and(|host| match list {
            MemberList::Folder => false,
            MemberList::Secrets => host.secrets.is_some(),
            MemberList::Profiles => host.profiles.is_some(),
        })
    }

    /// Where a member of this configuration comes from.
    pub fn origin(&self, member: &Label) -> MemberOrigin {
        if self.from_folder.contains(member) {
            return MemberOrigin::Folder;
        }
        let mut from_host = self.from_host.iter();
        let object = from_host.find(|(name, _)| name == member);
        match object.map(|(_, object)| object.clone()) {
            Some(MemberObject::Secret { name, .. }) => MemberOrigin::Secret(name),
            Some(MemberObject::Profile { name, .. }) => MemberOrigin::Profile(name),
            None => MemberOrigin::Config,
        }
    }
}

/// A cluster whose objects say which members there are, and what operators have overridden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCluster {
    /// Its API: a kubeconfig, or the cluster that this process runs in.
    pub source: Source,
    /// The namespace of all these objects.
    pub namespace: String,
    /// Secrets that are members.
    pub secrets: Option<SecretOrigin>,
    /// `ClusterProfile`s that are members.
    pub profiles: Option<ProfileOrigin>,
    /// Programs that give credentials of `ClusterProfile`s.
    pub providers: Vec<AccessProvider>,
    /// What a `proxy-url` in an object may be.
    pub proxies: Vec<String>,
    /// The `ConfigMap` with the overrides that all replicas share.
    pub overrides: Option<String>,
}

/// Which Secrets are members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretOrigin {
    /// A label selector; an empty one has them all.
    pub selector: String,
    /// The key of the kubeconfig. `*`: each key is a member, called as the key.
    pub key: String,
}

/// Which `ClusterProfile`s are members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileOrigin {
    /// A label selector; an empty one has them all.
    pub selector: String,
    /// Names of access providers, the preferred one first; never empty.
    pub access: Vec<String>,
}

/// Access providers that need no program: the first one counts where the file does not say.
pub(super) const BUILT_IN: [&str; 2] = ["secretreader", "kubeconfig-secretreader"];

impl ProfileOrigin {
    /// Whether Secrets have the credentials of any: those of the access providers that are built in.
    pub fn names_secrets(&self) -> bool {
        self.access.iter().any(|name| BUILT_IN.contains(&&**name))
    }
}

/// A program that gives credentials (client.authentication.k8s.io).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessProvider {
    /// What objects call it.
    pub name: String,
    /// The program: a path, or a name that is looked for in `PATH`.
    pub command: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// More variables of its environment.
    pub env: Vec<(String, String)>,
}

/// A user and a group, each a name or a number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Account {
    /// The user; `None` is whoever starts the daemon.
    pub user: Option<String>,
    /// The group; `None` is that of the user.
    pub group: Option<String>,
}

/// How zones are signed, all of them alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnssecSettings {
    /// The folder of key files.
    pub keys: PathBuf,
    /// How long after its slot begins a signature expires: twice `refresh` to 30 days.
    pub validity: Duration,
    /// How often signatures are renewed: an hour at least.
    pub refresh: Duration,
    /// How long a change takes from its file to all servers of a zone.
    pub propagation: Duration,
    /// TTL of the DNSKEY, CDS and CDNSKEY RRsets: whole seconds, a day at most.
    pub dnskey_ttl: Duration,
    /// Places for signatures of names that exist. Changes need a restart.
    pub cache: usize,
    /// Threads that sign; 0 is one for every four cores. Changes need a restart.
    pub signers: usize,
    /// Signatures of absent names that each of these threads makes in a second.
    pub absent_signatures: u32,
    /// Whether the daemon makes successors of keys and asks parents for DS records; `None`: where it can
    /// write the folder.
    pub tend: Option<bool>,
}

impl Default for DnssecSettings {
    /// What holds where the file says nothing, with the keys in the present folder.
    fn default() -> Self {
        Self {
            keys: PathBuf::new(),
            validity: DAY * 4,
            refresh: DAY,
            propagation: HOUR,
            dnskey_ttl: HOUR,
            cache: 65_536,
            signers: 0,
            absent_signatures: 10_000,
            tend: None,
        }
    }
}

/// What is said of a zone beside its federations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneSettings {
    /// Its apex.
    pub apex: NameBuf,
    /// Its master file, if it has static records.
    pub file: Option<PathBuf>,
    /// How it is signed; `None`: it is not.
    pub signing: Option<ZoneSigning>,
    /// Networks of the clients that it is served to; `None` is all.
    pub allow: Option<Vec<IpNet>>,
}

/// How a zone is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneSigning {
    /// The algorithm of its next key.
    pub algorithm: Algorithm,
    /// When its key is replaced.
    pub rollover: Rollover,
    /// Name servers of the zone above: they are asked for DS records, and all must answer.
    pub parent: Vec<SocketAddr>,
}

/// When a key is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rollover {
    /// When an operator says so.
    Manual,
    /// At this age: a week to ten years.
    Every(Duration),
}

/// Sockets and their limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// UDP and TCP addresses.
    pub dns: Vec<DnsListener>,
    /// The admin API, read-only.
    pub admin: Option<SocketAddr>,
    /// Names under which the admin API is asked, in lower case.
    pub admin_hosts: Vec<String>,
    /// Who may say where they are.
    pub trusted: Vec<IpNet>,
    /// Name server identifier (RFC 5001).
    pub nsid: Option<String>,
    /// Whether `_client` exists in each apex (docs/names.md, D.2).
    pub has_client_name: bool,
    /// UDP threads for each address; 0 is one per core.
    pub workers: usize,
    /// TCP connections at once, all clients together.
    pub tcp_connections: usize,
    /// TCP connections at once from one client address.
    pub tcp_connections_per_client: usize,
    /// How long a TCP connection may be idle.
    pub tcp_idle: Duration,
    /// Octets of datagrams that the kernel may hold for each UDP thread. `None` is 4 MiB, or as
    /// much of it as the kernel gives.
    pub udp_receive_buffer: Option<usize>,
}

impl Listen {
    /// Which addresses count for clients of these sockets.
    pub(super) fn address_policy(&self) -> AddressPolicy {
        AddressPolicy::of_listeners(self.dns.iter().map(|listener| listener.address.ip()))
    }
}

/// What clients may do, and what they are told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientRules {
    /// Networks of clients that are told what others are not.
    pub diagnostics: Vec<IpNet>,
    /// The file of the secrets of cookies (RFC 9018) that servers share; without one they are our own.
    pub cookie_secrets: Option<PathBuf>,
    /// The longest response over UDP, in octets, to clients that have not proved their address by a cookie.
    pub max_without_cookie: Option<u16>,
    /// The domain to which resolvers report what fails (RFC 9567).
    pub report_channel: Option<NameBuf>,
    /// How many responses the clients of a network get.
    pub rate_limits: RateLimits,
}

/// One DNS address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsListener {
    /// Port 0 takes a free one, the same for UDP and TCP.
    pub address: SocketAddr,
    /// Clients of this listener are in this member.
    pub member: Option<Label>,
    /// Networks of the clients that it serves; `None` serves all.
    pub allow: Option<Vec<IpNet>>,
    /// Whether it is left out where the kernel does not know its address family: so are defaults,
    /// which nobody asked for.
    pub is_optional: bool,
}

/// Where the facts of a member come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberSource {
    /// The member.
    pub member: Label,
    /// Its region and zones are configured, so its nodes need not be watched.
    pub has_topology: bool,
    /// Octets that what its API says may hold in memory.
    pub facts_limit: u64,
    /// Whether the token of its ServiceAccount is renewed, where its source has one that expires.
    pub renews: bool,
    /// Networks of the addresses that its services may name themselves.
    pub addresses_from: Vec<IpNet>,
    /// What stands in front of all its services.
    pub front: Option<FrontObject>,
    /// Its source.
    pub source: Source,
}

/// A kind of source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The API that a kubeconfig context names.
    Kubeconfig {
        /// The kubeconfig file.
        path: PathBuf,
        /// Any context name.
        context: String,
    },
    /// The API of the cluster that this process runs in.
    InCluster,
    /// The API that an object of the host cluster names.
    Object {
        /// The object.
        object: MemberObject,
    },
    /// A facts file.
    File {
        /// The file.
        path: PathBuf,
    },
    /// A facts document that a server has.
    Url(Box<UrlSource>),
}

impl Source {
    /// Whether it is an API of Kubernetes.
    pub fn is_kubernetes(&self) -> bool {
        match self {
            Self::Kubeconfig { .. } | Self::InCluster | Self::Object { .. } => true,
            Self::File { .. } | Self::Url(_) => false,
        }
    }
}

/// What facts of a file are known by in the state folder: its path, wherever this process was
/// started from.
pub fn file_origin(path: &Path) -> String {
    let absolute = std::path::absolute(path);
    absolute.as_deref().unwrap_or(path).display().to_string()
}
