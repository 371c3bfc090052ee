//! The checks of DNS in one round: which of them there are to make.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::checker::Checker;
use super::dns::{
    StubbedMember, UNKNOWN_PARENT, check_parents, check_resolver, check_servers, check_stub,
    knows_parents, names_of_file, pod_resolver,
};
use super::id::CheckId;
use super::line::{CheckSubject, member};
use super::member::SeenMember;
use super::settings::CheckSettings;
use super::surroundings::CheckSurroundings;
use crate::config::Config;
use crate::names::Label;

/// The checks of DNS, and what they need to know.
pub(super) struct DnsRound<'r> {
    /// What is wanted.
    pub(super) settings: &'r CheckSettings,
    /// What the command line knows.
    pub(super) around: &'r Arc<dyn CheckSurroundings>,
    /// The configuration.
    pub(super) config: &'r Arc<Config>,
    /// What was seen of members.
    pub(super) seen: &'r BTreeMap<Label, SeenMember>,
}

impl<'r> DnsRound<'r> {
    /// What there is to look at, if it is `wanted`.
    pub(super) fn subjects(&self) -> Vec<CheckSubject> {
        let mut subjects = vec![CheckSubject::Dns];
        let stubs = self.stubs();
        let sources = self.config.sources.iter().enumerate();
        subjects.extend(sources.filter_map(|(place, source)| {
            let is_asked = stubs.iter().any(|(member, _)| *member == source.member);
            let is_wanted = is_asked && self.settings.wants_member(&source.member);
            is_wanted.then(|| member(self.config, place, source))
        }));
        if knows_parents(self.settings, self.config) {
            subjects.push(CheckSubject::Parents);
        }
        let resolvers = self.settings.resolvers.iter();
        subjects.extend(resolvers.map(|resolver| CheckSubject::Resolver(*resolver)));
        subjects
    }

    /// The DNS servers of members: as given, else that of the pod that this runs in.
    fn stubs(&self) -> Vec<(Label, SocketAddr)> {
        if !self.settings.through.is_empty() {
            return self.settings.through.clone();
        }
        let own = pod_resolver(self.config);
        let own = own.map(|(member, server)| (member.name.clone(), server));
        own.into_iter().collect()
    }

    /// Makes the checks of subjects side by side.
    pub(super) async fn make(&self, checkers: &[(CheckSubject, Checker<'r>)]) {
        let needs_daemon = [CheckId::DnsUdp, CheckId::DnsTcp, CheckId::Stub];
        let has_daemon = needs_daemon.iter().any(|id| self.settings.wants(*id)) && {
            let (around, config) = (Arc::clone(self.around), Arc::clone(self.config));
            let found = spawn_blocking(move || around.daemon(&config).is_ok()).await;
            found.unwrap_or(false)
        };
        let checks = checkers
            .iter()
            .map(async |(subject, checker)| match subject {
                CheckSubject::Dns => {
                    self.tell_of_unmade(checker);
                    check_servers(checker, self.config, has_daemon).await;
                }
                CheckSubject::Parents => {
                    let (around, config) = (Arc::clone(self.around), Arc::clone(self.config));
                    let keys = spawn_blocking(move || around.keys(&config)).await;
                    let keys = keys.unwrap_or_else(|error| Err(error.to_string()));
                    check_parents(checker, self.config, &keys).await;
                }
                CheckSubject::Resolver(resolver) => {
                    check_resolver(checker, self.config, *resolver).await;
                }
                CheckSubject::Member(place, name, _) => {
                    self.check_stubs(checker, *place, name, has_daemon).await;
                }
                CheckSubject::Configuration | CheckSubject::Daemon => {}
            });
        futures::future::join_all(checks).await;
    }

    /// Says of checks that are asked for why they are not made.
    fn tell_of_unmade(&self, checker: &Checker<'_>) {
        let settings = self.settings;
        let has_parents = knows_parents(settings, self.config);
        for (id, is_made, how) in [
            (CheckId::ParentNs, has_parents, UNKNOWN_PARENT),
            (CheckId::ParentGlue, has_parents, UNKNOWN_PARENT),
            (CheckId::ParentDs, has_parents, UNKNOWN_PARENT),
            (
                CheckId::Stub,
                !self.stubs().is_empty(),
                "give the DNS server of a member with --through",
            ),
            (
                CheckId::Ecs,
                !settings.resolvers.is_empty(),
                "give a resolver with --resolver",
            ),
        ] {
            if settings.only.contains(&id) && !is_made {
                checker.skip(id, how);
            }
        }
    }

    /// Asks the DNS servers of a member.
    async fn check_stubs(
        &self,
        checker: &Checker<'_>,
        place: usize,
        name: &Label,
        has_daemon: bool,
    ) {
        let mut members = self.config.fleet.members.iter();
        let member = members.find(|(_, member)| member.name == *name);
        let (Some((_, member)), Some(source)) = (member, self.config.sources.get(place)) else {
            return;
        };
        let seen = self.seen.get(name);
        let mut exported = seen.map_or_else(Vec::new, |seen| seen.exported.clone());
        let (config, of, source) = (
            Arc::clone(self.config),
            member.clone(),
            source.source.clone(),
        );
        let of_file = spawn_blocking(move || names_of_file(&config, &of, &source)).await;
        exported.extend(of_file.unwrap_or_default());
        let stubs = self.stubs();
        let servers = stubs.iter().filter(|(of, _)| of == name);
        for (_, server) in servers {
            let stub = StubbedMember {
                config: self.config,
                member,
                server: *server,
                exported: &exported,
                has_daemon,
            };
            check_stub(checker, &stub).await;
        }
    }
}
