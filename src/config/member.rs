//! `[[member]]`: a cluster and where its facts come from.

use std::path::Path;

use super::member_object::MemberObject;
use super::problem::Placed;
use super::section::Section;
use super::settings::{MemberSource, Source};
use super::topology::{RegionAndZones, place_of};
use super::url;
use super::values;
use crate::model::limits::MEMBER_FACTS;
use crate::model::{
    self, AddressPolicy, EVERY_MEMBER, FrontObject, FrontObjectError, Gateway, Member, Network,
    Pattern,
};
use crate::names::Label;
use crate::wire::NameBuf;

/// A member and the places of what other sections are checked against.
pub(super) struct MemberDraft {
    /// Its name, also when the rest of it is wrong.
    pub(super) name: Option<Placed<Label>>,
    /// Its region and zones, as written.
    pub(super) place: RegionAndZones,
    /// The domain of its own DNS.
    pub(super) cluster_domain: Option<Placed<NameBuf>>,
    /// Networks whose clients are in it.
    pub(super) networks: Vec<Network>,
    /// The member, when it is whole.
    pub(super) whole: Option<(Member, MemberSource)>,
}

/// Reads one `[[member]]`; `folder` is what paths are relative to, `policy` which
/// addresses count.
pub(super) fn member(section: Section<'_>, folder: &Path, policy: AddressPolicy) -> MemberDraft {
    for key in ["name", "source"] {
        section.require(key);
    }
    let name = section.text("name", "member", values::label);
    let source = section
        .table("source")
        .and_then(|table| source(table, folder));
    member_from(section, name, source, policy)
}

/// Reads the keys of a member that an object of the host cluster has beside its kubeconfig. Its name and
/// its source are given, but for whether its token is renewed.
pub(super) fn object_member(
    section: Section<'_>,
    name: Placed<Label>,
    object: &MemberObject,
    policy: AddressPolicy,
) -> MemberDraft {
    let renews = section.table("source").and_then(|table| {
        let renew = table.boolean("renew");
        table.finish();
        renew
    });
    let source = Source::Object {
        object: object.clone(),
    };
    let source = (source, renews.is_none_or(|renew| renew.value));
    member_from(section, Some(name), Some(source), policy)
}

/// Reads what else is said of a member.
fn member_from(
    section: Section<'_>,
    name: Option<Placed<Label>>,
    source: Option<(Source, bool)>,
    policy: AddressPolicy,
) -> MemberDraft {
    if let Some(name) = name
        .as_ref()
        .filter(|name| name.value.as_str() == EVERY_MEMBER)
    {
        let message = "member \"members\": `gazetteer confirm members` means all of them";
        section.report.add(name.at, message);
    }
    let has_zones = section.has("zones");
    let place = place_of(&section, "region");
    let namespaces = patterns(&section, "namespaces");
    let cluster_domain = section.text("cluster-domain", "cluster-domain", values::name);
    let cidrs = section.texts("cidrs", values::network).unwrap_or_default();
    let way = section.table("gateway").map(|table| gateway(table, policy));
    let (gateway, front) = way.unwrap_or_default();
    let addresses_from = section.texts("addresses-from", values::network);
    let addresses_from: Vec<_> = addresses_from.into_iter().flatten().collect();
    let facts_limit = section.text("facts-limit", "facts-limit", values::octets);
    if let Some(front) = &front
        && let Some((source, _)) = &source
        && !source.is_kubernetes()
    {
        let message = "gateway.object: requires a source of Kubernetes";
        section.report.add(front.at, message);
    }
    section.finish();
    let whole = name.as_ref().zip(source).map(|(name, (source, renews))| {
        let member = Member {
            name: name.value.clone(),
            region: place.region.as_ref().map(|region| region.label.clone()),
            zones: place.zones.iter().map(|zone| zone.label.clone()).collect(),
            namespaces: namespaces.into_iter().map(|(_, pattern)| pattern).collect(),
            cluster_domain: cluster_domain.as_ref().map(|domain| domain.value.clone()),
            gateway,
            addresses_from: (addresses_from.iter().map(|cidr| cidr.value)).collect(),
        };
        let source = MemberSource {
            member: name.value.clone(),
            has_topology: member.region.is_some() && has_zones,
            facts_limit: facts_limit.map_or(MEMBER_FACTS.most, |limit| limit.value),
            renews,
            addresses_from: member.addresses_from.clone(),
            front: front.as_ref().map(|front| front.value.clone()),
            source,
        };
        (member, source)
    });
    let networks = name.iter().flat_map(|name| {
        cidrs.iter().map(|cidr| Network {
            cidr: cidr.value,
            place: model::Place {
                member: Some(name.value.clone()),
                ..model::Place::default()
            },
        })
    });
    MemberDraft {
        networks: networks.collect(),
        name,
        place,
        cluster_domain,
        whole,
    }
}

/// Reads `gateway`: addresses, or the object of the member that says them.
fn gateway(
    section: Section<'_>,
    policy: AddressPolicy,
) -> (Option<Gateway>, Option<Placed<FrontObject>>) {
    let object = section.text("object", "object", |text| {
        text.parse()
            .map_err(|error: FrontObjectError| error.to_string())
    });
    if section.has("object") {
        for key in ["addresses", "port"] {
            if section.get(key).is_some() {
                let message = format!("{key}: not beside object, which says them");
                section.report.add(section.at, message);
            }
        }
        section.finish();
        return (None, object);
    }
    section.require("addresses");
    let addresses = section.distinct("addresses", values::counting(policy));
    if section.has("addresses") && addresses.is_empty() {
        let problem =
            "addresses: at least one is required; remove gateway if there is none".to_owned();
        section.report.add(section.at, problem);
    }
    let port = section.integer("port", 1..=u64::from(u16::MAX));
    section.finish();
    let gateway = Gateway {
        addresses,
        port: port.and_then(|port| u16::try_from(port.value).ok()),
    };
    (
        Some(gateway).filter(|gateway| !gateway.addresses.is_empty()),
        None,
    )
}

/// A list of patterns with their texts; the default is everything.
pub(super) fn patterns(section: &Section<'_>, key: &'static str) -> Vec<(Placed<String>, Pattern)> {
    let everything = || {
        let text = Placed {
            value: "*".to_owned(),
            at: section.at,
        };
        vec![(text, Pattern::new("*"))]
    };
    let Some(read) = section.texts(key, values::pattern) else {
        return everything();
    };
    let split = |Placed {
                     value: (text, pattern),
                     at,
                 }| (Placed { value: text, at }, pattern);
    read.into_iter().map(split).collect()
}

/// Reads where a host cluster is: as `source`, but that it is no facts file, and that others renew its
/// token.
pub(super) fn host_source(section: Section<'_>, folder: &Path) -> Option<Source> {
    let others = ["file", "renew", "url"].into_iter();
    for key in others.filter(|key| section.has(key)) {
        let message = format!("{key}: expected in-cluster, or kubeconfig with context");
        section.report.add(section.at, message);
    }
    source(section, folder).map(|(source, _)| source)
}

/// Reads `source`, and whether its token is renewed.
fn source(section: Section<'_>, folder: &Path) -> Option<(Source, bool)> {
    let kinds = ["kubeconfig", "in-cluster", "file", "url"];
    let given: Vec<_> = kinds.into_iter().filter(|kind| section.has(kind)).collect();
    let path = |key| {
        let path = section.text(key, key, values::plain)?;
        Some(folder.join(path.value))
    };
    let kubeconfig = path("kubeconfig");
    let context = section.text("context", "context", values::plain);
    let in_cluster = section.boolean("in-cluster");
    let file = path("file");
    let renew = section.boolean("renew");
    let url = url::source(&section, folder);
    if !section.has("url") {
        let others = url::OTHER_KEYS.into_iter();
        for key in others.filter(|key| section.has(key)) {
            let message = format!("{key}: requires url");
            section.report.add(section.at, message);
        }
    }
    if let Some(no) = in_cluster.filter(|in_cluster| !in_cluster.value) {
        section.report.add(
            no.at,
            "in-cluster: only true is allowed; remove the key instead of false",
        );
    }
    if section.has("context") && !section.has("kubeconfig") {
        let at = context.as_ref().map_or(section.at, |context| context.at);
        section.report.add(at, "context: requires kubeconfig");
    }
    if let Some(renew) = &renew
        && !section.has("kubeconfig")
    {
        section.report.add(renew.at, "renew: requires kubeconfig");
    }
    let source = match given.as_slice() {
        ["kubeconfig"] => {
            section.require("context");
            kubeconfig
                .zip(context)
                .map(|(path, context)| Source::Kubeconfig {
                    path,
                    context: context.value,
                })
        }
        ["in-cluster"] => in_cluster.map(|_| Source::InCluster),
        ["file"] => file.map(|path| Source::File { path }),
        ["url"] => url.map(|url| Source::Url(Box::new(url))),
        _ => {
            let message =
                "source: expected exactly one of kubeconfig (with context), in-cluster, file, url";
            section.report.add(section.at, message);
            None
        }
    };
    section.finish();
    source.map(|source| (source, renew.is_none_or(|renew| renew.value)))
}
