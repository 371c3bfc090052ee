//! The names that SRV records have as targets (RFC 2782; docs/names.md, D.7).

use crate::model::PodName;
use crate::snapshot::{Apex, Scope, Scopes, ServiceEntry, Snapshot};
use crate::wire::{MAX_NAME, NameParts};

/// Names that SRV records of a service have as targets: labels without a root, in three parts.
#[derive(Debug, Clone, Copy)]
pub(in crate::answer) struct SrvTargets<'t> {
    /// The name of the service where it was asked.
    service: [&'t [u8]; 3],
    /// What follows a pod and its member.
    pods: [&'t [u8]; 3],
    /// What follows a member in its pinned name.
    pinned: [&'t [u8]; 3],
}

impl<'t> SrvTargets<'t> {
    /// Those of a service at a level of an apex.
    pub(in crate::answer) fn at(
        snapshot: &'t Snapshot,
        apex: &'t Apex,
        entry: &'t ServiceEntry,
        level: &'t Scope,
    ) -> Self {
        let global = Self::global(snapshot, apex, entry);
        Self {
            service: [&entry.key, &level.path, apex.name.without_root()],
            ..global
        }
    }

    /// Those of a service at the global level of an apex.
    pub(in crate::answer) fn global(
        snapshot: &'t Snapshot,
        apex: &'t Apex,
        entry: &'t ServiceEntry,
    ) -> Self {
        let global = snapshot.scopes().chain(Scopes::GLOBAL).next();
        let path = global.map_or(&[][..], |global| &global.path);
        let service = [&entry.key[..], path, apex.name.without_root()];
        Self {
            service,
            pods: service,
            pinned: service,
        }
    }

    /// The same for a name of the service that is not made of its key; pinned names stay where they
    /// are.
    pub(in crate::answer) fn called(self, labels: &'t [u8]) -> Self {
        let service = [labels, &[], &[]];
        Self {
            service,
            pods: service,
            ..self
        }
    }

    /// The name of the service.
    pub(super) fn service(&self) -> NameParts<'t> {
        NameParts::new(self.service, None)
    }

    /// The name of a pod; `None` if it would be over 255 octets.
    pub(super) fn pod(&self, member: &'t [u8], name: &'t PodName) -> Option<NameParts<'t>> {
        let [first, second, third] = self.pods;
        fitting([name.as_wire(), member, first, second, third])
    }

    /// The pinned name of a member; `None` if it would be over 255 octets.
    pub(super) fn pinned(&self, member: &'t [u8]) -> Option<NameParts<'t>> {
        let [first, second, third] = self.pinned;
        fitting([member, first, second, third, &[]])
    }
}

/// A target of these labels; `None` if it would be over 255 octets. Never compressed: RFC 2782 forbids
/// it.
fn fitting(labels: [&[u8]; 5]) -> Option<NameParts<'_>> {
    let length = labels.iter().map(|labels| labels.len()).sum::<usize>() + 1;
    (length <= MAX_NAME).then(|| NameParts::new(labels, None))
}
