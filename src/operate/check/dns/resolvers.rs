//! Whether a resolver says for whom it asks: `ecs`.

use std::net::{Ipv4Addr, SocketAddr};

use futures::future::join_all;
use hickory_proto::rr::RecordType;
use ipnet::{IpNet, Ipv4Net};

use super::super::checker::Checker;
use super::super::finding::CheckFinding;
use super::super::id::CheckId;
use super::client::{DnsClient, DnsQuestion, DnsTransport};
use super::seen_client::{SeenClient, client_name, read};
use super::zones::{ServedZone, apexes, outermost};
use crate::config::Config;

/// The network for which is asked: one of documentation (RFC 5737), of which no client is.
const SUBNET: IpNet = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(198, 51, 100, 0), 24));

/// Checks what of a client subnet a resolver passes on.
pub(in super::super) async fn check_resolver(
    checker: &Checker<'_>,
    config: &Config,
    resolver: SocketAddr,
) {
    if !config.listen.has_client_name {
        let why = "client-name of [listen] is off: no name tells what arrives";
        checker.skip(CheckId::Ecs, why);
        return;
    }
    let apexes = apexes(config);
    let client = DnsClient::within(checker.settings().timeout);
    checker
        .run(CheckId::Ecs, async |attempts| {
            attempts.note(format!("no answer from {resolver}"));
            let asked = outermost(&apexes).map(async |zone| ask(client, resolver, zone).await);
            join_all(asked).await.into()
        })
        .await;
}

/// Asks for one apex.
async fn ask(client: DnsClient, resolver: SocketAddr, zone: &ServedZone) -> CheckFinding {
    let name = client_name(&zone.name);
    let question = DnsQuestion {
        subnet: Some(SUBNET),
        ..DnsQuestion::to_resolver(&name, RecordType::TXT)
    };
    let answer = client.ask_whole(resolver, &question).await;
    let hint = question.dig(resolver, DnsTransport::Udp);
    match answer.and_then(|answer| read(&answer)) {
        Ok(seen) => judge(&zone.name, &seen, hint),
        Err(why) => CheckFinding::failure(format!("{name}: {why}")).hint(hint),
    }
}

/// What a resolver does with client subnets, by what arrived.
fn judge(apex: &str, seen: &SeenClient, hint: String) -> CheckFinding {
    let SeenClient {
        source,
        subnet,
        place,
    } = seen;
    if *subnet == SUBNET.to_string() {
        return CheckFinding::ok(format!("{apex}: {subnet} arrived as it was sent"));
    }
    match subnet.parse::<IpNet>() {
        Ok(network) if network.prefix_len() > 0 => CheckFinding::ok(format!(
            "{apex}: {subnet} arrived for {SUBNET}: it says for whom it asks, by what it sees itself"
        )),
        _ => CheckFinding::warning(format!(
            "{apex}: no client subnet arrives: the place of its clients is that of {}, {}",
            source,
            place_name(place)
        ))
        .hint(hint),
    }
}

/// A place in words.
fn place_name(place: &str) -> String {
    match place {
        "unknown" => "in no known place".to_owned(),
        place => format!("in {place}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::super::progress::StepMark;
    use super::*;

    #[test]
    fn what_arrives_says_what_a_resolver_passes_on() {
        let judged = |subnet: &str| {
            let seen = SeenClient {
                source: "192.0.2.1".to_owned(),
                subnet: subnet.to_owned(),
                place: "unknown".to_owned(),
            };
            judge("example.com", &seen, String::new())
        };
        assert_eq!(judged("198.51.100.0/24").state, StepMark::Ok);
        assert_eq!(judged("203.0.113.0/24").state, StepMark::Ok);
        for none in ["none", "0.0.0.0/0"] {
            let finding = judged(none);
            assert_eq!(finding.state, StepMark::Warning);
            let expected = "example.com: no client subnet arrives: the place of its clients is that of 192.0.2.1, \
                            in no known place";
            assert_eq!(finding.says, expected);
        }
    }
}
