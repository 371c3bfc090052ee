//! What an operator says of what is to be checked.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::super::contexts::ContextChoice;
use super::super::shell::quoted;
use super::id::CheckId;
use super::surroundings::CheckedHostMember;
use crate::config::{Config, MemberSource, Source};
use crate::names::Label;

/// What is to be checked, and how.
#[derive(Debug, Clone)]
pub struct CheckSettings {
    /// The configuration.
    pub file: PathBuf,
    /// The operator's context of the host cluster, in place of the daemon's own way there.
    pub host: Option<ContextChoice>,
    /// Checks that are wanted; none is all.
    pub only: BTreeSet<CheckId>,
    /// Members that are wanted; none is all.
    pub members: BTreeSet<Label>,
    /// DNS servers of members, at which their pods ask.
    pub through: Vec<(Label, SocketAddr)>,
    /// Servers of the zones above the apexes.
    pub parents: Vec<SocketAddr>,
    /// Resolvers of clients.
    pub resolvers: Vec<SocketAddr>,
    /// How long one check may take.
    pub timeout: Duration,
    /// For how long what has failed is repeated; nothing is once.
    pub wait: Duration,
}

impl CheckSettings {
    /// The configuration, as a word of a command.
    pub(super) fn file_word(&self) -> String {
        quoted(&self.file.display().to_string())
    }

    /// The operator's context of the host cluster, as a word of a command.
    pub(super) fn host_word(&self) -> String {
        let given = self.host.as_ref();
        given.map_or_else(|| "HOST".to_owned(), |choice| quoted(&choice.context))
    }

    /// Whether a check is wanted.
    pub(super) fn wants(&self, id: CheckId) -> bool {
        self.only.is_empty() || self.only.contains(&id)
    }

    /// Whether the DNS server of a member is asked: one that is given, else that of the pod that this is.
    pub(super) fn asks_through(&self, source: &MemberSource) -> bool {
        let mut through = self.through.iter();
        let is_own = self.through.is_empty() && source.source == Source::InCluster;
        self.wants(CheckId::Stub) && (is_own || through.any(|(name, _)| *name == source.member))
    }

    /// Refuses a member that is named and is not there; `unseen` are members that are known by name alone.
    pub(super) fn check_named(
        &self,
        config: &Config,
        unseen: &[CheckedHostMember],
    ) -> Result<(), String> {
        let known = config.sources.iter().map(|source| &source.member);
        let known: BTreeSet<_> = known
            .chain(unseen.iter().map(|member| &member.name))
            .collect();
        let through = self.through.iter().map(|(member, _)| ("--through", member));
        let members = self.members.iter().map(|member| ("--member", member));
        let mut named = members.chain(through);
        let Some((argument, unknown)) = named.find(|(_, member)| !known.contains(member)) else {
            return Ok(());
        };
        let known: Vec<_> = known.into_iter().map(ToString::to_string).collect();
        let known = known.join(", ");
        Err(format!(
            "{argument}: no member is called \"{unknown}\" (there are: {known})"
        ))
    }

    /// Whether a member is wanted.
    pub(super) fn wants_member(&self, name: &Label) -> bool {
        self.members.is_empty() || self.members.contains(name)
    }
}
