//! The static records of a zone beside what else is served there (docs/static-zones.md).

use std::collections::HashMap;
use std::sync::Arc;

use super::problem::Problem;
use super::settings::{Config, ZoneSettings};
use super::zone_file::{at, read_zone_file, shown};
use crate::model::limits::PROBLEMS;
use crate::model::{Federation, Fleet, StaticSet, StaticZone};
use crate::names::{Form, split};
use crate::wire::{NameBuf, Qname, rrtype};

/// The apexes of federations and of zones with files, by the names above them: found once for all zones.
#[derive(Debug)]
pub struct ServedApexes(HashMap<Box<[u8]>, NameBuf>);

impl ServedApexes {
    /// Those of a configuration.
    pub fn of(config: &Config) -> Self {
        let federated = config.fleet.federations.iter().map(|it| &it.apex);
        let zones = config.zones.iter().filter(|it| it.file.is_some());
        let mut above = HashMap::new();
        for apex in federated.chain(zones.map(|it| &it.apex)) {
            let mut rest = apex.as_wire();
            while let Some((length, tail)) = rest.split_first().filter(|(length, _)| **length > 0) {
                rest = tail.get(usize::from(*length)..).unwrap_or_default();
                above.entry(rest.into()).or_insert_with(|| apex.clone());
            }
        }
        Self(above)
    }

    /// One that is below a name, given in wire form.
    fn below(&self, name: &[u8]) -> Option<&NameBuf> {
        self.0.get(name)
    }
}

/// Reads the master file of a zone, if it has one, and checks it against what else is served.
///
/// # Errors
/// Every problem of its files, never none of them.
pub fn zone_records(
    zone: &ZoneSettings,
    config: &Config,
    served: &ServedApexes,
) -> Result<Option<StaticZone>, Vec<Problem>> {
    let Some(file) = &zone.file else {
        return Ok(None);
    };
    let fleet = &config.fleet;
    let federations = fleet.federations.iter();
    let own: Vec<&Federation> = federations.filter(|it| it.apex == zone.apex).collect();
    let servers = own.iter().flat_map(|federation| &federation.nameservers);
    let addressed = servers.filter(|server| !server.addresses.is_empty());
    let addressed: Vec<NameBuf> = addressed.map(|server| server.name.clone()).collect();
    let read = read_zone_file(file, &zone.apex, &addressed)?;
    let mut problems = Vec::new();
    if own.is_empty() {
        for (rrtype, name) in [(rrtype::SOA, "SOA"), (rrtype::NS, "NS")] {
            if read.apex_set(rrtype).is_none() {
                let message = format!("zone {}: no {name} record at the apex", zone.apex);
                problems.push(Problem::whole(file, message));
            }
        }
    }
    for set in &read.sets {
        problems.extend(beside(set, &read.apex, &own, (config, served)));
    }
    problems.truncate(PROBLEMS.length());
    if problems.is_empty() {
        Ok(Some(read))
    } else {
        Err(problems)
    }
}

/// What is wrong with a set beside the federations of its apex and the other apexes.
fn beside(
    set: &StaticSet,
    apex: &NameBuf,
    own: &[&Federation],
    (config, served): (&Config, &ServedApexes),
) -> Option<Problem> {
    let name = || shown(&set.owner, apex);
    let mut qname = Qname::new();
    qname.read(&[&set.owner, apex.as_wire()].concat());
    let leads_away =
        set.rrtype == rrtype::DNAME || set.rrtype == rrtype::NS && !set.owner.is_empty();
    if leads_away && let Some(inside) = served.below(qname.as_wire()) {
        let message = format!("{}: hides {inside}, which is served here", name());
        return Some(at(set, message));
    }
    let first = own.first()?;
    if set.owner.is_empty() {
        if set.rrtype == rrtype::DNAME {
            let message = format!("{}: a DNAME record hides the names of federations", name());
            return Some(at(set, message));
        }
        return (set.rrtype == rrtype::NS)
            .then(|| differing(set, first))
            .flatten();
    }
    let left = qname.label_count() - apex.labels().count();
    let is_in_tree = matches!(split(&qname, left), Form::Tree { .. });
    let top = String::from_utf8_lossy(qname.label(left - 1)).into_owned();
    if is_in_tree || is_place(&top, &config.fleet) {
        let apex = apex.to_string();
        let apex = apex.trim_end_matches('.');
        let message = format!("{} belongs to the federations of {apex}", name());
        return Some(at(set, message));
    }
    None
}

/// Whether a label is a region, or a zone, by the configuration.
fn is_place(label: &str, fleet: &Fleet) -> bool {
    let regions = fleet.regions.iter();
    let regions = regions.flat_map(|region| std::iter::once(&region.name).chain(&region.zones));
    let members = fleet.members.iter();
    let members = members.flat_map(|(_, member)| member.region.iter().chain(&member.zones));
    regions.chain(members).any(|place| place.as_str() == label)
}

/// NS records of a file that are not those of the federation.
fn differing(set: &StaticSet, federation: &Federation) -> Option<Problem> {
    let mut configured: Vec<&[u8]> = federation
        .nameservers
        .iter()
        .map(|it| it.name.as_wire())
        .collect();
    configured.sort_unstable();
    configured.dedup();
    let given: Vec<&[u8]> = set.rdata.iter().map(|rdata| &**rdata).collect();
    if configured == given {
        return None;
    }
    let lists = |names: &[&[u8]]| {
        let names: Vec<String> = names.iter().map(|name| text(name)).collect();
        names.join(", ")
    };
    let message = format!(
        "NS of {} differ: {} here, {} in nameservers",
        federation.apex,
        lists(&given),
        lists(&configured)
    );
    Some(at(set, message))
}

/// A name in wire form as text.
fn text(wire: &[u8]) -> String {
    let mut name = Qname::new();
    name.read(wire);
    name.to_string()
}

/// A configuration with other static records.
#[must_use]
pub fn with_statics(mut config: Config, zones: Vec<Arc<StaticZone>>) -> Config {
    Arc::make_mut(&mut config.fleet).statics = zones;
    config
}

/// Reads the static records of all zones of a configuration into it.
///
/// # Errors
/// Every problem of the files, in the order of the zones, never none of them.
pub fn read_statics(config: Config) -> Result<Config, Vec<Problem>> {
    let (mut zones, mut problems) = (Vec::new(), Vec::new());
    let served = ServedApexes::of(&config);
    for zone in &config.zones {
        match zone_records(zone, &config, &served) {
            Ok(read) => zones.extend(read.map(Arc::new)),
            Err(found) => problems.extend(found),
        }
    }
    problems.truncate(PROBLEMS.length());
    if problems.is_empty() {
        Ok(with_statics(config, zones))
    } else {
        Err(problems)
    }
}
