//! Load balancer host names: who names them, and what they last resolved to.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::model::{MemberIdx, NamespacedName, Service};
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

/// Every host name that a service names or that was resolved.
#[derive(Debug, Default)]
pub(super) struct Hostnames {
    names: BTreeMap<NameBuf, Hostname>,
    has_changed: bool,
}

/// One host name.
#[derive(Debug, Default)]
struct Hostname {
    users: BTreeSet<(NamespacedName, MemberIdx)>,
    resolved: Option<Resolved>,
    /// Why it has no address, for people.
    why: Option<Box<str>>,
}

/// What a host name that a service names has.
pub(super) enum HostAddresses<'h> {
    /// These.
    Known(&'h Resolved),
    /// None, and why, where that is known.
    Unresolved(Option<&'h str>),
    /// None ever: it is in a zone that is served here (names: decision 9).
    Own,
}

impl Hostname {
    /// The services that name it, each once.
    fn user_names(&self) -> Vec<NamespacedName> {
        let mut users: Vec<_> = self.users.iter().map(|(name, _)| name.clone()).collect();
        users.dedup();
        users
    }
}

impl Hostnames {
    /// A member's service named the host names of `old`, and names those of `new` now.
    pub(super) fn rename<'s>(
        &mut self,
        member: MemberIdx,
        name: &NamespacedName,
        old: Option<&'s Service>,
        new: Option<&'s Service>,
    ) {
        let list = |service: Option<&'s Service>| -> &'s [NameBuf] {
            service.map_or(&[], |service| &service.hostnames)
        };
        let (old, new) = (list(old), list(new));
        let kept: HashSet<&NameBuf> = new.iter().collect();
        for hostname in old.iter().filter(|hostname| !kept.contains(hostname)) {
            if let Some(entry) = self.names.get_mut(hostname) {
                entry.users.remove(&(name.clone(), member));
                if entry.users.is_empty() {
                    self.names.remove(hostname);
                    self.has_changed = true;
                }
            }
        }
        for hostname in new {
            let entry = self.names.entry(hostname.clone()).or_default();
            self.has_changed |= entry.users.is_empty();
            entry.users.insert((name.clone(), member));
        }
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
        if entry.resolved == resolved {
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
            Some(entry) if entry.why != why => {
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
            None => HostAddresses::Unresolved(entry.and_then(|entry| entry.why.as_deref())),
        }
    }

    /// Every host name, with what it last resolved to.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&NameBuf, Option<&Resolved>)> {
        self.names
            .iter()
            .map(|(name, hostname)| (name, hostname.resolved.as_ref()))
    }

    /// Whether the set of names changed since this was last asked.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.has_changed)
    }
}
