//! How much memory facts hold, about: what an allocator and a table add to each is a guess, on the
//! safe side.

use std::mem::size_of_val;

use super::super::annotations::AskedWay;
use super::super::convert::{NodeFacts, ObjectKey, ServiceFacts, SliceFacts};
use super::super::front::FrontFacts;
use crate::model::{Inside, NamespacedName, Service, Steering};

/// What a table and an allocator add to one entry, its `Arc`s and what points to it.
pub(super) const ENTRY: usize = 64;

/// What an endpoint of a slice holds in the counts of its service.
const COUNTED: usize = 96;

/// Something that holds memory apart from its own.
pub(super) trait Size {
    /// Octets on the heap, about, with what is kept of it elsewhere in the index.
    fn octets(&self) -> usize;
}

/// Octets of a key in a table.
pub(super) fn key_size(key: &ObjectKey) -> usize {
    key.len() + ENTRY
}

impl Size for ServiceFacts {
    fn octets(&self) -> usize {
        let hostnames: usize = self.hostnames.iter().map(size_of_val).sum();
        let inside = self.cluster_ips.as_deref().map_or(0, size_of_val::<Inside>);
        let federations = self.federations.as_deref().map_or(0, size_of_val);
        let published = size_of::<NamespacedName>() + size_of::<Service>() + 2 * ENTRY;
        // Addresses and host names are kept once here and once as published.
        2 * (size_of_val(&*self.addresses) + hostnames)
            + size_of_val(&*self.ports)
            + inside
            + federations
            + self.way.as_deref().map_or(0, asked_way)
            + steering(&self.steering)
            + published
    }
}

/// Octets of what a Service asks of the way to it, about: its addresses are kept as published, too.
fn asked_way(way: &AskedWay) -> usize {
    let hostnames: usize = way.hostnames.iter().map(size_of_val).sum();
    let via = way
        .via
        .as_ref()
        .map_or(0, |via| 2 * (via.key.len() + ENTRY));
    let nodes = way
        .nodes
        .as_ref()
        .map_or(0, |nodes| size_of_val(&*nodes.numbers));
    size_of_val(way)
        + 2 * (size_of_val(&*way.addresses) + hostnames)
        + size_of_val(&*way.ports)
        + via
        + nodes
}

impl Size for FrontFacts {
    fn octets(&self) -> usize {
        let hostnames: usize = self.hostnames.iter().map(size_of_val).sum();
        let names = self
            .listeners
            .iter()
            .map(|listener| listener.name.len() + ENTRY);
        let listeners: usize = names.sum();
        size_of_val(&*self.addresses) + hostnames + size_of_val(&*self.listeners) + listeners
    }
}

/// Octets of annotations on the heap, about.
fn steering(steering: &Steering) -> usize {
    let lists = [&steering.order, &steering.fence];
    let lists: usize = lists
        .into_iter()
        .flatten()
        .map(|labels| size_of_val(&**labels))
        .sum();
    let probe = steering
        .probe
        .as_deref()
        .map_or(0, |probe| size_of_val(probe) + format!("{probe:?}").len());
    lists + probe
}

impl Size for SliceFacts {
    fn octets(&self) -> usize {
        let endpoints = self.endpoints.len() * COUNTED + size_of_val(&*self.endpoints);
        // A host name is kept in the slice, in the counts and as a pod.
        let hostnames = 3 * size_of_val(&*self.hostnames) + self.hostnames.len() * ENTRY;
        endpoints + hostnames
    }
}

impl Size for NodeFacts {
    fn octets(&self) -> usize {
        let labels = [&self.region, &self.zone];
        let labels: usize = labels
            .into_iter()
            .flatten()
            .map(|label| label.len() + ENTRY)
            .sum();
        // Networks are kept in the node, in the counts and as published.
        let entrances = &self.entrances;
        let entrances = size_of_val(&*entrances.external) + size_of_val(&*entrances.internal);
        2 * labels + 3 * size_of_val(&*self.networks) + self.networks.len() * ENTRY + entrances
    }
}

impl Size for NamespacedName {
    fn octets(&self) -> usize {
        0
    }
}
