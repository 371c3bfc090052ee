//! Every kind of name in every tree: those of federations, of cluster domains and of clustersets.

use std::collections::BTreeSet;

use gazetteer::model::WhenAllDown;
use gazetteer::snapshot::Snapshot;

use crate::ask::{View, ask};
use crate::inside::pod_names;
use crate::model::member_name;
use crate::oracle::Oracle;
use crate::world::{Fed, World};

/// The domain of every member's own DNS.
pub(crate) const CLUSTER_DOMAIN: &str = "cluster.local";

/// The domain of a federation's clusterset.
pub(crate) fn clusterset(federation: &str) -> String {
    format!("{federation}.clusterset.local")
}

/// Namespace and name of a service.
type Key = (&'static str, &'static str);

/// What may stand before the name of a service.
fn prefixes(world: &World, key: Key) -> BTreeSet<String> {
    let mut all: BTreeSet<String> = ["", "x.", "_http._tcp.", "_tcp.", "_x._tcp."]
        .map(str::to_owned)
        .into();
    for member in 0..world.members.len() {
        let name = member_name(member);
        let shard = world.shards.get(&(key.0, key.1, member));
        let pods = shard.map(pod_names).unwrap_or_default();
        let pods = pods.iter().map(String::as_str);
        let before = ["_http._tcp", "_tcp", "x"].into_iter().chain(pods);
        all.extend(before.map(|before| format!("{before}.{name}.")));
        all.insert(format!("{name}."));
    }
    all
}

/// The names of a service in all trees.
pub(crate) fn services(fed: &Fed, (namespace, name): Key) -> [String; 6] {
    let (fed, apex) = (fed.name, fed.apex);
    let service = format!("{name}.{namespace}");
    [
        format!("{service}.{fed}.svc.{apex}"),
        format!("{service}.{fed}.svc.r0.{apex}"),
        format!("{service}.{fed}.svc.z1.{apex}"),
        format!("{service}.{fed}.svc.z1.r0.{apex}"),
        format!("{service}.{fed}.svc.{CLUSTER_DOMAIN}"),
        format!("{service}.svc.{}", clusterset(fed)),
    ]
}

/// Every kind of name of a world's services in all trees, those that do not exist too.
pub(crate) fn names(world: &World, oracle: &Oracle<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for fed in &world.federations {
        for key in oracle.known(fed) {
            for prefix in prefixes(world, key) {
                names.extend(services(fed, key).map(|service| format!("{prefix}{service}")));
            }
        }
    }
    names
}

/// No ancestor of an existing name is NXDOMAIN, whoever asks, but of services that may be down under
/// `nxdomain`. Returns what breaks it.
pub(crate) fn ancestors(world: &World, oracle: &Oracle<'_>, snapshot: &Snapshot) -> Option<String> {
    for fed in &world.federations {
        for key in oracle.known(fed) {
            if oracle.all_down(fed, key) == WhenAllDown::NxDomain {
                continue;
            }
            for prefix in prefixes(world, key) {
                for service in services(fed, key) {
                    let name = format!("{prefix}{service}");
                    for view in [View::from(snapshot), View::inside(snapshot, 0)] {
                        if let Some(parent) = denied_ancestor(&name, view) {
                            return Some(format!("{name} exists, {parent} does not"));
                        }
                    }
                }
            }
        }
    }
    None
}

/// The ancestor of an existing name that does not exist.
fn denied_ancestor(name: &str, view: View<'_>) -> Option<String> {
    if ask(view, name, "A").rcode != 0 {
        return None;
    }
    let mut rest = name;
    while let Some((_, parent)) = rest.split_once('.') {
        if ask(view, parent, "A").rcode == 3 {
            return Some(parent.to_owned());
        }
        rest = parent;
    }
    None
}
