//! What leads clients outside to services: who asks for what, and what stands in front.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ipnet::IpNet;
use kube::runtime::watcher::Event;

use super::super::convert::{ConvertedObject, ObjectKey, ServiceFacts};
use super::super::front::FrontFacts;
use super::objects::Objects;
use super::observation::{ObjectKind, Warning};
use crate::model::{FrontKind, FrontObject, NamespacedName, kept};

/// An object in front of services: what it is, and which.
pub(super) type FrontKey = (FrontKind, ObjectKey);

/// What a member's configuration says of the ways to its services.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct WayRules {
    /// Networks of the addresses that services may name themselves.
    pub(in super::super) addresses_from: Vec<IpNet>,
    /// What stands in front of all services that say nothing else.
    pub(in super::super) front: Option<FrontObject>,
}

/// What leads clients outside to services.
#[derive(Debug)]
pub(super) struct Ways {
    /// What the configuration says.
    pub(super) rules: WayRules,
    /// Gateways.
    gateways: Objects<FrontFacts>,
    /// Ingresses.
    ingresses: Objects<FrontFacts>,
    /// The services that name what stands in front of them.
    behind: BTreeMap<FrontKey, BTreeSet<NamespacedName>>,
    /// The services that are reached at nodes.
    by_nodes: BTreeSet<NamespacedName>,
    /// Kinds that something has asked for.
    wanted: BTreeSet<ObjectKind>,
    /// Kinds that never could be watched, and why.
    refused: BTreeMap<ObjectKind, String>,
    /// The warnings last said of the way to a service.
    warned: HashMap<NamespacedName, Vec<String>>,
}

/// What is known of an object that stands in front.
pub(super) enum KnownFront<'a> {
    /// What it says.
    Facts(&'a FrontFacts),
    /// There is none, and why.
    Missing(String),
    /// Its kind has not been listed yet.
    Awaited,
}

impl Ways {
    /// Nothing known but the configuration.
    pub(super) fn new(rules: WayRules) -> Self {
        let front = rules.front.as_ref().and_then(|front| watched(front.kind));
        Self {
            gateways: Objects::new(ObjectKind::Gateways),
            ingresses: Objects::new(ObjectKind::Ingresses),
            behind: BTreeMap::new(),
            by_nodes: BTreeSet::new(),
            wanted: front.into_iter().collect(),
            refused: BTreeMap::new(),
            warned: HashMap::new(),
            rules,
        }
    }

    /// Takes in what a service asks for now, and no longer. Costs what it says.
    pub(super) fn count(&mut self, old: Option<&ServiceFacts>, new: Option<&ServiceFacts>) {
        if let Some(facts) = old
            && let Some(way) = &facts.way
        {
            if let Some(via) = &way.via {
                let front = (via.kind, via.key.clone());
                if let Some(names) = self.behind.get_mut(&front) {
                    names.remove(&facts.name);
                    if names.is_empty() {
                        self.behind.remove(&front);
                    }
                }
            }
            self.by_nodes.remove(&facts.name);
        }
        if let Some(facts) = new
            && let Some(way) = &facts.way
        {
            if let Some(via) = &way.via {
                self.wanted.extend(watched(via.kind));
                let front = (via.kind, via.key.clone());
                let names = self.behind.entry(front).or_default();
                names.insert(facts.name.clone());
            }
            if way.nodes.is_some() {
                self.wanted.insert(ObjectKind::Nodes);
                self.by_nodes.insert(facts.name.clone());
            }
        }
    }

    /// Kinds that something has asked for: they are watched from then on.
    pub(super) fn wanted(&self) -> impl Iterator<Item = ObjectKind> {
        self.wanted.iter().copied()
    }

    /// Takes an event of a Gateway in: what changed.
    pub(super) fn take_gateway(
        &mut self,
        event: Event<ConvertedObject<FrontFacts>>,
        warnings: &mut Vec<Warning>,
    ) -> Vec<FrontKey> {
        let ends = matches!(event, Event::InitDone) && !self.gateways.is_complete();
        let changed = take(&mut self.gateways, FrontKind::Gateway, event, warnings);
        self.with_awaited(ends, ObjectKind::Gateways, changed)
    }

    /// Takes an event of an Ingress in: what changed.
    pub(super) fn take_ingress(
        &mut self,
        event: Event<ConvertedObject<FrontFacts>>,
        warnings: &mut Vec<Warning>,
    ) -> Vec<FrontKey> {
        let ends = matches!(event, Event::InitDone) && !self.ingresses.is_complete();
        let changed = take(&mut self.ingresses, FrontKind::Ingress, event, warnings);
        self.with_awaited(ends, ObjectKind::Ingresses, changed)
    }

    /// Adds all that is named of a kind where its first list ends.
    fn with_awaited(
        &mut self,
        ends: bool,
        kind: ObjectKind,
        mut changed: Vec<FrontKey>,
    ) -> Vec<FrontKey> {
        if ends {
            self.refused.remove(&kind);
            changed.extend(self.named(kind));
        }
        changed
    }

    /// A kind cannot be watched. Returns what is named of it, if that is news.
    pub(super) fn refuse(&mut self, kind: ObjectKind, why: &str) -> Vec<FrontKey> {
        let is_complete = match kind {
            ObjectKind::Gateways => self.gateways.is_complete(),
            ObjectKind::Ingresses => self.ingresses.is_complete(),
            ObjectKind::Nodes => false,
            ObjectKind::Services | ObjectKind::Slices | ObjectKind::Exports => true,
        };
        if is_complete || self.refused.contains_key(&kind) {
            return Vec::new();
        }
        self.refused.insert(kind, kept(why));
        self.named(kind)
    }

    /// Why a kind could never be watched.
    pub(super) fn refusal(&self, kind: ObjectKind) -> Option<&str> {
        self.refused.get(&kind).map(String::as_str)
    }

    /// All that is named of a kind.
    fn named(&self, kind: ObjectKind) -> Vec<FrontKey> {
        let default = self.rules.front.as_ref();
        let default = default.map(|front| (front.kind, front.key.clone()));
        let named = self.behind.keys().cloned().chain(default);
        named.filter(|(of, _)| watched(*of) == Some(kind)).collect()
    }

    /// The services that name an object.
    pub(super) fn behind(&self, front: &FrontKey) -> impl Iterator<Item = NamespacedName> {
        self.behind.get(front).into_iter().flatten().cloned()
    }

    /// Whether an object stands in front of all services that say nothing else.
    pub(super) fn is_default(&self, (kind, key): &FrontKey) -> bool {
        let front = self.rules.front.as_ref();
        front.is_some_and(|front| front.kind == *kind && front.key == *key)
    }

    /// Whether any Service stands in front of others.
    pub(super) fn has_services_in_front(&self) -> bool {
        let is_service = |front: &FrontObject| front.kind == FrontKind::Service;
        // Services are the last kind.
        let last = self.behind.last_key_value();
        self.rules.front.as_ref().is_some_and(is_service)
            || last.is_some_and(|((kind, _), _)| *kind == FrontKind::Service)
    }

    /// The services that are reached at nodes.
    pub(super) fn by_nodes(&self) -> impl Iterator<Item = NamespacedName> {
        self.by_nodes.iter().cloned()
    }

    /// What is known of a Gateway or an Ingress.
    pub(super) fn front(&self, front: &FrontObject) -> KnownFront<'_> {
        let objects = match front.kind {
            FrontKind::Gateway => &self.gateways,
            FrontKind::Ingress | FrontKind::Service => &self.ingresses,
        };
        if let Some(facts) = objects.get(&front.key) {
            return KnownFront::Facts(facts);
        }
        let refused = watched(front.kind).and_then(|kind| self.refusal(kind));
        match refused {
            _ if objects.is_complete() => KnownFront::Missing(format!("{front} is not there")),
            Some(why) => KnownFront::Missing(format!("{front} cannot be watched: {why}")),
            None => KnownFront::Awaited,
        }
    }

    /// Passes on the warnings of the way to a service, if they are not those of last time.
    pub(super) fn warn(
        &mut self,
        name: &NamespacedName,
        texts: Vec<String>,
        warnings: &mut Vec<Warning>,
    ) {
        if texts.is_empty() {
            self.forget_warnings(name);
            return;
        }
        if self.warned.get(name) == Some(&texts) {
            return;
        }
        let object: ObjectKey = name.to_string().into();
        warnings.extend(texts.iter().map(|text| Warning {
            kind: ObjectKind::Services,
            object: object.clone(),
            text: text.clone(),
            is_malformed: false,
        }));
        self.warned.insert(name.clone(), texts);
    }

    /// Forgets the warnings of the way to a service.
    pub(super) fn forget_warnings(&mut self, name: &NamespacedName) {
        self.warned.remove(name);
    }

    /// How many objects are kept or listed.
    pub(super) fn objects(&self) -> usize {
        self.gateways.count() + self.ingresses.count()
    }

    /// Octets that they hold, about.
    pub(super) fn octets(&self) -> usize {
        self.gateways.octets() + self.ingresses.octets()
    }
}

/// The kind that is watched for objects in front; Services are anyhow.
fn watched(kind: FrontKind) -> Option<ObjectKind> {
    match kind {
        FrontKind::Gateway => Some(ObjectKind::Gateways),
        FrontKind::Ingress => Some(ObjectKind::Ingresses),
        FrontKind::Service => None,
    }
}

/// Takes an event in: the objects that changed.
fn take(
    objects: &mut Objects<FrontFacts>,
    kind: FrontKind,
    event: Event<ConvertedObject<FrontFacts>>,
    warnings: &mut Vec<Warning>,
) -> Vec<FrontKey> {
    let diffs = objects.take(event, warnings).into_iter();
    let changed = diffs.flat_map(|diff| {
        let old = diff.old.map(|facts| facts.key);
        old.into_iter()
            .chain(diff.new.map(|facts| facts.key.clone()))
    });
    changed.map(|key| (kind, key)).collect()
}
