//! Federations, as configured.

use std::time::Duration;

use super::Probe;
use crate::names::Label;
use crate::wire::NameBuf;
use std::net::IpAddr;

/// A federation: a name below `svc`, its apex, and the rules that its services start from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Federation {
    /// The label left of `svc`. Unique in a fleet.
    pub name: Label,
    /// The zone it is served in; federations may share one.
    pub apex: NameBuf,
    /// The domain of its clusterset, in which names leave the federation out (docs/names.md, D.3,
    /// N8).
    pub clusterset: Option<NameBuf>,
    /// The apex NS RRset, never empty.
    pub nameservers: Vec<NameServer>,
    /// SOA RNAME.
    pub hostmaster: NameBuf,
    /// Which services count as exported.
    pub export: ExportMode,
    /// TTL of positive answers.
    pub ttl: Duration,
    /// TTL and SOA MINIMUM of negative answers (RFC 2308).
    pub negative_ttl: Duration,
    /// TTL of the apex NS and SOA RRsets and of infrastructure names.
    pub apex_ttl: Duration,
    /// How to choose among eligible members.
    pub policy: Policy,
    /// Members in the order of the policy `failover`.
    pub order: Vec<Label>,
    /// Regions that answers may come from; `None` is all.
    pub fence: Option<Vec<Label>>,
    /// What to answer when no member is eligible.
    pub when_all_down: WhenAllDown,
    /// How many addresses of a type an answer has at most, 1 to [`super::MOST_ADDRESSES`]; `None` is
    /// all.
    pub max_addresses: Option<u8>,
    /// The share, in percent, of the endpoints nearest to a client that are to be ready; what is
    /// missing of it is carried elsewhere. `None` lets nothing spill over.
    pub spill_over: Option<u8>,
    /// What SRV records of its services lead to.
    pub srv: SrvForm,
    /// How long a held member counts as if it were not (docs/names.md, decision 5).
    pub hold: Duration,
    /// For how long after its last contact a lost member is kept by proofs that are bare TCP
    /// connections alone: its addresses may be somebody else's by then.
    pub tcp_proof: Duration,
    /// How long a member may take for its first sync (docs/names.md, decision 10).
    pub sync_timeout: Duration,
    /// Members that take part.
    pub members: Vec<Pattern>,
    /// Namespaces that take part.
    pub namespaces: Vec<Pattern>,
    /// How addresses are probed.
    pub probe: Probe,
    /// Ports that services may have probed besides their own, first and last of each range.
    pub probe_ports: Vec<(u16, u16)>,
    /// The share of its published addresses, in percent, that may be withdrawn at once without
    /// confirmation; 100 is all.
    pub brake: u8,
}

impl Federation {
    /// The zone in which the pods of members with this cluster domain find its services,
    /// `<federation>.svc.<cluster-domain>` (docs/names.md, D.8); `None` if it would be over 255
    /// octets.
    pub fn local_apex(&self, cluster_domain: &NameBuf) -> Option<NameBuf> {
        local_apex(&self.name, cluster_domain)
    }
}

/// The zone of the federation `name` in a cluster domain: see [`Federation::local_apex`].
pub fn local_apex(name: &Label, cluster_domain: &NameBuf) -> Option<NameBuf> {
    let labels = [name.as_str(), "svc"].into_iter();
    NameBuf::from_labels(labels.chain(cluster_domain.labels())).ok()
}

/// A name server of an apex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameServer {
    /// NSDNAME.
    pub name: NameBuf,
    /// Its addresses; served when the name is inside the apex.
    pub addresses: Vec<IpAddr>,
}

/// Which services count as exported (docs/names.md, decision 13).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportMode {
    /// Those that say so by annotation or `ServiceExport`.
    Annotated,
    /// Those, and every service of type `LoadBalancer`.
    LoadBalancers,
}

/// How to choose among eligible members (docs/names.md, decision 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Policy {
    /// The nearest at the global name, all while the place of the client is unknown.
    Nearest,
    /// All.
    Spread,
    /// All, in proportion to their weights.
    Weighted,
    /// The first of an order.
    Failover,
}

/// What the SRV records of a service at a level lead to (docs/names.md, decision 19).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SrvForm {
    /// The name of the level; where the members chosen differ in the port, each its pinned name.
    Shared,
    /// The pinned names of the members chosen, each with the member's weight.
    Members,
}

/// What to answer when no member is eligible (docs/names.md, decision 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WhenAllDown {
    /// NODATA.
    NoData,
    /// NXDOMAIN at the global name, as Federation v1.
    NxDomain,
    /// The addresses last known.
    LastKnown,
}

/// A pattern over names: literal octets and `*` for any run of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// The pattern written as `text`.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Whether any of `patterns` matches `name`.
    pub fn any(patterns: &[Self], name: &Label) -> bool {
        patterns
            .iter()
            .any(|pattern| matches(pattern.0.as_bytes(), name.as_str().as_bytes()))
    }

    /// The only name that it matches, if there is one.
    pub fn only_name(&self) -> Option<&str> {
        (!self.0.contains('*')).then_some(&*self.0)
    }
}

/// Glob match with one backtracking point: linear in practice, quadratic at worst.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n, mut star) = (0, 0, None);
    while let Some(octet) = name.get(n) {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p, n));
            p += 1;
        } else if pattern.get(p) == Some(octet) {
            p += 1;
            n += 1;
        } else if let Some((at, from)) = star {
            p = at + 1;
            n = from + 1;
            star = Some((at, from + 1));
        } else {
            return false;
        }
    }
    pattern.iter().skip(p).all(|octet| *octet == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        let check = |pattern: &str, name: &str, expected| {
            let got = Pattern::any(&[Pattern::new(pattern)], &name.parse().unwrap());
            assert_eq!(got, expected, "{pattern} {name}");
        };
        check("*", "a", true);
        check("prod", "prod", true);
        check("prod", "prod-1", false);
        check("prod-*", "prod-1", true);
        check("*-eu-*", "gce-eu-west-eu-1", true);
        check("a*b", "acbd", false);
    }
}
