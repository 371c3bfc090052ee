//! The addresses at which clients outside a member reach its shard of a service.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smallvec::SmallVec;

use super::hostnames::HostAddresses;
use super::ttl::seconds;
use crate::model::{
    AddressPolicy, Addresses, Inside, Member, Pod, Service, ServiceKind, Unusable, WayIn,
};
use crate::wire::NameBuf;

/// How many host names of a shard that have no address are told.
const TOLD: usize = 3;

/// Addresses of both families that count, each list ascending and each address once: whoever puts
/// several together can merge them.
#[derive(Debug, Default)]
pub(super) struct Outside {
    pub(super) ipv4: SmallVec<[Ipv4Addr; 4]>,
    pub(super) ipv6: SmallVec<[Ipv6Addr; 4]>,
    /// The least TTL of the host names that gave some, in seconds; the greatest where none did.
    pub(super) ttl: u32,
    /// What does not count, each kind with its first address.
    unusable: Unused,
    /// What is said of the first host names without addresses.
    unresolved: Vec<String>,
    /// How many there are beyond these.
    more_unresolved: usize,
}

/// Addresses that do not count.
#[derive(Debug, Default)]
pub(super) struct Unused(SmallVec<[(IpAddr, Unusable); 1]>, usize);

impl Unused {
    /// Notes one.
    fn add(&mut self, address: IpAddr, why: Unusable) {
        self.1 += 1;
        if self.0.iter().all(|(_, known)| *known != why) {
            self.0.push((address, why));
        }
    }

    /// What is said of them, if there are any.
    pub(super) fn warning(&self) -> Option<String> {
        let said: Vec<_> = (self.0.iter())
            .map(|(address, why)| format!("{address} {why}"))
            .collect();
        let more = match self.1.checked_sub(said.len())? {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        let said = (!said.is_empty()).then(|| said.join(", "))?;
        Some(format!("addresses ignored: {said}{more}"))
    }
}

impl Outside {
    /// Takes one in if it counts.
    fn take(&mut self, address: IpAddr, judged: Result<IpAddr, Unusable>) {
        match judged {
            Ok(IpAddr::V4(address)) => self.ipv4.push(address),
            Ok(IpAddr::V6(address)) => self.ipv6.push(address),
            Err(why) => self.unusable.add(address, why),
        }
    }

    /// Says why a host name has no address.
    fn says(&mut self, hostname: &NameBuf, why: &str) {
        if self.unresolved.len() < TOLD {
            let line = format!("load balancer name {hostname} is not resolved: {why}");
            self.unresolved.push(line);
        } else {
            self.more_unresolved += 1;
        }
    }

    /// What is said of addresses that do not count, and of host names without any.
    pub(super) fn warnings(&mut self) -> Vec<String> {
        let mut warnings = std::mem::take(&mut self.unresolved);
        if self.more_unresolved > 0 {
            let more = self.more_unresolved;
            warnings.push(format!("{more} more load balancer names are not resolved"));
        }
        warnings.extend(self.unusable.warning());
        warnings
    }

    /// Those of a shard: of its own way in if it has one, else of the member's gateway, else of its
    /// load balancer.
    pub(super) fn of<'h>(
        policy: AddressPolicy,
        member: Option<&Member>,
        facts: &Service,
        resolved: impl Fn(&NameBuf) -> HostAddresses<'h>,
    ) -> Self {
        let mut outside = Self {
            ttl: u32::MAX,
            ..Self::default()
        };
        let gateway = member.and_then(|member| member.gateway_of(facts));
        let written = match gateway {
            Some(gateway) => &*gateway.addresses,
            None if facts.way_in.is_own() || facts.kind == ServiceKind::LoadBalancer => {
                &*facts.addresses
            }
            None => return outside,
        };
        // What a service names itself counts within what its member allows.
        let allowed = |judged: Result<IpAddr, Unusable>| {
            let is_named = facts.way_in == WayIn::Named;
            let is_allowed = |address| member.is_some_and(|member| member.allows(address));
            match judged {
                Ok(address) if is_named && !is_allowed(address) => Err(Unusable::NotAllowed),
                judged => judged,
            }
        };
        for address in written {
            outside.take(*address, allowed(policy.judge(*address)));
        }
        if gateway.is_none() {
            for hostname in &*facts.hostnames {
                let addresses = match resolved(hostname) {
                    HostAddresses::Known(addresses) => addresses,
                    HostAddresses::Own => {
                        outside.says(hostname, "it is answered from here");
                        continue;
                    }
                    HostAddresses::Unresolved(why) => {
                        if let Some(why) = why {
                            outside.says(hostname, why);
                        }
                        continue;
                    }
                };
                let before = outside.ipv4.len() + outside.ipv6.len();
                let ipv4 = addresses.ipv4.iter().copied().map(IpAddr::V4);
                for address in ipv4.chain(addresses.ipv6.iter().copied().map(IpAddr::V6)) {
                    outside.take(address, allowed(policy.judge_resolved(address)));
                }
                if outside.ipv4.len() + outside.ipv6.len() > before {
                    outside.ttl = outside.ttl.min(seconds(addresses.ttl));
                }
            }
        }
        outside.ipv4.sort_unstable();
        outside.ipv4.dedup();
        outside.ipv6.sort_unstable();
        outside.ipv6.dedup();
        outside
    }
}

/// What counts of the addresses inside a member, where some do not or are written otherwise; `None`
/// where all stand as they are.
pub(super) fn inside_that_counts(
    policy: AddressPolicy,
    inside: &Inside,
) -> Option<(Inside, Unused)> {
    let stands = |address: IpAddr| policy.judge(address) == Ok(address);
    let pods = inside.pods().iter();
    let cluster_ips = inside.cluster_ips().iter();
    if cluster_ips.clone().copied().all(stands) && pods.clone().all(|pod| stands(pod.address)) {
        return None;
    }
    let mut unused = Unused::default();
    let mut judge = |address: IpAddr| {
        let judged = policy.judge(address);
        judged.map_err(|why| unused.add(address, why)).ok()
    };
    let counts = match inside {
        Inside::ClusterIps(_) => {
            let addresses: Addresses = cluster_ips.filter_map(|address| judge(*address)).collect();
            Inside::ClusterIps(addresses)
        }
        Inside::Pods(_) => {
            let pods = pods.filter_map(|pod| {
                Some(Pod {
                    address: judge(pod.address)?,
                    ..pod.clone()
                })
            });
            Inside::of_pods(pods.collect())
        }
    };
    Some((counts, unused))
}
