//! Commands that mend what is wrong with a member.

use super::super::shell::quoted;
use crate::config::{Config, MemberObject, MemberSource, Source};
use crate::names::Label;
use crate::sources::kubernetes::CredentialFacts;

/// What `join` writes down in a host cluster: its selector and key (docs/membership.md, What is made for
/// the daemon).
const JOINED: [&str; 2] = ["gazetteer.dev/member=true", "kubeconfig"];

/// What commands for one member are made of. `CONTEXT` in them stands for the operator's own context of
/// its cluster, and `HOST` for that of the host cluster.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mending<'c> {
    /// The configuration, with the members of the host cluster.
    config: &'c Config,
    /// Where its facts come from.
    source: &'c MemberSource,
    /// What the operator's context of the host cluster is called, if that was given.
    host_context: Option<&'c str>,
}

impl<'c> Mending<'c> {
    /// Those of a member.
    pub(super) fn new(
        config: &'c Config,
        source: &'c MemberSource,
        host_context: Option<&'c str>,
    ) -> Self {
        Self {
            config,
            source,
            host_context,
        }
    }

    /// The configuration, as a word of a command.
    fn file(&self) -> String {
        quoted(&self.config.path.display().to_string())
    }

    /// The operator's context of the host cluster, as a word of a command.
    fn host(&self) -> String {
        self.host_context.map_or_else(|| "HOST".to_owned(), quoted)
    }

    /// Where `join` and `unjoin` have a member written down, as their arguments; nothing of one that
    /// they leave alone.
    fn side(&self, member: &Label) -> Option<String> {
        let membership = &self.config.membership;
        if membership.from_folder.contains(member) {
            return Some(format!("--config {}", self.file()));
        }
        let mut from_host = membership.from_host.iter();
        let (_, object) = from_host.find(|(name, _)| name == member)?;
        let origin = membership.host.as_ref()?.secrets.as_ref()?;
        let MemberObject::Secret { namespace, .. } = object else {
            return None;
        };
        let is_joined = [&*origin.selector, &*origin.key] == JOINED;
        is_joined.then(|| {
            let host = self.host();
            format!("--host-context {host} --host-namespace {namespace}")
        })
    }

    /// The member is joined, again or anew, with these arguments, if it was joined.
    fn join(&self, more: &str) -> Option<String> {
        let name = &self.source.member;
        let side = self.side(name)?;
        let space = if more.is_empty() { "" } else { " " };
        Some(format!(
            "gazetteer join {name} --context CONTEXT {side}{space}{more}"
        ))
    }

    /// It is joined with these arguments if it was joined, else something else is done.
    fn join_or(&self, more: &str, other: impl FnOnce() -> String) -> String {
        self.join(more).unwrap_or_else(other)
    }

    /// Where its kubeconfig is, in words.
    fn kubeconfig(&self) -> String {
        match &self.source.source {
            Source::Object { object } => format!("what {object} of the host cluster holds"),
            _ => "its kubeconfig".to_owned(),
        }
    }

    /// kubectl with the daemon's credential, where that is in a file: else with the operator's.
    fn kubectl(&self) -> String {
        match &self.source.source {
            Source::Kubeconfig { path, context } => {
                let (path, context) = (quoted(&path.display().to_string()), quoted(context));
                format!("kubectl --kubeconfig {path} --context {context}")
            }
            Source::InCluster => "kubectl".to_owned(),
            _ => "kubectl --context CONTEXT".to_owned(),
        }
    }

    /// The credential is replaced.
    pub(super) fn renew(&self, credential: &CredentialFacts) -> String {
        self.join_or("--renew", || match &credential.account {
            Some((namespace, name)) => format!(
                "kubectl --context CONTEXT -n {namespace} create token {name}, into {}",
                self.kubeconfig()
            ),
            None => self.get_raw("/version"),
        })
    }

    /// The cluster of its kubeconfig is changed by `kubectl config set-cluster` with these arguments,
    /// or it is joined with those that say the same.
    pub(super) fn set_cluster(&self, kubectl: &str, join: &str) -> String {
        self.join_or(join, || {
            format!(
                "kubectl config set-cluster CLUSTER {kubectl}, in {}",
                self.kubeconfig()
            )
        })
    }

    /// What says how it is reached is looked at, or it is joined again.
    pub(super) fn rewrite(&self) -> String {
        self.join_or("", || match &self.source.source {
            Source::Object { object } => {
                let (kind, namespace, name) = match object {
                    MemberObject::Secret {
                        namespace, name, ..
                    } => ("secret", namespace, name),
                    MemberObject::Profile { namespace, name } => {
                        ("clusterprofile", namespace, name)
                    }
                };
                let host = self.host();
                format!("kubectl --context {host} -n {namespace} edit {kind} {name}")
            }
            _ => format!("gazetteer check {}", self.file()),
        })
    }

    /// The facts of another cluster are given up.
    pub(super) fn replace(&self) -> String {
        self.join_or("--replace", || "gazetteer clusters".to_owned())
    }

    /// This member is taken away.
    pub(super) fn unjoin(&self, who: &Label) -> String {
        match self.side(who) {
            Some(side) => format!("gazetteer unjoin {who} {side}"),
            None => format!("take {who} out of {}", self.file()),
        }
    }

    /// It is called otherwise.
    pub(super) fn rename(&self, other: &Label) -> String {
        let name = &self.source.member;
        match self.side(name) {
            Some(side) => format!(
                "gazetteer unjoin {name} {side} && gazetteer join {other} --context CONTEXT {side}"
            ),
            None => format!("call it {other} in {}", self.file()),
        }
    }

    /// The API is asked for a path, as the daemon.
    pub(super) fn get_raw(&self, path: &str) -> String {
        format!("{} get --raw {path}", self.kubectl())
    }

    /// Whoever gives this credential more than it needs is found, or another one is used.
    pub(super) fn least(&self, credential: &CredentialFacts) -> String {
        match &credential.account {
            Some((namespace, name)) => format!(
                "kubectl --context CONTEXT get clusterrolebindings,rolebindings -A -o wide | \
                 grep {namespace}/{name}, and delete what grants it"
            ),
            None => format!(
                "{}, then gazetteer join {} --context CONTEXT --config {}",
                self.unjoin(&self.source.member),
                self.source.member,
                self.file()
            ),
        }
    }

    /// Its region and zones are configured.
    pub(super) fn place(&self) -> String {
        let name = &self.source.member;
        format!("region and zones of {name}, in {}", self.file())
    }

    /// The right to read what stands in front of services is granted: `join` does not.
    pub(super) fn grant_front(&self, credential: &CredentialFacts) -> String {
        let whom = match &credential.account {
            Some((namespace, name)) => format!("--serviceaccount={namespace}:{name}"),
            None => "--user=USER".to_owned(),
        };
        format!(
            "kubectl --context CONTEXT apply -f deploy/rbac-gateways.yaml && kubectl --context CONTEXT \
             create clusterrolebinding gazetteer-gateways-{} --clusterrole=gazetteer-gateways {whom}",
            self.source.member
        )
    }

    /// A right is granted: of a verb on a resource, or on a path.
    pub(super) fn grant(&self, credential: &CredentialFacts, verb: &str, on: &str) -> String {
        self.join_or("", || {
            let what = if on.starts_with('/') {
                format!("--non-resource-url={on}")
            } else {
                let group = match on {
                    "endpointslices" => ".discovery.k8s.io",
                    "serviceexports" => ".multicluster.x-k8s.io",
                    _ => "",
                };
                format!("--resource={on}{group}")
            };
            let role = format!("gazetteer-{verb}-{}", on.trim_start_matches('/'));
            let whom = match &credential.account {
                Some((namespace, name)) => format!("--serviceaccount={namespace}:{name}"),
                None => "--user=USER".to_owned(),
            };
            format!(
                "kubectl --context CONTEXT create clusterrole {role} --verb={verb} {what} && \
                 kubectl --context CONTEXT create clusterrolebinding {role} --clusterrole={role} {whom}"
            )
        })
    }
}
