//! Members that objects of a host cluster name. Nothing that the host fails to say removes one.
//!
//! ```text
//! follow_host (one loop for each kind) ──HostNews──▶ HostMembers ──▶ secret, profile ──▶ origin, Presence
//!                                                        └──credentials──▶ ObjectCredentials ──▶ clients
//! ```

mod change;
mod following;
mod origin;
mod profile;
mod secret;
mod write_back;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::warn;

pub use self::change::HostChange;
use self::change::{HeardOfHost, HostObjects};
use self::following::Following;
use self::origin::{ObjectOrigin, ObjectReading, OriginChange};
use self::secret::ReadSecret;
use self::write_back::{TokenWriter, WrittenBack};
use super::super::kubernetes::{
    HostClients, HostNews, HostObject, HostQuery, ObjectCredentials, ObjectRules,
};
use super::OtherOrigins;
use crate::config::{HostCluster, MemberObject, ObjectMember};
use crate::model::Shown;
use crate::model::limits::HOST_OBJECTS;
use crate::names::Label;
use crate::telemetry::Metrics;

/// What is said of a `ClusterProfile` with `ControlPlaneHealthy=False`.
const UNHEALTHY: &str = "its control plane is said to be unhealthy (ControlPlaneHealthy)";

/// What became of tokens that may wait to be taken in.
const WRITTEN: usize = 16;

/// The members that objects of a host cluster name.
pub struct HostMembers {
    /// Where the loops run.
    runtime: Handle,
    /// Has the client of the host cluster.
    clients: HostClients,
    /// The host cluster.
    host: Option<HostCluster>,
    /// The loops that follow Secrets that are members, `ClusterProfile`s, and Secrets that these name.
    loops: [Option<Following>; 3],
    /// Members of Secrets.
    from_secrets: ObjectOrigin,
    /// Members of `ClusterProfile`s.
    from_profiles: ObjectOrigin,
    /// The `ClusterProfile`s.
    profiles: BTreeMap<String, HostObject>,
    /// Those whose control plane is said to be unhealthy.
    unhealthy: BTreeSet<MemberObject>,
    /// Secrets that they may name.
    named: BTreeMap<String, HostObject>,
    /// All of these were listed once.
    is_named_known: bool,
    /// How all members are reached.
    credentials: ObjectCredentials,
    /// What writes renewed tokens back; it ends with this.
    writer: JoinSet<()>,
    /// What becomes of them.
    written: mpsc::Receiver<WrittenBack>,
    /// Why tokens are not written back.
    unwritten: BTreeMap<MemberObject, String>,
    /// Where it is shown what is wrong.
    metrics: Arc<Metrics>,
}

impl HostMembers {
    /// Nobody yet. Loops run on `runtime`.
    pub fn new(
        (runtime, clients): (Handle, HostClients),
        credentials: ObjectCredentials,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            runtime,
            clients,
            host: None,
            loops: [const { None }; 3],
            from_secrets: ObjectOrigin::default(),
            from_profiles: ObjectOrigin::default(),
            profiles: BTreeMap::new(),
            unhealthy: BTreeSet::new(),
            named: BTreeMap::new(),
            is_named_known: false,
            credentials,
            writer: JoinSet::new(),
            written: mpsc::channel(1).1,
            unwritten: BTreeMap::new(),
            metrics,
        }
    }

    /// These are known from before a restart.
    pub fn remember(&mut self, kept: impl Iterator<Item = ObjectMember>) {
        for member in kept {
            match member.object {
                MemberObject::Secret { .. } => self.from_secrets.remember(member),
                MemberObject::Profile { .. } => self.from_profiles.remember(member),
            }
        }
    }

    /// Follows a host cluster, instead of the one before. Members of a kind that is no longer asked for go.
    /// Returns whether members are others.
    pub fn follow(&mut self, host: Option<&HostCluster>) -> bool {
        if self.host.as_ref() == host {
            return false;
        }
        self.host = host.cloned();
        self.loops = [const { None }; 3];
        self.writer = JoinSet::new();
        let before = self.members().len();
        if host.is_none_or(|host| host.secrets.is_none()) {
            self.drop_all(HostObjects::Secrets);
        }
        if host.is_none_or(|host| host.profiles.is_none()) {
            self.drop_all(HostObjects::Profiles);
        }
        if let Some(host) = host {
            let client = self.clients.of(&host.source);
            let orders = self.credentials.take_orders();
            let (said, written) = mpsc::channel(WRITTEN);
            self.written = written;
            let writer = TokenWriter::new(Arc::clone(&client), host.namespace.clone());
            self.writer
                .spawn_on(writer.run(orders, said), &self.runtime);
            let start = |query| Following::start(&self.runtime, &client, query);
            let secrets = |labels| HostQuery::secrets(&host.namespace, labels);
            let profiles = |labels| HostQuery::cluster_profiles(&host.namespace, labels);
            let (of_secrets, of_profiles) = (host.secrets.as_ref(), host.profiles.as_ref());
            self.loops = [
                of_secrets.map(|origin| start(secrets(&origin.selector))),
                of_profiles.map(|origin| start(profiles(&origin.selector))),
                of_profiles
                    .filter(|origin| origin.names_secrets())
                    .map(|_| start(secrets(""))),
            ];
        }
        before != self.members().len()
    }

    /// Waits for news of the host, and asks for another list where one is due. Safe to cancel.
    pub async fn changed(&mut self) -> HostChange {
        let due = (
            self.from_secrets.presence.due(),
            self.from_profiles.presence.due(),
        );
        let [secrets, profiles, named] = &mut self.loops;
        HostChange(tokio::select! {
            news = Following::next(secrets, due.0) => HeardOfHost::Objects(HostObjects::Secrets, news),
            news = Following::next(profiles, due.1) => HeardOfHost::Objects(HostObjects::Profiles, news),
            news = Following::next(named, None) => HeardOfHost::Objects(HostObjects::Named, news),
            Some(written) = self.written.recv() => HeardOfHost::Token(written),
        })
    }

    /// Takes in news of the host; `others` is what there is of other origins. Returns whether anything is
    /// to be composed anew.
    pub fn note(&mut self, HostChange(change): HostChange, others: OtherOrigins) -> bool {
        match change {
            HeardOfHost::Objects(kind, news) => self.note_objects(kind, news, others),
            HeardOfHost::Token(written) => self.note_written(written),
        }
    }

    /// Takes in what became of a token that was to be written back. Returns whether that is news.
    fn note_written(&mut self, WrittenBack { object, trouble }: WrittenBack) -> bool {
        let Some(trouble) = trouble else {
            return self.unwritten.remove(&object).is_some();
        };
        let origins = [&self.from_secrets, &self.from_profiles];
        let mut members = origins.into_iter().flat_map(ObjectOrigin::members);
        if members.all(|member| member.object != object) {
            // It is gone meanwhile.
            return false;
        }
        let before = self.unwritten.insert(object.clone(), trouble.clone());
        if before.is_none() {
            warn!(%object, trouble = %Shown(&trouble), "its renewed token is known here alone");
        }
        before.as_ref() != Some(&trouble)
    }

    /// Takes in news of objects of a kind.
    fn note_objects(&mut self, kind: HostObjects, news: HostNews, others: OtherOrigins) -> bool {
        let unhealthy = self.unhealthy.clone();
        let is_due = self.note_members(kind, news, others);
        is_due || unhealthy != self.unhealthy
    }

    /// The same, but for what is only to be known of members.
    fn note_members(&mut self, kind: HostObjects, news: HostNews, others: OtherOrigins) -> bool {
        let [secrets, profiles, named] = &mut self.loops;
        let following = match kind {
            HostObjects::Secrets => secrets,
            HostObjects::Profiles => profiles,
            HostObjects::Named => named,
        };
        if let Some(following) = following {
            following.tell(kind.name(), &news, &self.metrics);
        }
        if kind == HostObjects::Named {
            self.note_named(news);
            return false;
        }
        let mut read = |object: HostObject| {
            let name = object.name.clone();
            (name, self.read(kind, object))
        };
        let (listed, applied, deleted) = match news {
            HostNews::Listed(objects) => {
                (Some(objects.into_iter().map(read).collect()), None, None)
            }
            HostNews::Applied(object) => (None, Some(read(object)), None),
            HostNews::Deleted(object) => (None, None, Some(object.name)),
            HostNews::NotServed | HostNews::Failed { .. } => return false,
        };
        let now = Instant::now();
        let beside = match kind {
            HostObjects::Secrets => self.from_profiles.presence.for_others(now),
            HostObjects::Profiles | HostObjects::Named => {
                self.from_secrets.presence.for_others(now)
            }
        };
        let others = others + beside;
        let origin = self.origin(kind);
        let mut changed = OriginChange::default();
        if let Some(objects) = listed {
            changed = origin.listed(objects, others, now);
        } else if let Some((name, object)) = applied {
            changed = origin.applied(name, object, others, now);
        } else if let Some(name) = deleted {
            changed = origin.deleted(&name, others, now);
        }
        self.forget(&changed)
    }

    /// An operator says that the absence of a member is meant.
    pub fn mean(&mut self, member: &Label) {
        let now = Instant::now();
        for origin in [&mut self.from_secrets, &mut self.from_profiles] {
            origin.mean(member.as_str(), now);
        }
    }

    /// An operator confirms that those are gone that are withheld. Returns whether members are others.
    pub fn confirm(&mut self) -> bool {
        let (secrets, profiles) = (self.from_secrets.confirm(), self.from_profiles.confirm());
        self.forget(&secrets) | self.forget(&profiles)
    }

    /// The members, in no order.
    pub fn members(&self) -> Vec<ObjectMember> {
        let all = self.from_secrets.members();
        all.chain(self.from_profiles.members()).cloned().collect()
    }

    /// What the host is asked for, in words.
    pub(super) fn asked(&self) -> Vec<&'static str> {
        let kinds = [
            HostObjects::Secrets,
            HostObjects::Profiles,
            HostObjects::Named,
        ]
        .into_iter();
        let asked = kinds.zip(&self.loops);
        let asked = asked.filter_map(|(kind, following)| following.as_ref().map(|_| kind.name()));
        asked.collect()
    }

    /// What is wrong with objects, and how many of them are none of ours.
    pub(super) fn refused(&self) -> (Vec<String>, usize) {
        let origins = [&self.from_secrets, &self.from_profiles];
        let wrong = origins.iter().flat_map(|origin| origin.wrong().cloned());
        let ignored = origins.iter().map(|origin| origin.counts().1);
        (wrong.collect(), ignored.sum())
    }

    /// What there is of them, for other origins.
    pub fn for_others(&self, now: Instant) -> OtherOrigins {
        let (secrets, profiles) = (&self.from_secrets.presence, &self.from_profiles.presence);
        secrets.for_others(now) + profiles.for_others(now)
    }

    /// What an operator should know of the member of an object.
    pub fn warnings(&self, object: &MemberObject) -> impl Iterator<Item = String> {
        let is_unhealthy = self.unhealthy.contains(object);
        let unhealthy = is_unhealthy.then(|| format!("{object}: {UNHEALTHY}"));
        unhealthy
            .into_iter()
            .chain(self.unwritten.get(object).cloned())
    }

    /// Those of them that stay until an operator confirms that they are gone.
    pub fn withheld(&self) -> impl Iterator<Item = &MemberObject> {
        let origins = [&self.from_secrets, &self.from_profiles];
        origins.into_iter().flat_map(|it| it.presence.withheld())
    }

    /// Shows what is wrong; problems with these paths are not of members that are taken. Returns how many of
    /// them are of objects.
    pub fn measure<'p>(&self, refused: &(impl Iterator<Item = &'p Path> + Clone)) -> usize {
        let mut sum = 0;
        for (origin, kind) in [
            (&self.from_secrets, "secret"),
            (&self.from_profiles, "profile"),
        ] {
            let (wrong, ignored) = origin.counts();
            let is_of = |path: &&Path| origin.members().any(|member| member.path() == *path);
            let refused = refused.clone().filter(is_of).count();
            self.metrics.set_refused(kind, wrong + refused);
            self.metrics.set_ignored(kind, ignored);
            sum += refused;
        }
        sum
    }

    /// The origin of a kind.
    fn origin(&mut self, kind: HostObjects) -> &mut ObjectOrigin {
        match kind {
            HostObjects::Secrets => &mut self.from_secrets,
            HostObjects::Profiles | HostObjects::Named => &mut self.from_profiles,
        }
    }

    /// Forgets all members of a kind.
    fn drop_all(&mut self, kind: HostObjects) {
        let origin = std::mem::take(self.origin(kind));
        for member in origin.members() {
            self.credentials.remove(&member.object);
            self.unhealthy.remove(&member.object);
            self.unwritten.remove(&member.object);
        }
    }

    /// Forgets how those are reached that are gone.
    fn forget(&mut self, changed: &OriginChange) -> bool {
        for one in &changed.gone {
            self.credentials.remove(one);
            self.unhealthy.remove(one);
            self.unwritten.remove(one);
            if let MemberObject::Profile { name, .. } = one {
                self.profiles.remove(name);
            }
        }
        changed.is_due
    }

    /// Takes in Secrets that `ClusterProfile`s may name. One that a list lacks is as it was: only its
    /// deletion takes it away.
    fn note_named(&mut self, news: HostNews) {
        match news {
            HostNews::Listed(objects) => {
                self.is_named_known = true;
                let most = HOST_OBJECTS.length();
                if self.named.len() + objects.len() > 2 * most {
                    self.named.clear();
                }
                let objects = objects.into_iter();
                self.named
                    .extend(objects.map(|object| (object.name.clone(), object)));
            }
            HostNews::Applied(object) => drop(self.named.insert(object.name.clone(), object)),
            HostNews::Deleted(object) => drop(self.named.remove(&object.name)),
            HostNews::NotServed | HostNews::Failed { .. } => return,
        }
        let profiles: Vec<_> = self.profiles.values().cloned().collect();
        for profile in profiles {
            let name = profile.name.clone();
            let read = self.read(HostObjects::Profiles, profile);
            self.from_profiles.reread(name, read);
        }
    }

    /// Reads an object, and has clients know how its members are reached.
    fn read(&mut self, kind: HostObjects, object: HostObject) -> ObjectReading {
        let Some(host) = self.host.clone() else {
            return ObjectReading::Ignored;
        };
        match kind {
            HostObjects::Secrets => self.read_secret(&host, &object),
            HostObjects::Profiles | HostObjects::Named => self.read_profile(&host, object),
        }
    }

    /// Reads a Secret that is a member.
    fn read_secret(&self, host: &HostCluster, object: &HostObject) -> ObjectReading {
        let Some(origin) = &host.secrets else {
            return ObjectReading::Ignored;
        };
        let rules = rules(host);
        match secret::read(object, &host.namespace, origin) {
            ReadSecret::Ignored => ObjectReading::Ignored,
            ReadSecret::Wrong(why) => {
                let name = &object.name;
                ObjectReading::Wrong(format!("secret {}/{name}: {why}", host.namespace))
            }
            ReadSecret::Members(members) => {
                let members = members.into_iter().map(|one| {
                    let object = &one.member.object;
                    let text = &one.kubeconfig;
                    let told = self.credentials.put_kubeconfig(object, text, &rules);
                    (one.member, told.err())
                });
                ObjectReading::Members(members.collect())
            }
        }
    }

    /// Reads a `ClusterProfile`.
    fn read_profile(&mut self, host: &HostCluster, object: HostObject) -> ObjectReading {
        let Some(origin) = &host.profiles else {
            return ObjectReading::Ignored;
        };
        let read = profile::read(&object, host, origin, &self.named);
        let of = &read.member.object;
        let told = match read.access {
            // Which Secrets there are is not known yet: that is no mistake of the object.
            Err(_) if origin.names_secrets() && !self.is_named_known => Ok(()),
            Ok(access) => self.credentials.put_access(of, &access, &rules(host)),
            Err(why) => {
                self.credentials.refuse(of, why.clone());
                Err(why)
            }
        };
        if !read.is_unhealthy {
            self.unhealthy.remove(of);
        } else if self.unhealthy.insert(of.clone()) {
            warn!(object = %of, "{UNHEALTHY}");
        }
        self.profiles.insert(object.name.clone(), object);
        ObjectReading::Members(vec![(read.member, told.err())])
    }
}

/// What our own configuration lets objects name.
fn rules(host: &HostCluster) -> ObjectRules {
    ObjectRules {
        providers: host.providers.clone(),
        proxies: host.proxies.clone(),
    }
}

impl std::fmt::Debug for HostMembers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostMembers")
            .field("host", &self.host)
            .field("from_secrets", &self.from_secrets)
            .field("from_profiles", &self.from_profiles)
            .finish_non_exhaustive()
    }
}
