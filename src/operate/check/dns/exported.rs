//! Names that a member's services may have: what is asked through its DNS server and of us.

use serde_json::Value;

use super::super::super::api::Api;
use crate::config::{Config, Source, facts};
use crate::model::{Export, Pattern, ServiceKind};
use crate::names::Label;

/// So many names at most: the first that has an address is asked for.
const NAMES: usize = 16;

/// The first services of all namespaces, and what says of others that they are exported.
const LISTS: [(&str, bool); 2] = [
    ("/api/v1/services?limit=500", false),
    (
        "/apis/multicluster.x-k8s.io/v1alpha1/serviceexports?limit=50",
        true,
    ),
];

/// The annotation by which a service is exported (docs/services.md).
const ANNOTATION: &str = "gazetteer.dev/export";

/// A namespace and a service in it.
type Named = (String, String);

/// Names that mean one service of a member alone (docs/names.md, decision 7): they are answered alike
/// whoever asks. Whether they exist is ours to answer. Where lists are refused there are none.
pub(in super::super) async fn exported_names(
    config: &Config,
    member: &Label,
    api: &Api,
) -> Vec<String> {
    let mut services = Vec::new();
    for (path, are_exports) in LISTS {
        let list = api.get(path).await.ok().flatten();
        let items = list.as_ref().and_then(|list| list["items"].as_array());
        let some = items.into_iter().flatten().filter(|item| {
            let annotation = &item["metadata"]["annotations"][ANNOTATION];
            are_exports || annotation == "true" || item["spec"]["type"] == "LoadBalancer"
        });
        services.extend(some.filter_map(of_object));
    }
    names(config, member, &services)
}

/// The same of a member with a facts file, if that can be read.
pub(in super::super) fn names_of_file(
    config: &Config,
    member: &Label,
    source: &Source,
) -> Vec<String> {
    let Source::File { path } = source else {
        return Vec::new();
    };
    let services = facts::load(path).unwrap_or_default();
    let services = services.into_iter().filter(|(_, service)| {
        let spec = &service.spec;
        spec.export == Export::Exported || spec.kind == ServiceKind::LoadBalancer
    });
    let services = services.map(|(name, _)| (name.namespace.to_string(), name.name.to_string()));
    names(config, member, &services.collect::<Vec<_>>())
}

/// The service that an object is or is called as.
fn of_object(item: &Value) -> Option<Named> {
    let text = |key: &str| item["metadata"][key].as_str().map(str::to_owned);
    text("namespace").zip(text("name"))
}

/// The pinned names of services.
fn names(config: &Config, member: &Label, services: &[Named]) -> Vec<String> {
    let federations = config.fleet.federations.iter();
    let federations = federations.filter(|it| Pattern::any(&it.members, member));
    let names = federations.flat_map(|federation| {
        let apex = federation.apex.to_string();
        services.iter().map(move |(namespace, name)| {
            let federation = &federation.name;
            let apex = apex.trim_end_matches('.');
            format!("{member}.{name}.{namespace}.{federation}.svc.{apex}")
        })
    });
    names.take(NAMES).collect()
}
