//! What is heard of a host cluster, as those are told who have it taken in.

use super::super::super::kubernetes::HostNews;
use super::write_back::WrittenBack;
use crate::model::MemberList;

/// What there is news of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HostObjects {
    /// Secrets that are members.
    Secrets,
    /// `ClusterProfile`s.
    Profiles,
    /// Secrets that these name.
    Named,
}

impl HostObjects {
    /// As messages call them.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Secrets => "secrets",
            Self::Profiles => "clusterprofiles",
            Self::Named => "secrets of clusterprofiles",
        }
    }
}

/// News of a host cluster.
#[derive(Debug)]
pub struct HostChange(pub(super) HeardOfHost);

/// The same, for those who know what it is.
#[derive(Debug)]
pub(super) enum HeardOfHost {
    /// Of objects of a kind.
    Objects(HostObjects, HostNews),
    /// Of a token that was renewed.
    Token(WrittenBack),
}

impl HostChange {
    /// The list of members that was heard by it, as a whole.
    pub fn heard(&self) -> Option<MemberList> {
        let Self(HeardOfHost::Objects(kind, HostNews::Listed(_) | HostNews::NotServed)) = self
        else {
            return None;
        };
        match kind {
            HostObjects::Secrets => Some(MemberList::Secrets),
            HostObjects::Profiles => Some(MemberList::Profiles),
            HostObjects::Named => None,
        }
    }

    /// What was listed, in words, or was not, and then why; `None` where this is no answer to a list.
    pub(in super::super) fn of_list(&self) -> Option<(&'static str, Option<&str>)> {
        let Self(HeardOfHost::Objects(kind, news)) = self else {
            return None;
        };
        match news {
            HostNews::Listed(_) | HostNews::NotServed => Some((kind.name(), None)),
            HostNews::Failed { why, .. } => Some((kind.name(), Some(why))),
            HostNews::Applied(_) | HostNews::Deleted(_) => None,
        }
    }
}
