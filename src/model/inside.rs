//! What clients inside a member get of its services (docs/names.md, decision 12).

use std::fmt::{self, Write};
use std::net::IpAddr;

use super::Addresses;
use crate::names::Label;

/// Where a service is reached inside its member, and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inside {
    /// At these addresses.
    ClusterIps(Addresses),
    /// Headless: at its pods, ordered by host name and address, each pair once.
    Pods(Box<[Pod]>),
}

/// A pod of a headless service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pod {
    /// The host name that it was given; without one it is called by its address.
    pub hostname: Option<Label>,
    /// Its address.
    pub address: IpAddr,
    /// Whether it takes traffic, or is published without.
    pub is_ready: bool,
}

impl Inside {
    /// Pods, in any order; one that is listed more than once is ready if either copy is.
    pub fn of_pods(mut pods: Vec<Pod>) -> Self {
        pods.sort_unstable();
        pods.dedup_by(|next, kept| {
            let is_copy = next.hostname == kept.hostname && next.address == kept.address;
            kept.is_ready |= is_copy && next.is_ready;
            is_copy
        });
        Self::Pods(pods.into())
    }

    /// The addresses that take traffic.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let ready = self.pods().iter().filter(|pod| pod.is_ready);
        let cluster_ips = self.cluster_ips().iter().copied();
        cluster_ips.chain(ready.map(|pod| pod.address))
    }

    /// Its cluster IPs; none if it is headless.
    pub fn cluster_ips(&self) -> &[IpAddr] {
        match self {
            Self::ClusterIps(addresses) => addresses,
            Self::Pods(_) => &[],
        }
    }

    /// Its pods; none unless it is headless.
    pub fn pods(&self) -> &[Pod] {
        match self {
            Self::ClusterIps(_) => &[],
            Self::Pods(pods) => pods,
        }
    }

    /// The pods of a host name, given as a bare label in lower case.
    pub fn pods_of(&self, hostname: &[u8]) -> &[Pod] {
        let pods = self.pods();
        let from = pods.partition_point(|pod| pod.given_name() < Some(hostname));
        let until = pods.partition_point(|pod| pod.given_name() <= Some(hostname));
        if let Some(named) = pods.get(from..until).filter(|named| !named.is_empty()) {
            return named;
        }
        let unnamed = pods.partition_point(|pod| pod.hostname.is_none());
        let unnamed = pods.get(..unnamed).unwrap_or_default();
        let place = dashed(hostname).and_then(|address| {
            unnamed
                .binary_search_by_key(&address, |pod| pod.address)
                .ok()
        });
        let found = place.and_then(|place| unnamed.get(place));
        found.map(std::slice::from_ref).unwrap_or_default()
    }
}

impl Pod {
    /// The host name that it was given, as octets.
    fn given_name(&self) -> Option<&[u8]> {
        let name = self.hostname.as_ref()?;
        Some(name.as_str().as_bytes())
    }

    /// Its host name: the one that it was given, else its address with hyphens, as Kubernetes calls
    /// such pods (Kubernetes DNS specification, 2.4.1).
    pub fn name(&self) -> PodName {
        let mut name = PodName::default();
        // An address as text is shorter than a label, so that either fits.
        let _ = match &self.hostname {
            Some(hostname) => name.write_str(hostname.as_str()),
            None => write!(name, "{}", self.address),
        };
        if self.hostname.is_none() {
            name.put_hyphens();
        }
        name
    }
}

/// The address that a label spells with hyphens, as [`Pod::name`] writes it and no other way.
fn dashed(label: &[u8]) -> Option<IpAddr> {
    let mut text = [0; 63];
    let text = text.get_mut(..label.len())?;
    let mut read = |separator| -> Option<IpAddr> {
        for (place, octet) in text.iter_mut().zip(label) {
            *place = if *octet == b'-' { separator } else { *octet };
        }
        std::str::from_utf8(text).ok()?.parse().ok()
    };
    let address = read(b'.').or_else(|| read(b':'))?;
    let pod = Pod {
        hostname: None,
        address,
        is_ready: false,
    };
    (pod.name().label() == label).then_some(address)
}

/// The host name of a pod, as one label.
#[derive(Debug, Clone, Copy)]
pub struct PodName {
    /// The length octet and the label.
    wire: [u8; 64],
}

impl Default for PodName {
    fn default() -> Self {
        Self { wire: [0; 64] }
    }
}

impl PodName {
    /// In wire form.
    pub fn as_wire(&self) -> &[u8] {
        let length = self.wire.first().map_or(0, |length| usize::from(*length));
        self.wire.get(..=length).unwrap_or_default()
    }

    /// Without its length octet.
    pub fn label(&self) -> &[u8] {
        self.as_wire().get(1..).unwrap_or_default()
    }

    /// Replaces what separates the parts of an address.
    fn put_hyphens(&mut self) {
        let (_, label) = self.wire.split_at_mut(1);
        for octet in label
            .iter_mut()
            .filter(|octet| matches!(octet, b'.' | b':'))
        {
            *octet = b'-';
        }
    }
}

impl Write for PodName {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let [length, label @ ..] = &mut self.wire;
        let from = usize::from(*length);
        let until = from + text.len();
        let place = label.get_mut(from..until).ok_or(fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        *length = u8::try_from(until).map_err(|_| fmt::Error)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(hostname: Option<&str>, address: &str, is_ready: bool) -> Pod {
        Pod {
            hostname: hostname.map(|name| name.parse().unwrap()),
            address: address.parse().unwrap(),
            is_ready,
        }
    }

    #[test]
    fn pods_are_found_by_host_name_or_by_the_address_that_stands_for_it() {
        let inside = Inside::of_pods(vec![
            pod(Some("b"), "10.0.0.3", true),
            pod(None, "10.0.0.9", true),
            pod(Some("b"), "10.0.0.2", false),
            pod(None, "2001:db8::1", true),
            pod(Some("b"), "10.0.0.2", true),
            pod(Some("10-0-0-9"), "10.0.0.7", true),
            pod(None, "10.0.0.8", false),
        ]);
        let found = |name: &str| -> Vec<String> {
            let pods = inside.pods_of(name.as_bytes()).iter();
            pods.map(|pod| format!("{} {}", pod.address, pod.is_ready))
                .collect()
        };
        assert_eq!(found("b"), ["10.0.0.2 true", "10.0.0.3 true"]);
        assert_eq!(found("10-0-0-8"), ["10.0.0.8 false"]);
        assert_eq!(found("10-0-0-9"), ["10.0.0.7 true"]);
        assert_eq!(found("2001-db8--1"), ["2001:db8::1 true"]);
        for other in [
            "a",
            "c",
            "",
            "10-0-0-08",
            "10-0-0-2",
            "2001-db8-0--1",
            "10.0.0.8",
        ] {
            assert!(found(other).is_empty(), "{other}");
        }
        let ready: Vec<_> = inside
            .addresses()
            .map(|address| address.to_string())
            .collect();
        assert_eq!(ready.len(), 5, "{ready:?}");
    }

    #[test]
    fn the_longest_names_fit() {
        let label = "a".repeat(63);
        assert_eq!(
            pod(Some(&label), "10.0.0.1", true).name().as_wire().len(),
            64
        );
        let long = "1111:2222:3333:4444:5555:6666:7777:8888";
        let name = pod(None, long, true).name();
        assert_eq!(name.label(), long.replace(':', "-").as_bytes());
        assert!(
            Inside::of_pods(vec![pod(None, long, true)])
                .pods_of(name.label())
                .len()
                == 1
        );
    }
}
