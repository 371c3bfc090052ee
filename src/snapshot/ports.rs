//! Named ports: the owners of SRV records.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::new_shard::NewShard;
use super::wire_labels::inline_labels;
use crate::model::{MemberIdx, Port, Service};

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

    /// What a member says of it. Of a name that it has twice the first counts.
    pub(super) fn of<'f>(&self, facts: &'f Service) -> Option<&'f Port> {
        // Behind its length octet and underscore.
        let name = self.labels.get(2..self.protocol_at.into())?;
        let protocol = self.protocol().get(1..)?;
        facts.ports.iter().find(|port| {
            let known = port.name.as_ref();
            known.is_some_and(|known| known.as_str().as_bytes() == name)
                && port.protocol.label().as_bytes() == protocol
        })
    }
}

/// Named ports of `shards`, each once.
pub(super) fn named_ports(shards: &[NewShard]) -> SmallVec<[NamedPort; 1]> {
    // Of a name that a member has twice the first counts.
    let mut owners: BTreeMap<_, SmallVec<[(MemberIdx, u16); 4]>> = BTreeMap::new();
    for shard in shards {
        for port in &shard.facts.ports {
            let Some(name) = &port.name else { continue };
            let numbers = owners.entry((name, port.protocol.label())).or_default();
            if numbers.last().is_none_or(|(last, _)| *last != shard.member) {
                numbers.push((shard.member, shard.gateway_port.unwrap_or(port.outside)));
            }
        }
    }
    let named = owners
        .into_iter()
        .filter_map(|((name, protocol), numbers)| {
            let first = format!("_{name}");
            // A port name of 63 octets would make a label of 64: it has no SRV owner.
            let protocol_at = u8::try_from(first.len() + 1).ok().filter(|at| *at <= 64)?;
            Some(NamedPort {
                labels: SmallVec::from_slice(&inline_labels([first.as_str(), protocol])),
                protocol_at,
                numbers,
            })
        });
    named.collect()
}
