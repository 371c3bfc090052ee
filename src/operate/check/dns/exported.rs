//! Names that a member's services have: what is asked through its DNS server and of us.

use std::borrow::Borrow;

use super::super::exports::is_exported_in;
use crate::config::{Config, Source, facts};
use crate::model::{Member, NamespacedName, Service};

/// So many names at most: the first that has an address is asked for.
const NAMES: usize = 16;

/// Names that mean one exported service of a member alone (docs/names.md, decision 7): they are answered
/// alike whoever asks.
pub(in super::super) fn exported_names(
    config: &Config,
    member: &Member,
    services: &[(NamespacedName, impl Borrow<Service>)],
) -> Vec<String> {
    let names = config.fleet.federations.iter().flat_map(|federation| {
        let exported = services.iter().filter(move |(name, service)| {
            is_exported_in(federation, member, name, service.borrow())
        });
        exported.map(move |(name, service)| {
            let label = service.borrow().steering.external_name.as_ref();
            let label = label.unwrap_or(&name.name);
            let apex = federation.apex.to_string();
            let apex = apex.trim_end_matches('.');
            let (member, namespace, federation) = (&member.name, &name.namespace, &federation.name);
            format!("{member}.{label}.{namespace}.{federation}.svc.{apex}")
        })
    });
    names.take(NAMES).collect()
}

/// The same of a member with a facts file, if that can be read.
pub(in super::super) fn names_of_file(
    config: &Config,
    member: &Member,
    source: &Source,
) -> Vec<String> {
    let Source::File { path } = source else {
        return Vec::new();
    };
    exported_names(config, member, &facts::load(path).unwrap_or_default())
}
