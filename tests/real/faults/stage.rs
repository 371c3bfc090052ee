//! What a fault happens to: members behind gates and links, load balancers, and the truth.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::RecordType;
use parking_lot::Mutex;
use serde_json::json;

use super::Scene;
use super::fake::FakeMember;
use super::load::{Load, Question};
use super::network::{Link, Network};
use super::ports::Ports;
use super::reference::{self, Reference};
use super::truth::{Thresholds, Truth};
use super::verdict::Verdict;
use crate::fleet::Fleet;
use crate::gate::Gate;
use crate::gazetteer::{Gazetteer, Place, Seat, Setup, global, within};
use crate::member::Member;
use crate::objects::service_path;
use crate::wait::{SOON, until};

/// The metric of what is probed.
const TARGETS: &str = "gazetteer_health_targets{";
/// The port of gazetteer's metrics.
const ADMIN: u16 = 8080;
/// The port of an API on its link.
const API: u16 = 6443;

/// The default probe: every 2 s, 1 s at most, down after 3 failures and up after 2 passes.
pub(crate) fn default_probe() -> Thresholds {
    Thresholds::new(Duration::from_secs(2), Duration::from_secs(1), 3, 2)
}

/// Members, links, load balancers and the truth of one scenario.
pub(crate) struct Stage<'f> {
    /// The control planes.
    pub(crate) fleet: &'f Fleet,
    /// The namespace of its services; the federation has no other.
    pub(crate) namespace: &'static str,
    /// One before each API.
    pub(crate) gates: Vec<Gate>,
    /// The members that are fakes, by number.
    pub(crate) fakes: BTreeMap<usize, FakeMember>,
    /// What is true.
    pub(crate) truth: Arc<Truth>,
    /// The load balancers.
    ports: Ports,
    /// The watches that tell the truth.
    _references: Vec<Reference>,
    /// The services, and whether they have IPv6 addresses.
    services: Mutex<Vec<(String, bool)>>,
    /// Where gazetteer runs. The last to go: the gates and load balancers have its addresses.
    pub(crate) network: Network,
}

impl<'f> Stage<'f> {
    /// The three real members.
    pub(crate) fn new(fleet: &'f Fleet, namespace: &'static str) -> Self {
        Self::with_fakes(fleet, namespace, &[])
    }

    /// The three members, of which these are fakes.
    pub(crate) fn with_fakes(fleet: &'f Fleet, namespace: &'static str, fakes: &[usize]) -> Self {
        let fakes = fakes
            .iter()
            .map(|number| (*number, FakeMember::start(fleet, *number, namespace)));
        let fakes: BTreeMap<usize, FakeMember> = fakes.collect();
        let network = Network::new(&fleet.folder.join("network.log"));
        let truth = Arc::new(Truth::new(default_probe()));
        let (mut gates, mut references) = (Vec::new(), Vec::new());
        for (number, member) in fleet.members.iter().enumerate() {
            let server = if let Some(fake) = fakes.get(&number) {
                fake.api.address
            } else {
                references.push(reference::follow(member, number, namespace, &truth));
                (member.address, Member::PORT).into()
            };
            gates.push(Gate::on((network.api(number), API).into(), server));
        }
        Self {
            fleet,
            namespace,
            gates,
            fakes,
            truth,
            ports: Ports::default(),
            _references: references,
            services: Mutex::default(),
            network,
        }
    }

    /// The nth load balancer address of a member.
    pub(crate) fn address(&self, member: usize, n: u8) -> IpAddr {
        self.network.data(member, n).into()
    }

    /// The services that most faults happen to: `web` in every member, `dual` too and with IPv6,
    /// `pair` in the two of one region, `only` in the first.
    pub(crate) fn publish_all(&self) {
        for member in 0..3 {
            self.publish(member, "web", &[self.address(member, 1)]);
            let v6 = self.network.data6(member).into();
            self.publish(member, "dual", &[self.address(member, 2), v6]);
        }
        self.publish(0, "pair", &[self.address(0, 3)]);
        self.publish(1, "pair", &[self.address(1, 3)]);
        self.publish(0, "only", &[self.address(0, 4)]);
    }

    /// Publishes a service in a member, with one ready endpoint, at addresses whose ports open.
    pub(crate) fn publish(&self, member: usize, service: &str, addresses: &[IpAddr]) {
        for address in addresses {
            self.open(*address);
        }
        let mut services = self.services.lock();
        if !services.iter().any(|(name, _)| name == service) {
            let is_dual = addresses.iter().any(IpAddr::is_ipv6);
            services.push((service.to_owned(), is_dual));
        }
        drop(services);
        if let Some(fake) = self.fakes.get(&member) {
            fake.publish(service, addresses);
            let addresses = addresses.iter().copied().collect();
            self.truth.set_shard(service, member, &addresses);
        } else {
            let ingress = addresses.iter().map(|address| json!({"ip": address}));
            let ingress = json!(ingress.collect::<Vec<_>>());
            let member = self.member(member);
            member.service(self.namespace, service, false, &ingress);
            member.set_slice(self.namespace, service, true);
        }
    }

    /// What a service of a member says of its TTL.
    pub(crate) fn set_ttl(&self, member: usize, name: &str, ttl: &str) {
        let annotations = json!({"gazetteer.dev/ttl": ttl});
        let path = service_path(self.namespace, name);
        let patch = json!({"metadata": {"annotations": annotations}});
        self.fleet.members[member].api.patch(&path, &patch);
    }

    /// Makes the one endpoint of a service in a member ready, or not.
    pub(crate) fn set_ready(&self, member: usize, service: &str, ready: bool) {
        if self.fakes.contains_key(&member) {
            self.set_endpoints(member, service, 1, ready);
        } else {
            let member = self.member(member);
            member.set_slice(self.namespace, service, ready);
        }
    }

    /// Makes all endpoints of a service in a fake ready, or none.
    pub(crate) fn set_endpoints(&self, member: usize, service: &str, count: u8, ready: bool) {
        self.fakes[&member].set_endpoints(service, count, ready);
        self.truth.set_readiness(service, member, ready);
    }

    /// Deletes a service of a fake.
    pub(crate) fn delete(&self, member: usize, service: &str) {
        self.fakes[&member].delete(service);
        self.truth.set_readiness(service, member, false);
        // Nobody waits for it any more; it is still asked for.
        self.services.lock().retain(|(name, _)| name != service);
    }

    /// A real member.
    pub(crate) fn member(&self, number: usize) -> &'f Member {
        &self.fleet.members[number]
    }

    /// Opens the port of an address.
    pub(crate) fn open(&self, address: IpAddr) {
        self.ports.open(address);
        self.truth.set_port(address, true);
    }

    /// Closes the port of an address: it refuses.
    pub(crate) fn close(&self, address: IpAddr) {
        self.ports.close(address);
        self.truth.set_port(address, false);
    }

    /// The addresses of all services in a member.
    pub(crate) fn addresses(&self, member: usize) -> Vec<IpAddr> {
        let v4 = (1..=4).map(|n| self.address(member, n));
        let v6 = IpAddr::V6(self.network.data6(member));
        let all: BTreeSet<IpAddr> = (self.services.lock().iter())
            .flat_map(|(service, _)| self.truth.published(service))
            .collect();
        v4.chain([v6])
            .filter(|address| all.contains(address))
            .collect()
    }

    /// Cuts the load balancers of a member off: they do not even refuse.
    pub(crate) fn cut_data(&self, member: usize) {
        let addresses = self.addresses(member);
        self.network.cut(Link::Data(member));
        for address in addresses {
            self.truth.set_port(address, false);
        }
    }

    /// Lets a member's load balancers be reached again.
    pub(crate) fn mend_data(&self, member: usize, addresses: &[IpAddr]) {
        self.network.mend(Link::Data(member));
        for address in addresses {
            self.truth.set_port(*address, true);
        }
    }

    /// A gazetteer in the namespace, with more keys of its federation.
    pub(crate) fn setup(&self, federation: &str, launcher: Vec<OsString>) -> Setup {
        let seats = self
            .fleet
            .members
            .iter()
            .enumerate()
            .map(|(number, member)| {
                let address = self.network.api(number);
                match self.fakes.get(&number) {
                    Some(_) => Seat::plain(member.name, &format!("http://{address}:{API}")),
                    None => Seat::of(self.fleet, member)
                        .at(&format!("https://{address}:{API}"))
                        .unverified(),
                }
            });
        let server = self.network.server();
        Setup::with(seats.collect())
            .federation(&format!("namespaces = [\"{}\"]\n", self.namespace))
            .federation("probe = { kind = \"tcp\" }\n")
            .federation(federation)
            .place(Place {
                dns: format!("{server}:53"),
                admin: format!("{server}:{ADMIN}"),
                launcher,
            })
    }

    /// Every level of every service.
    pub(crate) fn questions(&self) -> Vec<Question> {
        let mut places: Vec<&str> = Vec::new();
        for member in &self.fleet.members {
            places.extend([member.region, member.zone]);
        }
        places.sort_unstable();
        places.dedup();
        let mut questions = Vec::new();
        for (service, is_dual) in self.services.lock().iter() {
            let mut names = vec![global(self.namespace, service)];
            names.extend(
                places
                    .iter()
                    .map(|place| within(self.namespace, service, place)),
            );
            for name in names {
                let kinds = [RecordType::A, RecordType::AAAA];
                for kind in kinds.into_iter().take(1 + usize::from(*is_dual)) {
                    questions.push(Question {
                        name: name.clone(),
                        kind,
                        service: service.clone(),
                    });
                }
            }
        }
        questions
    }

    /// Waits until the global names answer all that is published, and nothing else.
    pub(crate) fn until_whole(&self, gazetteer: &Gazetteer) {
        for (service, _) in self.services.lock().iter() {
            let name = global(self.namespace, service);
            until(&format!("{name} is whole"), 4 * SOON, || {
                let expected = self.truth.published(service);
                let expected = expected.into_iter().filter(IpAddr::is_ipv4);
                let expected: BTreeSet<IpAddr> = expected.collect();
                let answer = gazetteer.ask(&name, RecordType::A)?;
                if answer.addresses == expected {
                    Ok(())
                } else {
                    Err(format!("{answer}, published are {expected:?}"))
                }
            });
        }
    }

    /// Waits until every load balancer has passed a probe: before, it is unknown and never down.
    pub(crate) fn until_probed(&self) {
        let url = format!("http://{}:{ADMIN}/metrics", self.network.server());
        until("every load balancer has passed a probe", SOON, || {
            let body = ureq::get(&url).call().map_err(|error| error.to_string())?;
            let text = body.into_body().read_to_string();
            let text = text.map_err(|error| error.to_string())?;
            let targets = text.lines().filter(|line| line.starts_with(TARGETS));
            let targets: Vec<&str> = targets.collect();
            let of = |verdict| targets.iter().find(|line| line.contains(verdict));
            match (of("\"unknown\""), of("\"up\"")) {
                (Some(unknown), Some(up)) if unknown.ends_with(" 0") && !up.ends_with(" 0") => {
                    Ok(())
                }
                _ => Err(format!("{targets:?}")),
            }
        });
    }

    /// Waits until a change of a member's part of a service is followed, and so what came before it.
    pub(crate) fn until_followed(&self, scene: &Scene<'_>, member: usize, service: &str) {
        for ready in [false, true] {
            self.set_ready(member, service, ready);
            self.until_whole(&scene.gazetteer);
        }
    }

    /// Judges what a load saw.
    pub(crate) fn judge(&self, load: Load) -> Verdict {
        let (questions, samples) = load.stop();
        Verdict::on(&questions, &samples, &self.truth)
    }
}
