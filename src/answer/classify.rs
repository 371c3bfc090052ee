//! What a name is, in one snapshot: the step before any record is written (docs/names.md, D.2 to
//! D.6).

mod clusterset;
mod existing;
mod statics;

use super::lookup::Lookup;
use super::subject::Subject;
use crate::names::{Below, Form, Prefix};
use crate::snapshot::{Apex, ApexIdx, FederationIdx, FixedName, ScopeIdx, Snapshot, Tree};
use crate::wire::{Qname, parent, suffixes};
use existing::unknown;

/// Says what a name is.
#[inline]
pub(super) fn classify<'s>(
    snapshot: &'s Snapshot,
    qname: &Qname,
    lookup: &mut Lookup<'s, '_>,
) -> Subject<'s> {
    match &lookup.apex.statics {
        None => of_federations(snapshot, lookup),
        Some(records) => statics::classify(snapshot, (qname, lookup), records, of_federations),
    }
}

/// Says what a name is among those of federations.
#[inline]
fn of_federations<'s>(snapshot: &'s Snapshot, lookup: &mut Lookup<'s, '_>) -> Subject<'s> {
    let absent = Subject::Absent { federation: None };
    let apex = lookup.apex;
    match lookup.form {
        Form::Apex => Subject::Apex,
        Form::Plain { labels } => {
            if let Some(fixed) = apex.fixed(labels).filter(|fixed| exists(snapshot, fixed)) {
                return match fixed {
                    FixedName::EmptyNonTerminal => Subject::EmptyNonTerminal,
                    _ => Subject::Fixed(fixed),
                };
            }
            if matches!(apex.tree, Tree::Clusterset | Tree::Static) {
                return absent;
            }
            match (
                snapshot.scopes().find(labels),
                snapshot.prefixed(lookup.index, labels),
            ) {
                (Some(_), _) => Subject::EmptyNonTerminal,
                (None, Some(entry)) => Subject::Prefixed { entry },
                (None, None) if label_count(labels) <= 2 => unknown_topology(snapshot, apex),
                (None, None) => absent,
            }
        }
        Form::Tree { below, .. } => {
            // A service that exists knows its federation: the common case needs no other look-up.
            if let (Some(scope), Below::Service { prefix, .. }) = (lookup.scope, below)
                && let Some(entry) = lookup.service(snapshot)
            {
                return match apex.tree {
                    Tree::Federations | Tree::Static => {
                        existing::service(snapshot, entry, scope, prefix)
                    }
                    Tree::Local => existing::local(snapshot, entry, scope, prefix),
                    Tree::Clusterset => clusterset::service(snapshot, entry, prefix),
                };
            }
            if apex.tree == Tree::Clusterset {
                return clusterset::above_services(snapshot, apex, below);
            }
            above_services(snapshot, lookup.index, apex, lookup.scope, below)
        }
    }
}

/// A name of the service tree that no service has.
fn above_services<'s>(
    snapshot: &'s Snapshot,
    index: ApexIdx,
    apex: &'s Apex,
    scope: Option<ScopeIdx>,
    below: Below<'_>,
) -> Subject<'s> {
    let absent = Subject::Absent { federation: None };
    let label = match below {
        Below::Marker => None,
        Below::Federation(label) => Some(label),
        Below::Namespace(labels) | Below::Service { key: labels, .. } => Some(last_label(labels)),
    };
    let federation = label.and_then(|label| snapshot.apexes().federation_of(index, label));
    if label.is_some() && federation.is_none() {
        return absent;
    }
    if scope.is_none() {
        return unknown_topology(snapshot, apex);
    }
    match (below, federation) {
        (Below::Namespace(namespace), Some(federation)) => {
            if snapshot.has_namespace([namespace, &[]]) {
                return Subject::EmptyNonTerminal;
            }
            // In cluster domains the label of the federation is the first one of the apex.
            let fixed = match apex.tree {
                Tree::Local => apex.fixed(first_label(namespace)),
                Tree::Federations | Tree::Clusterset | Tree::Static => None,
            };
            let client =
                fixed.filter(|fixed| matches!(fixed, FixedName::Client) && exists(snapshot, fixed));
            client.map_or_else(|| unknown(snapshot, federation), Subject::Fixed)
        }
        (
            Below::Service {
                prefix: Prefix::Unknown,
                ..
            },
            _,
        ) => absent,
        (Below::Service { .. }, Some(federation)) => unknown(snapshot, federation),
        _ => Subject::EmptyNonTerminal,
    }
}

/// Whether an infrastructure name is there at present.
fn exists(snapshot: &Snapshot, fixed: &FixedName) -> bool {
    !matches!(fixed, FixedName::Client) || snapshot.settings().has_client_name
}

/// One or two topology labels that are no known region or zone (docs/names.md, D.11.6).
fn unknown_topology<'s>(snapshot: &'s Snapshot, apex: &Apex) -> Subject<'s> {
    let lacks_locations =
        |federation: &FederationIdx| snapshot.state().federation(*federation).lacks_locations();
    if apex.federations.iter().any(lacks_locations) {
        Subject::NotReady
    } else {
        Subject::Absent { federation: None }
    }
}

/// The last label of a wire form without a root, in wire form.
fn last_label(labels: &[u8]) -> &[u8] {
    let whole = suffixes(labels).take_while(|labels| !labels.is_empty());
    whole.last().unwrap_or_default()
}

/// The first label of a wire form without a root, in wire form.
fn first_label(labels: &[u8]) -> &[u8] {
    let rest = parent(labels).map_or(0, <[u8]>::len);
    labels
        .get(..labels.len().saturating_sub(rest))
        .unwrap_or_default()
}

/// How many labels a wire form without a root has.
fn label_count(labels: &[u8]) -> usize {
    crate::wire::labels(labels).count()
}
