//! Rules of names that need no oracle: each returns what breaks it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use gazetteer::answer::{self, Explanation, Recorder, Signatures, explain};
use gazetteer::model::WhenAllDown;
use gazetteer::snapshot::Snapshot;
use hickory_proto::rr::RecordType;

use crate::ask::{self, Answer, CLIENT, View, ask, octets, read};
use crate::model::member_name;
use crate::oracle::{Oracle, owner};
use crate::world::World;

/// No owner has a CNAME and another type, and all types agree on whether it is a CNAME.
pub(crate) fn at_one_name(name: &str, answers: &[(&str, Answer)]) -> Option<String> {
    let targets: BTreeSet<Option<&str>> = answers
        .iter()
        .map(|(_, answer)| {
            let here = answer.lines.iter().filter(|(owner, ..)| owner == name);
            let types: BTreeSet<_> = here.clone().map(|(_, rrtype, _)| rrtype).collect();
            assert!(types.len() <= 1, "{name} has {types:?}");
            here.filter(|(_, rrtype, _)| rrtype == "CNAME")
                .map(|(_, _, target)| target.as_str())
                .next()
        })
        .collect();
    (targets.len() > 1).then(|| format!("types disagree on the CNAME: {targets:?}"))
}

/// No ancestor of an existing name is NXDOMAIN, but for services that are down under `nxdomain`.
pub(crate) fn ancestors(name: &str, oracle: &Oracle<'_>, snapshot: View<'_>) -> Option<String> {
    if ask(snapshot, name, "A").rcode != 0 {
        return None;
    }
    let mut rest = name;
    while let Some((_, parent)) = rest.split_once('.') {
        let answer = ask(snapshot, parent, "A");
        let may_be_denied = oracle
            .service(parent)
            .is_some_and(|(fed, key)| oracle.all_down(fed, key) == WhenAllDown::NxDomain);
        if answer.rcode == 3 && !may_be_denied {
            return Some(format!("{name} exists, {parent} does not"));
        }
        rest = parent;
    }
    None
}

/// Each RRset of an answer is what a direct query for its owner gives.
pub(crate) fn owners(answers: &[(&str, Answer)], snapshot: View<'_>) -> Option<String> {
    for (_, answer) in answers {
        for (owner, rrtype, _) in answer.lines.iter().chain(&answer.additional) {
            let all = answer.lines.iter().chain(&answer.additional);
            let mine: BTreeSet<_> = all
                .filter(|(other, of, _)| other == owner && of == rrtype)
                .collect();
            let direct = ask(snapshot, owner, rrtype);
            let direct: BTreeSet<_> = direct
                .lines
                .iter()
                .filter(|(other, of, _)| other == owner && of == rrtype)
                .collect();
            if mine != direct {
                return Some(format!("{owner} {rrtype}: {mine:?}, asked for: {direct:?}"));
            }
        }
    }
    None
}

/// Of every service: a chain ends where there are addresses if the global name has some, smaller
/// scopes are within larger ones, and a pinned name has its member's addresses alone.
pub(crate) fn services(world: &World, oracle: &Oracle<'_>, snapshot: &Snapshot) -> Option<String> {
    let addresses = |name: &str| -> (BTreeSet<IpAddr>, bool) {
        let [v4, v6] = ["A", "AAAA"].map(|rrtype| ask(snapshot, name, rrtype));
        let is_chain = v4.lines.iter().any(|(_, rrtype, _)| rrtype == "CNAME");
        (
            v4.addresses().union(&v6.addresses()).copied().collect(),
            is_chain,
        )
    };
    for fed in &world.federations {
        for key in oracle.known(fed) {
            let global = owner(fed, key, (None, None));
            let (all, _) = addresses(&global);
            let is_ordered = oracle.order(fed, key).is_some() || oracle.is_weighted(fed, key);
            for scope in oracle.scopes() {
                let name = owner(fed, key, scope);
                let (here, is_chain) = addresses(&name);
                if here.is_empty() && !all.is_empty() {
                    return Some(format!("{name} has nothing, {global} has {all:?}"));
                }
                if !is_ordered && !is_chain && !here.is_subset(&all) {
                    return Some(format!("{name} has {here:?}, {global} has {all:?}"));
                }
                if let (Some(_), Some(region)) = scope {
                    let (wide, _) = addresses(&owner(fed, key, (None, Some(region))));
                    if !is_ordered && !is_chain && !here.is_subset(&wide) {
                        return Some(format!("{name} has {here:?}, its region {wide:?}"));
                    }
                }
            }
            for member in 0..world.members.len() {
                let name = format!("{}.{global}", member_name(member));
                let (here, is_chain) = addresses(&name);
                let own = world.shards.get(&(key.0, key.1, member));
                let is_own = |one: &IpAddr| own.is_some_and(|own| own.addresses.contains(one));
                if is_chain || !here.iter().all(is_own) {
                    return Some(format!("{name} has {here:?}"));
                }
            }
        }
    }
    None
}

/// Recording changes no octet, and who is said to answer is who answers.
pub(crate) fn explained(snapshot: &Snapshot, name: &str, rrtype: &str) -> Option<String> {
    let query = octets(name, rrtype);
    let plain = ask::respond(snapshot, &query);
    let mut recorded = vec![0; 65535];
    let mut recorder = Recorder::default();
    let signatures = Signatures::None;
    let trace = &mut recorder;
    let outcome = answer::respond(snapshot, &query, &CLIENT, signatures, trace, &mut recorded);
    recorded.truncate(outcome.length().unwrap_or(0));
    if plain != recorded {
        return Some("recording changes the answer".to_owned());
    }
    let qtype: RecordType = rrtype.parse().ok()?;
    let explanation: Explanation = explain(
        snapshot,
        &name.parse().ok()?,
        qtype,
        (CLIENT.address, CLIENT.listener),
        CLIENT.now,
        None,
    );
    let (plain, said) = (read(&plain), read(&explanation.response));
    if plain.rcode != said.rcode || plain.records() != said.records() {
        return Some(format!("answered {plain:?}, explained {said:?}"));
    }
    let is_port = name.starts_with('_');
    if is_port || !matches!(rrtype, "A" | "AAAA") || explanation.candidates.is_empty() {
        return None;
    }
    let winners: BTreeSet<_> = explanation
        .candidates
        .iter()
        .filter(|candidate| candidate.answers)
        .flat_map(|candidate| candidate.addresses.iter().copied())
        .filter(|address| address.is_ipv4() == (rrtype == "A"))
        .collect();
    (winners != plain.addresses()).then(|| {
        format!(
            "winners have {winners:?}, the answer {:?}",
            plain.addresses()
        )
    })
}
