//! What the zones above say: `parent-ns`, `parent-glue`, `parent-ds`.

use std::net::SocketAddr;

use futures::future::join_all;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{RData, RecordType};

use super::super::checker::{Attempts, Checked, Checker};
use super::super::files::{count, or_ok};
use super::super::finding::CheckFinding;
use super::super::id::CheckId;
use super::client::{DnsClient, DnsQuestion, DnsTransport, code_name};
use super::delegation::{Delegation, ParentAnswer, read};
use super::zones::{ServedZone, apexes, outermost, without_dot};
use crate::config::Config;

/// An apex as servers of the zone above delegate it.
struct DelegatedZone<'z> {
    /// The apex.
    zone: &'z ServedZone,
    /// What each server that has the zone above says.
    by_server: Vec<(SocketAddr, Delegation)>,
}

/// Checks what the zones above say of the apexes.
pub(in super::super) async fn check_parents(checker: &Checker<'_>, config: &Config) {
    let parents = &checker.settings().parents;
    let apexes = apexes(config);
    let zones: Vec<_> = outermost(&apexes).collect();
    let client = DnsClient::within(checker.settings().timeout);
    let delegated = checker.need(CheckId::ParentNs, async |attempts| {
        check_servers(client, parents, &zones, attempts).await
    });
    let is_signed = |zone: &ServedZone| {
        let mut signed = config.signed_zones();
        signed.any(|(apex, _)| without_dot(&apex.to_string()) == zone.name)
    };
    let unsigned: Vec<_> = zones.iter().copied().filter(|it| !is_signed(it)).collect();
    let signed = checker.run(CheckId::ParentDs, async |attempts| {
        if unsigned.is_empty() && !zones.is_empty() {
            let why = "every apex is to be signed: see `gazetteer keys list`";
            return CheckFinding::skipped(why).into();
        }
        check_signatures(client, parents, &unsigned, attempts).await
    });
    let (delegated, ()) = tokio::join!(delegated, signed);
    let delegated = delegated.unwrap_or_default();
    if delegated.is_empty() {
        checker.skip(CheckId::ParentGlue, "no zone above delegates an apex");
        return;
    }
    checker.say(CheckId::ParentGlue, judge_glue(&delegated));
}

/// How a server of the zone above is asked.
fn question(zone: &ServedZone, rrtype: RecordType) -> DnsQuestion<'_> {
    DnsQuestion::to_server(&zone.name, rrtype)
}

/// The command that asks a server the same.
fn hint(zone: &ServedZone, server: SocketAddr, rrtype: RecordType) -> String {
    question(zone, rrtype).dig(server, DnsTransport::Udp)
}

/// Asks every server for every apex.
async fn ask_all(
    client: DnsClient,
    parents: &[SocketAddr],
    zone: &ServedZone,
    rrtype: RecordType,
) -> Vec<(SocketAddr, Result<Message, String>)> {
    let asked = parents.iter().map(async |server| {
        let answer = client.ask_whole(*server, &question(zone, rrtype)).await;
        (*server, answer)
    });
    join_all(asked).await
}

/// Compares the NS records.
async fn check_servers<'z>(
    client: DnsClient,
    parents: &[SocketAddr],
    zones: &[&'z ServedZone],
    attempts: &Attempts,
) -> Checked<Vec<DelegatedZone<'z>>> {
    attempts.note("not all servers have answered");
    let asked = zones.iter().map(async |zone| {
        let answers = ask_all(client, parents, zone, RecordType::NS).await;
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
        findings.extend(wrong.into_iter().map(|(server, says)| {
            CheckFinding::failure(says).hint(hint(zone, server, RecordType::NS))
        }));
        if !by_server.is_empty() {
            delegated.push(DelegatedZone { zone, by_server });
        }
    }
    let findings = or_ok(findings, || {
        let names: Vec<_> = zones.iter().map(|zone| zone.name.as_str()).collect();
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
                let hint = hint(zone, *server, RecordType::NS);
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

/// Looks for DS records of apexes that are not to be signed.
async fn check_signatures(
    client: DnsClient,
    parents: &[SocketAddr],
    zones: &[&ServedZone],
    attempts: &Attempts,
) -> Checked<()> {
    attempts.note("not all servers have answered");
    let asked = zones.iter().map(async |zone| {
        let answers = ask_all(client, parents, zone, RecordType::DS).await;
        (*zone, answers)
    });
    let (mut findings, mut has_answer) = (Vec::new(), false);
    let mut silent = Vec::new();
    for (zone, answers) in join_all(asked).await {
        for (server, answer) in answers {
            let answer = match answer {
                Ok(answer) => answer,
                Err(why) => {
                    silent.push(format!("{server}: {why}"));
                    continue;
                }
            };
            let code = answer.metadata.response_code;
            if !matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) {
                silent.push(format!("{server}: {}", code_name(code)));
                continue;
            }
            has_answer = true;
            let is_ds = |data: &RData| data.record_type() == RecordType::DS;
            let records = answer.answers.iter();
            let records = records.filter(|record| is_ds(&record.data)).count();
            if records > 0 {
                let says = format!(
                    "{} at {server}: {}, and the zone is not signed: who validates finds everything below it bogus",
                    zone.name,
                    count(records, "DS record")
                );
                let hint = hint(zone, server, RecordType::DS);
                findings.push(CheckFinding::failure(says).hint(hint));
            }
        }
    }
    if findings.is_empty() && !has_answer {
        // That is said where the NS records are asked for.
        silent.dedup();
        return CheckFinding::skipped(silent.join("; ")).into();
    }
    or_ok(findings, || "none".to_owned()).into()
}
