//! What stands in front of Services, from Gateways and Ingresses to facts. Pure.

use std::net::IpAddr;
use std::sync::Arc;

use super::convert::{ConvertedObject, ObjectContent, ObjectKey, ingress_of, is_gone, object_key};
use super::objects::{GatewayObject, GatewayStatus, IngressObject};
use super::sorted::sorted;
use crate::model::{Protocol, kept, parse_address};
use crate::wire::NameBuf;

/// The only status of a condition that counts: unset and unknown ones say nothing, since some
/// controllers write none.
const FALSE: &str = "False";

/// Conditions of a Gateway that say whether it takes traffic.
const CONDITIONS: [&str; 2] = ["Accepted", "Programmed"];

/// What something that stands in front of Services says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FrontFacts {
    /// Which object.
    pub(super) key: ObjectKey,
    /// Its addresses, sorted.
    pub(super) addresses: Box<[IpAddr]>,
    /// Its host names, sorted.
    pub(super) hostnames: Box<[NameBuf]>,
    /// The names and numbers of its ports.
    pub(super) listeners: Box<[FrontListener]>,
    /// Whether it takes traffic, as far as it says.
    pub(super) is_open: bool,
}

/// A port of something that stands in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FrontListener {
    /// Its name.
    pub(super) name: Arc<str>,
    /// Its protocol.
    pub(super) protocol: Protocol,
    /// Its number.
    pub(super) port: u16,
}

/// What a Gateway says.
pub(super) fn gateway(object: &GatewayObject) -> ConvertedObject<FrontFacts> {
    let key = object_key(&object.metadata);
    if is_gone(&object.metadata) {
        return ConvertedObject::nothing(key);
    }
    let mut warnings = Vec::new();
    let status = object.status.as_ref();
    let (addresses, hostnames) = gateway_addresses(status, &mut warnings);
    let conditions = status.and_then(|status| status.conditions.as_deref());
    let is_open = !conditions.unwrap_or_default().iter().any(|condition| {
        CONDITIONS.contains(&&*condition.kind) && condition.status.as_deref() == Some(FALSE)
    });
    let listeners = object.spec.iter();
    let listeners = listeners.flat_map(|spec| spec.listeners.iter().flatten());
    let listeners = listeners.filter_map(|listener| {
        Some(FrontListener {
            name: kept(&listener.name).into(),
            protocol: match listener.protocol.as_deref() {
                Some("UDP") => Protocol::Udp,
                _ => Protocol::Tcp,
            },
            port: u16::try_from(listener.port).ok()?,
        })
    });
    let facts = FrontFacts {
        key: key.clone(),
        addresses,
        hostnames,
        listeners: listeners.collect(),
        is_open,
    };
    ConvertedObject {
        key,
        content: ObjectContent::Facts(facts),
        warnings,
    }
}

/// The addresses and host names in the status of a Gateway; those of other types are left out with a
/// warning.
fn gateway_addresses(
    status: Option<&GatewayStatus>,
    warnings: &mut Vec<String>,
) -> (Box<[IpAddr]>, Box<[NameBuf]>) {
    let (mut addresses, mut hostnames) = (Vec::new(), Vec::new());
    let all = status.and_then(|status| status.addresses.as_deref());
    for said in all.unwrap_or_default() {
        match said.kind.as_deref() {
            None | Some("IPAddress") => match parse_address(&said.value) {
                Some(address) => addresses.push(address),
                None => warnings.push(format!("address {:?} ignored", said.value)),
            },
            Some("Hostname") => match said.value.parse() {
                Ok(hostname) => hostnames.push(hostname),
                Err(error) => {
                    warnings.push(format!("host name {:?} ignored: {error}", said.value));
                }
            },
            Some(kind) => {
                let value = &said.value;
                warnings.push(format!("address {value:?} of type {kind:?} ignored"));
            }
        }
    }
    (sorted(addresses), sorted(hostnames))
}

/// What an Ingress says: it has the ports of the web, and takes traffic once it has an address.
pub(super) fn ingress(object: &IngressObject) -> ConvertedObject<FrontFacts> {
    let key = object_key(&object.metadata);
    if is_gone(&object.metadata) {
        return ConvertedObject::nothing(key);
    }
    let mut warnings = Vec::new();
    let entries = object.status.as_ref();
    let entries = entries.and_then(|status| status.load_balancer.as_ref());
    let entries = entries.and_then(|balancer| balancer.ingress.as_deref());
    let (addresses, hostnames) = ingress_of(entries.unwrap_or_default(), &mut warnings);
    let listener = |name: &str, port| FrontListener {
        name: name.into(),
        protocol: Protocol::Tcp,
        port,
    };
    let facts = FrontFacts {
        key: key.clone(),
        is_open: !addresses.is_empty() || !hostnames.is_empty(),
        addresses,
        hostnames,
        listeners: Box::new([listener("http", 80), listener("https", 443)]),
    };
    ConvertedObject {
        key,
        content: ObjectContent::Facts(facts),
        warnings,
    }
}
