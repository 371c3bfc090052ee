//! `[[federation]]`: a name below `svc`, its apex, and the rules of its services.

use std::collections::HashSet;
use std::time::Duration;

use super::member::patterns;
use super::probe::{probe, probe_ports};
use super::problem::Placed;
use super::section::{Section, unique};
use super::values;
use crate::model::{
    AddressPolicy, ExportMode, Federation, MOST_ADDRESSES, NameServer, Policy, Probe, SrvForm,
    WhenAllDown,
};
use crate::names::Label;
use crate::wire::NameBuf;

/// Name servers need not be many: RFC 2182 section 5 advises at most seven.
const MOST_NAMESERVERS: usize = 13;

/// The share of addresses that may be withdrawn at once, in percent, unless the file says.
const BRAKE: u8 = 25;

/// A federation, and the places of what other sections are checked against.
pub(super) struct FederationDraft {
    /// Its name, also when the rest of it is wrong.
    pub(super) name: Option<Placed<Label>>,
    /// Its apex.
    pub(super) apex: Option<Placed<NameBuf>>,
    /// The domain of its clusterset.
    pub(super) clusterset: Option<Placed<NameBuf>>,
    /// Its name servers, with the place of `nameservers`.
    pub(super) nameservers: Vec<Placed<NameServer>>,
    /// The members of `order`.
    pub(super) order: Vec<Placed<Label>>,
    /// The patterns of `members`, as written.
    pub(super) members: Vec<Placed<String>>,
    /// The federation, when it is whole.
    pub(super) whole: Option<Federation>,
}

/// Reads one `[[federation]]`.
pub(super) fn federation(section: Section<'_>, policy: AddressPolicy) -> FederationDraft {
    for key in ["name", "apex", "nameservers"] {
        section.require(key);
    }
    let name = section.text("name", "federation", values::label);
    let apex = section.text("apex", "apex", values::name);
    let clusterset = section.text("clusterset", "clusterset", values::name);
    let nameservers = nameservers(&section, apex.as_ref(), policy);
    let hostmaster = hostmaster(&section, apex.as_ref());
    let order = order(&section);
    let members = patterns(&section, "members");
    let namespaces = patterns(&section, "namespaces");
    let seconds = Duration::from_secs;
    let duration = |key, read: &dyn Fn(&str) -> Result<Duration, String>, default| {
        section
            .text(key, key, read)
            .map_or(default, |duration| duration.value)
    };
    let export = values::choice(&[
        ("annotated", ExportMode::Annotated),
        ("load-balancers", ExportMode::LoadBalancers),
    ]);
    let rules = (
        section.text("export", "export", export),
        section.text("policy", "policy", values::policy),
        section.text("when-all-down", "when-all-down", values::when_all_down),
        section.text("srv", "srv", values::srv),
    );
    let fence = fence(&section);
    let ttl = duration("ttl", &values::ttl, seconds(30));
    let negative_ttl = duration("negative-ttl", &values::ttl, seconds(5));
    let apex_ttl = duration("apex-ttl", &values::ttl, seconds(3600));
    let long = values::duration(Duration::ZERO..=values::WEEK);
    let hold = duration("hold", &long, seconds(60));
    let tcp_proof = duration("tcp-proof", &long, seconds(86_400));
    let sync_timeout = duration("sync-timeout", &long, seconds(30));
    let settings = section.table("probe").map(probe).unwrap_or_default();
    let probe_ports = probe_ports(&section);
    let brake = section.text("brake", "brake", values::percent);
    let max_addresses = max_addresses(&section);
    let spill_over = section.text("spill-over", "spill-over", values::percent);
    section.finish();
    let whole = name.as_ref().zip(apex.as_ref()).and_then(|(name, apex)| {
        Some(Federation {
            name: name.value.clone(),
            apex: apex.value.clone(),
            clusterset: clusterset.as_ref().map(|domain| domain.value.clone()),
            nameservers: nameservers
                .iter()
                .map(|server| server.value.clone())
                .collect(),
            hostmaster: hostmaster?,
            export: rules.0.map_or(ExportMode::Annotated, |export| export.value),
            ttl,
            negative_ttl,
            apex_ttl,
            policy: rules.1.map_or(Policy::Nearest, |policy| policy.value),
            order: order.iter().map(|member| member.value.clone()).collect(),
            fence,
            when_all_down: rules.2.map_or(WhenAllDown::NoData, |rule| rule.value),
            max_addresses,
            spill_over: spill_over.map(|share| share.value),
            srv: rules.3.map_or(SrvForm::Shared, |form| form.value),
            hold,
            tcp_proof,
            sync_timeout,
            members: members.iter().map(|(_, pattern)| pattern.clone()).collect(),
            namespaces: namespaces.into_iter().map(|(_, pattern)| pattern).collect(),
            probe: Probe::default().with(&settings),
            probe_ports,
            brake: brake.map_or(BRAKE, |brake| brake.value),
        })
    });
    FederationDraft {
        name,
        apex,
        clusterset,
        nameservers,
        order,
        members: members.into_iter().map(|(text, _)| text).collect(),
        whole,
    }
}

/// SOA RNAME: as given, else `hostmaster` in the apex. `None` after a problem.
fn hostmaster(section: &Section<'_>, apex: Option<&Placed<NameBuf>>) -> Option<NameBuf> {
    let read = |text: &str| match text.split_once('@') {
        Some((user, domain)) => Err(format!("written {user}.{domain} (RFC 1035 section 3.3.13)")),
        None => values::name(text),
    };
    if section.has("hostmaster") {
        let given = section.text("hostmaster", "hostmaster", read)?;
        return Some(given.value);
    }
    // The key is known even where it is left out.
    section.get("hostmaster");
    let apex = apex?;
    let labels = std::iter::once("hostmaster").chain(apex.value.labels());
    let name = NameBuf::from_labels(labels).ok();
    if name.is_none() {
        let message = "apex: no room for hostmaster below it; give one";
        section.report.add(apex.at, message);
    }
    name
}

/// Reads `nameservers`.
fn nameservers(
    section: &Section<'_>,
    apex: Option<&Placed<NameBuf>>,
    policy: AddressPolicy,
) -> Vec<Placed<NameServer>> {
    let report = section.report;
    let entries = section.tables("nameservers");
    if section.array("nameservers").is_some_and(<[_]>::is_empty) {
        report.add(section.at, "nameservers: at least one is required");
    }
    let mut servers: Vec<Placed<NameServer>> = Vec::new();
    let mut names = HashSet::new();
    for entry in entries {
        entry.require("name");
        let name = entry.text("name", "name server", values::name);
        let given = entry
            .texts("addresses", values::counting(policy))
            .unwrap_or_default();
        let wrong = entry
            .array("addresses")
            .is_some_and(|all| all.len() != given.len());
        let addresses = unique(report, given.into_iter(), |address| {
            format!("address \"{address}\": listed more than once")
        });
        entry.finish();
        let Some(Placed { value: name, at }) = name else {
            continue;
        };
        let within = apex.is_some_and(|apex| name.is_within(&apex.value));
        if within && addresses.is_empty() && !wrong {
            report.add(
                at,
                format!("name server \"{name}\": inside the apex: addresses are required (glue)"),
            );
        }
        if !names.insert(name.clone()) {
            report.add(at, format!("name server \"{name}\": listed more than once"));
        }
        servers.push(Placed {
            value: NameServer { name, addresses },
            at,
        });
    }
    if let Some(over) = servers.get(MOST_NAMESERVERS) {
        report.add(
            over.at,
            format!("nameservers: more than {MOST_NAMESERVERS}"),
        );
    }
    servers
}

/// Reads `max-addresses`.
pub(super) fn max_addresses(section: &Section<'_>) -> Option<u8> {
    let most = section.integer("max-addresses", 1..=MOST_ADDRESSES.into())?;
    u8::try_from(most.value).ok()
}

/// Reads `order`: members, each once.
pub(super) fn order(section: &Section<'_>) -> Vec<Placed<Label>> {
    let order = section.texts("order", values::label).unwrap_or_default();
    let mut seen = HashSet::new();
    for member in &order {
        if !seen.insert(&member.value) {
            let message = format!("order {:?}: listed more than once", member.value.as_str());
            section.report.add(member.at, message);
        }
    }
    order
}

/// Reads `fence`. Its regions need not be known: they may yet be learnt.
pub(super) fn fence(section: &Section<'_>) -> Option<Vec<Label>> {
    let fence = section.texts("fence", values::place)?;
    if section.array("fence").is_some_and(<[_]>::is_empty) {
        let message = "fence: an empty list lets no region pass; leave it out to let all pass";
        section.report.add(section.at, message);
    }
    Some(fence.into_iter().map(|region| region.value).collect())
}
