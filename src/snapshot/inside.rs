//! A service as a client inside one of its members sees it (docs/names.md, decision 12).

use super::ports::NamedPort;
use super::service::{ServiceEntry, is_drained};
use crate::decide::ShardHealth;
use crate::model::{Inside, MemberIdx, Pod};

impl ServiceEntry {
    /// Where the shard of a member is reached inside it; `None` when nothing takes traffic there.
    pub fn inside(&self, member: MemberIdx) -> Option<&Inside> {
        let inside = self.said_inside(member)?;
        inside.addresses().next().is_some().then_some(inside)
    }

    /// The pods of a host name of a headless service in a member, given as a bare label.
    pub fn pods_of(&self, member: MemberIdx, hostname: &[u8]) -> &[Pod] {
        let inside = self.said_inside(member);
        inside.map_or(&[], |inside| inside.pods_of(hostname))
    }

    /// Who is available for a client inside a member where the shard is reached: its load balancer,
    /// and what probes say of that, do not matter to it.
    pub fn health_inside(&self, member: MemberIdx) -> ShardHealth {
        let mut health = self.health();
        if let Some(facts) = self.facts(member)
            && !is_drained(facts, self.overlay())
        {
            health.last_known.insert(member);
            if facts.is_ready() {
                health.available.insert(member);
            }
        }
        health
    }

    /// Who is available for clients to whom the pods of all members are routable.
    pub fn health_of_pods(&self) -> ShardHealth {
        let is_in = |member: MemberIdx| {
            let facts = self.facts(member);
            facts.is_some_and(|facts| !is_drained(facts, self.overlay()))
        };
        let ready = self.members().iter();
        let ready = ready.filter(|member| self.has_ready_pod(*member) && is_in(*member));
        let available = ready.collect();
        ShardHealth {
            available,
            last_known: available,
            may_suppress: self.health().may_suppress,
        }
    }

    /// Whether the service has a pod in a member, ready or not.
    pub fn has_pod(&self, member: MemberIdx) -> bool {
        let inside = self.said_inside(member);
        inside.is_some_and(|inside| !inside.pods().is_empty())
    }

    /// Whether a pod in a member takes traffic.
    pub fn has_ready_pod(&self, member: MemberIdx) -> bool {
        self.inside(member)
            .is_some_and(|inside| !inside.pods().is_empty())
    }

    /// The number of a port where the shard of a member is reached inside it.
    pub fn port_inside(&self, port: &NamedPort, member: MemberIdx) -> Option<u16> {
        let port = port.of(self.facts(member)?)?;
        Some(port.port)
    }
}
