//! What is kept on disk of a member, in terms of the model.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ipnet::IpNet;

use crate::model::{Identity, NamespacedName, Service, UnixSeconds};
use crate::names::Label;
use crate::snapshot::{Resolved, Serial};
use crate::wire::NameBuf;

/// What was learnt of where a member stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::publish) struct Learnt {
    /// Its region, the last one learnt.
    pub(in crate::publish) region: Option<Label>,
    /// Its zones, as last learnt.
    pub(in crate::publish) zones: BTreeSet<Label>,
    /// Every region, and zone with its region, ever learnt (docs/names.md, D.4).
    pub(in crate::publish) known: BTreeSet<(Label, Option<Label>)>,
}

/// One record of a file: what it says holds from there on, whatever was said before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::publish) enum Fact {
    /// Which cluster the member is.
    Identity(Identity),
    /// When it first synced, ever.
    FirstSynced(UnixSeconds),
    /// The facts were live at this time.
    Seen(UnixSeconds),
    /// Where it stands.
    Learnt(Learnt),
    /// Networks that its nodes and pods have, and such that they have no more.
    Networks(Vec<IpNet>, Vec<IpNet>),
    /// A service is there.
    Service(NamespacedName, Arc<Service>),
    /// A service is gone.
    Gone(NamespacedName),
    /// Nothing of what was said before holds any more: it was another cluster.
    Discarded,
    /// The last SOA serial that went out. Of the fleet, not of a member.
    Serial(Serial),
    /// The addresses of a load balancer host name. Of the fleet, not of a member.
    Hostname(NameBuf, Option<Resolved>),
    /// The longest TTL that caches may have been given, in seconds. Of the fleet, not of a member.
    LongestTtl(u32),
}

impl Fact {
    /// What is there of a service, `None` when it is gone.
    pub(in crate::publish) fn of(name: NamespacedName, service: Option<Arc<Service>>) -> Self {
        match service {
            Some(service) => Self::Service(name, service),
            None => Self::Gone(name),
        }
    }
}

/// What was kept of a member, or of the fleet, besides services.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::publish) struct MemberMeta {
    /// Which cluster it is.
    pub(in crate::publish) identity: Option<Identity>,
    /// When it first synced, ever; without it there are no facts.
    pub(in crate::publish) first_synced: Option<UnixSeconds>,
    /// When the facts were last known to be live.
    pub(in crate::publish) seen: Option<UnixSeconds>,
    /// Where it stands.
    pub(in crate::publish) learnt: Learnt,
    /// The networks of its nodes and pods.
    pub(in crate::publish) networks: BTreeSet<IpNet>,
    /// The last SOA serial.
    pub(in crate::publish) serial: Option<Serial>,
    /// The longest TTL that caches may have been given, in seconds.
    pub(in crate::publish) longest_ttl: Option<u32>,
    /// Addresses of load balancer host names; `None` for those that a log takes back.
    pub(in crate::publish) hostnames: BTreeMap<NameBuf, Option<Resolved>>,
}

impl MemberMeta {
    /// Folds a fact that is not about a service, which it returns instead.
    pub(in crate::publish) fn fold(
        &mut self,
        fact: Fact,
    ) -> Option<(NamespacedName, Option<Arc<Service>>)> {
        match fact {
            Fact::Identity(identity) => self.identity = Some(identity),
            Fact::FirstSynced(at) => self.first_synced = Some(at),
            Fact::Seen(at) => self.seen = Some(at),
            Fact::Learnt(learnt) => self.learnt = learnt,
            Fact::Networks(new, gone) => {
                self.networks.extend(new);
                for cidr in gone {
                    self.networks.remove(&cidr);
                }
            }
            Fact::Discarded => *self = Self::default(),
            Fact::Serial(serial) => self.serial = Some(serial),
            Fact::LongestTtl(ttl) => self.longest_ttl = Some(ttl),
            Fact::Hostname(name, resolved) => {
                self.hostnames.insert(name, resolved);
            }
            Fact::Service(name, service) => return Some((name, Some(service))),
            Fact::Gone(name) => return Some((name, None)),
        }
        None
    }

    /// The same as facts.
    pub(in crate::publish) fn facts(&self) -> impl Iterator<Item = Fact> {
        let learnt = (self.learnt != Learnt::default()).then(|| Fact::Learnt(self.learnt.clone()));
        let networks = (!self.networks.is_empty())
            .then(|| Fact::Networks(self.networks.iter().copied().collect(), Vec::new()));
        let hostnames = self
            .hostnames
            .iter()
            .filter(|(_, resolved)| resolved.is_some());
        let facts = [
            self.identity.clone().map(Fact::Identity),
            self.first_synced.map(Fact::FirstSynced),
            self.seen.map(Fact::Seen),
            learnt,
            networks,
            self.serial.map(Fact::Serial),
            self.longest_ttl.map(Fact::LongestTtl),
        ];
        let hostnames = hostnames.map(|(name, to)| Fact::Hostname(name.clone(), to.clone()));
        facts.into_iter().flatten().chain(hostnames)
    }
}
