//! What a member's objects say together. Pure and synchronous.
//!
//! ```text
//! Services ───────┐
//! EndpointSlices ─┼─▶ facts of one service ──▶ Upsert, Remove
//! ServiceExports ─┘
//! Gateways, Ingresses, Nodes ─▶ the way to it ──▶ in these
//! Nodes ─────────────▶ counts of labels ─────▶ Topology
//! ```
//!
//! Nothing is said before [`Index::sync`]; after it, only what really changed. A relist of one kind
//! removes what the completed list lacks, and nothing of another kind. Each event costs as much as
//! the objects it names, not as the member.

mod endpoint_tally;
mod objects;
mod observation;
mod size;
mod topology;
mod way;
mod ways;

use std::collections::HashMap;
use std::sync::Arc;

use ipnet::IpNet;
use kube::runtime::watcher::Event;

use self::endpoint_tally::EndpointTally;
use self::objects::{Diff, Objects};
pub(super) use self::observation::{ObjectKind, Observation, Warning};
pub(super) use self::topology::Topology;
use self::way::{KnownObjects, LedWay};
pub(super) use self::ways::WayRules;
use self::ways::{FrontKey, Ways};
use super::convert::{NodeFacts, ServiceFacts, SliceFacts};
use crate::model::{
    Change, Export, FrontKind, LearntTopology, NamespacedName, Service, ServiceKind, Spec, Specs,
};

/// Where a member's region and zones come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TopologySource {
    /// Its nodes.
    Nodes,
    /// The configuration.
    Configuration,
}

/// One member's objects, joined.
#[derive(Debug)]
pub(super) struct Index {
    /// Whether nodes are watched.
    topology_source: TopologySource,
    /// Whether [`Index::sync`] has been passed.
    is_synced: bool,
    /// Services.
    services: Objects<ServiceFacts>,
    /// Slices, with what is needed to take their endpoints out again.
    slices: Objects<SliceFacts>,
    /// Nodes.
    nodes: Objects<NodeFacts>,
    /// Exported services.
    exports: Objects<NamespacedName>,
    /// Endpoints of each service, counted over its slices.
    tallies: HashMap<NamespacedName, EndpointTally>,
    /// What leads clients outside to services, and what stands in front of them.
    ways: Ways,
    /// Labels of the nodes, counted.
    topology: Topology,
    /// What services say alike.
    specs: Specs,
    /// What was said last of each service.
    published: HashMap<NamespacedName, Arc<Service>>,
    /// What was said last of the nodes.
    published_topology: Option<LearntTopology>,
    /// What was said last of their networks.
    published_networks: Option<Arc<[IpNet]>>,
    /// Not yet taken.
    warnings: Vec<Warning>,
}

impl Index {
    /// An index of nothing.
    pub(super) fn new(topology_source: TopologySource, rules: WayRules) -> Self {
        Self {
            topology_source,
            is_synced: false,
            services: Objects::new(ObjectKind::Services),
            slices: Objects::new(ObjectKind::Slices),
            nodes: Objects::new(ObjectKind::Nodes),
            exports: Objects::new(ObjectKind::Exports),
            tallies: HashMap::new(),
            ways: Ways::new(rules),
            topology: Topology::default(),
            specs: Specs::default(),
            published: HashMap::new(),
            published_topology: None,
            published_networks: None,
            warnings: Vec::new(),
        }
    }

    /// Takes an event in and says what changed by it; nothing before the first [`Index::sync`].
    pub(super) fn observe(&mut self, observation: Observation) -> Vec<Change> {
        let mut touched = Vec::new();
        match observation {
            Observation::Services(event) => {
                for diff in self.services.take(event, &mut self.warnings) {
                    self.ways.count(diff.old.as_ref(), diff.new);
                    touched.extend(diff.old.into_iter().map(|facts| facts.name));
                    touched.extend(diff.new.map(|facts| facts.name.clone()));
                }
            }
            Observation::Exports(event) => {
                for diff in self.exports.take(event, &mut self.warnings) {
                    touched.extend(diff.old);
                    touched.extend(diff.new.cloned());
                }
            }
            Observation::Slices(event) => {
                for diff in self.slices.take(event, &mut self.warnings) {
                    count_endpoints(&mut self.tallies, diff, &mut touched);
                }
            }
            Observation::Nodes(event) => {
                let ends = matches!(event, Event::InitDone);
                let mut entrances_changed = ends && !self.nodes.is_complete();
                for diff in self.nodes.take(event, &mut self.warnings) {
                    self.topology.count(diff.old.as_ref(), diff.new);
                    let entrances =
                        |node: Option<&NodeFacts>| node.map(|node| node.entrances.clone());
                    entrances_changed |= entrances(diff.old.as_ref()) != entrances(diff.new);
                }
                if entrances_changed {
                    touched.extend(self.ways.by_nodes());
                }
            }
            Observation::Gateways(event) => {
                let changed = self.ways.take_gateway(event, &mut self.warnings);
                touched.extend(self.behind(&changed));
            }
            Observation::Ingresses(event) => {
                let changed = self.ways.take_ingress(event, &mut self.warnings);
                touched.extend(self.behind(&changed));
            }
        }
        if !self.is_synced {
            return Vec::new();
        }
        let mut changes = Vec::new();
        self.learn_topology(&mut changes);
        self.add_services_behind(&mut touched);
        self.publish_all(touched, &mut changes);
        changes
    }

    /// Kinds that need not be watched but for what services ask.
    pub(super) fn wanted(&self) -> impl Iterator<Item = ObjectKind> {
        self.ways.wanted()
    }

    /// A kind that services ask for cannot be watched, and never was: what leads there leads nowhere.
    /// Says what changes by it.
    pub(super) fn refuse(&mut self, kind: ObjectKind, why: &str) -> Vec<Change> {
        let is_known = kind == ObjectKind::Nodes && self.nodes.is_complete();
        let changed = if is_known {
            Vec::new()
        } else {
            self.ways.refuse(kind, why)
        };
        let mut touched = self.behind(&changed);
        if kind == ObjectKind::Nodes && !is_known {
            touched.extend(self.ways.by_nodes());
        }
        let mut changes = Vec::new();
        if self.is_synced {
            self.publish_all(touched, &mut changes);
        }
        changes
    }

    /// The services behind what changed: all of them, where it stands in front of all.
    fn behind(&self, changed: &[FrontKey]) -> Vec<NamespacedName> {
        let is_everywhere = changed.iter().any(|front| self.ways.is_default(front));
        let mut names: Vec<NamespacedName> = if is_everywhere {
            self.services
                .values()
                .map(|facts| facts.name.clone())
                .collect()
        } else {
            Vec::new()
        };
        for front in changed {
            names.extend(self.ways.behind(front));
        }
        names
    }

    /// Adds the services that are behind those that were touched.
    fn add_services_behind(&self, touched: &mut Vec<NamespacedName>) {
        if !self.ways.has_services_in_front() {
            return;
        }
        let keys = touched.iter();
        let fronts = keys.map(|name| (FrontKind::Service, name.to_string().into()));
        let fronts: Vec<FrontKey> = fronts.collect();
        touched.extend(self.behind(&fronts));
    }

    /// Says what these services are now, as far as that changed.
    fn publish_all(&mut self, mut names: Vec<NamespacedName>, changes: &mut Vec<Change>) {
        names.sort_unstable();
        names.dedup();
        changes.extend(names.into_iter().filter_map(|name| self.publish(name)));
    }

    /// Everything, once every needed kind has been listed to its end; `None` until then.
    ///
    /// May be called again: after a loss it says everything anew.
    pub(super) fn sync(&mut self) -> Option<Vec<Change>> {
        let needs_nodes = self.topology_source == TopologySource::Nodes;
        let is_complete = self.services.is_complete()
            && self.slices.is_complete()
            && (self.nodes.is_complete() || !needs_nodes);
        if !is_complete {
            return None;
        }
        self.is_synced = true;
        let mut changes = Vec::new();
        self.published_topology = None;
        self.published_networks = None;
        self.learn_topology(&mut changes);
        let names: Vec<NamespacedName> = self
            .services
            .values()
            .map(|facts| facts.name.clone())
            .collect();
        self.published = names
            .into_iter()
            .filter_map(|name| self.facts(&name).map(|facts| (name, Arc::new(facts))))
            .collect();
        let mut all: Vec<(NamespacedName, Arc<Service>)> = self
            .published
            .iter()
            .map(|(name, facts)| (name.clone(), Arc::clone(facts)))
            .collect();
        all.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        changes.push(Change::Synced(all));
        Some(changes)
    }

    /// How many objects are kept or listed.
    pub(super) fn objects(&self) -> usize {
        self.services.count()
            + self.slices.count()
            + self.nodes.count()
            + self.exports.count()
            + self.ways.objects()
    }

    /// Octets that all facts hold, about.
    pub(super) fn octets(&self) -> usize {
        self.services.octets()
            + self.slices.octets()
            + self.nodes.octets()
            + self.exports.octets()
            + self.ways.octets()
    }

    /// How many services were published.
    pub(super) fn published(&self) -> usize {
        self.published.len()
    }

    /// The warnings since the last call.
    pub(super) fn take_warnings(&mut self) -> Vec<Warning> {
        std::mem::take(&mut self.warnings)
    }

    /// Says where the nodes stand, if that changed.
    fn learn_topology(&mut self, changes: &mut Vec<Change>) {
        if self.topology_source == TopologySource::Configuration {
            return;
        }
        if self.published_topology.is_none() || self.topology.has_labels_changed() {
            let learnt = self.topology.learn();
            if self.published_topology.as_ref() != Some(&learnt) {
                self.published_topology = Some(learnt.clone());
                changes.push(Change::Topology(learnt));
            }
        }
        // They are said as a whole, so that each that comes or goes costs as many as there are.
        if self.published_networks.is_none() || self.topology.has_networks_changed() {
            let networks = self.topology.networks();
            if self.published_networks.as_ref() != Some(&networks) {
                self.published_networks = Some(Arc::clone(&networks));
                changes.push(Change::Networks(networks));
            }
        }
    }

    /// Says what one service is now, if that changed.
    fn publish(&mut self, name: NamespacedName) -> Option<Change> {
        let Some(facts) = self.facts(&name) else {
            self.ways.forget_warnings(&name);
            return self.published.remove(&name).map(|_| Change::Remove(name));
        };
        if self
            .published
            .get(&name)
            .is_some_and(|last| **last == facts)
        {
            return None;
        }
        let facts = Arc::new(facts);
        self.published.insert(name.clone(), Arc::clone(&facts));
        Some(Change::Upsert(name, facts))
    }

    /// The facts of one service, if it can be exported under any federation's mode.
    fn facts(&mut self, name: &NamespacedName) -> Option<Service> {
        let key = name.to_string();
        let said = self.services.get(&key)?;
        let is_exported =
            self.exports.get(&key).is_some() && said.kind != ServiceKind::ExternalName;
        let export = match said.export {
            Some(export) => export,
            None if is_exported => Export::Exported,
            None => Export::Unsaid,
        };
        if said.kind != ServiceKind::LoadBalancer && export == Export::Unsaid {
            return None;
        }
        let tally = self.tallies.get(name);
        let mut endpoints = tally.map(EndpointTally::endpoints).unwrap_or_default();
        if said.publish_not_ready {
            endpoints.ready = endpoints.total;
        }
        let inside = if said.kind == ServiceKind::Headless {
            let tally = tally.filter(|tally| !tally.is_empty());
            tally.map(|tally| Arc::new(tally.pods(said.publish_not_ready)))
        } else {
            said.cluster_ips.clone()
        };
        let known = KnownObjects {
            services: &self.services,
            nodes: &self.nodes,
            tallies: &self.tallies,
        };
        let last = self.published.get(name);
        let mut warnings = Vec::new();
        let way = self
            .ways
            .lead(said, &known, last.map(|last| &**last), &mut warnings);
        let LedWay {
            way_in,
            addresses,
            hostnames,
            ports,
        } = way;
        self.ways.warn(name, warnings, &mut self.warnings);
        let spec = Spec {
            kind: said.kind,
            export,
            allow_without_endpoints: said.allow_without_endpoints,
            has_external_ips: said.has_external_ips,
            federations: said.federations.clone(),
            ports,
            way_in,
            steering: said.steering.clone(),
        };
        Some(Service {
            spec: self.specs.share(spec),
            addresses: addresses.into(),
            hostnames: hostnames.into_iter().collect(),
            endpoints,
            inside,
        })
    }
}

/// Counts the endpoints of a slice that came, went or changed.
fn count_endpoints(
    tallies: &mut HashMap<NamespacedName, EndpointTally>,
    diff: Diff<'_, SliceFacts>,
    touched: &mut Vec<NamespacedName>,
) {
    if let Some(new) = diff.new {
        tallies.entry(new.service.clone()).or_default().add(new);
        touched.push(new.service.clone());
    }
    if let Some(old) = diff.old
        && let Some(tally) = tallies.get_mut(&old.service)
    {
        tally.subtract(&old);
        if tally.is_empty() {
            tallies.remove(&old.service);
        }
        touched.push(old.service);
    }
}
