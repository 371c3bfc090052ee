//! The static records of a zone beside what else is served there (docs/static-zones.md).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::apex_lines::FederationLines;
use super::problem::Problem;
use super::settings::{Config, ZoneSettings};
use super::zone_file::{at, read_zone_file, shown};
use crate::model::limits::PROBLEMS;
use crate::model::{Federation, Fleet, StaticSet, StaticZone};
use crate::names::{Form, split};
use crate::wire::{NameBuf, NameText, Qname, rrtype, suffixes};

/// The apexes of federations and of zones with files, by the names above them: found once for all zones.
#[derive(Debug)]
pub struct ServedApexes<'a> {
    above: HashMap<Box<[u8]>, NameBuf>,
    /// What the configuration file says.
    octets: &'a [u8],
}

impl<'a> ServedApexes<'a> {
    /// Those of a configuration, whose file says `octets`.
    pub fn of(config: &Config, octets: &'a [u8]) -> Self {
        let federated = config.fleet.federations.iter().map(|it| &it.apex);
        let zones = config.zones.iter().filter(|it| it.file.is_some());
        let mut above = HashMap::new();
        for apex in federated.chain(zones.map(|it| &it.apex)) {
            for name in suffixes(apex.as_wire()).skip(1) {
                above.entry(name.into()).or_insert_with(|| apex.clone());
            }
        }
        Self { above, octets }
    }

    /// One that is below a name, given in wire form.
    fn below(&self, name: &[u8]) -> Option<&NameBuf> {
        self.above.get(name)
    }
}

/// Reads the master file of a zone, if it has one, and checks it against what else is served.
///
/// # Errors
/// Every problem of its files, never none of them.
pub fn zone_records(
    zone: &ZoneSettings,
    config: &Config,
    served: &ServedApexes<'_>,
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
                let apex = NameText(zone.apex.as_wire());
                let message = format!("zone {apex}: no {name} record at the apex");
                problems.push(Problem::whole(file, message));
            }
        }
    }
    let sets = read.sets.iter();
    // No more than are kept: each looks for its place in the configuration.
    let wrong = sets.filter_map(|set| beside(set, &read.apex, &own, (config, served)));
    problems.extend(wrong.take(PROBLEMS.length() - problems.len()));
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
    (config, served): (&Config, &ServedApexes<'_>),
) -> Option<Problem> {
    let name = || shown(&set.owner, apex);
    let mut qname = Qname::new();
    qname.read(&[&set.owner, apex.as_wire()].concat());
    let leads_away =
        set.rrtype == rrtype::DNAME || set.rrtype == rrtype::NS && !set.owner.is_empty();
    if leads_away && let Some(inside) = served.below(qname.as_wire()) {
        let inside = NameText(inside.as_wire());
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
            .then(|| differing(set, first, (config, served)))
            .flatten();
    }
    let left = qname.label_count() - apex.labels().count();
    let is_in_tree = matches!(split(&qname, left), Form::Tree { .. });
    let top = String::from_utf8_lossy(qname.label(left - 1)).into_owned();
    if is_in_tree || is_place(&top, &config.fleet) {
        let line = FederationLines::find(served.octets, &config.path, apex).apex;
        let apex = NameText(apex.as_wire());
        let message = format!("{} belongs to the federations of {apex} ({line})", name());
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
fn differing(
    set: &StaticSet,
    federation: &Federation,
    (config, served): (&Config, &ServedApexes<'_>),
) -> Option<Problem> {
    let configured = federation.nameservers.iter();
    let configured: BTreeSet<&[u8]> = configured.map(|it| it.name.as_wire()).collect();
    let given: BTreeSet<&[u8]> = set.rdata.iter().map(|rdata| &**rdata).collect();
    if configured == given {
        return None;
    }
    let line = format!("line {}", set.place.1);
    let place = FederationLines::find(served.octets, &config.path, &federation.apex).nameservers;
    let lacks = |one: &BTreeSet<&[u8]>, other: &BTreeSet<&[u8]>, places: [&str; 2]| {
        let [has, has_not] = places;
        let names: Vec<_> = one
            .difference(other)
            .map(|name| NameText(name).to_string())
            .collect();
        let names = names.join(", ");
        (!names.is_empty()).then(|| format!("{has} has {names}, {has_not} has not"))
    };
    let more = lacks(&given, &configured, [&line, &place]);
    let fewer = lacks(&configured, &given, [&place, &line]);
    let parts: Vec<_> = more.into_iter().chain(fewer).collect();
    let apex = NameText(federation.apex.as_wire());
    Some(at(
        set,
        format!("NS of {apex} differ: {}", parts.join("; ")),
    ))
}

/// A configuration with other static records.
#[must_use]
pub fn with_statics(mut config: Config, zones: Vec<Arc<StaticZone>>) -> Config {
    Arc::make_mut(&mut config.fleet).statics = zones;
    config
}

/// Reads the static records of all zones of a configuration, whose file says `octets`, into it.
///
/// # Errors
/// Every problem of the files, in the order of the zones, never none of them.
pub fn read_statics(config: Config, octets: &[u8]) -> Result<Config, Vec<Problem>> {
    let (mut zones, mut problems) = (Vec::new(), Vec::new());
    let served = ServedApexes::of(&config, octets);
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
