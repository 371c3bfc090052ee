//! What the zones above say: `parent-ns` and `parent-glue`, beside `parent-ds`.

use std::net::SocketAddr;

use futures::future::join_all;
use hickory_proto::op::Message;
use hickory_proto::rr::RecordType;

use super::super::checker::{Attempts, Checked, Checker};
use super::super::files::or_ok;
use super::super::finding::CheckFinding;
use super::super::id::CheckId;
use super::super::settings::CheckSettings;
use super::super::surroundings::CheckedKeys;
use super::client::{DnsClient, DnsQuestion, DnsTransport};
use super::delegation::{Delegation, ParentAnswer, read};
use super::ds_records::{ApexBelow, check_ds_records};
use super::zones::{ServedZone, apexes, outermost, without_dot};
use crate::config::Config;

/// An apex as servers of the zone above delegate it.
struct DelegatedZone<'z> {
    /// The apex.
    zone: &'z ServedZone,
    /// What each server that has the zone above says.
    by_server: Vec<(SocketAddr, Delegation)>,
}

/// Checks what the zones above say of the apexes. `keys` are those that zones are to be signed with.
pub(in super::super) async fn check_parents(
    checker: &Checker<'_>,
    config: &Config,
    keys: &Result<Vec<CheckedKeys>, String>,
) {
    let settings = checker.settings();
    let apexes = apexes(config);
    let servers = |zone: &str| parents_of(settings, config, zone);
    let zones: Vec<_> = outermost(&apexes)
        .map(|zone| (zone, servers(&zone.name)))
        .filter(|(_, servers)| !servers.is_empty())
        .collect();
    let client = DnsClient::within(settings.timeout);
    let delegated = async {
        if zones.is_empty() {
            checker.skip(CheckId::ParentNs, UNKNOWN_PARENT);
            return None;
        }
        let check = async |attempts: &Attempts| check_servers(client, &zones, attempts).await;
        checker.need(CheckId::ParentNs, check).await
    };
    let below = apexes_below(settings, config, &zones, keys);
    let signed = checker.run(CheckId::ParentDs, async |attempts| match &below {
        Ok(below) if below.is_empty() => CheckFinding::skipped(UNKNOWN_PARENT).into(),
        Ok(below) => check_ds_records(client, below, attempts).await,
        Err(why) => CheckFinding::skipped(why.as_str()).into(),
    });
    let (delegated, ()) = tokio::join!(delegated, signed);
    let delegated = delegated.unwrap_or_default();
    if delegated.is_empty() {
        checker.skip(CheckId::ParentGlue, "no zone above delegates an apex");
        return;
    }
    checker.say(CheckId::ParentGlue, judge_glue(&delegated));
}

/// Whether the zone above any apex can be asked.
pub(in super::super) fn knows_parents(settings: &CheckSettings, config: &Config) -> bool {
    let mut signed = config.signed_zones();
    !settings.parents.is_empty() || signed.any(|(_, signing)| !signing.parent.is_empty())
}

/// Why the zone above is not asked.
pub(in super::super) const UNKNOWN_PARENT: &str = "give a server of the zone above with --parent";

/// The servers of the zone above an apex: those that are given, else what its `[[zone]]` says.
fn parents_of(settings: &CheckSettings, config: &Config, zone: &str) -> Vec<SocketAddr> {
    if !settings.parents.is_empty() {
        return settings.parents.clone();
    }
    let mut signed = config.signed_zones();
    let found = signed.find(|(apex, _)| without_dot(&apex.to_string()) == zone);
    found.map_or_else(Vec::new, |(_, signing)| signing.parent.clone())
}

/// The apexes of which DS records are looked at: those of federations, and others of which the zone above
/// is known. The error is that the keys of some cannot be read.
fn apexes_below<'k>(
    settings: &CheckSettings,
    config: &Config,
    zones: &[(&ServedZone, Vec<SocketAddr>)],
    keys: &'k Result<Vec<CheckedKeys>, String>,
) -> Result<Vec<ApexBelow<'k>>, String> {
    let mut names: Vec<_> = zones
        .iter()
        .map(|(zone, servers)| (zone.name.clone(), servers.clone()))
        .collect();
    for (apex, signing) in config.signed_zones() {
        let name = without_dot(&apex.to_string());
        if !signing.parent.is_empty() && names.iter().all(|(other, _)| *other != name) {
            names.push((name, signing.parent.clone()));
        }
    }
    let is_signed = |name: &String| {
        let mut signed = config.signed_zones();
        signed.any(|(apex, _)| without_dot(&apex.to_string()) == *name)
    };
    let below = names.into_iter().map(|(name, servers)| {
        let keys = match keys {
            _ if !is_signed(&name) => None,
            Ok(keys) => keys.iter().find(|keys| keys.zone == name),
            Err(why) => return Err(format!("the keys of {name} cannot be read: {why}")),
        };
        Ok(ApexBelow {
            name,
            servers,
            keys,
            file: settings.file_word(),
        })
    });
    below.collect()
}

/// How a server of the zone above is asked.
fn question(zone: &ServedZone) -> DnsQuestion<'_> {
    DnsQuestion::to_server(&zone.name, RecordType::NS)
}

/// The command that asks a server the same.
fn hint(zone: &ServedZone, server: SocketAddr) -> String {
    question(zone).dig(server, DnsTransport::Udp)
}

/// Asks every server for the name servers of an apex.
async fn ask_all(
    client: DnsClient,
    parents: &[SocketAddr],
    zone: &ServedZone,
) -> Vec<(SocketAddr, Result<Message, String>)> {
    let asked = parents.iter().map(async |server| {
        let answer = client.ask_whole(*server, &question(zone)).await;
        (*server, answer)
    });
    join_all(asked).await
}

/// Compares the NS records.
async fn check_servers<'z>(
    client: DnsClient,
    zones: &[(&'z ServedZone, Vec<SocketAddr>)],
    attempts: &Attempts,
) -> Checked<Vec<DelegatedZone<'z>>> {
    attempts.note("not all servers have answered");
    let asked = zones.iter().map(async |(zone, servers)| {
        let answers = ask_all(client, servers, zone).await;
        (*zone, answers)
    });
    let (mut findings, mut delegated) = (Vec::new(), Vec::new());
    for (zone, answers) in join_all(asked).await {
        let mut by_server = Vec::new();
        let (mut wrong, mut silent) = (Vec::new(), Vec::new());
        for (server, answer) in answers {
            match answer.map(|answer| read(&answer, &zone.name)) {
                Ok(ParentAnswer::Delegated(delegation)) => {
                    let parts = delegation.wrong_servers(zone);
                    if !parts.is_empty() {
                        let says = format!("{} at {server}: {}", zone.name, parts.join("; "));
                        wrong.push((server, says));
                    }
                    by_server.push((server, delegation));
                }
                Ok(ParentAnswer::Undelegated(why)) => {
                    let says = format!("{}: {server} does not delegate it: {why}", zone.name);
                    wrong.push((server, says));
                }
                // A server of the zone above another apex need not have the one above this.
                Ok(ParentAnswer::Elsewhere(why)) | Err(why) => {
                    silent.push((server, format!("{server}: {why}")));
                }
            }
        }
        if wrong.is_empty() && by_server.is_empty() {
            let whys: Vec<_> = silent.iter().map(|(_, why)| why.as_str()).collect();
            let whys = whys.join("; ");
            let says = format!("{}: no server of the zone above it: {whys}", zone.name);
            wrong.extend(silent.first().map(|(server, _)| (*server, says)));
        }
        findings.extend(
            wrong
                .into_iter()
                .map(|(server, says)| CheckFinding::failure(says).hint(hint(zone, server))),
        );
        if !by_server.is_empty() {
            delegated.push(DelegatedZone { zone, by_server });
        }
    }
    let findings = or_ok(findings, || {
        let names: Vec<_> = zones.iter().map(|(zone, _)| zone.name.as_str()).collect();
        format!("{}: as configured", names.join(", "))
    });
    Checked {
        findings,
        value: Some(delegated),
    }
}

/// Compares the glue.
fn judge_glue(delegated: &[DelegatedZone<'_>]) -> Vec<CheckFinding> {
    let mut findings = Vec::new();
    for DelegatedZone { zone, by_server } in delegated {
        for (server, delegation) in by_server {
            let wrong = delegation.wrong_glue(zone);
            if !wrong.is_empty() {
                let says = format!("{} at {server}: {}", zone.name, wrong.join(", "));
                let hint = hint(zone, *server);
                findings.push(CheckFinding::failure(says).hint(hint));
            }
        }
    }
    or_ok(findings, || {
        let addresses = delegated
            .iter()
            .flat_map(|DelegatedZone { zone, by_server }| {
                zone.servers.iter().filter(|(name, _)| {
                    let mut delegations = by_server.iter();
                    delegations.any(|(_, delegation)| delegation.servers.contains(name))
                })
            });
        let addresses: usize = addresses.map(|(_, addresses)| addresses.len()).sum();
        match addresses {
            1 => "as configured, 1 address".to_owned(),
            addresses => format!("as configured, {addresses} addresses"),
        }
    })
}
