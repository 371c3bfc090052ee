//! What a server of a zone above says of an apex.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{RData, Record};

use super::client::{absolute, code_name};
use super::zones::{ServedZone, is_below};

/// A delegation as the zone above has it: names in letters, without a dot at the end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Delegation {
    /// The NS records.
    pub(super) servers: BTreeSet<String>,
    /// The glue of each name server.
    pub(super) glue: BTreeMap<String, BTreeSet<IpAddr>>,
}

/// What a server says when it is asked for the NS records of an apex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ParentAnswer {
    /// It delegates it.
    Delegated(Delegation),
    /// It has the zone above, which does not delegate it.
    Undelegated(String),
    /// It does not have the zone above.
    Elsewhere(String),
}

/// Reads the answer of a server for the NS records of `apex`.
pub(super) fn read(answer: &Message, apex: &str) -> ParentAnswer {
    let code = answer.metadata.response_code;
    match code {
        ResponseCode::NoError => {}
        ResponseCode::NXDomain if answer.metadata.authoritative => {
            return ParentAnswer::Undelegated(code_name(code));
        }
        code => return ParentAnswer::Elsewhere(code_name(code)),
    }
    let owner = |record: &Record| shown(&record.name.to_ascii());
    let servers = |records: &[Record]| {
        let servers = records.iter().filter(|record| owner(record) == apex);
        let servers = servers.filter_map(|record| match &record.data {
            RData::NS(server) => Some(shown(&server.0.to_ascii())),
            _ => None,
        });
        servers.collect::<BTreeSet<_>>()
    };
    if !servers(&answer.answers).is_empty() {
        let why = "it answers for the zone itself, and is no server of the zone above";
        return ParentAnswer::Elsewhere(why.to_owned());
    }
    let servers = servers(&answer.authorities);
    if servers.is_empty() {
        let is_ns = |record: &&Record| matches!(record.data, RData::NS(_));
        return match answer.authorities.iter().find(is_ns) {
            Some(other) => ParentAnswer::Elsewhere(format!("it delegates {}", owner(other))),
            None => ParentAnswer::Undelegated("no NS records".to_owned()),
        };
    }
    let mut glue: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for record in &answer.additionals {
        let address = match &record.data {
            RData::A(address) => IpAddr::V4(address.0),
            RData::AAAA(address) => IpAddr::V6(address.0),
            _ => continue,
        };
        glue.entry(owner(record)).or_default().insert(address);
    }
    ParentAnswer::Delegated(Delegation { servers, glue })
}

impl Delegation {
    /// What of the NS records is not as it is configured: what is missing, then what is too much.
    pub(super) fn wrong_servers(&self, zone: &ServedZone) -> Vec<String> {
        let configured: BTreeSet<_> = zone.servers.iter().map(|(name, _)| name.clone()).collect();
        let mut wrong = Vec::new();
        for (what, some) in [
            ("missing", configured.difference(&self.servers)),
            ("extra", self.servers.difference(&configured)),
        ] {
            let names: Vec<_> = some.map(String::as_str).collect();
            if !names.is_empty() {
                wrong.push(format!("{what} {}", names.join(", ")));
            }
        }
        wrong
    }

    /// What of the glue is not as it is configured. A name server inside the apex needs glue; of one
    /// elsewhere what there is must be right. One that is not delegated to is no matter of glue.
    pub(super) fn wrong_glue(&self, zone: &ServedZone) -> Vec<String> {
        let mut wrong = Vec::new();
        for (name, addresses) in &zone.servers {
            let configured: BTreeSet<_> = addresses.iter().copied().collect();
            let seen = self.glue.get(name);
            let is_needed = is_below(name, &zone.name) || *name == zone.name;
            let is_asked = seen.is_some() || is_needed;
            if configured.is_empty() || !self.servers.contains(name) || !is_asked {
                continue;
            }
            let nothing = BTreeSet::new();
            let seen = seen.unwrap_or(&nothing);
            let mut parts = Vec::new();
            for (what, some) in [
                ("missing", configured.difference(seen)),
                ("extra", seen.difference(&configured)),
            ] {
                let addresses: Vec<_> = some.map(ToString::to_string).collect();
                if !addresses.is_empty() {
                    parts.push(format!("{what} {}", addresses.join(", ")));
                }
            }
            if !parts.is_empty() {
                wrong.push(format!("{name}: {}", parts.join("; ")));
            }
        }
        wrong
    }
}

/// A name in lower case without a dot at its end.
fn shown(name: &str) -> String {
    let lower = absolute(name).map_or_else(|_| name.to_owned(), |name| name.to_ascii());
    lower.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use hickory_proto::rr::rdata::{A, NS};

    use super::*;

    /// A record.
    fn record(owner: &str, data: RData) -> Record {
        Record::from_rdata(owner.parse().unwrap(), 3600, data)
    }

    /// An NS record.
    fn ns(owner: &str, server: &str) -> Record {
        record(owner, RData::NS(NS(server.parse().unwrap())))
    }

    /// The zone, with a name server inside it and one elsewhere.
    fn zone() -> ServedZone {
        ServedZone {
            name: "example.com".to_owned(),
            servers: vec![
                ("ns1.example.com".to_owned(), vec![[192, 0, 2, 53].into()]),
                ("ns2.example.net".to_owned(), vec![[192, 0, 2, 54].into()]),
            ],
        }
    }

    /// A referral.
    fn referral(servers: &[&str], glue: &[(&str, [u8; 4])]) -> ParentAnswer {
        let mut answer = Message::query();
        let servers = servers.iter().map(|server| ns("EXAMPLE.com.", server));
        answer.authorities.extend(servers);
        let glue = glue.iter();
        let glue = glue.map(|(name, octets)| record(name, RData::A(A((*octets).into()))));
        answer.additionals.extend(glue);
        read(&answer, "example.com")
    }

    /// What is wrong with one.
    fn wrong(answer: &ParentAnswer) -> (Vec<String>, Vec<String>) {
        let ParentAnswer::Delegated(delegation) = answer else {
            panic!("{answer:?}");
        };
        let zone = zone();
        (
            delegation.wrong_servers(&zone),
            delegation.wrong_glue(&zone),
        )
    }

    #[test]
    fn a_delegation_is_compared_name_by_name_and_address_by_address() {
        let right = ["NS1.example.com.", "ns2.example.net."];
        let glue = ("ns1.Example.com.", [192, 0, 2, 53]);
        let none = (Vec::new(), Vec::new());
        assert_eq!(wrong(&referral(&right, &[glue])), none);
        let of_both = [glue, ("ns2.example.net.", [192, 0, 2, 54])];
        assert_eq!(wrong(&referral(&right, &of_both)), none);
        let other = referral(&["ns2.example.net.", "ns3.example.net."], &[]);
        let expected = vec!["missing ns1.example.com", "extra ns3.example.net"];
        assert_eq!(wrong(&other).0, expected);
        assert!(wrong(&other).1.is_empty(), "one fault is one line");
        let without = wrong(&referral(&right, &[]));
        assert_eq!(without.1, ["ns1.example.com: missing 192.0.2.53"]);
        let elsewhere = [
            ("ns1.example.com.", [192, 0, 2, 99]),
            ("ns2.example.net.", [192, 0, 2, 1]),
        ];
        assert_eq!(
            wrong(&referral(&right, &elsewhere)).1,
            [
                "ns1.example.com: missing 192.0.2.53; extra 192.0.2.99",
                "ns2.example.net: missing 192.0.2.54; extra 192.0.2.1",
            ]
        );
    }

    #[test]
    fn who_does_not_have_the_zone_above_says_nothing_of_the_delegation() {
        let says = |code, is_authoritative| {
            let mut answer = Message::query();
            answer.metadata.response_code = code;
            answer.metadata.authoritative = is_authoritative;
            read(&answer, "example.com")
        };
        let elsewhere = |why: &str| ParentAnswer::Elsewhere(why.to_owned());
        let undelegated = |why: &str| ParentAnswer::Undelegated(why.to_owned());
        assert_eq!(says(ResponseCode::Refused, false), elsewhere("REFUSED"));
        assert_eq!(says(ResponseCode::NXDomain, true), undelegated("NXDOMAIN"));
        assert_eq!(says(ResponseCode::NXDomain, false), elsewhere("NXDOMAIN"));
        assert_eq!(
            says(ResponseCode::NoError, true),
            undelegated("no NS records")
        );
        let mut answer = Message::query();
        answer.authorities.push(ns("com.", "a.nic.example."));
        assert_eq!(read(&answer, "example.com"), elsewhere("it delegates com"));
        let mut answer = Message::query();
        answer.answers.push(ns("example.com.", "ns1.example.com."));
        assert!(matches!(
            read(&answer, "example.com"),
            ParentAnswer::Elsewhere(_)
        ));
    }
}
