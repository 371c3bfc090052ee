//! What a Service says by its `gazetteer.dev/*` annotations (docs/services.md, Annotations).
//!
//! A value that is not understood is ignored with a warning, except a fence, which then lets
//! nothing pass (docs/names.md, decision 14).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::str::FromStr;

use super::sorted::sorted;
use crate::config::{percent, policy, probe_text, srv, ttl, when_all_down};
use crate::model::{Export, FrontObject, MOST_ADDRESSES, Steering, parse_address};
use crate::names::Label;
use crate::wire::NameBuf;

/// What all of our annotations begin with.
const PREFIX: &str = "gazetteer.dev/";

/// What a Service says by annotations.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Annotations {
    /// `export`, `None` when absent or not understood.
    pub(super) export: Option<Export>,
    /// `federations`.
    pub(super) federations: Option<Box<[Label]>>,
    /// `allow-without-endpoints`.
    pub(super) allow_without_endpoints: bool,
    /// `policy`, `order`, `fence`, `weight`, `ttl`, `when-all-down`, `max-addresses`, `spill-over`,
    /// `srv`, `probe`, `dns-prefix`, `external-name`.
    pub(super) steering: Steering,
    /// `addresses`, `hostnames`, `ports`, `via`, `node-port`; most Services have none of them.
    pub(super) way: Option<Box<AskedWay>>,
    /// What was not understood.
    pub(super) warnings: Vec<String>,
}

/// What a Service asks of the way to it for clients outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct AskedWay {
    /// Its addresses, sorted.
    pub(super) addresses: Box<[IpAddr]>,
    /// Its host names, sorted.
    pub(super) hostnames: Box<[NameBuf]>,
    /// Numbers of named ports.
    pub(super) ports: Box<[(Label, u16)]>,
    /// What stands in front of it.
    pub(super) via: Option<FrontObject>,
    /// It is reached at its nodes: by `node-port`, and what it says of that itself.
    pub(super) nodes: Option<NodePorts>,
}

/// What a Service that is reached at nodes says of that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct NodePorts {
    /// The number of each of its ports on every node, in their order; 0 where there is none.
    pub(super) numbers: Box<[u16]>,
    /// Only nodes that hold a ready endpoint take traffic.
    pub(super) is_local: bool,
}

/// Reads the annotations of a Service.
pub(super) fn read(annotations: Option<&BTreeMap<String, String>>) -> Annotations {
    let mut said = Annotations::default();
    for (key, value) in annotations.into_iter().flatten() {
        if let Some(name) = key.strip_prefix(PREFIX) {
            said.take(name, value.trim());
        }
    }
    said
}

impl Annotations {
    /// Takes one annotation in.
    fn take(&mut self, name: &str, value: &str) {
        match name {
            "export" => {
                self.export = self.understood(name, value, truth(value)).map(|yes| {
                    if yes {
                        Export::Exported
                    } else {
                        Export::Refused
                    }
                });
            }
            "federations" => self.federations = Some(self.labels(name, value)),
            "order" => self.steering.order = Some(self.labels(name, value)),
            "fence" => self.steering.fence = Some(self.fence(value)),
            "policy" => self.steering.policy = self.understood(name, value, policy(value).ok()),
            "when-all-down" => {
                self.steering.when_all_down =
                    self.understood(name, value, when_all_down(value).ok());
            }
            "weight" => {
                self.steering.weight = self.understood(name, value, u32::from_str(value).ok());
            }
            "max-addresses" => {
                let read = u8::from_str(value).ok();
                let read = read.filter(|most| (1..=MOST_ADDRESSES).contains(most));
                self.steering.max_addresses = self.understood(name, value, read);
            }
            "spill-over" => {
                self.steering.spill_over = self.understood(name, value, percent(value).ok());
            }
            "srv" => self.steering.srv = self.understood(name, value, srv(value).ok()),
            "ttl" => self.steering.ttl = self.understood(name, value, ttl(value).ok()),
            "probe" => match probe_text(value) {
                Ok(settings) => self.steering.probe = Some(Box::new(settings)),
                Err(error) => self
                    .warnings
                    .push(format!("annotation {PREFIX}probe: {error}: ignored")),
            },
            "dns-prefix" => {
                self.steering.dns_prefix = self.understood(name, value, value.parse().ok());
            }
            "external-name" => {
                self.steering.external_name = self.understood(name, value, value.parse().ok());
            }
            "addresses" => {
                let addresses = self.list(name, value, parse_address);
                self.asked_way().addresses = addresses;
            }
            "hostnames" => {
                let hostnames = self.list(name, value, |name| name.parse().ok());
                self.asked_way().hostnames = hostnames;
            }
            "ports" => {
                let ports = self.list(name, value, port_number);
                self.asked_way().ports = ports;
            }
            "via" => {
                let via = self.understood(name, value, value.parse().ok());
                self.asked_way().via = via;
            }
            "node-port" => {
                let asks = self.understood(name, value, truth(value)) == Some(true);
                self.asked_way().nodes = asks.then(NodePorts::default);
            }
            "allow-without-endpoints" => {
                self.allow_without_endpoints =
                    self.understood(name, value, truth(value)).unwrap_or(false);
            }
            _ => self
                .warnings
                .push(format!("annotation {PREFIX}{name}: not known, ignored")),
        }
    }

    /// What is asked of the way in.
    fn asked_way(&mut self) -> &mut AskedWay {
        self.way.get_or_insert_default()
    }

    /// Values between commas, sorted, each once; those that are not understood are left out with a
    /// warning.
    fn list<T: Ord>(
        &mut self,
        name: &str,
        value: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Box<[T]> {
        let elements = elements(value);
        sorted(
            elements
                .filter_map(|element| self.understood(name, element, read(element)))
                .collect(),
        )
    }

    /// Warns of a value that was not understood.
    fn understood<T>(&mut self, name: &str, value: &str, read: Option<T>) -> Option<T> {
        if read.is_none() {
            self.warnings
                .push(format!("annotation {PREFIX}{name}: {value:?} ignored"));
        }
        read
    }

    /// Labels between commas; those that are none are left out with a warning.
    fn labels(&mut self, name: &str, value: &str) -> Box<[Label]> {
        elements(value)
            .filter_map(|element| self.understood(name, element, element.parse().ok()))
            .collect()
    }

    /// Regions between commas, as they are published; any bad one closes the fence.
    fn fence(&mut self, value: &str) -> Box<[Label]> {
        let regions: Result<Box<[Label]>, _> = elements(value).map(Label::from_topology).collect();
        match regions {
            Ok(regions) if !regions.is_empty() => regions,
            _ => {
                self.warnings.push(format!(
                    "annotation {PREFIX}fence: {value:?} is not a list of regions, no region passes"
                ));
                Box::default()
            }
        }
    }
}

/// The texts between commas.
fn elements(value: &str) -> impl Iterator<Item = &str> {
    value
        .split(',')
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

/// `NAME=NUMBER`.
fn port_number(text: &str) -> Option<(Label, u16)> {
    let (name, number) = text.split_once('=')?;
    let number = number.trim().parse().ok().filter(|number| *number > 0)?;
    Some((name.trim().parse().ok()?, number))
}

/// `true` or `false`.
fn truth(value: &str) -> Option<bool> {
    value.parse().ok()
}
