//! Named ports: the owners of SRV records.

use std::collections::BTreeSet;

use smallvec::SmallVec;

use super::apexes::wire_labels;
use super::service::NewShard;
use crate::model::MemberIdx;

/// A named port of a service.
#[derive(Debug, PartialEq, Eq)]
pub struct NamedPort {
    /// The wire labels `_port._proto`.
    pub labels: SmallVec<[u8; 24]>,
    /// The length of the first label with its length octet: what follows is `_proto`.
    pub protocol_at: u8,
    /// The members that name it, and its number there for clients outside.
    pub numbers: SmallVec<[(MemberIdx, u16); 4]>,
}

impl NamedPort {
    /// The label `_proto`, in wire form.
    pub fn protocol(&self) -> &[u8] {
        self.labels
            .get(usize::from(self.protocol_at)..)
            .unwrap_or_default()
    }

    /// Its number in a member, for clients outside.
    pub fn number(&self, member: MemberIdx) -> Option<u16> {
        self.numbers
            .iter()
            .find(|(named, _)| *named == member)
            .map(|(_, number)| *number)
    }
}

/// Named ports of `shards`, each once. Of a name that a shard has twice the first counts.
pub(super) fn named_ports(shards: &[NewShard]) -> SmallVec<[NamedPort; 1]> {
    let mut owners = BTreeSet::new();
    for port in shards.iter().flat_map(|shard| &shard.facts.ports) {
        let name = port.name.as_ref();
        owners.extend(name.map(|name| (name, port.protocol.label(), port.protocol)));
    }
    let number = |shard: &NewShard, name, protocol| {
        let mut ports = shard.facts.ports.iter();
        let port =
            ports.find(|port| port.name.as_ref() == Some(name) && port.protocol == protocol)?;
        Some((shard.member, shard.gateway_port.unwrap_or(port.port)))
    };
    let named = owners.iter().filter_map(|(name, label, protocol)| {
        let first = format!("_{name}");
        // A port name of 63 octets would make a label of 64: it has no SRV owner.
        let protocol_at = u8::try_from(first.len() + 1).ok().filter(|at| *at <= 64)?;
        Some(NamedPort {
            labels: SmallVec::from_slice(&wire_labels([first.as_str(), label])),
            protocol_at,
            numbers: shards
                .iter()
                .filter_map(|shard| number(shard, name, *protocol))
                .collect(),
        })
    });
    named.collect()
}
