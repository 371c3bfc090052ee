//! Static records in apexes: beside federations, or alone.

use std::collections::HashMap;
use std::sync::Arc;

use super::apex::{Apex, Tree};
use super::static_records::{Compiled, StaticRecords};
use crate::model::{Fleet, ServiceAlias, StaticZone};
use crate::wire::{NameBuf, rrtype};

/// TTL of negative answers of a zone whose SOA record says none, in seconds: never, as a zone alone has an SOA
/// record.
const NEGATIVE_TTL: u32 = 300;

/// Gives apexes their static records, and adds those that have nothing else. What is compiled already in
/// `before` is taken over.
pub(super) fn add_statics(apexes: &mut Vec<Apex>, fleet: &Fleet, before: &[Apex]) {
    let known = apexes.len();
    let mut places: HashMap<&NameBuf, usize> = HashMap::new();
    for federation in &fleet.federations {
        let place = apexes.iter().position(|apex| apex.name == federation.apex);
        places.extend(place.map(|place| (&federation.apex, place)));
    }
    for zone in &fleet.statics {
        places.entry(&zone.apex).or_insert_with(|| {
            apexes.push(alone(zone));
            apexes.len() - 1
        });
    }
    let mut zones: HashMap<usize, &Arc<StaticZone>> = HashMap::new();
    for zone in &fleet.statics {
        zones.extend(places.get(&zone.apex).map(|place| (*place, zone)));
    }
    let mut aliases: HashMap<usize, Vec<&ServiceAlias>> = HashMap::new();
    for alias in &fleet.aliases {
        let around = apexes.iter().enumerate();
        let around = around.filter(|(_, apex)| alias.name.is_within(&apex.name));
        if let Some((place, _)) = around.max_by_key(|(_, apex)| apex.labels) {
            aliases.entry(place).or_default().push(alias);
        }
    }
    let compiled = compiled(before);
    for (place, apex) in apexes.iter_mut().enumerate() {
        let aliases = aliases.remove(&place).unwrap_or_default();
        let zone = zones.get(&place).map(|zone| Arc::clone(zone));
        if zone.is_some() || !aliases.is_empty() {
            let zone = zone.unwrap_or_else(|| {
                Arc::new(StaticZone {
                    apex: apex.name.clone(),
                    sets: Vec::new(),
                    files: Vec::new(),
                    serial: None,
                })
            });
            let is_alone = place >= known;
            apex.statics = Some(StaticRecords::of(zone, &aliases, is_alone, &compiled));
        }
    }
}

/// What is compiled.
fn compiled(before: &[Apex]) -> Compiled {
    let statics = before.iter().filter_map(|apex| apex.statics.as_ref());
    let plain = statics.filter(|statics| statics.aliases.is_empty());
    plain
        .map(|statics| (Arc::as_ptr(&statics.zone), Arc::clone(&statics.tree)))
        .collect()
}

/// An apex of static records alone, without them yet.
fn alone(zone: &StaticZone) -> Apex {
    let set = zone.apex_set(rrtype::SOA);
    let ttl = set.map_or(NEGATIVE_TTL, |set| set.ttl);
    let minimum = zone.soa().map(|soa| soa.minimum());
    Apex {
        name: zone.apex.clone(),
        labels: zone.apex.labels().count(),
        nameservers: Vec::new(),
        server_endings: Vec::new(),
        hostmaster: NameBuf::root(),
        hostmaster_ending: None,
        statics: None,
        negative_ttl: minimum.unwrap_or(NEGATIVE_TTL).min(ttl),
        ttl,
        parent: None,
        federations: Vec::new(),
        tree: Tree::Static,
        key_end: Box::default(),
        fixed: HashMap::default(),
    }
}
