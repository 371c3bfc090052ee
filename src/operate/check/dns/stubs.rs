//! Whether the DNS server of a member forwards what is served here: `stub`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use futures::future::join_all;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{RData, RecordType};
use hickory_resolver::system_conf::read_system_conf;

use super::super::super::shell::quoted;
use super::super::checker::{Attempts, Checked, Checker};
use super::super::finding::CheckFinding;
use super::super::id::CheckId;
use super::client::{DnsClient, DnsQuestion, DnsTransport, code_name, serves};
use super::seen_client::{client_name, read};
use super::servers::{DNS, listeners};
use super::zones::{ServedZone, apexes, forwarded};
use crate::config::{Config, Source};
use crate::model::Member;

/// So many zones are named in a line.
const NAMED: usize = 3;

/// A member, and the DNS server at which its pods ask.
pub(in super::super) struct StubbedMember<'s> {
    /// The configuration.
    pub(in super::super) config: &'s Config,
    /// The member.
    pub(in super::super) member: &'s Member,
    /// The server.
    pub(in super::super) server: SocketAddr,
    /// Names that its services have.
    pub(in super::super) exported: &'s [String],
    /// Whether a daemon runs here, that can be asked for the answers to compare with.
    pub(in super::super) has_daemon: bool,
}

/// The member whose pod this is, and the server at which its pods ask; nothing elsewhere.
pub(in super::super) fn pod_resolver(config: &Config) -> Option<(&Member, SocketAddr)> {
    let mut sources = config.sources.iter();
    let own = sources.find(|source| source.source == Source::InCluster)?;
    let mut members = config.fleet.members.iter();
    let (_, member) = members.find(|(_, member)| member.name == own.member)?;
    // Set in every pod.
    std::env::var_os("KUBERNETES_SERVICE_HOST")?;
    let (system, _) = read_system_conf().ok()?;
    let server = system.name_servers.first()?;
    Some((member, SocketAddr::new(server.ip, DNS)))
}

/// Asks the DNS server of a member.
pub(in super::super) async fn check_stub(checker: &Checker<'_>, stub: &StubbedMember<'_>) {
    let client = DnsClient::within(checker.settings().timeout / 2);
    checker
        .run(CheckId::Stub, async |attempts| {
            stub.check(client, attempts).await
        })
        .await;
}

impl StubbedMember<'_> {
    /// Asks for each zone, then for a service, then as whom that was.
    async fn check(&self, client: DnsClient, attempts: &Attempts) -> Checked<()> {
        let (server, zones) = (self.server, forwarded(self.config, self.member));
        attempts.note(format!("no answer from {server}"));
        let faults = self.unforwarded(client, &zones).await;
        if !faults.is_empty() {
            return faults.into();
        }
        let apexes = apexes(self.config);
        let mut says = format!("{server} forwards {}", shown(&zones));
        match self.compare(client, &apexes).await {
            Ok(None) => {}
            Ok(Some(name)) => {
                let answers = format!(", answers {name} as it is served");
                says += &answers;
            }
            Err(finding) => return finding.into(),
        }
        let Some(apex) = apexes
            .first()
            .filter(|_| self.config.listen.has_client_name)
        else {
            says += "; as whom it asks is not told, as client-name in [listen] is off";
            return CheckFinding::ok(says).into();
        };
        self.asked_as(client, &apex.name, says).await.into()
    }

    /// What is forwarded otherwise than over both UDP and TCP; one finding for each reason.
    async fn unforwarded(&self, client: DnsClient, zones: &[String]) -> Vec<CheckFinding> {
        // Of different types: a cache that has the one does not answer for the other.
        let questions = [
            (DnsTransport::Udp, RecordType::SOA),
            (DnsTransport::Tcp, RecordType::NS),
        ];
        let asked = zones.iter().map(async |zone| {
            let wrong = questions.map(async |(over, rrtype)| {
                let question = DnsQuestion::to_resolver(zone, rrtype);
                let answer = client.ask(self.server, over, &question).await;
                let wrong = answer.and_then(|answer| serves(&answer, zone, rrtype));
                wrong.err().map(|why| (over, why))
            });
            let mut wrong = join_all(wrong).await.into_iter().flatten();
            wrong.next().map(|fault| (fault, zone))
        });
        let mut by_fault: BTreeMap<_, Vec<String>> = BTreeMap::new();
        for (fault, zone) in join_all(asked).await.into_iter().flatten() {
            by_fault.entry(fault).or_default().push(zone.clone());
        }
        let findings = by_fault.into_iter().map(|((over, why), zones)| {
            let (server, names) = (self.server, shown(&zones));
            let says = match over {
                DnsTransport::Udp => format!("{server} does not forward {names}: {why}"),
                DnsTransport::Tcp => format!(
                    "{server} forwards {names} over UDP and not over TCP, so long answers are lost: {why}"
                ),
            };
            CheckFinding::failure(says).hint(self.hint())
        });
        findings.collect()
    }

    /// The command that prints what its server needs.
    fn hint(&self) -> String {
        let file = quoted(&self.config.path.display().to_string());
        let name = &self.member.name;
        format!("gazetteer stub corefile --config {file} --member {name}")
    }

    /// Where we are asked: at a listener here, else at a name server.
    fn own_servers(&self, apexes: &[ServedZone]) -> Vec<SocketAddr> {
        let listeners = self.has_daemon.then(|| listeners(self.config));
        let listeners = listeners.into_iter().flatten().filter_map(Result::ok);
        let servers = apexes.iter().flat_map(|zone| &zone.servers);
        let addresses = servers.flat_map(|(_, addresses)| addresses);
        let addresses = addresses.map(|address| SocketAddr::new(*address, DNS));
        listeners.chain(addresses).collect()
    }

    /// Compares the answer for a service with ours: the name that was asked for, if there was one. The error is
    /// that they differ.
    async fn compare(
        &self,
        client: DnsClient,
        apexes: &[ServedZone],
    ) -> Result<Option<String>, CheckFinding> {
        let own = self.own_servers(apexes);
        for name in self.exported {
            for rrtype in [RecordType::A, RecordType::AAAA] {
                let ours = first_answer(client, &own, name, rrtype).await;
                let Some(ours) = ours else { return Ok(None) };
                if ours.is_empty() {
                    continue;
                }
                let question = DnsQuestion::to_resolver(name, rrtype);
                let theirs = client.ask_whole(self.server, &question).await;
                let theirs = theirs.and_then(|answer| addresses(&answer));
                if theirs.as_ref() == Ok(&ours) {
                    return Ok(Some(name.clone()));
                }
                let theirs = theirs.map_or_else(|why| why, |theirs| listed(&theirs));
                let says = format!(
                    "{name}: {} says {theirs}, and it is served as {}",
                    self.server,
                    listed(&ours)
                );
                let hint = question.dig(self.server, DnsTransport::Udp);
                return Err(CheckFinding::failure(says).hint(hint));
            }
        }
        Ok(None)
    }

    /// Whether we know that the member asks.
    async fn asked_as(&self, client: DnsClient, apex: &str, says: String) -> CheckFinding {
        let name = client_name(apex);
        let question = DnsQuestion::to_resolver(&name, RecordType::TXT);
        let answer = client.ask_whole(self.server, &question).await;
        let member = &self.member.name;
        match answer.and_then(|answer| read(&answer)) {
            Ok(seen) if seen.place == format!("member/{member}") => {
                CheckFinding::ok(format!("{says}, asked as {member}"))
            }
            Ok(seen) => {
                let says = format!(
                    "{says}, but that {member} asks is not known: it comes from {}, place {}",
                    seen.source, seen.place
                );
                CheckFinding::warning(says).hint(self.hint())
            }
            Err(why) => {
                let hint = question.dig(self.server, DnsTransport::Udp);
                CheckFinding::warning(format!(
                    "{says}; as whom it asks is not told: {name}: {why}"
                ))
                .hint(hint)
            }
        }
    }
}

/// What the first server that answers says; `None` if none does.
async fn first_answer(
    client: DnsClient,
    servers: &[SocketAddr],
    name: &str,
    rrtype: RecordType,
) -> Option<BTreeSet<IpAddr>> {
    let question = DnsQuestion::to_server(name, rrtype);
    for server in servers {
        if let Ok(answer) = client.ask_whole(*server, &question).await {
            return Some(addresses(&answer).unwrap_or_default());
        }
    }
    None
}

/// The addresses of an answer; the error is another code.
fn addresses(answer: &Message) -> Result<BTreeSet<IpAddr>, String> {
    let code = answer.metadata.response_code;
    if code != ResponseCode::NoError {
        return Err(code_name(code));
    }
    let addresses = answer
        .answers
        .iter()
        .filter_map(|record| match &record.data {
            RData::A(address) => Some(IpAddr::V4(address.0)),
            RData::AAAA(address) => Some(IpAddr::V6(address.0)),
            _ => None,
        });
    Ok(addresses.collect())
}

/// Addresses in words.
fn listed(addresses: &BTreeSet<IpAddr>) -> String {
    let texts: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    if texts.is_empty() {
        "no address".to_owned()
    } else {
        texts.join(", ")
    }
}

/// Zones in words.
fn shown(zones: &[String]) -> String {
    let named = zones.iter().take(NAMED).map(String::as_str);
    let named = named.collect::<Vec<_>>().join(", ");
    match zones.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
