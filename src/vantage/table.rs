//! The table of all networks, and of what else says where a client is.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::geography::Geography;
use super::hints::Hints;
use super::network_set::NetworkSet;
use super::networks::{Contested, Networks, claims, width};
use super::places::Places;
use crate::model::{Fleet, GeoDatabase, ListenerIdx, MemberIdx, Place, TopologyFacts, VantageIdx};
use crate::names::Label;
use crate::wire::ClientSubnet;

/// What a table is compiled from.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// Networks, and the members and regions that hints may name.
    pub fleet: &'a Fleet,
    /// Where members stand: one entry for each.
    pub topology: &'a [TopologyFacts],
    /// The networks of each member's nodes and pods, as far as they are learnt.
    pub learnt: &'a [Arc<[IpNet]>],
    /// Who may say where they are.
    pub trusted: &'a [IpNet],
    /// The member that each DNS address is bound to.
    pub listeners: &'a [Option<Label>],
    /// What says where on the globe addresses are.
    pub database: Option<&'a GeoDatabase>,
}

/// Networks of both families, listeners and hints, and the places that they name.
#[derive(Debug, Clone, Default)]
pub struct VantageTable {
    networks: Networks<VantageIdx>,
    contested: Vec<Contested>,
    trusted: NetworkSet,
    /// The place of each DNS address that is bound to a member.
    listeners: Vec<Option<VantageIdx>>,
    hints: Hints,
    geography: Geography,
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
    /// The member that it is inside, whose cluster IPs it may be given
    /// (docs/names.md, decision 12).
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
    /// The GeoIP database, by the client subnet or else the source address.
    Database,
    /// Nothing is known of the client: the daemon's own locality stands in.
    Own,
    /// Nothing.
    Unknown,
}

impl VantageTable {
    /// Compiles what the configuration says and members have taught. Equal networks of different
    /// places decide nothing (docs/names.md, decision 11).
    pub fn compile(from: &Surroundings<'_>) -> Self {
        let fleet = from.fleet;
        let mut places = Places::new(fleet);
        let (networks, contested) = claims(fleet, from.learnt, &mut places);
        let own = fleet.locality.as_ref().map(|place| places.intern(place));
        let listeners = from.listeners.iter().map(|member| {
            let member = member.as_ref()?;
            // A listener stays when its member goes; then it says nothing.
            let is_known = fleet.members.find(member).is_some();
            is_known.then(|| places.intern_member(member))
        });
        let listeners: Vec<_> = listeners.collect();
        // Nobody else is heard.
        let hints = if from.trusted.is_empty() {
            Hints::default()
        } else {
            Hints::compile(fleet, from.topology, &mut places)
        };
        let geography = Geography::compile(from.database, fleet, from.topology, &mut places);
        let knows_inside = !from.trusted.is_empty() || listeners.iter().any(Option::is_some);
        Self {
            networks,
            contested,
            geography,
            knows_inside,
            trusted: NetworkSet::compile(from.trusted.iter().copied()),
            listeners,
            hints,
            places,
            own,
        }
    }

    /// Every place that a network, a listener, a hint, a database or the own locality names, by its
    /// [`VantageIdx`].
    pub fn places(&self) -> &[Place] {
        self.places.all()
    }

    /// The networks that decide nothing since several members claim them, ascending.
    pub fn contested(&self) -> &[Contested] {
        &self.contested
    }

    /// Whether any client may be inside a member: without a listener of a member and without anybody
    /// trusted, none is.
    #[inline]
    pub fn knows_inside(&self) -> bool {
        self.knows_inside
    }

    /// Where a client stands; the first that says something decides: the listener, the zone hint,
    /// the client subnet, the source address, the GeoIP database, the own locality
    /// (docs/names.md, decision 11, D.11.7).
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
        if let Some(place) = self.networks.of(source).says {
            let member = self.places.member(place).filter(|_| subnet.is_none());
            return ignored(Vantage {
                inside: member.filter(|_| self.trusts(source)),
                ..found(Some(place), VantageSource::Source, scope)
            });
        }
        if let Some(subnet) = subnet {
            let of_subnet = self.geography.find(subnet.address, subnet.source_prefix);
            scope = scope.max(of_subnet.scope);
            if of_subnet.says.is_some() {
                return ignored(found(of_subnet.says, VantageSource::Database, scope));
            }
        }
        let of_source = self.geography.find(source, width(source)).says;
        ignored(match (of_source, self.own) {
            (Some(place), _) => found(Some(place), VantageSource::Database, scope),
            (None, Some(own)) => found(Some(own), VantageSource::Own, scope),
            (None, None) => found(None, VantageSource::Unknown, scope),
        })
    }

    /// The first DNS address that is bound to a member.
    pub fn listener_of(&self, member: MemberIdx) -> Option<ListenerIdx> {
        let is_bound = |place: &Option<VantageIdx>| {
            place.and_then(|place| self.places.member(place)) == Some(member)
        };
        let place = self.listeners.iter().position(is_bound)?;
        u32::try_from(place).ok().map(ListenerIdx)
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
        self.trusted.contains(source)
    }
}

#[cfg(test)]
#[path = "tests/table.rs"]
mod tests;
