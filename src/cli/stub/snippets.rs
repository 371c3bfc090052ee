//! What each DNS server is told, in its own language.

use std::fmt::Write;
use std::net::SocketAddr;

use super::super::arguments::StubServer;
use super::zones::{PORT, Zones};

/// Zones that Unbound answers by itself unless it is told not to (RFC 6761, RFC 7686, RFC 8375).
const OWN_ZONES_OF_UNBOUND: [&str; 5] = ["home.arpa", "invalid", "localhost", "onion", "test"];

/// The snippet for a DNS server.
pub(super) fn snippet(server: StubServer, zones: &Zones<'_>) -> String {
    match server {
        StubServer::Corefile => corefile(zones),
        StubServer::KubeDns => kube_dns(zones),
        StubServer::Unbound => unbound(zones),
        StubServer::Bind => bind(zones),
        StubServer::Dnsmasq => dnsmasq(zones),
        StubServer::PdnsRecursor => pdns_recursor(zones),
        StubServer::SystemdResolved => systemd_resolved(zones),
    }
}

/// A server block for each zone. The zone hint is one of EDNS option 65518
/// (docs/names.md, decision 11).
fn corefile(zones: &Zones<'_>) -> String {
    let servers = joined(zones, plain);
    let hint = zones.hint.map_or_else(String::new, |member| {
        format!(
            "    rewrite edns0 local set 0xffee {}\n",
            hint(member.as_str())
        )
    });
    let block = |zone: &String| {
        format!("{zone}:{PORT} {{\n    errors\n    cache 30\n{hint}    forward . {servers}\n}}\n")
    };
    zones.names.iter().map(block).collect()
}

/// A member's name as CoreDNS takes it: what begins with `0x` would be read as hexadecimal.
fn hint(member: &str) -> String {
    if !member.starts_with("0x") {
        return member.to_owned();
    }
    let octets = member.bytes().map(|octet| format!("{octet:02x}"));
    format!("0x{}", octets.collect::<String>())
}

/// The `ConfigMap` with the key `stubDomains`.
fn kube_dns(zones: &Zones<'_>) -> String {
    let servers: Vec<_> = zones.servers.iter().map(plain).collect();
    let domains: serde_json::Map<_, _> = zones
        .names
        .iter()
        .map(|zone| (zone.clone(), servers.clone().into()))
        .collect();
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: kube-dns\n  namespace: kube-system\n\
         data:\n  stubDomains: |\n    {}\n",
        serde_json::Value::from(domains)
    )
}

/// A stub zone for each zone: it asks without recursion, as of any authoritative server.
fn unbound(zones: &Zones<'_>) -> String {
    let mut text =
        "# Where an auth-zone of this server is above one of these, give it NS records for it.\n\
         server:\n"
            .to_owned();
    if zones.servers.iter().any(|server| server.ip().is_loopback()) {
        text += "    do-not-query-localhost: no\n";
    }
    let is_within = |zone: &str, own: &str| {
        let rest = zone.strip_suffix(own);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    for own in OWN_ZONES_OF_UNBOUND {
        if zones.names.iter().any(|zone| is_within(zone, own)) {
            let _ = writeln!(text, "    local-zone: \"{own}.\" nodefault");
        }
    }
    // Its answers are not signed, and some are private addresses.
    for zone in &zones.names {
        let _ = writeln!(
            text,
            "    domain-insecure: \"{zone}\"\n    private-domain: \"{zone}\""
        );
    }
    for zone in &zones.names {
        let _ = writeln!(text, "stub-zone:\n    name: \"{zone}\"");
        for server in &zones.servers {
            let _ = writeln!(text, "    stub-addr: {}@{}", server.ip(), server.port());
        }
    }
    text
}

/// A forward zone for each zone: a static-stub zone takes no port.
fn bind(zones: &Zones<'_>) -> String {
    let quoted: Vec<_> = zones
        .names
        .iter()
        .map(|zone| format!("\"{zone}\";"))
        .collect();
    let mut text = format!(
        "// Where this server is authoritative for a zone above one of these, give that zone NS records\n\
         // for it: without a delegation it is answered from there, and not forwarded.\n\
         // Answers are not signed. Where dnssec-validation is on, into options:\n\
         //     validate-except {{ {} }};\n",
        quoted.join(" ")
    );
    let servers = joined(zones, |server| {
        format!("{} port {};", server.ip(), server.port())
    });
    for zone in &zones.names {
        let _ = writeln!(
            text,
            "zone \"{zone}\" {{\n    type forward;\n    forward only;\n    forwarders {{ {servers} }};\n}};"
        );
    }
    text
}

/// A server for each zone.
fn dnsmasq(zones: &Zones<'_>) -> String {
    let mut text = "# /etc/dnsmasq.d/gazetteer.conf\n\
         # Where dnssec is on, names in a zone whose parent is signed are only found if the parent has\n\
         # an unsigned delegation of it: the answers are not signed.\n"
        .to_owned();
    for zone in &zones.names {
        for server in &zones.servers {
            let _ = writeln!(text, "server=/{zone}/{}#{}", server.ip(), server.port());
        }
        // Some answers are private addresses.
        let _ = writeln!(text, "rebind-domain-ok=/{zone}/");
    }
    text
}

/// A forward zone for each zone, asked without recursion, as any authoritative server.
fn pdns_recursor(zones: &Zones<'_>) -> String {
    let mut text = "# /etc/powerdns/recursor.d/gazetteer.yml, of version 5 and later\n\
         recursor:\n  forward_zones:\n"
        .to_owned();
    let servers: Vec<_> = zones
        .servers
        .iter()
        .map(|server| format!("\"{server}\""))
        .collect();
    let servers = servers.join(", ");
    for zone in &zones.names {
        let _ = writeln!(text, "    - zone: {zone}\n      forwarders: [{servers}]");
    }
    text += "# The answers are not signed.\ndnssec:\n  negative_trustanchors:\n";
    for zone in &zones.names {
        let _ = writeln!(text, "    - name: {zone}\n      reason: gazetteer");
    }
    // Settings of one line each, and a script for what they could not say.
    let servers: Vec<_> = zones.servers.iter().map(SocketAddr::to_string).collect();
    let servers = servers.join(";");
    text += "# Before version 5: /etc/powerdns/recursor.d/gazetteer.conf\n";
    for zone in &zones.names {
        let _ = writeln!(text, "# forward-zones+={zone}={servers}");
    }
    text += "# and the file of lua-config-file\n";
    for zone in &zones.names {
        let _ = writeln!(text, "# addNTA(\"{zone}\", \"gazetteer\")");
    }
    text
}

/// A delegate. In resolved.conf the servers would be one list with all other global ones, which are
/// asked for any name, whatever the routing domains are.
fn systemd_resolved(zones: &Zones<'_>) -> String {
    let domains: Vec<_> = zones.names.iter().map(|zone| format!("~{zone}")).collect();
    let (servers, domains) = (joined(zones, plain), domains.join(" "));
    format!(
        "# /etc/systemd/dns-delegate.d/gazetteer.dns-delegate, of systemd 258 and later\n\
         # Older ones cannot route these names beside DNS= of resolved.conf: those servers are one list,\n\
         # and any of them is asked for any name. Where resolved.conf and its drop-ins have no DNS=, as\n\
         # where each link has its own, the two lines work in a drop-in under [Resolve]. Elsewhere let\n\
         # resolved ask a dnsmasq or Unbound that forwards them.\n\
         # Where DNSSEC= is on, allow-downgrade included, list the zones in\n\
         # /etc/dnssec-trust-anchors.d/gazetteer.negative: the answers are not signed.\n\
         [Delegate]\nDNS={servers}\nDomains={domains}\n"
    )
}

/// The servers, separated by spaces.
fn joined(zones: &Zones<'_>, shown: impl Fn(&SocketAddr) -> String) -> String {
    let shown: Vec<_> = zones.servers.iter().map(shown).collect();
    shown.join(" ")
}

/// An address, with its port only where it is not that of DNS.
fn plain(server: &SocketAddr) -> String {
    if server.port() == PORT {
        server.ip().to_string()
    } else {
        server.to_string()
    }
}
