//! `[listen]`: sockets and their limits.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use toml::Spanned;
use toml::de::DeValue;

use super::problem::{PartProblems, Placed};
use super::section::{Section, as_table, read_text};
use super::settings::{ClientRules, DnsListener, Listen};
use super::values;
use crate::names::Label;
use crate::wire::{NameBuf, NameText};

/// The most UDP threads.
const MOST_WORKERS: u64 = 256;

/// TCP connections at once: with the default limit of 1,024 open files, enough is left for watches.
const TCP_CONNECTIONS: usize = 512;

/// TCP connections at once from one client: node-local caches keep a few open each.
const TCP_CONNECTIONS_PER_CLIENT: usize = 64;

/// How long a TCP connection may be idle (RFC 7766 section 6.2.3: of the order of seconds).
const TCP_IDLE: Duration = Duration::from_secs(10);

/// Octets of a response over UDP that any client takes, and that this server sends at most.
const WITHOUT_COOKIE: RangeInclusive<u64> = 512..=1232;

/// Who is told what others are not, unless the file says: who is at the machine itself.
const DIAGNOSTICS: [IpNet; 2] = [
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
];

/// Octets that may be asked for as a receive buffer: what the kernel calls a C `int`, halved.
const RECEIVE_BUFFERS: RangeInclusive<u64> = 4096..=1 << 30;

/// The longest NSID: with the largest answer it must still fit into a datagram.
const LONGEST_NSID: usize = 64;

/// The sockets, and the members that listeners are bound to.
pub(super) struct ListenDraft {
    /// The settings.
    pub(super) listen: Listen,
    /// What clients may do, but for their rates.
    pub(super) rules: ClientRules,
    /// Members named by listeners.
    pub(super) members: Vec<Placed<Label>>,
    /// The domain to which resolvers report what fails.
    pub(super) report_channel: Option<Placed<NameBuf>>,
}

/// Reads `[listen]`; without it, everything has its default. Paths are relative to the folder `beside`.
pub(super) fn listen(section: Option<Section<'_>>, beside: &Path) -> ListenDraft {
    let mut draft = ListenDraft {
        listen: Listen {
            dns: [
                SocketAddr::from((Ipv4Addr::UNSPECIFIED, 53)),
                (Ipv6Addr::UNSPECIFIED, 53).into(),
            ]
            .map(|address| DnsListener {
                address,
                member: None,
                allow: None,
                is_optional: true,
            })
            .into(),
            admin: None,
            admin_hosts: Vec::new(),
            trusted: Vec::new(),
            nsid: None,
            has_client_name: false,
            workers: 0,
            tcp_connections: TCP_CONNECTIONS,
            tcp_connections_per_client: TCP_CONNECTIONS_PER_CLIENT,
            tcp_idle: TCP_IDLE,
            udp_receive_buffer: None,
        },
        rules: ClientRules {
            diagnostics: DIAGNOSTICS.into(),
            ..ClientRules::default()
        },
        members: Vec::new(),
        report_channel: None,
    };
    if let Some(section) = section {
        read(&section, &mut draft);
        read_rules(&section, beside, &mut draft.rules);
        draft.report_channel = section.text("report-channel", "report-channel", values::name);
        let channel = draft.report_channel.as_ref();
        draft.rules.report_channel = channel.map(|name| name.value.clone());
        section.finish();
    }
    draft
}

/// Reads what is there.
fn read(section: &Section<'_>, draft: &mut ListenDraft) {
    let listen = &mut draft.listen;
    let mut bound: Vec<Placed<SocketAddr>> = Vec::new();
    if let Some(entries) = section.array("dns") {
        listen.dns.clear();
        if entries.is_empty() {
            section
                .report
                .add(section.at, "dns: at least one address is required");
        }
        for entry in entries {
            let Some((address, member, allow)) = dns_entry(section, entry) else {
                continue;
            };
            listen.dns.push(DnsListener {
                address: address.value,
                member: member.as_ref().map(|member| member.value.clone()),
                allow,
                is_optional: false,
            });
            draft.members.extend(member);
            bound.push(address);
        }
    }
    if let Some(admin) = section.text("admin", "admin", values::socket) {
        listen.admin = Some(admin.value);
        bound.push(admin);
    }
    check_overlaps(section.report, &bound);
    if let Some(hosts) = section.texts("admin-hosts", values::name) {
        let name = |name: NameBuf| name.to_string().trim_end_matches('.').to_ascii_lowercase();
        listen.admin_hosts = hosts.into_iter().map(|host| name(host.value)).collect();
    }
    if let Some(trusted) = networks(section, "trusted") {
        listen.trusted = trusted;
    }
    if let Some(nsid) = section.text("nsid", "nsid", nsid) {
        listen.nsid = Some(nsid.value);
    }
    if let Some(exists) = section.boolean("client-name") {
        listen.has_client_name = exists.value;
    }
    let count = |key, most, slot: &mut usize| {
        if let Some(count) = section.integer(key, 1..=most) {
            *slot = usize::try_from(count.value).unwrap_or(*slot);
        }
    };
    count("workers", MOST_WORKERS, &mut listen.workers);
    count("tcp-connections", 1_000_000, &mut listen.tcp_connections);
    count(
        "tcp-connections-per-client",
        1_000_000,
        &mut listen.tcp_connections_per_client,
    );
    let idle = values::duration(Duration::from_millis(100)..=values::HOUR);
    if let Some(idle) = section.text("tcp-idle", "tcp-idle", idle) {
        listen.tcp_idle = idle.value;
    }
    if let Some(octets) = section.integer("udp-receive-buffer", RECEIVE_BUFFERS) {
        listen.udp_receive_buffer = usize::try_from(octets.value).ok();
    }
}

/// Reads what clients may do.
fn read_rules(section: &Section<'_>, beside: &Path, rules: &mut ClientRules) {
    if let Some(diagnostics) = networks(section, "diagnostics") {
        rules.diagnostics = diagnostics;
    }
    let secrets = section.text("cookie-secrets", "cookie-secrets", values::plain);
    rules.cookie_secrets = secrets.map(|path| beside.join(path.value));
    if let Some(most) = section.integer("max-without-cookie", 0..=*WITHOUT_COOKIE.end()) {
        rules.max_without_cookie = u16::try_from(most.value).ok().filter(|octets| *octets != 0);
        if most.value != 0 && !WITHOUT_COOKIE.contains(&most.value) {
            let (low, high) = WITHOUT_COOKIE.into_inner();
            let message = format!(
                "max-without-cookie {}: must be 0 or between {low} and {high}",
                most.value
            );
            section.report.add(most.at, message);
        }
    }
}

/// Reports a domain to report to inside the apex of a federation, whose failures are those that are reported
/// (RFC 9567 section 8.1). Inside other zones it is left out of their answers.
pub(super) fn check_report_channel<'a>(
    report: &PartProblems<'_>,
    channel: Option<&Placed<NameBuf>>,
    mut apexes: impl Iterator<Item = &'a NameBuf>,
) {
    if let Some(channel) = channel
        && let Some(apex) = apexes.find(|apex| channel.value.is_within(apex))
    {
        let (name, apex) = (&channel.value, NameText(apex.as_wire()));
        let message = format!(
            "report-channel \"{}\": inside {apex}, whose failures are reported there (RFC 9567, 8.1)",
            NameText(name.as_wire())
        );
        report.add(channel.at, message);
    }
}

/// A list of networks.
pub(super) fn networks(section: &Section<'_>, key: &'static str) -> Option<Vec<IpNet>> {
    let networks = section.texts(key, values::network)?.into_iter();
    Some(networks.map(|network| network.value).collect())
}

/// Reports sockets that would share an address with one before: also when one of them takes every
/// address of its family.
fn check_overlaps(report: &PartProblems<'_>, bound: &[Placed<SocketAddr>]) {
    /// The first sockets of a port and a family: of all, of those that take every address, and of
    /// each address.
    struct Taken {
        first: usize,
        wide: Option<usize>,
        at: HashMap<IpAddr, usize>,
    }
    let mut taken: HashMap<(u16, bool), Taken> = HashMap::new();
    for address in bound {
        let (ip, port) = (address.value.ip(), address.value.port());
        if port == 0 {
            continue;
        }
        let known = taken.entry((port, ip.is_ipv4())).or_insert_with(|| Taken {
            first: address.at,
            wide: None,
            at: HashMap::new(),
        });
        let is_wide = ip.is_unspecified();
        let earlier = if is_wide {
            Some(known.first).filter(|first| *first != address.at)
        } else {
            let same = known.at.get(&ip).copied();
            known.wide.into_iter().chain(same).min()
        };
        if let Some(first) = earlier {
            let line = report.line(first);
            let message = format!(
                "address \"{}\": listened on already, line {line}",
                address.value
            );
            report.add(address.at, message);
        }
        if is_wide {
            known.wide.get_or_insert(address.at);
        }
        known.at.entry(ip).or_insert(address.at);
    }
}

/// One entry of `dns`: its address, the member that it is bound to, and whom it serves.
type DnsEntry = (
    Placed<SocketAddr>,
    Option<Placed<Label>>,
    Option<Vec<IpNet>>,
);

/// One entry of `dns`: a text, or a table that says more than an address.
fn dns_entry(section: &Section<'_>, entry: &Spanned<DeValue<'_>>) -> Option<DnsEntry> {
    if entry.get_ref().is_str() {
        return Some((
            read_text(section.report, entry, "address", values::socket)?,
            None,
            None,
        ));
    }
    if !entry.get_ref().is_table() {
        let message = "dns: expected an address or a table { address, member, allow }";
        section.report.add(entry.span().start, message);
        return None;
    }
    let table = as_table(section.report, entry, "dns")?;
    table.require("address");
    let address = table.text("address", "address", values::socket);
    let member = table.text("member", "member", values::label);
    let allow = networks(&table, "allow");
    table.finish();
    Some((address?, member, allow))
}

/// A name server identifier: printable, so that people can read it.
fn nsid(text: &str) -> Result<String, String> {
    if text.is_empty()
        || text.len() > LONGEST_NSID
        || !text.bytes().all(|c| (b' '..=b'~').contains(&c))
    {
        Err(format!(
            "not 1 to {LONGEST_NSID} printable ASCII characters"
        ))
    } else {
        Ok(text.to_owned())
    }
}
