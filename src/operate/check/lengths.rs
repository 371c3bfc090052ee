//! Names that no message can hold, and namespaces that a stub would hide: `names`.

use std::collections::BTreeSet;

use super::exports::is_exported;
use super::files::or_ok;
use super::finding::CheckFinding;
use crate::model::{Fleet, Member, NamespacedName};
use crate::names::Label;
use crate::sources::kubernetes::SurveyedServices;

/// The longest name, in octets of a message (RFC 1035, 2.3.4).
const LONGEST: usize = 255;

/// The longest region with its zone, in octets of a message.
const LONGEST_PLACE: usize = 2 * 64;

/// What a member's names are, as far as others' regions and zones may make them too long.
#[derive(Debug, Default)]
pub(super) struct SeenNames {
    /// How long the names of exported services at the global level are, in octets of a message, that
    /// could be too long at another.
    long: Vec<usize>,
    /// The longest of all.
    longest: Option<LongestName>,
    /// Namespaces that are called as a federation.
    namespaces: Vec<Label>,
}

/// The longest name of a service.
#[derive(Debug)]
struct LongestName {
    /// The name at the global level.
    name: String,
    /// Its length in octets of a message.
    octets: usize,
    /// The service.
    service: NamespacedName,
}

impl SeenNames {
    /// Those of a member.
    pub(super) fn of(surveyed: &SurveyedServices, fleet: &Fleet, member: &Member) -> Self {
        let mut seen = Self::default();
        let exported = surveyed.services.iter();
        let exported = exported.filter(|service| is_exported(fleet, member, service));
        for (name, service) in exported {
            let label = service.steering.external_name.as_ref();
            let label = label.unwrap_or(&name.name);
            for federation in &fleet.federations {
                let labels = [label, &name.namespace, &federation.name];
                let labels: Vec<_> = labels.iter().map(|label| label.as_str()).collect();
                // Each label has an octet for its length; so has the marker `svc`.
                let octets: usize = labels.iter().map(|label| label.len() + 1).sum();
                let octets = octets + 4 + federation.apex.as_wire().len();
                let most = seen.longest.as_ref();
                if most.is_none_or(|most| octets > most.octets) {
                    seen.longest = Some(LongestName {
                        name: format!("{}.svc.{}", labels.join("."), federation.apex),
                        octets,
                        service: name.clone(),
                    });
                }
                if octets + LONGEST_PLACE > LONGEST {
                    seen.long.push(octets);
                }
            }
        }
        let federations: BTreeSet<_> = fleet.federations.iter().map(|it| &it.name).collect();
        let namespaces = surveyed.namespaces.iter();
        let namespaces = namespaces.filter(|namespace| federations.contains(namespace));
        seen.namespaces = namespaces.cloned().collect();
        seen
    }

    /// How they are, where the longest region with its zone has so many octets.
    pub(super) fn judge(&self, place: usize) -> Vec<CheckFinding> {
        let mut findings = Vec::new();
        let too_long = self.long.iter().filter(|octets| **octets + place > LONGEST);
        let some = too_long.count();
        if let Some(longest) = self.longest.as_ref().filter(|_| some > 0) {
            let (name, octets) = (&longest.name, longest.octets + place);
            let says = format!(
                "{some} names are over {LONGEST} octets in some zone, and not published there: {name} has {octets}"
            );
            let NamespacedName { namespace, name } = &longest.service;
            findings.push(CheckFinding::warning(says).hint(format!(
                "kubectl --context CONTEXT -n {namespace} annotate service {name} gazetteer.dev/external-name=SHORTER"
            )));
        }
        for namespace in &self.namespaces {
            let says = format!(
                "namespace {namespace} is called as a federation: what forwards {namespace}.svc of a cluster domain hides it"
            );
            let hint = format!("kubectl --context CONTEXT -n {namespace} get services");
            findings.push(CheckFinding::warning(says).hint(hint));
        }
        or_ok(findings, || match &self.longest {
            None => "no service is exported".to_owned(),
            Some(longest) => {
                let octets = longest.octets + place;
                format!("the longest has {octets} octets in a zone")
            }
        })
    }
}

/// How many octets of a message a region has with a zone of it.
pub(super) fn place_octets(region: &Label, zone: Option<&Label>) -> usize {
    let octets = |label: &Label| label.as_str().len() + 1;
    octets(region) + zone.map_or(0, octets)
}
