//! `[[alias]]`: names that have the addresses of services.

use std::str::FromStr;

use super::federation::FederationDraft;
use super::problem::{PartProblems, Placed};
use super::section::Section;
use super::settings::ZoneSettings;
use super::values;
use crate::model::ServiceAlias;
use crate::names::Label;
use crate::wire::NameBuf;

/// One `[[alias]]`.
pub(super) struct AliasDraft {
    name: Option<Placed<NameBuf>>,
    service: Option<Placed<[Label; 3]>>,
    has_a: bool,
    has_aaaa: bool,
}

impl AliasDraft {
    /// All of it, when it is whole.
    pub(super) fn whole(&self) -> Option<ServiceAlias> {
        Some(ServiceAlias {
            name: self.name.as_ref()?.value.clone(),
            service: self.service.as_ref()?.value.clone(),
            has_a: self.has_a,
            has_aaaa: self.has_aaaa,
        })
    }
}

/// Reads one `[[alias]]`.
pub(super) fn alias(section: Section<'_>) -> AliasDraft {
    section.require("name");
    section.require("service");
    let name = section.text("name", "name", values::name);
    let service = section.text("service", "service", service);
    let choice = values::choice(&[("A", true), ("AAAA", false)]);
    let types = section.texts("types", choice);
    if types.as_ref().is_some_and(Vec::is_empty) {
        section
            .report
            .add(section.at, "types: at least one of A, AAAA");
    }
    section.finish();
    let has = |is_a: bool| {
        let types = types.as_ref();
        types.is_none_or(|types| types.iter().any(|one| one.value == is_a))
    };
    AliasDraft {
        name,
        service,
        has_a: has(true),
        has_aaaa: has(false),
    }
}

/// Reads `service.namespace.federation`.
fn service(text: &str) -> Result<[Label; 3], String> {
    let labels: Result<Vec<Label>, _> = text.split('.').map(Label::from_str).collect();
    let labels = labels.map_err(|error| error.to_string())?;
    labels
        .try_into()
        .map_err(|_| "expected SERVICE.NAMESPACE.FEDERATION".to_owned())
}

/// Reports aliases that are there twice, that nothing is served at, or of federations that are not there.
pub(super) fn check(
    report: &PartProblems<'_>,
    aliases: &[AliasDraft],
    federations: &[FederationDraft],
    zones: &[ZoneSettings],
) {
    for (place, alias) in aliases.iter().enumerate() {
        if let Some(service) = &alias.service {
            let [_, _, federation] = &service.value;
            let wholes = federations.iter().filter_map(|draft| draft.whole.as_ref());
            if !wholes.into_iter().any(|it| it.name == *federation) {
                let message = format!("service: no federation is called {:?}", federation.as_str());
                report.add(service.at, message);
            }
        }
        let Some(name) = &alias.name else {
            continue;
        };
        let shown = name.value.to_string();
        let shown = shown.trim_end_matches('.');
        let is_same = |other: &AliasDraft| {
            other
                .name
                .as_ref()
                .is_some_and(|other| other.value == name.value)
        };
        if aliases.iter().take(place).any(is_same) {
            report.add(name.at, format!("name {shown:?}: listed more than once"));
        }
        let apexes = federations.iter().filter_map(|draft| draft.apex.as_ref());
        let apexes = apexes.map(|apex| &apex.value);
        let files = zones.iter().filter(|zone| zone.file.is_some());
        let mut apexes = apexes.chain(files.map(|zone| &zone.apex));
        if !apexes.any(|apex| name.value.is_within(apex)) {
            report.add(
                name.at,
                format!("name {shown:?}: not in a zone that is served"),
            );
        }
        let mut federated = federations.iter().filter_map(|draft| draft.apex.as_ref());
        let is_in_tree = federated.any(|apex| {
            let labels: Vec<&str> = name.value.labels().collect();
            let left = labels.len().checked_sub(apex.value.labels().count());
            let left = left.filter(|_| name.value.is_within(&apex.value));
            left.is_some_and(|left| {
                labels
                    .iter()
                    .take(left)
                    .rev()
                    .take(3)
                    .any(|label| *label == "svc")
            })
        });
        if is_in_tree {
            report.add(
                name.at,
                format!("name {shown:?}: belongs to the federations of its zone"),
            );
        }
    }
}
