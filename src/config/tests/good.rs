//! Files that are right, and what becomes of them.

use std::path::Path;
use std::time::Duration;

use crate::config::{Config, Source, UrlSource, parse};
use crate::model::{ExportMode, GeoCode, Policy, RegionCost, SrvForm, WhenAllDown};

/// Every key of a configuration file.
pub(super) const EVERY_KEY: &str = r#"
version = "v1"
state-dir = "state"
resolver = ["192.0.2.1:53", "192.0.2.2"]
shutdown-delay = "2s"
locality = { region = "europe-west1", zone = "europe-west1-b" }

[membership]
folder = "members"
host = { kubeconfig = "host.kubeconfig", context = "host" }
namespace = "federation"
secrets = { selector = "istio/multiCluster=true", key = "*" }
cluster-profiles = { selector = "env in (prod)", access = ["google", "secretreader"] }
proxies = ["http://192.0.2.9:3128"]
overrides = "gazetteer-overrides"

[[membership.access-provider]]
name = "google"
command = "bin/gcp-auth"
args = ["--quiet"]
env.REGION = "eu"

[listen]
dns = ["127.0.0.1:5300", "[::1]:5300", { address = "127.0.0.1:0", member = "gce-europe-west1", allow = ["10.0.0.0/8"] }]
trusted = ["10.0.0.0/8", "192.0.2.7"]
nsid = "ams1"
admin = "127.0.0.1:9153"
workers = 2
tcp-connections = 100
tcp-connections-per-client = 10
tcp-idle = "3s"
udp-receive-buffer = 1048576
diagnostics = ["192.0.2.0/24"]
cookie-secrets = "cookies.hex"
max-without-cookie = 1232
report-channel = "errors.example.net"

[rate-limit]
positive = 100
denial = 50
referral = 20
error = 1000
burst = 1.5
slip = 1
exempt = ["private", "192.0.2.0/24"]
dry-run = true

[[federation]]
name = "my-federation"
apex = "example.com"
clusterset = "ClusterSet.local"
nameservers = [
  { name = "ns1.example.com", addresses = ["192.0.2.53", "2001:db8::53"] },
  { name = "ns2.example.net" },
]
hostmaster = "dns-admin.example.com"
export = "load-balancers"
ttl = "1m"
negative-ttl = "6s"
apex-ttl = "2h"
policy = "failover"
order = ["gce-europe-west1", "vm-ams"]
fence = ["Europe_West1"]
when-all-down = "last-known"
hold = "90s"
tcp-proof = "12h"
sync-timeout = "10s"
members = ["gce-*", "vm-ams"]
namespaces = ["prod-*"]
probe = { kind = "tcp", interval = "2s", timeout = "1s", down = 3, up = 2 }

[[network]]
cidrs = ["10.64.0.0/10"]
region = "europe-west1"
zone = "europe-west1-d"

[[network]]
cidrs = ["2001:db8::/32"]
member = "gce-europe-west1"

[[region]]
name = "us-east1"
zones = ["us-east1-b", "us-east1-c"]
location = { lat = 33.2, lon = -80 }
countries = ["US", "ca"]
continents = ["NA"]

[[cost]]
between = ["us-east1", "Europe_West1"]
cost = 40

[geoip]
database = "GeoLite2-City.mmdb"

[dnssec]
keys = "dnssec-keys"
validity = "5d"
refresh = "36h"
propagation = "10m"
dnskey-ttl = "2h"
cache = 4096
signers = 2
absent-signatures = 500
tend = false

[[zone]]
apex = "example.com"
file = "example.com.zone"
allow = ["192.0.2.0/24"]
dnssec = { algorithm = "ED25519", rollover = "90d", parent = ["192.0.2.1", "[2001:db8::1]:5353"] }

[[alias]]
name = "app.example.com"
service = "my-service.my-namespace.my-federation"
types = ["AAAA"]

[[member]]
name = "gce-europe-west1"
source = { kubeconfig = "members.kubeconfig", context = "admin@gce-europe-west1" }
namespaces = ["*"]

[[member]]
name = "vm-ams"
region = "DC1.Room_2"
zones = ["europe-west4-a"]
cidrs = ["10.40.0.0/16"]
gateway = { addresses = ["203.0.113.80", "2001:db8:80::1"], port = 15443 }
cluster-domain = "Cluster.local"
source = { file = "vm-ams.toml" }

[[member]]
name = "cmdb"
source = { url = "https://cmdb.example/facts.toml?dc=1", interval = "30s", timeout = "2s", token-file = "cmdb.token", ca = "cmdb-ca.pem", certificate = "cmdb.crt", key = "cmdb.key" }

[[member]]
name = "here"
region = "us-east1"
addresses-from = ["198.51.100.0/24", "2001:db8:7::/48"]
gateway = { object = "gateway/infra/public/https" }
source = { in-cluster = true }
"#;

/// A configuration that must be right, for the schema too.
pub(super) fn good(text: &str) -> Config {
    assert_eq!(super::schema::refusals(text), [""; 0], "{text}");
    parse(text, Path::new("etc/fed.toml")).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

#[test]
fn every_key_reaches_its_setting() {
    let config = good(EVERY_KEY);
    assert_eq!(config.state_dir, Path::new("etc/state"));
    assert_eq!(
        config.resolvers,
        ["192.0.2.1:53", "192.0.2.2:53"].map(|r| r.parse().unwrap())
    );
    assert_eq!(config.shutdown_delay, Duration::from_secs(2));
    let listen = &config.listen;
    assert_eq!(listen.dns.len(), 3);
    assert_eq!(
        listen.dns[2].member,
        Some("gce-europe-west1".parse().unwrap())
    );
    assert_eq!(
        listen.trusted,
        ["10.0.0.0/8", "192.0.2.7/32"].map(|n| n.parse().unwrap())
    );
    assert_eq!(listen.nsid.as_deref(), Some("ams1"));
    assert_eq!(listen.admin, Some("127.0.0.1:9153".parse().unwrap()));
    assert_eq!((listen.workers, listen.tcp_connections), (2, 100));
    assert_eq!(listen.tcp_connections_per_client, 10);
    assert_eq!(listen.tcp_idle, Duration::from_secs(3));
    assert_eq!(listen.udp_receive_buffer, Some(1 << 20));
    assert!(listen.dns.iter().all(|listener| !listener.is_optional));
    let allow = ["10.0.0.0/8"].map(|network| network.parse().unwrap());
    assert_eq!(listen.dns[2].allow.as_deref(), Some(&allow[..]));
    assert_eq!(listen.dns[0].allow, None);

    let clients = &config.clients;
    assert_eq!(clients.diagnostics, ["192.0.2.0/24".parse().unwrap()]);
    assert_eq!(clients.cookie_secrets, Some("etc/cookies.hex".into()));
    assert_eq!(clients.max_without_cookie, Some(1232));
    let channel = clients.report_channel.as_ref().map(ToString::to_string);
    assert_eq!(channel.as_deref(), Some("errors.example.net."));
    let limits = &clients.rate_limits;
    assert_eq!(limits.each, [100, 50, 20, 1000]);
    assert_eq!(
        (limits.burst, limits.slip, limits.is_dry_run),
        (150, 1, true)
    );
    assert_eq!(limits.exempt.len(), 10);

    let federation = &config.fleet.federations[0];
    assert_eq!(federation.apex.to_string(), "example.com.");
    let clusterset = federation.clusterset.as_ref().map(ToString::to_string);
    assert_eq!(clusterset.as_deref(), Some("clusterset.local."));
    assert_eq!(federation.nameservers.len(), 2);
    assert_eq!(federation.nameservers[0].addresses.len(), 2);
    assert_eq!(federation.hostmaster.to_string(), "dns-admin.example.com.");
    assert_eq!(federation.export, ExportMode::LoadBalancers);
    assert_eq!(federation.ttl, Duration::from_secs(60));
    assert_eq!(federation.negative_ttl, Duration::from_secs(6));
    assert_eq!(federation.apex_ttl, Duration::from_secs(7200));
    assert_eq!(federation.policy, Policy::Failover);
    assert_eq!(
        federation.order,
        ["gce-europe-west1", "vm-ams"].map(|m| m.parse().unwrap())
    );
    assert_eq!(
        federation.fence,
        Some(vec!["europe-west1".parse().unwrap()])
    );
    assert_eq!(federation.when_all_down, WhenAllDown::LastKnown);
    assert_eq!(federation.hold, Duration::from_secs(90));
    assert_eq!(federation.tcp_proof, Duration::from_secs(43_200));
    assert_eq!(federation.sync_timeout, Duration::from_secs(10));
    assert_eq!(
        (federation.members.len(), federation.namespaces.len()),
        (2, 1)
    );
}

#[test]
fn every_key_of_places_and_members_reaches_its_setting() {
    let config = good(EVERY_KEY);
    assert_eq!(config.fleet.regions[0].name.as_str(), "us-east1");
    assert_eq!(config.fleet.regions[0].zones.len(), 2);
    let codes = |codes: &[GeoCode]| codes.iter().map(GeoCode::to_string).collect::<Vec<_>>();
    assert_eq!(codes(&config.fleet.regions[0].countries), ["US", "CA"]);
    assert_eq!(codes(&config.fleet.regions[0].continents), ["NA"]);
    assert_eq!(
        config.fleet.costs,
        [RegionCost {
            between: ["us-east1", "europe-west1"].map(|region| region.parse().unwrap()),
            cost: 40,
        }]
    );
    assert_eq!(config.geoip, Some("etc/GeoLite2-City.mmdb".into()));
    let member = config
        .fleet
        .members
        .get(crate::model::MemberIdx(1))
        .unwrap();
    assert_eq!(member.region, Some("dc1-room-2".parse().unwrap()));
    assert_eq!(member.zones, ["europe-west4-a".parse().unwrap()]);
    let sources: Vec<_> = config.sources.iter().map(|member| &member.source).collect();
    let kubeconfig = Source::Kubeconfig {
        path: "etc/members.kubeconfig".into(),
        context: "admin@gce-europe-west1".to_owned(),
    };
    let file = Source::File {
        path: "etc/vm-ams.toml".into(),
    };
    let url = Source::Url(Box::new(UrlSource {
        url: "https://cmdb.example/facts.toml?dc=1".to_owned(),
        interval: Duration::from_secs(30),
        timeout: Duration::from_secs(2),
        token_file: Some("etc/cmdb.token".into()),
        ca: Some("etc/cmdb-ca.pem".into()),
        identity: Some(("etc/cmdb.crt".into(), "etc/cmdb.key".into())),
    }));
    assert_eq!(sources, [&kubeconfig, &file, &url, &Source::InCluster]);
    let learns: Vec<_> = config
        .sources
        .iter()
        .map(|member| !member.has_topology)
        .collect();
    assert_eq!(learns, [true, false, true, true]);
    let gateways: Vec<_> = (config.fleet.members.iter())
        .map(|(_, member)| {
            member
                .gateway
                .as_ref()
                .map(|own| (own.addresses.len(), own.port))
        })
        .collect();
    assert_eq!(gateways, [None, Some((2, Some(15443))), None, None]);
    let here = &config.sources[3];
    let front = here.front.as_ref().map(ToString::to_string);
    assert_eq!(front.as_deref(), Some("gateway/infra/public/https"));
    assert_eq!(here.addresses_from.len(), 2);
}

#[test]
fn what_is_left_out_has_its_default() {
    let config = good(
        r#"
        version = "v1"
        [[federation]]
        name = "f"
        apex = "example.com"
        nameservers = [{ name = "ns.example.net" }]
        "#,
    );
    let listen: Vec<_> = config
        .listen
        .dns
        .iter()
        .map(|dns| dns.address.to_string())
        .collect();
    assert_eq!(listen, ["0.0.0.0:53", "[::]:53"]);
    assert!(config.listen.admin.is_none() && config.listen.workers == 0);
    assert!(
        config
            .listen
            .dns
            .iter()
            .all(|listener| listener.is_optional)
    );
    assert_eq!(config.shutdown_delay, Duration::from_secs(5));
    let clients = &config.clients;
    assert_eq!(clients.rate_limits.each, [200, 200, 200, 0]);
    assert_eq!(
        (clients.rate_limits.burst, clients.rate_limits.slip),
        (250, 2)
    );
    assert_eq!(clients.rate_limits.exempt.len(), 9);
    assert_eq!(
        (clients.max_without_cookie, &clients.cookie_secrets),
        (None, &None)
    );
    assert_eq!(clients.diagnostics.len(), 2);
    let federation = &config.fleet.federations[0];
    assert_eq!(federation.hostmaster.to_string(), "hostmaster.example.com.");
    assert_eq!(federation.ttl, Duration::from_secs(30));
    assert_eq!(federation.negative_ttl, Duration::from_secs(5));
    assert_eq!(federation.hold, Duration::from_secs(60));
    assert_eq!(federation.tcp_proof, Duration::from_secs(86_400));
    assert_eq!(federation.sync_timeout, Duration::from_secs(30));
    assert_eq!(federation.policy, Policy::Nearest);
    assert_eq!(federation.export, ExportMode::Annotated);
    assert_eq!(federation.when_all_down, WhenAllDown::NoData);
    assert_eq!(federation.srv, SrvForm::Shared);
    assert_eq!(federation.fence, None);
    assert_eq!(
        (federation.members.len(), federation.namespaces.len()),
        (1, 1)
    );
}

#[test]
fn apexes_may_be_shared_and_nested() {
    let federation = |name: &str, apex: &str, servers: &str| {
        format!("[[federation]]\nname = {name:?}\napex = {apex:?}\nnameservers = [{servers}]\n")
    };
    let one = r#"{ name = "ns1.example.com", addresses = ["192.0.2.1", "192.0.2.2"] }"#;
    let turned = r#"{ name = "NS1.example.com.", addresses = ["192.0.2.2", "192.0.2.1"] }"#;
    let two = r#"{ name = "ns2.example.net" }"#;
    let text = format!(
        "version = \"v1\"\n{}{}{}",
        federation("a", "example.com", &format!("{one}, {two}")),
        federation("b", "EXAMPLE.com.", &format!("{two}, {turned}")),
        federation("c", "second.example.com", one),
    );
    assert_eq!(good(&text).fleet.federations.len(), 3);
}

#[test]
fn the_example_and_its_facts_files_are_right() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("zones/demo.toml");
    let config = crate::config::load(&path).unwrap_or_else(|problems| panic!("{problems:#?}"));
    for member in &config.sources {
        let Source::File { path } = &member.source else {
            panic!("{member:?} is no file");
        };
        let services = crate::config::facts::load(path);
        let services = services.unwrap_or_else(|problems| panic!("{problems:#?}"));
        assert!(!services.is_empty(), "{path:?}");
    }
}

#[test]
fn the_reference_names_every_key() {
    let reference = concat!(
        include_str!("../../../docs/configuration.md"),
        include_str!("../../../docs/services.md"),
    );
    let keys = |text: &'static str| {
        let words = text.split(['\n', '{', ',', '[', '(']);
        let keys = words.filter_map(|word| word.split_once(" = ").map(|(key, _)| key.trim()));
        keys.filter(|key| key.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
    };
    let mut count = 0;
    for key in keys(EVERY_KEY).chain(keys(super::facts::EVERY_KEY)) {
        let named = [format!("`{key}`"), format!(" {key} = ")];
        assert!(named.iter().any(|form| reference.contains(form)), "{key}");
        count += 1;
    }
    assert!(count > 80, "{count} keys");
}
