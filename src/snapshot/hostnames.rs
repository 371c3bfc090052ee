//! Load balancer host names: who names them, and what they last resolved to.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::model::limits::MEMBER_HOSTNAMES;
use crate::model::{MemberIdx, MemberSet, NamespacedName, Service};
use crate::wire::NameBuf;

/// The addresses of a load balancer host name, as last resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// From A records.
    pub ipv4: Box<[Ipv4Addr]>,
    /// From AAAA records.
    pub ipv6: Box<[Ipv6Addr]>,
    /// The smallest TTL among them.
    pub ttl: Duration,
}

/// What is said of a host name that is not resolved since its members name too many.
const BEYOND: &str = "its member has more than 4,096 host names";

/// Every host name that a service names.
#[derive(Debug, Default)]
pub(super) struct Hostnames {
    names: BTreeMap<NameBuf, Hostname>,
    members: BTreeMap<MemberIdx, OfMember>,
    has_changed: bool,
    /// How many are too many, over all members.
    beyond: usize,
}

/// One host name.
#[derive(Debug, Default)]
struct Hostname {
    /// The services that name it, of each member.
    users: BTreeMap<MemberIdx, BTreeSet<NamespacedName>>,
    /// The members that may have it resolved; it is resolved while there is one.
    within: MemberSet,
    resolved: Option<Resolved>,
    /// Why it has no address, for people.
    why: Option<Box<str>>,
}

/// The host names of one member, each once.
#[derive(Debug, Default)]
struct OfMember {
    /// How many it has resolved.
    within: usize,
    /// Those that are too many.
    beyond: BTreeSet<NameBuf>,
}

/// What a host name that a service names has.
pub(super) enum HostAddresses<'h> {
    /// These.
    Known(&'h Resolved),
    /// None, and why, where that is known.
    Unresolved(Option<&'h str>),
    /// None ever: it is in a zone that is served here (docs/names.md, decision 9).
    Own,
}

impl Hostname {
    /// The services that name it, each once.
    fn user_names(&self) -> Vec<NamespacedName> {
        let mut users: Vec<_> = self.users.values().flatten().cloned().collect();
        users.sort_unstable();
        users.dedup();
        users
    }
}

impl Hostnames {
    /// A member's service named the host names of `old`, and names those of `new` now. Returns the
    /// services that name one that is resolved from now on, or no more, since the member names others.
    pub(super) fn rename<'s>(
        &mut self,
        member: MemberIdx,
        name: &NamespacedName,
        old: Option<&'s Service>,
        new: Option<&'s Service>,
    ) -> Vec<NamespacedName> {
        let list = |service: Option<&'s Service>| -> &'s [NameBuf] {
            service.map_or(&[], |service| &service.hostnames)
        };
        let (old, new) = (list(old), list(new));
        let kept: HashSet<&NameBuf> = new.iter().collect();
        let mut concerned = Vec::new();
        for hostname in old.iter().filter(|hostname| !kept.contains(hostname)) {
            let entry = self.names.get_mut(hostname);
            let Some(users) = entry.and_then(|entry| entry.users.get_mut(&member)) else {
                continue;
            };
            users.remove(name);
            if users.is_empty() {
                self.leave(member, hostname, &mut concerned);
            }
        }
        for hostname in new {
            let entry = self.names.entry(hostname.clone()).or_default();
            let is_new = !entry.users.contains_key(&member);
            entry.users.entry(member).or_default().insert(name.clone());
            if is_new {
                self.join(member, hostname, &mut concerned);
            }
        }
        concerned
    }

    /// A member names a host name that it did not. It is resolved if the member has not too many.
    fn join(&mut self, member: MemberIdx, hostname: &NameBuf, concerned: &mut Vec<NamespacedName>) {
        let own = self.members.entry(member).or_default();
        if own.within >= MEMBER_HOSTNAMES.length() {
            self.beyond += usize::from(own.beyond.insert(hostname.clone()));
            return;
        }
        own.within += 1;
        if let Some(entry) = self.names.get_mut(hostname) {
            if entry.within.is_empty() {
                concerned.extend(entry.user_names());
            }
            self.has_changed = true;
            entry.within.insert(member);
        }
    }

    /// A member does not name a host name any more. One that was too many is resolved in its place.
    fn leave(
        &mut self,
        member: MemberIdx,
        hostname: &NameBuf,
        concerned: &mut Vec<NamespacedName>,
    ) {
        let Some(entry) = self.names.get_mut(hostname) else {
            return;
        };
        entry.users.remove(&member);
        let was_within = entry.within.contains(member);
        if was_within {
            entry.within.remove(member);
            self.has_changed = true;
            if entry.within.is_empty() {
                (entry.resolved, entry.why) = (None, None);
                concerned.extend(entry.user_names());
            }
        }
        if entry.users.is_empty() {
            self.names.remove(hostname);
        }
        let Some(own) = self.members.get_mut(&member) else {
            return;
        };
        let mut next = None;
        if was_within {
            own.within -= 1;
            next = own.beyond.pop_first();
            self.beyond -= usize::from(next.is_some());
        } else {
            self.beyond -= usize::from(own.beyond.remove(hostname));
        }
        if own.within == 0 && next.is_none() {
            self.members.remove(&member);
        }
        if let Some(next) = next {
            self.join(member, &next, concerned);
        }
    }

    /// The services that name a host name.
    pub(super) fn users(&self, hostname: &NameBuf) -> Vec<NamespacedName> {
        let entry = self.names.get(hostname);
        entry.map(Hostname::user_names).unwrap_or_default()
    }

    /// The zones are others in which no host name is resolved.
    pub(super) fn note_zones(&mut self) {
        self.has_changed = true;
    }

    /// A host name was resolved, or is forgotten. Returns the services that name it.
    pub(super) fn resolve(
        &mut self,
        hostname: &NameBuf,
        resolved: Option<Resolved>,
    ) -> Vec<NamespacedName> {
        let Some(entry) = self.names.get_mut(hostname) else {
            return Vec::new();
        };
        if entry.resolved == resolved || entry.within.is_empty() {
            return Vec::new();
        }
        entry.resolved = resolved;
        entry.user_names()
    }

    /// A host name has no address, and why. Returns the services that name it.
    pub(super) fn set_unresolved(
        &mut self,
        hostname: &NameBuf,
        why: Option<Box<str>>,
    ) -> Vec<NamespacedName> {
        match self.names.get_mut(hostname) {
            Some(entry) if entry.why != why && !entry.within.is_empty() => {
                entry.why = why;
                entry.user_names()
            }
            _ => Vec::new(),
        }
    }

    /// What a host name outside our own zones has.
    pub(super) fn get(&self, hostname: &NameBuf) -> HostAddresses<'_> {
        let entry = self.names.get(hostname);
        match entry.and_then(|entry| entry.resolved.as_ref()) {
            Some(resolved) => HostAddresses::Known(resolved),
            None if entry.is_some_and(|entry| entry.within.is_empty()) => {
                HostAddresses::Unresolved(Some(BEYOND))
            }
            None => HostAddresses::Unresolved(entry.and_then(|entry| entry.why.as_deref())),
        }
    }

    /// Every host name that is to be resolved, with the members that may have it resolved, and what it
    /// last resolved to.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&NameBuf, MemberSet, Option<&Resolved>)> {
        let wanted = self.names.iter();
        wanted
            .filter(|(_, hostname)| !hostname.within.is_empty())
            .map(|(name, hostname)| (name, hostname.within, hostname.resolved.as_ref()))
    }

    /// How many are not resolved since their members have too many, over all members.
    pub(super) fn beyond(&self) -> usize {
        self.beyond
    }

    /// Whether the set of names, or of those that have one resolved, changed since this was last asked.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.has_changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Endpoints, Export, ServiceKind, Spec, Steering, WayIn};

    fn hostname(number: usize) -> NameBuf {
        NameBuf::from_labels([format!("h{number:05}").as_str(), "example"]).unwrap()
    }

    /// A service with these host names.
    fn service(numbers: std::ops::Range<usize>) -> Service {
        Service {
            spec: Spec {
                kind: ServiceKind::LoadBalancer,
                export: Export::Exported,
                allow_without_endpoints: false,
                has_external_ips: false,
                federations: None,
                ports: Box::default(),
                way_in: WayIn::Usual,
                steering: Steering::default(),
            }
            .into(),
            addresses: [].into_iter().collect(),
            hostnames: numbers.map(hostname).collect(),
            endpoints: Endpoints::default(),
            inside: None,
        }
    }

    #[test]
    fn a_member_has_a_bounded_number_of_names_resolved() {
        let most = MEMBER_HOSTNAMES.length();
        let [one, other] = ["one", "other"].map(|name| NamespacedName {
            namespace: "n".parse().unwrap(),
            name: name.parse().unwrap(),
        });
        let [greedy, modest] = [0, 1].map(MemberIdx);
        let (many, last) = (service(0..most + 2), service(most + 1..most + 2));
        let mut hostnames = Hostnames::default();
        hostnames.rename(greedy, &one, None, Some(&many));
        assert!(hostnames.take_changed());
        assert_eq!((hostnames.iter().count(), hostnames.beyond()), (most, 2));
        let beyond = hostname(most);
        let why = hostnames.get(&beyond);
        assert!(matches!(why, HostAddresses::Unresolved(Some(BEYOND))));
        let resolved = Resolved {
            ipv4: [[192, 0, 2, 1].into()].into(),
            ipv6: Box::default(),
            ttl: Duration::from_secs(60),
        };
        assert!(
            hostnames
                .resolve(&beyond, Some(resolved.clone()))
                .is_empty()
        );
        // Another member may have one of them resolved: so all that name it have its addresses.
        let concerned = hostnames.rename(modest, &other, None, Some(&last));
        assert_eq!(concerned, [one.clone(), other.clone()]);
        assert!(hostnames.take_changed());
        let last_name = hostname(most + 1);
        assert_eq!(hostnames.resolve(&last_name, Some(resolved)).len(), 2);
        let concerned = hostnames.rename(modest, &other, Some(&last), None);
        assert_eq!(concerned, std::slice::from_ref(&one));
        assert!(matches!(
            hostnames.get(&last_name),
            HostAddresses::Unresolved(Some(BEYOND))
        ));
        // Where there is room again the next ones have it.
        let fewer = service(1..most + 2);
        let concerned = hostnames.rename(greedy, &one, Some(&many), Some(&fewer));
        assert_eq!(concerned, std::slice::from_ref(&one));
        assert!(hostnames.iter().any(|(name, ..)| *name == beyond));
        assert_eq!((hostnames.iter().count(), hostnames.beyond()), (most, 1));
        hostnames.rename(greedy, &one, Some(&fewer), None);
        assert_eq!(hostnames.beyond(), 0);
        assert!(hostnames.names.is_empty() && hostnames.members.is_empty());
    }
}
