//! The look-up of the service that a name means, in steps of one cache miss each at most.

use std::net::IpAddr;

use crate::names::{Below, Form, split, split_clusterset, split_local};
use crate::snapshot::{Apex, ApexIdx, EntrySeek, ScopeIdx, ServiceEntry, Snapshot, Tree};
use crate::wire::{Qname, rrtype};

/// A name inside an apex, split into what its labels mean, and its service as far as it is looked up.
#[derive(Debug)]
pub(super) struct Lookup<'s, 'q> {
    /// The index of the apex.
    pub(super) index: ApexIdx,
    /// The apex itself.
    pub(super) apex: &'s Apex,
    /// What its labels mean.
    pub(super) form: Form<'q>,
    /// The scope that the topology labels of a service name pin down.
    pub(super) scope: Option<ScopeIdx>,
    /// The look-up of the service; `None` where the name cannot be one of a service.
    service: Option<EntrySeek<'s, 'q>>,
}

impl<'s, 'q> Lookup<'s, 'q> {
    /// Splits a name and begins to look its service up; `None` outside every apex.
    #[expect(
        clippy::inline_always,
        reason = "it is large to move, and each request has one"
    )]
    #[inline(always)]
    pub(super) fn begin(snapshot: &'s Snapshot, qname: &'q Qname) -> Option<Self> {
        let (index, apex) = snapshot.apexes().find(qname)?;
        let form = parts(apex, qname);
        let (scope, service) = match form {
            Form::Tree { topology, below } => {
                let scope = snapshot.scopes().find(topology);
                let service = match (scope, below) {
                    (Some(_), Below::Service { key, .. }) => Some(match apex.tree {
                        Tree::Clusterset => snapshot.find_joined([key, &apex.key_end]),
                        Tree::Federations | Tree::Local | Tree::Static => snapshot.seek(key),
                    }),
                    _ => None,
                };
                (scope, service)
            }
            Form::Apex | Form::Plain { .. } => (None, None),
        };
        Some(Self {
            index,
            apex,
            form,
            scope,
            service,
        })
    }

    /// How many steps a look-up has.
    pub(super) const STEPS: usize = EntrySeek::STEPS;

    /// Takes the look-up one step further, with one cache miss at most.
    #[inline]
    pub(super) fn advance(&mut self, snapshot: &'s Snapshot) {
        if let Some(service) = &mut self.service {
            service.advance(snapshot);
        }
    }

    /// After the last step: prefetches what else answers of a type read.
    #[inline]
    pub(super) fn prefetch(&self, qtype: u16) {
        if let Some(service) = &self.service {
            service.prefetch(qtype);
        }
    }

    /// Begins a look-up, and takes all steps of it.
    pub(super) fn whole(snapshot: &'s Snapshot, qname: &'q Qname) -> Option<Self> {
        let mut lookup = Self::begin(snapshot, qname)?;
        for _ in 0..Self::STEPS {
            lookup.advance(snapshot);
        }
        Some(lookup)
    }

    /// The apex around this one where that answers for a type: DS records belong to the parent side of a zone
    /// cut (RFC 4035 section 2.4).
    #[inline]
    pub(super) fn outer(&self, qtype: u16) -> Option<ApexIdx> {
        let parent = self.apex.parent.filter(|_| qtype == rrtype::DS);
        parent.filter(|_| matches!(self.form, Form::Apex))
    }

    /// The apex whose records answer for a type.
    #[inline]
    pub(super) fn answering(&self, snapshot: &'s Snapshot, qtype: u16) -> &'s Apex {
        let outer = self.outer(qtype);
        let outer = outer.and_then(|outer| snapshot.apexes().get(outer));
        outer.unwrap_or(self.apex)
    }

    /// Whether a client is served the zone that answers for a type.
    pub(super) fn is_served(&self, snapshot: &'s Snapshot, qtype: u16, client: IpAddr) -> bool {
        let apex = &self.answering(snapshot, qtype).name;
        let networks = snapshot.client_networks();
        networks.are_served_zone(apex, client)
    }

    /// The service, if it exists in this apex.
    #[inline]
    pub(super) fn service(&mut self, snapshot: &'s Snapshot) -> Option<&'s ServiceEntry> {
        let entry = self.service.as_mut()?.entry(snapshot)?;
        snapshot.is_in(entry, self.index).then_some(entry)
    }
}

/// What the labels of a name inside `apex` mean.
#[inline]
pub(super) fn parts<'a>(apex: &Apex, qname: &'a Qname) -> Form<'a> {
    let left = qname.label_count() - apex.labels;
    match apex.tree {
        Tree::Federations => split(qname, left),
        Tree::Local => split_local(qname, left),
        Tree::Clusterset => split_clusterset(qname, left),
        Tree::Static if left == 0 => Form::Apex,
        Tree::Static => Form::Plain {
            labels: qname.between(0, left),
        },
    }
}
