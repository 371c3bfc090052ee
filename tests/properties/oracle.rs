//! What the text says (docs/names.md, D.4 to D.6, decisions 2, 3, 5, 7, 15), in the fewest words.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use gazetteer::model::WhenAllDown;

use crate::ask::Answer;
use crate::inside::pod_names;
use crate::model::member_name;
use crate::overlay::{heaviest, keep_if_any};
use crate::world::{Fed, Said, Shard, State, World};

/// What is answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    /// 0 or 3.
    rcode: u8,
    /// Owner and target, in order.
    cnames: Vec<(String, String)>,
    /// Owner and rdata of the other records.
    records: BTreeSet<(String, String)>,
    /// The apex whose SOA comes, for a negative.
    soa: Option<String>,
}

impl Expected {
    /// What an answer says, in the same terms.
    pub(crate) fn of(answer: &Answer) -> Self {
        let (cnames, records): (Vec<_>, Vec<_>) =
            (answer.lines.iter()).partition(|(_, rrtype, _)| rrtype == "CNAME");
        let pair = |(owner, _, rdata): &(String, String, String)| (owner.clone(), rdata.clone());
        Self {
            rcode: answer.rcode,
            cnames: cnames.into_iter().map(pair).collect(),
            records: records.into_iter().map(pair).collect(),
            soa: answer.soa.first().cloned(),
        }
    }
}

/// Part of the world that a name pins: zone and region, region, or nothing.
type Scope = (Option<&'static str>, Option<&'static str>);

/// What is at a name.
#[derive(Debug, Clone)]
enum Node<'a> {
    /// A service, or its port, at a level.
    Service(&'a Fed, (&'static str, &'static str), Scope, bool),
    /// A member's service, or its port.
    Pinned(&'a Shard, bool),
    /// Apex, name server or version: what is there is another test's matter.
    Fixed,
}

/// The records of a type that shards have at an owner.
fn records(
    rrtype: &str,
    is_port: bool,
    owner: &str,
    shards: &[(usize, &Shard)],
    addresses: impl Fn(&Shard) -> BTreeSet<IpAddr>,
    target: impl Fn(usize) -> String,
) -> BTreeSet<(String, String)> {
    let mut records = BTreeSet::new();
    for (member, shard) in shards {
        match (is_port, rrtype) {
            (true, "SRV") => {
                let port = shard.port.iter();
                records.extend(port.map(|port| format!("{port} {}", target(*member))));
            }
            (false, "A" | "AAAA") => records.extend(
                (addresses(shard).iter())
                    .filter(|address| address.is_ipv4() == (rrtype == "A"))
                    .map(ToString::to_string),
            ),
            _ => {}
        }
    }
    let pair = |rdata| (owner.to_owned(), rdata);
    records.into_iter().map(pair).collect()
}

/// A world, and every name in it.
pub(crate) struct Oracle<'a> {
    pub(crate) world: &'a World,
    nodes: BTreeMap<String, Node<'a>>,
    existing: BTreeSet<String>,
}

/// The name of a service at a level.
pub(crate) fn owner(fed: &Fed, key: (&str, &str), scope: Scope) -> String {
    let place = match scope {
        (Some(zone), Some(region)) => format!("{zone}.{region}."),
        (None, Some(region)) => format!("{region}."),
        _ => String::new(),
    };
    format!("{}.{}.{}.svc.{place}{}", key.1, key.0, fed.name, fed.apex)
}

impl<'a> Oracle<'a> {
    /// Lists every name of the world.
    pub(crate) fn new(world: &'a World) -> Self {
        let mut oracle = Self {
            world,
            nodes: BTreeMap::new(),
            existing: BTreeSet::new(),
        };
        for fed in &world.federations {
            for fixed in ["", "dns-version.", "ns1.dns."] {
                oracle.add(fed, format!("{fixed}{}", fed.apex), Some(Node::Fixed));
            }
            for scope in oracle.scopes() {
                for place in oracle.places(scope) {
                    oracle.add(fed, format!("{}.svc.{place}{}", fed.name, fed.apex), None);
                    for key in oracle.known(fed) {
                        let name =
                            format!("{}.{}.{}.svc.{place}{}", key.1, key.0, fed.name, fed.apex);
                        if oracle
                            .shards(fed, key)
                            .iter()
                            .any(|(_, shard)| shard.port.is_some())
                        {
                            let node = Node::Service(fed, key, scope, true);
                            oracle.add(fed, format!("_http._tcp.{name}"), Some(node));
                        }
                        oracle.add(fed, name, Some(Node::Service(fed, key, scope, false)));
                    }
                }
            }
            for key in oracle.known(fed) {
                for (member, shard) in oracle.shards(fed, key) {
                    let name = format!("{}.{}", member_name(member), owner(fed, key, (None, None)));
                    if shard.port.is_some() {
                        let node = Node::Pinned(shard, true);
                        oracle.add(fed, format!("_http._tcp.{name}"), Some(node));
                    }
                    for pod in pod_names(shard) {
                        oracle.add(fed, format!("{pod}.{name}"), None);
                    }
                    oracle.add(fed, name, Some(Node::Pinned(shard, false)));
                }
            }
        }
        oracle
    }

    /// Adds a name and every ancestor up to its apex.
    fn add(&mut self, fed: &Fed, name: String, node: Option<Node<'a>>) {
        let mut rest = name.as_str();
        while rest != fed.apex {
            self.existing.insert(rest.to_owned());
            let Some((_, parent)) = rest.split_once('.') else {
                break;
            };
            rest = parent;
        }
        self.existing.insert(fed.apex.to_owned());
        if let Some(node) = node {
            self.nodes.insert(name, node);
        }
    }

    /// Every name that exists.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.existing.iter()
    }

    /// The federation, service and scope whose name this is.
    pub(crate) fn service(&self, name: &str) -> Option<(&'a Fed, (&'static str, &'static str))> {
        match self.nodes.get(name) {
            Some(Node::Service(fed, key, ..)) => Some((fed, *key)),
            _ => None,
        }
    }

    /// Regions with their zones: of all members, and configured.
    fn regions(&self) -> BTreeMap<&'static str, BTreeSet<&'static str>> {
        let mut regions: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for place in &self.world.members {
            if let Some(region) = place.region {
                regions.entry(region).or_default().extend(&place.zones);
            }
        }
        for (region, zones) in self.world.static_regions() {
            regions.entry(region).or_default().extend(zones);
        }
        regions
    }

    /// Every part of the world.
    pub(crate) fn scopes(&self) -> Vec<Scope> {
        let mut scopes = vec![(None, None)];
        for (region, zones) in self.regions() {
            scopes.push((None, Some(region)));
            scopes.extend(zones.into_iter().map(|zone| (Some(zone), Some(region))));
        }
        scopes
    }

    /// The labels of a scope, dots after them: a zone of one region has a short form too, unless
    /// there is a region of its name.
    fn places(&self, scope: Scope) -> Vec<String> {
        let regions = self.regions();
        match scope {
            (Some(zone), Some(region)) => {
                let holders = regions
                    .values()
                    .filter(|zones| zones.contains(zone))
                    .count();
                let is_alias = holders == 1 && !regions.contains_key(zone);
                let short = is_alias.then(|| format!("{zone}."));
                [format!("{zone}.{region}.")]
                    .into_iter()
                    .chain(short)
                    .collect()
            }
            (None, Some(region)) => vec![format!("{region}.")],
            _ => vec![String::new()],
        }
    }

    /// The shards of a service that count in a federation, in configuration order.
    pub(crate) fn shards(&self, fed: &Fed, key: (&str, &str)) -> Vec<(usize, &'a Shard)> {
        let all = self.world.shards.iter();
        all.filter(|((namespace, name, member), shard)| {
            (*namespace, *name) == key
                && fed.members.contains(member)
                && self.world.has_facts(*member)
                && shard
                    .federations
                    .as_ref()
                    .is_none_or(|those| those.contains(&fed.name))
        })
        .map(|((_, _, member), shard)| (*member, shard))
        .collect()
    }

    /// The services that a federation knows.
    pub(crate) fn known(&self, fed: &Fed) -> BTreeSet<(&'static str, &'static str)> {
        let keys: BTreeSet<_> = self
            .world
            .shards
            .keys()
            .map(|(ns, name, _)| (*ns, *name))
            .collect();
        keys.into_iter()
            .filter(|key| !self.shards(fed, *key).is_empty())
            .collect()
    }

    /// What the first shard that says something says, else the federation.
    pub(crate) fn all_down(&self, fed: &Fed, key: (&str, &str)) -> WhenAllDown {
        let said = self
            .shards(fed, key)
            .into_iter()
            .find_map(|(_, shard)| shard.all_down);
        said.unwrap_or(fed.all_down)
    }

    /// Whether one member answers, by a draw.
    pub(crate) fn is_weighted(&self, fed: &Fed, key: (&str, &str)) -> bool {
        let shards = self.shards(fed, key);
        let is_silent = |(_, shard): &(usize, &Shard)| matches!(shard.steering, Said::Nothing);
        fed.is_weighted && shards.iter().all(is_silent)
    }

    /// The order of `failover`, if that is the policy.
    pub(crate) fn order(&self, fed: &Fed, key: (&str, &str)) -> Option<Vec<usize>> {
        let shards = self.shards(fed, key);
        let said = || shards.iter().map(|(_, shard)| &shard.steering);
        let first = said().find(|said| !matches!(said, Said::Nothing));
        let is_failover = match first {
            Some(said) => matches!(said, Said::Failover(_)),
            None => fed.failover.is_some() && !fed.is_weighted,
        };
        let order = said().find_map(|said| match said {
            Said::Failover(order) => Some(order.clone()),
            _ => None,
        });
        let configured = fed.failover.clone().unwrap_or_default();
        is_failover.then(|| order.unwrap_or(configured))
    }

    /// The eligible shards of a service at the global level, for a client who reaches that of the
    /// member `own` from inside.
    pub(crate) fn eligible(
        &self,
        fed: &Fed,
        key: (&str, &str),
        own: Option<usize>,
    ) -> Vec<(usize, &'a Shard)> {
        let place = |member: &usize| self.world.members.get(*member);
        let mut publishable = self.shards(fed, key);
        publishable.retain(|(member, shard)| {
            let region = place(member).and_then(|place| place.region);
            let within = fed
                .fence
                .as_ref()
                .is_none_or(|fence| region.is_some_and(|region| fence.contains(&region)));
            let is_left = self.world.is_left(*member, key);
            let is_reached = !shard.addresses.is_empty() || own == Some(*member);
            within && is_left && is_reached && shard.weight != Some(0)
        });
        let state = |member: &usize| place(member).map(|place| place.state);
        let mut up = publishable.clone();
        up.retain(|(member, shard)| {
            shard.is_ready && (own == Some(*member) || !self.world.living(fed, shard).is_empty())
        });
        let sure = up.iter().filter(|(member, shard)| {
            state(member) == Some(State::Ready) || self.world.is_proven(fed, shard)
        });
        let sure: Vec<usize> = sure.map(|(member, _)| *member).collect();
        if !sure.is_empty() {
            up.retain(|(member, _)| state(member) != Some(State::Lost) || sure.contains(member));
        }
        let is_damped =
            |member: usize| (self.world.damped.iter()).any(|one| *one == (key.0, key.1, member));
        let by_probes: Vec<usize> = up
            .iter()
            .filter(|(member, shard)| {
                own != Some(*member) && self.world.is_damped_by_probes(fed, shard)
            })
            .map(|(member, _)| *member)
            .collect();
        keep_if_any(&mut up, &sure, |member| {
            !is_damped(member) && !by_probes.contains(&member)
        });
        self.world.keep_whole(fed, &mut up, &sure, own);
        keep_if_any(&mut up, &sure, |member| {
            self.world.keeps_draw(fed, key, member)
        });
        if up.is_empty() && self.all_down(fed, key) == WhenAllDown::LastKnown {
            up = publishable;
        }
        up
    }

    /// The shards that answer at a level, and all that are eligible there.
    fn at(&self, fed: &Fed, key: (&str, &str), scope: Scope) -> [Vec<(usize, &'a Shard)>; 2] {
        let mut eligible = self.eligible(fed, key, None);
        eligible.retain(|(member, _)| {
            self.world.members.get(*member).is_some_and(|place| {
                (scope.1.is_none() || scope.1 == place.region)
                    && scope.0.is_none_or(|zone| place.zones.contains(&zone))
            })
        });
        let mut chosen = eligible.clone();
        if self.is_weighted(fed, key) {
            let weights = chosen
                .iter()
                .map(|(member, shard)| (*member, shard.weight.unwrap_or(1)));
            let one = heaviest(fed, key, weights);
            chosen.retain(|(member, _)| Some(*member) == one);
        }
        if let Some(order) = self.order(fed, key) {
            chosen.sort_by_key(|(member, _)| {
                (
                    order
                        .iter()
                        .position(|one| one == member)
                        .unwrap_or(order.len()),
                    *member,
                )
            });
            chosen.truncate(1);
        }
        [chosen, eligible]
    }

    /// What is answered to a question; `None` where the text leaves more than one answer, or where
    /// a federation knows none of its members.
    pub(crate) fn expect(&self, name: &str, rrtype: &str) -> Option<Expected> {
        let blind = |fed: &Fed| {
            !fed.members
                .iter()
                .any(|member| self.world.has_facts(*member))
        };
        if self.world.federations.iter().any(blind) {
            return None;
        }
        let within = |apex: &str| name == apex || name.ends_with(&format!(".{apex}"));
        let apexes = self.world.federations.iter().map(|fed| fed.apex);
        let apex = apexes
            .filter(|apex| within(apex))
            .max_by_key(|apex| apex.len())?;
        let mut expected = Expected {
            rcode: if self.existing.contains(name) { 0 } else { 3 },
            cnames: Vec::new(),
            records: BTreeSet::new(),
            soa: Some(apex.to_owned()),
        };
        match self.nodes.get(name) {
            None => {}
            Some(Node::Fixed) => return None,
            Some(Node::Pinned(shard, is_port)) => {
                let target = |_| name.trim_start_matches("_http._tcp.").to_owned();
                expected.records = records(
                    rrtype,
                    *is_port,
                    name,
                    &[(0, shard)],
                    |shard| shard.addresses.iter().copied().collect(),
                    target,
                );
            }
            Some(Node::Service(fed, key, scope, is_port)) => {
                let prefix = if *is_port { "_http._tcp." } else { "" };
                let (mut here, mut scope) = (name.to_owned(), *scope);
                loop {
                    let [chosen, eligible] = self.at(fed, *key, scope);
                    if !chosen.is_empty() {
                        let ports = |those: &[(usize, &Shard)]| -> BTreeSet<Option<u16>> {
                            those.iter().map(|(_, shard)| shard.port).collect()
                        };
                        if *is_port && rrtype == "SRV" && ports(&eligible) != ports(&chosen) {
                            return None;
                        }
                        let target = |member: usize| {
                            if ports(&eligible).len() > 1 {
                                format!(
                                    "{}.{}",
                                    member_name(member),
                                    owner(fed, *key, (None, None))
                                )
                            } else {
                                here.trim_start_matches("_http._tcp.").to_owned()
                            }
                        };
                        expected.records = records(
                            rrtype,
                            *is_port,
                            &here,
                            &chosen,
                            |shard| self.world.served(fed, shard),
                            target,
                        );
                        break;
                    }
                    scope = match scope {
                        (Some(_), region) => (None, region),
                        (None, Some(_)) => (None, None),
                        (None, None) => {
                            let all_down = self.all_down(fed, *key);
                            expected.rcode = if all_down == WhenAllDown::NxDomain {
                                3
                            } else {
                                0
                            };
                            break;
                        }
                    };
                    let next = format!("{prefix}{}", owner(fed, *key, scope));
                    expected.cnames.push((here, next.clone()));
                    here = next;
                    if rrtype == "CNAME" {
                        expected.soa = None;
                        return Some(expected);
                    }
                }
            }
        }
        if !expected.records.is_empty() {
            expected.soa = None;
        }
        Some(expected)
    }
}
