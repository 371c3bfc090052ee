//! The DS records that the zones above have of the apexes: `parent-ds`.

use std::net::SocketAddr;

use futures::future::join_all;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RecordType;
use hickory_proto::serialize::binary::BinEncodable;

use super::super::checker::{Attempts, Checked};
use super::super::files::{count, or_ok};
use super::super::finding::CheckFinding;
use super::super::surroundings::{CheckedKey, CheckedKeys};
use super::client::{DnsClient, DnsQuestion, DnsTransport, code_name};

/// An apex, the servers of the zone above it, and the keys that it is to be signed with.
pub(super) struct ApexBelow<'z> {
    /// Its name in letters, without a dot at the end.
    pub(super) name: String,
    /// The servers.
    pub(super) servers: Vec<SocketAddr>,
    /// Its keys; `None` where it is not to be signed.
    pub(super) keys: Option<&'z CheckedKeys>,
    /// The configuration, as a word of a command.
    pub(super) file: String,
}

/// Compares DS records with keys.
pub(super) async fn check_ds_records(
    client: DnsClient,
    apexes: &[ApexBelow<'_>],
    attempts: &Attempts,
) -> Checked<()> {
    attempts.note("not all servers have answered");
    let pairs = apexes.iter().flat_map(|apex| {
        let servers = apex.servers.iter();
        servers.map(move |server| (apex, *server))
    });
    let asked = pairs.map(async |(apex, server)| {
        let question = DnsQuestion::to_server(&apex.name, RecordType::DS);
        let answer = client.ask_whole(server, &question).await;
        (apex, server, answer.and_then(|answer| records(&answer)))
    });
    let (mut findings, mut seen, mut silent) = (Vec::new(), 0, Vec::new());
    for (apex, server, records) in join_all(asked).await {
        match records {
            Ok(records) => {
                seen += 1;
                findings.extend(apex.judge(server, &records));
            }
            Err(why) => silent.push(format!("{server}: {why}")),
        }
    }
    if findings.is_empty() && seen == 0 {
        // That is said where the NS records are asked for.
        silent.dedup();
        return CheckFinding::skipped(silent.join("; ")).into();
    }
    let is_signed = apexes.iter().any(|apex| apex.keys.is_some());
    let well = if is_signed {
        "as they should be"
    } else {
        "none"
    };
    or_ok(findings, || well.to_owned()).into()
}

/// The rdata of the DS records in an answer.
fn records(answer: &Message) -> Result<Vec<Vec<u8>>, String> {
    let code = answer.metadata.response_code;
    if !matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) {
        return Err(code_name(code));
    }
    let records = answer.answers.iter();
    let records = records.filter(|record| record.record_type() == RecordType::DS);
    let records = records.map(|record| record.data.to_bytes().map_err(|error| error.to_string()));
    records.collect()
}

impl ApexBelow<'_> {
    /// What is wrong or odd with the DS records of a server.
    fn judge(&self, server: SocketAddr, records: &[Vec<u8>]) -> Option<CheckFinding> {
        let there = format!("{} at {server}", self.name);
        let many = count(records.len(), "DS record");
        let shown =
            || DnsQuestion::to_server(&self.name, RecordType::DS).dig(server, DnsTransport::Udp);
        let bogus = "who validates finds everything below it bogus";
        let keys = match self.keys {
            Some(keys) if !keys.is_unsigned => keys,
            other => {
                let state = other.map_or("not signed", |_| "not signed any more");
                let says = format!("{there}: {many}, and the zone is {state}: {bogus}");
                let failure = CheckFinding::failure(says).hint(shown());
                return (!records.is_empty()).then_some(failure);
            }
        };
        let needed = format!("gazetteer keys ds {} --config {}", self.name, self.file);
        let is_of = |key: &CheckedKey| records.iter().any(|record| key.ds.contains(record));
        let mut signing = keys.keys.iter().filter(|key| key.signs_keys);
        if !records.is_empty() && !signing.any(is_of) {
            let says = format!("{there}: {many}, none of a key that signs: {bogus}");
            return Some(CheckFinding::failure(says).hint(needed));
        }
        if keys.is_leaving {
            let says = format!("{there}: {many}, and the zone is to be unsigned: they are to go");
            let warning = CheckFinding::warning(says).hint(shown());
            return (!records.is_empty()).then_some(warning);
        }
        let mut asked = keys.keys.iter().filter(|key| key.is_asked);
        if let Some(key) = asked.find(|key| !is_of(key)) {
            let without = if records.is_empty() {
                ": without one nobody validates"
            } else {
                ""
            };
            let says = format!(
                "{there}: no DS record of {}, which waits for it{without}",
                key.name
            );
            return Some(CheckFinding::warning(says).hint(needed));
        }
        let is_known = |record: &&Vec<u8>| keys.keys.iter().any(|key| key.ds.contains(*record));
        let strange = records.len() - records.iter().filter(is_known).count();
        (strange > 0).then(|| {
            let says = format!(
                "{there}: {} of no key that is here",
                count(strange, "DS record")
            );
            CheckFinding::warning(says).hint(shown())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key with one DS record.
    fn key(number: u8, signs_keys: bool, is_asked: bool) -> CheckedKey {
        CheckedKey {
            name: format!("13/{number}"),
            ds: vec![vec![number]],
            signs_keys,
            is_asked,
        }
    }

    /// What is said of DS records, with a hint's first words.
    fn said(keys: Option<&CheckedKeys>, records: &[u8]) -> String {
        let apex = ApexBelow {
            name: "example.com".to_owned(),
            servers: Vec::new(),
            keys,
            file: "g.toml".to_owned(),
        };
        let server = SocketAddr::from(([192, 0, 2, 1], 53));
        let records: Vec<_> = records.iter().map(|record| vec![*record]).collect();
        let found = apex.judge(server, &records);
        found.map_or_else(String::new, |found| format!("{found:?}"))
    }

    #[test]
    fn a_ds_record_must_lead_to_a_key_that_signs_and_the_one_that_is_asked_for_is_missed() {
        let keys = |is_leaving, is_unsigned| CheckedKeys {
            zone: "example.com".to_owned(),
            keys: vec![
                key(1, true, false),
                key(2, true, true),
                key(3, false, false),
            ],
            is_leaving,
            is_unsigned,
        };
        let (signed, leaving, gone) = (keys(false, false), keys(true, false), keys(true, true));
        for (keys, records, state, words) in [
            (Some(&signed), &[2][..], "", ""),
            (Some(&signed), &[1, 2], "", ""),
            (
                Some(&signed),
                &[],
                "Warning",
                "no DS record of 13/2, which waits for it: without one nobody validates",
            ),
            (
                Some(&signed),
                &[1],
                "Warning",
                "no DS record of 13/2, which waits for it",
            ),
            (
                Some(&signed),
                &[2, 9],
                "Warning",
                "1 DS record of no key that is here",
            ),
            (
                Some(&signed),
                &[3],
                "Failure",
                "1 DS record, none of a key that signs",
            ),
            (
                Some(&signed),
                &[9],
                "Failure",
                "1 DS record, none of a key that signs",
            ),
            (Some(&leaving), &[2], "Warning", "they are to go"),
            (Some(&leaving), &[], "", ""),
            (Some(&gone), &[2], "Failure", "not signed any more"),
            (Some(&gone), &[], "", ""),
            (None, &[2], "Failure", "not signed:"),
            (None, &[], "", ""),
        ] {
            let said = said(keys, records);
            assert!(
                said.contains(state) && said.contains(words),
                "{records:?}: {said}"
            );
            assert_eq!(said.is_empty(), state.is_empty(), "{records:?}: {said}");
            let mends = words.contains("waits for it") || words.contains("none of a key");
            assert_eq!(
                said.contains("gazetteer keys ds example.com --config g.toml"),
                mends,
                "{said}"
            );
        }
    }
}
