//! Whether what is served is served: `dns-udp`, `dns-tcp`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use futures::{StreamExt, stream};
use hickory_proto::op::Message;
use hickory_proto::rr::RecordType;

use super::super::checker::Checker;
use super::super::files::{count, or_ok};
use super::super::finding::CheckFinding;
use super::super::id::CheckId;
use super::client::{DnsClient, DnsQuestion, DnsTransport, serves};
use super::zones;
use crate::config::Config;

/// The port at which name servers are asked.
pub(super) const DNS: u16 = 53;

/// So many questions are asked at once.
const QUESTIONS: usize = 32;

/// Servers, and the zones that each must answer for.
#[derive(Debug, Default)]
struct AskedServers {
    /// By address.
    zones: BTreeMap<SocketAddr, Vec<String>>,
    /// How many of them are listeners of this machine.
    listeners: usize,
    /// What is not asked, and why.
    left_out: Vec<String>,
}

/// The listeners as they are asked from this machine; the error is why one is not.
pub(super) fn listeners(config: &Config) -> impl Iterator<Item = Result<SocketAddr, String>> {
    config.listen.dns.iter().filter_map(|listener| {
        let mut address = listener.address;
        if address.port() == 0 {
            let why = format!("the port of {address} is only known once it serves");
            return Some(Err(why));
        }
        match address.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        // A default is left out by the daemon too where the kernel has no such addresses.
        let is_there = !listener.is_optional || UdpSocket::bind((address.ip(), 0)).is_ok();
        is_there.then_some(Ok(address))
    })
}

impl AskedServers {
    /// Those of a configuration. The listeners are there if a daemon is.
    fn new(config: &Config, has_daemon: bool) -> Self {
        let mut asked = Self::default();
        let all = zones::all(config);
        if has_daemon {
            for listener in listeners(config) {
                match listener {
                    Ok(address) => drop(asked.zones.insert(address, all.clone())),
                    Err(why) => asked.left_out.push(why),
                }
            }
        } else {
            let why = "no daemon was found here whose listeners could be asked";
            asked.left_out.push(why.to_owned());
        }
        asked.listeners = asked.zones.len();
        for zone in zones::apexes(config) {
            let addresses = zone.servers.iter().flat_map(|(_, addresses)| addresses);
            for address in addresses {
                let zones = asked.zones.entry(SocketAddr::new(*address, DNS));
                let zones = zones.or_default();
                if !zones.contains(&zone.name) {
                    zones.push(zone.name.clone());
                }
            }
        }
        asked
    }

    /// Asks each for each of its zones. What is wrong, one finding for each server and fault.
    async fn ask(&self, client: DnsClient, over: DnsTransport) -> Vec<CheckFinding> {
        let pairs = self.zones.iter();
        let pairs = pairs.flat_map(|(server, zones)| zones.iter().map(move |zone| (*server, zone)));
        let asked = stream::iter(pairs).map(async |(server, zone)| {
            let question = DnsQuestion::to_server(zone, RecordType::SOA);
            let answer = client.ask(server, over, &question).await;
            let wrong = answer.and_then(|answer| judge(&answer, zone));
            wrong.err().map(|why| ((server, why), zone))
        });
        let wrong: Vec<_> = asked.buffer_unordered(QUESTIONS).collect().await;
        let mut by_fault: BTreeMap<_, Vec<&String>> = BTreeMap::new();
        for (fault, zone) in wrong.into_iter().flatten() {
            by_fault.entry(fault).or_default().push(zone);
        }
        let findings = by_fault.into_iter().map(|((server, why), mut zones)| {
            zones.sort_unstable();
            let question = DnsQuestion::to_server(zones[0], RecordType::SOA);
            let names = zones.iter().map(|zone| zone.as_str());
            let names = names.collect::<Vec<_>>().join(", ");
            let says = format!("{names}: {server} over {over}: {why}");
            CheckFinding::failure(says).hint(question.dig(server, over))
        });
        findings.collect()
    }

    /// That all is right.
    fn right(&self) -> String {
        let mut zones: Vec<_> = self.zones.values().flatten().collect();
        zones.sort_unstable();
        zones.dedup();
        let servers = self.zones.len() - self.listeners;
        let mut of = Vec::new();
        for (some, what) in [(self.listeners, "listener"), (servers, "address")] {
            match (some, what) {
                (0, _) => {}
                (1, "address") => of.push("1 address of name servers".to_owned()),
                (some, "address") => of.push(format!("{some} addresses of name servers")),
                (some, what) => of.push(count(some, what)),
            }
        }
        let mut says = format!("{} from {}", count(zones.len(), "zone"), of.join(" and "));
        for why in &self.left_out {
            says += "; ";
            says += why;
        }
        says
    }
}

/// Whether a server answers for a zone with authority.
fn judge(answer: &Message, zone: &str) -> Result<(), String> {
    serves(answer, zone, RecordType::SOA)?;
    if answer.metadata.authoritative {
        Ok(())
    } else {
        Err("an answer without authority".to_owned())
    }
}

/// Asks listeners and name servers for the SOA record of each zone.
pub(in super::super) async fn check_servers(
    checker: &Checker<'_>,
    config: &Config,
    has_daemon: bool,
) {
    let asked = &AskedServers::new(config, has_daemon);
    let client = DnsClient::within(checker.settings().timeout);
    let check = async |id, over| {
        if asked.zones.is_empty() {
            checker.skip(id, &asked.left_out.join("; "));
            return;
        }
        checker
            .run(id, async |attempts| {
                attempts.note("not all servers have answered");
                or_ok(asked.ask(client, over).await, || asked.right()).into()
            })
            .await;
    };
    tokio::join!(
        check(CheckId::DnsUdp, DnsTransport::Udp),
        check(CheckId::DnsTcp, DnsTransport::Tcp),
    );
}
