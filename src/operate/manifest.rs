//! The objects that a join makes in a member.

use serde_json::{Value, json};

use super::installation::Installation;
use crate::names::Label;

/// The rights that the daemon needs, as people apply them by hand.
pub(super) const RIGHTS: &str = include_str!("../../deploy/rbac.yaml");

/// The ClusterRole, which all installations share.
pub(super) const ROLE: &str = "gazetteer";

/// Who manages an object.
pub(super) const MANAGED: &str = "app.kubernetes.io/managed-by";

/// Which installation made an object.
pub(super) const INSTALLATION: &str = "gazetteer.dev/installation";

/// Which member of its installation a cluster is, on its ServiceAccount.
pub(super) const JOINED_AS: &str = "gazetteer.dev/joined-as";

/// The group of roles and bindings.
const RBAC: &str = "rbac.authorization.k8s.io";

/// How the daemon's token lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It ends, and the daemon renews it.
    Renewed,
    /// It ends, and the daemon may not renew it.
    Ending,
    /// It is a Secret's, and ends with that.
    LongLived,
}

/// What objects are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Whose they are; without one they are called as those of `deploy/rbac.yaml`.
    pub installation: Option<Installation>,
    /// The namespace of the ServiceAccount.
    pub namespace: String,
    /// The ServiceAccount, where it is called otherwise.
    pub account: Option<String>,
}

impl Names {
    /// What everything of the installation is called.
    pub(super) fn base(&self) -> String {
        match &self.installation {
            Some(installation) => format!("{ROLE}-{installation}"),
            None => ROLE.to_owned(),
        }
    }

    /// What the ServiceAccount is called.
    pub(super) fn account(&self) -> String {
        self.account.clone().unwrap_or_else(|| self.base())
    }

    /// The labels of what belongs to the installation alone.
    pub(super) fn labels(&self) -> Value {
        let mut labels = json!({ MANAGED: ROLE });
        if let Some(installation) = &self.installation {
            labels[INSTALLATION] = json!(installation.to_string());
        }
        labels
    }
}

/// A kind of object that a join makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MadeKind {
    /// Who the daemon is.
    ServiceAccount,
    /// What it may read.
    ClusterRole,
    /// That it may.
    ClusterRoleBinding,
    /// That tokens may be asked for.
    Role,
    /// That it may ask for its own.
    RoleBinding,
    /// A token that does not end.
    Secret,
}

impl MadeKind {
    /// The group, its path with the version, and the resource.
    pub(super) fn place(self) -> (&'static str, &'static str, &'static str) {
        let rbac = "/apis/rbac.authorization.k8s.io/v1";
        match self {
            Self::ServiceAccount => ("", "/api/v1", "serviceaccounts"),
            Self::Secret => ("", "/api/v1", "secrets"),
            Self::ClusterRole => (RBAC, rbac, "clusterroles"),
            Self::ClusterRoleBinding => (RBAC, rbac, "clusterrolebindings"),
            Self::Role => (RBAC, rbac, "roles"),
            Self::RoleBinding => (RBAC, rbac, "rolebindings"),
        }
    }

    /// As kubectl calls one of it.
    fn word(self) -> &'static str {
        let (_, _, resource) = self.place();
        resource.trim_end_matches('s')
    }

    /// Whether it is in a namespace.
    pub(super) fn is_namespaced(self) -> bool {
        !matches!(self, Self::ClusterRole | Self::ClusterRoleBinding)
    }
}

/// An object that a join makes.
#[derive(Debug, Clone)]
pub(super) struct Object {
    /// What it is.
    pub(super) kind: MadeKind,
    /// Its namespace, where it is in one.
    pub(super) namespace: Option<String>,
    /// Its name.
    pub(super) name: String,
    /// Itself.
    pub(super) manifest: Value,
}

impl Object {
    /// Where it is.
    pub(super) fn path(&self) -> String {
        path(self.kind, self.namespace.as_deref(), &self.name)
    }

    /// As it is shown.
    pub(super) fn shown(&self) -> String {
        shown(self.kind, self.namespace.as_deref(), &self.name)
    }
}

/// Where an object is.
pub(super) fn path(kind: MadeKind, namespace: Option<&str>, name: &str) -> String {
    let (_, root, resource) = kind.place();
    match namespace {
        Some(namespace) => format!("{root}/namespaces/{namespace}/{resource}/{name}"),
        None => format!("{root}/{resource}/{name}"),
    }
}

/// An object as it is shown.
pub(super) fn shown(kind: MadeKind, namespace: Option<&str>, name: &str) -> String {
    let word = kind.word();
    match namespace {
        Some(namespace) => format!("{word} {namespace}/{name}"),
        None => format!("{word} {name}"),
    }
}

/// The objects of a join, in the order in which they are made: whoever needs one comes after it.
pub(super) fn objects(names: &Names, member: Option<&Label>, mode: Mode) -> Vec<Object> {
    let (base, account) = (names.base(), names.account());
    let namespace = names.namespace.as_str();
    let subject = json!([{"kind": "ServiceAccount", "name": account, "namespace": namespace}]);
    let token = format!("{base}-token");
    let mut identity = json!({});
    if let Some(member) = member {
        identity["metadata"]["annotations"][JOINED_AS] = json!(member.as_str());
    }
    let mut all = vec![
        (MadeKind::ServiceAccount, account.clone(), identity),
        (
            MadeKind::ClusterRole,
            ROLE.to_owned(),
            json!({"rules": rules()}),
        ),
        (
            MadeKind::ClusterRoleBinding,
            base.clone(),
            json!({"roleRef": reference("ClusterRole", ROLE), "subjects": subject}),
        ),
    ];
    if mode == Mode::Renewed {
        let rule = json!([{
            "apiGroups": [""], "resources": ["serviceaccounts/token"],
            "resourceNames": [account], "verbs": ["create"],
        }]);
        all.push((MadeKind::Role, token.clone(), json!({"rules": rule})));
        let binding = json!({"roleRef": reference("Role", &token), "subjects": subject});
        all.push((MadeKind::RoleBinding, token, binding));
    }
    let objects = all.into_iter().map(|(kind, name, fields)| {
        let mut labels = names.labels();
        // It is no installation's own.
        if kind == MadeKind::ClusterRole {
            labels = json!({ MANAGED: ROLE });
        }
        object(kind, Some(namespace), name, labels, fields)
    });
    objects.collect()
}

/// A Secret in which the cluster puts a token of the ServiceAccount.
pub(super) fn token_secret(names: &Names, name: &str) -> Object {
    let account = names.account();
    let fields = json!({
        "metadata": {"annotations": {"kubernetes.io/service-account.name": account}},
        "type": "kubernetes.io/service-account-token",
    });
    let namespace = Some(names.namespace.as_str());
    object(
        MadeKind::Secret,
        namespace,
        name.to_owned(),
        names.labels(),
        fields,
    )
}

/// An object with its type, name and labels.
fn object(
    kind: MadeKind,
    namespace: Option<&str>,
    name: String,
    labels: Value,
    mut manifest: Value,
) -> Object {
    let (group, ..) = kind.place();
    let version = if group.is_empty() {
        "v1".to_owned()
    } else {
        format!("{group}/v1")
    };
    manifest["apiVersion"] = json!(version);
    manifest["kind"] = json!(format!("{kind:?}"));
    manifest["metadata"]["name"] = json!(name);
    manifest["metadata"]["labels"] = labels;
    let namespace = namespace.filter(|_| kind.is_namespaced());
    if let Some(namespace) = namespace {
        manifest["metadata"]["namespace"] = json!(namespace);
    }
    Object {
        kind,
        namespace: namespace.map(str::to_owned),
        name,
        manifest,
    }
}

/// A reference to a role.
fn reference(kind: &str, name: &str) -> Value {
    json!({"apiGroup": RBAC, "kind": kind, "name": name})
}

/// The rules of the ClusterRole in [`RIGHTS`].
pub(super) fn rules() -> Value {
    let objects: Vec<Value> = serde_saphyr::from_multiple(RIGHTS).unwrap_or_default();
    let role = objects.into_iter().find(|one| one["kind"] == "ClusterRole");
    role.map(|mut role| role["rules"].take())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_are_those_of_the_file() {
        let rules = rules();
        let resources: Vec<_> = rules.as_array().unwrap().iter().collect();
        assert_eq!(resources.len(), 4, "{rules}");
        assert_eq!(rules[0]["resources"], json!(["services", "nodes"]));
        assert_eq!(rules[3]["verbs"], json!(["get"]));
    }

    #[test]
    fn only_the_role_is_shared() {
        let names = Names {
            installation: Some(Installation::of(b"x")),
            namespace: "kube-system".to_owned(),
            account: None,
        };
        let all = objects(&names, None, Mode::Renewed);
        let of =
            |label: &str, object: &Object| object.manifest["metadata"]["labels"][label].clone();
        for object in &all {
            let is_shared = of(INSTALLATION, object).is_null();
            assert_eq!(
                is_shared,
                object.kind == MadeKind::ClusterRole,
                "{object:?}"
            );
            assert_eq!(of(MANAGED, object), ROLE);
        }
        assert_eq!(objects(&names, None, Mode::Ending).len(), all.len() - 2);
    }
}
