//! The table of all networks, and of what else says where a client is.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::hints::Hints;
use super::places::Places;
use super::prefixes::{Bits, Found, Prefix, Prefixes};
use crate::model::{Fleet, ListenerIdx, MemberIdx, Place, TopologyFacts, VantageIdx};
use crate::names::Label;
use crate::wire::ClientSubnet;

/// What a table is compiled from.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// Networks, and the members and regions that hints may name.
    pub fleet: &'a Fleet,
    /// Where members stand: one entry for each.
    pub topology: &'a [TopologyFacts],
    /// Who may say where they are.
    pub trusted: &'a [IpNet],
    /// The member that each DNS address is bound to.
    pub listeners: &'a [Option<Label>],
}

/// Networks of both families, listeners and hints, and the places that they name.
#[derive(Debug, Clone, Default)]
pub struct VantageTable {
    networks: Networks<VantageIdx>,
    trusted: Networks<()>,
    /// The place of each DNS address that is bound to a member.
    listeners: Vec<Option<VantageIdx>>,
    hints: Hints,
    places: Places,
    own: Option<VantageIdx>,
    /// Some client may be inside a member.
    knows_inside: bool,
}

/// What is known of a client before anything is looked up.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// The DNS address that it asked, if that is bound to a member.
    pub listener: Option<ListenerIdx>,
    /// The zone hint of the query, as received.
    pub hint: Option<&'a [u8]>,
    /// The client subnet of the query.
    pub subnet: Option<&'a ClientSubnet>,
    /// The source address.
    pub source: IpAddr,
}

/// Where a client stands, and why that is thought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vantage {
    /// Its place; `None` is unknown.
    pub place: Option<VantageIdx>,
    /// The member that it is inside, whose cluster IPs it may be given (names: decision 12).
    pub inside: Option<MemberIdx>,
    /// What decided.
    pub source: VantageSource,
    /// How many leading bits of the client subnet the answer holds for (RFC 7871 section 7.2.1).
    pub scope: u8,
    /// The query has a zone hint that does not count: of a sender that is not trusted, or naming
    /// nothing known.
    pub is_hint_ignored: bool,
}

/// What decided where a client stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VantageSource {
    /// The DNS address that it asked.
    Listener,
    /// The zone hint of the query.
    ZoneHint,
    /// The client subnet of the query.
    ClientSubnet,
    /// The source address of the query.
    Source,
    /// Nothing is known of the client: the daemon's own locality stands in.
    Own,
    /// Nothing.
    Unknown,
}

impl VantageTable {
    /// Compiles what the configuration says and members have taught. Equal networks of different
    /// places decide nothing (names: decision 11).
    pub fn compile(from: &Surroundings<'_>) -> Self {
        let fleet = from.fleet;
        let mut places = Places::new(fleet);
        let mut networks: HashMap<IpNet, Option<VantageIdx>> = HashMap::new();
        for network in &fleet.networks {
            let place = places.intern(&network.place);
            let known = networks.entry(network.cidr.trunc()).or_insert(Some(place));
            if *known != Some(place) {
                *known = None;
            }
        }
        let decided = networks
            .into_iter()
            .filter_map(|(cidr, place)| Some((cidr, place?)));
        let networks = Networks::compile(decided);
        let mut trusted: Vec<IpNet> = from.trusted.iter().map(IpNet::trunc).collect();
        trusted.sort_unstable();
        trusted.dedup();
        let own = fleet.locality.as_ref().map(|place| places.intern(place));
        let listeners = from.listeners.iter().map(|member| {
            let member = member.as_ref()?;
            // A listener stays when its member goes; then it says nothing.
            let is_known = fleet.members.iter().any(|known| known.name == *member);
            is_known.then(|| places.intern_member(member))
        });
        let listeners: Vec<_> = listeners.collect();
        // Nobody else is heard.
        let hints = if trusted.is_empty() {
            Hints::default()
        } else {
            Hints::compile(fleet, from.topology, &mut places)
        };
        let knows_inside = !trusted.is_empty() || listeners.iter().any(Option::is_some);
        Self {
            networks,
            knows_inside,
            trusted: Networks::compile(trusted.into_iter().map(|cidr| (cidr, ()))),
            listeners,
            hints,
            places,
            own,
        }
    }

    /// Every place that a network, a listener, a hint or the own locality names, by its
    /// [`VantageIdx`].
    pub fn places(&self) -> &[Place] {
        self.places.all()
    }

    /// Whether any client may be inside a member: without a listener of a member and without anybody
    /// trusted, none is.
    #[inline]
    pub fn knows_inside(&self) -> bool {
        self.knows_inside
    }

    /// Where a client stands; the first that says something decides: the listener, the zone hint,
    /// the client subnet, the source address, the own locality (names: decision 11, D.11 7).
    ///
    /// Inside a member is whose listener, hint or source address says so, the two last ones if the
    /// source is trusted. Whoever asks for a client subnet asks for somebody elsewhere, so the source
    /// address then makes nobody be inside.
    #[inline]
    pub fn find(&self, asker: &Asker<'_>) -> Vantage {
        let found = |place: Option<VantageIdx>, source, scope| Vantage {
            place,
            inside: None,
            source,
            scope,
            is_hint_ignored: false,
        };
        let inside = |place, source| Vantage {
            inside: self.places.member(place),
            ..found(Some(place), source, 0)
        };
        let listener = asker.listener.and_then(|listener| self.listener(listener));
        if let Some(place) = listener {
            return inside(place, VantageSource::Listener);
        }
        let source = asker.source.to_canonical();
        let hinted = asker.hint.map(|hint| self.hinted(hint, source));
        if let Some(Some(place)) = hinted {
            return inside(place, VantageSource::ZoneHint);
        }
        let ignored = |vantage| Vantage {
            is_hint_ignored: hinted.is_some(),
            ..vantage
        };
        let subnet = asker.subnet.filter(|subnet| subnet.source_prefix > 0);
        let mut scope = 0;
        if let Some(subnet) = subnet {
            let of_subnet = self.networks.find(subnet.address, subnet.source_prefix);
            scope = of_subnet.scope;
            if of_subnet.says.is_some() {
                return ignored(found(of_subnet.says, VantageSource::ClientSubnet, scope));
            }
        }
        let of_source = self.networks.of(source);
        ignored(match (of_source.says, self.own) {
            (Some(place), _) => {
                let member = self.places.member(place).filter(|_| subnet.is_none());
                Vantage {
                    inside: member.filter(|_| self.trusts(source)),
                    ..found(Some(place), VantageSource::Source, scope)
                }
            }
            (None, Some(own)) => found(Some(own), VantageSource::Own, scope),
            (None, None) => found(None, VantageSource::Unknown, scope),
        })
    }

    /// The place of a listener.
    #[inline]
    fn listener(&self, listener: ListenerIdx) -> Option<VantageIdx> {
        let index = usize::try_from(listener.0).ok()?;
        self.listeners.get(index).copied().flatten()
    }

    /// The place that a zone hint names, if who sent it is trusted.
    #[inline(never)]
    fn hinted(&self, hint: &[u8], source: IpAddr) -> Option<VantageIdx> {
        self.hints.get(hint).filter(|_| self.trusts(source))
    }

    /// Whether an address may say where it is.
    #[inline]
    fn trusts(&self, source: IpAddr) -> bool {
        self.trusted.of(source).says.is_some()
    }
}

/// What networks of both families say.
#[derive(Debug, Clone)]
struct Networks<T> {
    ipv4: Prefixes<u32, T>,
    ipv6: Prefixes<u128, T>,
}

impl<T> Default for Networks<T> {
    fn default() -> Self {
        Self {
            ipv4: Prefixes::default(),
            ipv6: Prefixes::default(),
        }
    }
}

impl<T: Copy> Networks<T> {
    /// Compiles networks, of which no two are equal.
    fn compile(all: impl Iterator<Item = (IpNet, T)>) -> Self {
        let (mut ipv4, mut ipv6) = (Vec::new(), Vec::new());
        for (cidr, says) in all {
            let length = cidr.prefix_len();
            match cidr.addr() {
                IpAddr::V4(address) => ipv4.push((prefix(address.to_bits(), length), says)),
                IpAddr::V6(address) => ipv6.push((prefix(address.to_bits(), length), says)),
            }
        }
        Self {
            ipv4: Prefixes::compile(ipv4),
            ipv6: Prefixes::compile(ipv6),
        }
    }

    /// What the longest network around a prefix says.
    #[inline]
    fn find(&self, address: IpAddr, length: u8) -> Found<T> {
        match address {
            IpAddr::V4(address) => self.ipv4.find(prefix(address.to_bits(), length)),
            IpAddr::V6(address) => self.ipv6.find(prefix(address.to_bits(), length)),
        }
    }

    /// What the longest network around one address says.
    #[inline]
    fn of(&self, address: IpAddr) -> Found<T> {
        self.find(address, if address.is_ipv4() { 32 } else { 128 })
    }
}

/// A prefix of an address.
#[inline]
fn prefix<A: Bits>(address: A, length: u8) -> Prefix<A> {
    Prefix {
        first: address.without(A::behind(length)),
        length,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Member, Network};
    use VantageSource::{ClientSubnet as Subnet, Listener, Source, Unknown, ZoneHint};

    /// A table of a fleet whose members are where their number is.
    fn compile(fleet: &Fleet, trusted: &[&str], listeners: &[Option<Label>]) -> VantageTable {
        let trusted: Vec<IpNet> = trusted.iter().map(|cidr| cidr.parse().unwrap()).collect();
        VantageTable::compile(&Surroundings {
            fleet,
            topology: &vec![TopologyFacts::default(); fleet.members.len()],
            trusted: &trusted,
            listeners,
        })
    }

    fn place(region: &str) -> Place {
        Place {
            region: Some(region.parse().unwrap()),
            ..Place::default()
        }
    }

    fn fleet(networks: &[(&str, &str)]) -> Fleet {
        let networks = networks.iter().map(|(cidr, region)| Network {
            cidr: cidr.parse().unwrap(),
            place: place(region),
        });
        Fleet {
            networks: networks.collect(),
            ..Fleet::default()
        }
    }

    /// Looks up a subnet, asked from 192.0.2.1, and compares region and scope.
    fn check(fleet: &Fleet, subnet: &str, expected: (Option<&str>, u8)) {
        let table = compile(fleet, &[], &[]);
        let cidr: IpNet = subnet.parse().unwrap();
        let subnet = ClientSubnet {
            family: if cidr.addr().is_ipv4() { 1 } else { 2 },
            source_prefix: cidr.prefix_len(),
            address: cidr.addr(),
        };
        let found = table.find(&Asker {
            listener: None,
            hint: None,
            subnet: Some(&subnet),
            source: IpAddr::from([192, 0, 2, 1]),
        });
        let region = found.place.map(|index| {
            table.places()[usize::try_from(index.0).unwrap()]
                .region
                .clone()
                .unwrap()
                .to_string()
        });
        assert_eq!((region.as_deref(), found.scope), expected, "{cidr}");
    }

    #[test]
    fn the_subnet_decides_before_the_source() {
        let fleet = fleet(&[
            ("10.0.0.0/8", "a"),
            ("10.64.0.0/10", "b"),
            ("192.0.2.0/24", "c"),
            ("2001:db8::/32", "d"),
        ]);
        check(&fleet, "10.64.1.0/24", (Some("b"), 10));
        check(&fleet, "10.1.0.0/24", (Some("a"), 10));
        check(&fleet, "10.128.0.0/24", (Some("a"), 9));
        // A network counts only if it holds the whole subnet.
        check(&fleet, "10.64.0.0/9", (Some("a"), 10));
        check(&fleet, "10.0.0.0/7", (Some("c"), 10));
        check(&fleet, "172.16.0.0/16", (Some("c"), 2));
        check(&fleet, "0.0.0.0/0", (Some("c"), 0));
        check(&fleet, "2001:db8:1::/48", (Some("d"), 32));
        check(&fleet, "2001:db9::/48", (Some("c"), 32));
    }

    #[test]
    fn equal_networks_of_different_places_decide_nothing() {
        let fleet = fleet(&[
            ("10.0.0.0/8", "a"),
            ("10.1.0.0/16", "b"),
            ("10.1.0.0/16", "c"),
        ]);
        check(&fleet, "10.1.0.0/24", (Some("a"), 8));
    }

    #[test]
    fn the_own_locality_stands_in() {
        let mut fleet = fleet(&[]);
        check(&fleet, "10.1.0.0/24", (None, 0));
        fleet.locality = Some(place("home"));
        check(&fleet, "10.1.0.0/24", (Some("home"), 0));
    }

    /// A fleet of members `m1` and `m2`, with the networks 10.1.0.0/16 and 10.2.0.0/16.
    fn members() -> Fleet {
        let label = |text: &str| text.parse::<Label>().unwrap();
        let member = |name: &str| Member {
            name: label(name),
            region: None,
            zones: Vec::new(),
            namespaces: Vec::new(),
            cluster_domain: None,
            gateway: None,
        };
        let network = |(cidr, member): (&str, &str)| Network {
            cidr: cidr.parse().unwrap(),
            place: Place {
                member: Some(label(member)),
                ..Place::default()
            },
        };
        Fleet {
            members: ["m1", "m2"].map(member).into(),
            networks: [("10.1.0.0/16", "m1"), ("10.2.0.0/16", "m2")]
                .map(network)
                .into(),
            ..Fleet::default()
        }
    }

    #[test]
    fn inside_is_whom_a_listener_or_somebody_trusted_says() {
        let fleet = members();
        let listeners = [
            None,
            Some("m2".parse().unwrap()),
            Some("m3".parse().unwrap()),
        ];
        let table = compile(&fleet, &["10.1.0.0/24", "192.0.2.0/24"], &listeners);
        let subnet = ClientSubnet {
            family: 1,
            source_prefix: 24,
            address: IpAddr::from([10, 2, 0, 0]),
        };
        let none = ClientSubnet {
            family: 1,
            source_prefix: 0,
            address: IpAddr::from([0; 4]),
        };
        let check = |listener: Option<u32>,
                     hint: Option<&str>,
                     subnet: Option<&ClientSubnet>,
                     source: &str,
                     expected: (VantageSource, Option<u8>, bool)| {
            let found = table.find(&Asker {
                listener: listener.map(ListenerIdx),
                hint: hint.map(str::as_bytes),
                subnet,
                source: source.parse().unwrap(),
            });
            let inside = found.inside.map(|member| member.0);
            assert_eq!(
                (found.source, inside, found.is_hint_ignored),
                expected,
                "{listener:?} {hint:?} {source}"
            );
        };
        check(
            Some(1),
            Some("m1"),
            Some(&subnet),
            "10.1.0.1",
            (Listener, Some(1), false),
        );
        // A member that is gone, and an address that is bound to none.
        check(Some(2), None, None, "10.1.0.1", (Source, Some(0), false));
        check(Some(0), None, None, "10.1.0.1", (Source, Some(0), false));
        check(Some(9), None, None, "10.1.0.1", (Source, Some(0), false));
        check(
            None,
            Some("m2"),
            Some(&subnet),
            "192.0.2.1",
            (ZoneHint, Some(1), false),
        );
        check(
            None,
            Some("m2"),
            None,
            "198.51.100.1",
            (Unknown, None, true),
        );
        check(None, Some("m3"), None, "192.0.2.1", (Unknown, None, true));
        check(None, None, Some(&subnet), "10.1.0.1", (Subnet, None, false));
        check(
            None,
            None,
            Some(&none),
            "10.1.0.1",
            (Source, Some(0), false),
        );
        check(
            None,
            None,
            None,
            "::ffff:10.1.0.1",
            (Source, Some(0), false),
        );
        // Known to be there, but not trusted.
        check(None, None, None, "10.1.1.1", (Source, None, false));
        check(None, None, None, "10.2.0.1", (Source, None, false));
    }
}
