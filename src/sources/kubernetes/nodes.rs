//! The networks of a Node: those of its pods, and its own addresses, from which pods are seen that
//! reach further than their network.

use std::net::IpAddr;

use ipnet::IpNet;

use super::objects::NodeObject;
use super::sorted::sorted;
use crate::model::{parse_address, parse_network};

/// The shortest network of pods that is believed, of IPv4 and of IPv6: one that is larger says
/// something else than where the pods of one node are.
const SHORTEST: [u8; 2] = [8, 32];

/// The networks of a node, ascending, each once.
pub(super) fn networks(object: &NodeObject, warnings: &mut Vec<String>) -> Box<[IpNet]> {
    let mut networks = Vec::new();
    let both = object
        .spec
        .as_ref()
        .map(|spec| (&spec.pod_cidr, &spec.pod_cidrs));
    // The list has what the single one says, where there is a list.
    let (one, all) = match both {
        Some((_, Some(all))) if !all.is_empty() => (None, all.as_slice()),
        Some((one, _)) => (one.as_ref(), &[][..]),
        None => (None, &[][..]),
    };
    let pods = one.into_iter().chain(all);
    for text in pods.filter(|text| !text.is_empty()) {
        let shortest = |cidr: &IpNet| {
            let [ipv4, ipv6] = SHORTEST;
            if cidr.addr().is_ipv4() { ipv4 } else { ipv6 }
        };
        match parse_network(text) {
            Some(cidr) if cidr.prefix_len() >= shortest(&cidr) => networks.push(cidr.trunc()),
            Some(_) => warnings.push(format!("podCIDR {text} ignored: too large for one node")),
            None => warnings.push(format!("podCIDR {text:?} ignored: not a network")),
        }
    }
    let status = object.status.iter();
    for one in status.flat_map(|status| status.addresses.iter().flatten()) {
        let is_address = matches!(&*one.kind, "InternalIP" | "ExternalIP");
        if let (true, Some(address)) = (is_address, parse_address(&one.address))
            && !address.is_unspecified()
            && !address.is_loopback()
        {
            networks.push(address.into());
        }
    }
    networks.sort_unstable();
    networks.dedup();
    networks.into()
}

/// Where a Node takes traffic for node ports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct NodeEntrances {
    /// Whether it is ready and not being drained.
    pub(super) is_open: bool,
    /// Its addresses of type `ExternalIP`, sorted.
    pub(super) external: Box<[IpAddr]>,
    /// Its addresses of type `InternalIP`, sorted.
    pub(super) internal: Box<[IpAddr]>,
}

/// Where a node takes traffic for node ports.
pub(super) fn entrances(object: &NodeObject) -> NodeEntrances {
    let status = object.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_deref());
    let is_ready = conditions
        .unwrap_or_default()
        .iter()
        .any(|condition| condition.kind == "Ready" && condition.status.as_deref() == Some("True"));
    let is_drained = object
        .spec
        .as_ref()
        .is_some_and(|spec| spec.unschedulable == Some(true));
    let addresses = |kind| {
        let all = status.and_then(|status| status.addresses.as_deref());
        let these = all
            .unwrap_or_default()
            .iter()
            .filter(|one| one.kind == kind);
        sorted(
            these
                .filter_map(|one| parse_address(&one.address))
                .collect(),
        )
    };
    NodeEntrances {
        is_open: is_ready && !is_drained,
        external: addresses("ExternalIP"),
        internal: addresses("InternalIP"),
    }
}
