//! Commands that mend what is wrong with a member.

use super::super::shell::quoted;
use crate::config::{Config, MemberSource, Source};
use crate::names::Label;
use crate::sources::kubernetes::CredentialFacts;

/// What commands for one member are made of. `CONTEXT` in them stands for the operator's own context of
/// its cluster.
#[derive(Debug, Clone)]
pub(super) struct Mending {
    /// The member.
    name: Label,
    /// The configuration.
    file: String,
    /// Whether `join` may write it down again: it is in the members folder.
    is_joined: bool,
    /// The arguments with which kubectl has the daemon's credential.
    kubectl: String,
}

impl Mending {
    /// Those of a member.
    pub(super) fn new(config: &Config, source: &MemberSource) -> Self {
        let kubectl = match &source.source {
            Source::Kubeconfig { path, context } => {
                let (path, context) = (quoted(&path.display().to_string()), quoted(context));
                format!("kubectl --kubeconfig {path} --context {context}")
            }
            _ => "kubectl".to_owned(),
        };
        Self {
            name: source.member.clone(),
            file: quoted(&config.path.display().to_string()),
            is_joined: config.membership.from_folder.contains(&source.member),
            kubectl,
        }
    }

    /// The member is joined, again or anew, with these arguments.
    fn join(&self, more: &str) -> String {
        let (name, file) = (&self.name, &self.file);
        let space = if more.is_empty() { "" } else { " " };
        format!("gazetteer join {name} --context CONTEXT --config {file}{space}{more}")
    }

    /// The credential is replaced.
    pub(super) fn renew(&self, credential: &CredentialFacts) -> String {
        match &credential.account {
            Some((namespace, name)) if !self.is_joined => format!(
                "kubectl --context CONTEXT -n {namespace} create token {name}, into its kubeconfig"
            ),
            _ => self.join_or("--renew", &self.get_raw("/version")),
        }
    }

    /// The cluster of its kubeconfig is changed by `kubectl config set-cluster` with these arguments,
    /// or it is joined with those that say the same.
    pub(super) fn set_cluster(&self, kubectl: &str, join: &str) -> String {
        let other = format!("kubectl config set-cluster CLUSTER {kubectl}, in its kubeconfig");
        self.join_or(join, &other)
    }

    /// The files are checked, or it is joined again.
    pub(super) fn rewrite(&self) -> String {
        self.join_or("", &format!("gazetteer check {}", self.file))
    }

    /// The facts of another cluster are given up.
    pub(super) fn replace(&self) -> String {
        self.join_or("--replace", "gazetteer clusters")
    }

    /// It is joined with these arguments if it was joined, else something else is done.
    fn join_or(&self, more: &str, other: &str) -> String {
        if self.is_joined {
            self.join(more)
        } else {
            other.to_owned()
        }
    }

    /// The member is taken away.
    pub(super) fn unjoin(&self) -> String {
        if self.is_joined {
            format!("gazetteer unjoin {} --config {}", self.name, self.file)
        } else {
            format!("take one of them out of {}", self.file)
        }
    }

    /// The API is asked for a path, as the daemon.
    pub(super) fn get_raw(&self, path: &str) -> String {
        format!("{} get --raw {path}", self.kubectl)
    }

    /// What the daemon may do is shown.
    pub(super) fn can_i(&self) -> String {
        format!("{} auth can-i --list", self.kubectl)
    }

    /// A right is granted: of a verb on a resource, or on a path.
    pub(super) fn grant(&self, credential: &CredentialFacts, verb: &str, on: &str) -> String {
        if self.is_joined {
            return self.join("");
        }
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
    }
}
