//! The endpoints of one service, counted over its slices.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use super::super::convert::SliceFacts;
use crate::model::{Endpoints, Inside, Pod};
use crate::names::Label;

/// Endpoints by address and port set; ready if any copy is (docs/kubernetes.md).
///
/// While an endpoint moves between slices it may be in both or, for a moment, in none.
#[derive(Debug, Default)]
pub(super) struct EndpointTally {
    /// How often each endpoint is listed.
    endpoints: HashMap<(IpAddr, u64), Copies>,
    /// How many endpoints have a ready copy.
    ready: u32,
    /// How often each address is listed with a host name.
    hostnames: BTreeMap<IpAddr, BTreeMap<Label, u32>>,
}

/// How often one endpoint is listed.
#[derive(Debug, Default)]
struct Copies {
    /// In all.
    all: u32,
    /// As ready.
    ready: u32,
    /// A hash of the name of its node.
    node: u32,
}

impl EndpointTally {
    /// The numbers.
    pub(super) fn endpoints(&self) -> Endpoints {
        Endpoints {
            ready: self.ready,
            total: u32::try_from(self.endpoints.len()).unwrap_or(u32::MAX),
        }
    }

    /// The endpoints one by one, whatever their ports; all of them are ready if `is_published`.
    pub(super) fn pods(&self, is_published: bool) -> Inside {
        let mut pods = Vec::with_capacity(self.endpoints.len());
        for ((address, _), copies) in &self.endpoints {
            let pod = |hostname| Pod {
                hostname,
                address: *address,
                is_ready: is_published || copies.ready > 0,
            };
            match self.hostnames.get(address) {
                Some(names) => pods.extend(names.keys().map(|name| pod(Some(name.clone())))),
                None => pods.push(pod(None)),
            }
        }
        Inside::of_pods(pods)
    }

    /// The nodes, by hashes of their names, that hold a ready endpoint.
    pub(super) fn ready_nodes(&self) -> HashSet<u32> {
        let copies = self.endpoints.values();
        let ready = copies.filter(|copies| copies.ready > 0);
        ready.map(|copies| copies.node).collect()
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.endpoints.is_empty()
    }

    /// Counts the endpoints of a slice in.
    pub(super) fn add(&mut self, slice: &SliceFacts) {
        for endpoint in &slice.endpoints {
            let copies = self
                .endpoints
                .entry((endpoint.address, slice.ports))
                .or_default();
            copies.all += 1;
            copies.node = endpoint.node;
            if endpoint.is_ready {
                copies.ready += 1;
                self.ready += u32::from(copies.ready == 1);
            }
        }
        for (address, name) in &slice.hostnames {
            let names = self.hostnames.entry(*address).or_default();
            *names.entry(name.clone()).or_default() += 1;
        }
    }

    /// Counts the endpoints of a slice out; they must have been counted in.
    pub(super) fn subtract(&mut self, slice: &SliceFacts) {
        for endpoint in &slice.endpoints {
            let key = (endpoint.address, slice.ports);
            let Some(copies) = self.endpoints.get_mut(&key) else {
                continue;
            };
            copies.all = copies.all.saturating_sub(1);
            if endpoint.is_ready {
                copies.ready = copies.ready.saturating_sub(1);
                if copies.ready == 0 {
                    self.ready = self.ready.saturating_sub(1);
                }
            }
            if copies.all == 0 {
                self.endpoints.remove(&key);
            }
        }
        for (address, name) in &slice.hostnames {
            let Some(names) = self.hostnames.get_mut(address) else {
                continue;
            };
            if let Some(count) = names.get_mut(name) {
                *count = count.saturating_sub(1);
            }
            names.retain(|_, count| *count > 0);
            if names.is_empty() {
                self.hostnames.remove(address);
            }
        }
    }
}
