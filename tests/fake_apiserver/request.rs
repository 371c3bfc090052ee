//! What a request asks for.

use std::collections::HashMap;

use axum::http::{Method, Uri};

/// Something that the server serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Resource {
    /// `/readyz`
    Ready,
    /// `/version`
    Version,
    /// Namespaces.
    Namespaces,
    /// Services.
    Services,
    /// `EndpointSlices`.
    EndpointSlices,
    /// Nodes.
    Nodes,
    /// `ServiceExports` of the MCS API.
    ServiceExports,
    /// Gateways of the Gateway API.
    Gateways,
    /// Ingresses.
    Ingresses,
    /// `ServiceAccounts`.
    ServiceAccounts,
    /// Tokens of a `ServiceAccount`.
    Tokens,
    /// Secrets.
    Secrets,
    /// `ConfigMaps`.
    ConfigMaps,
    /// `ClusterProfiles` of the cluster inventory API.
    ClusterProfiles,
    /// `ClusterRoles`.
    ClusterRoles,
    /// `ClusterRoleBindings`.
    ClusterRoleBindings,
    /// Roles.
    Roles,
    /// `RoleBindings`.
    RoleBindings,
    /// `ClusterProperties` of the about API.
    ClusterProperties,
    /// Questions about one's own rights.
    AccessReviews,
}

/// Where roles and bindings are.
const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";

impl Resource {
    /// The path of the collection, below the group, and the group.
    const OBJECTS: [(Self, &'static str, &'static str, &'static str); 17] = [
        (Self::Namespaces, "/api/v1", "namespaces", "Namespace"),
        (Self::Services, "/api/v1", "services", "Service"),
        (
            Self::EndpointSlices,
            "/apis/discovery.k8s.io/v1",
            "endpointslices",
            "EndpointSlice",
        ),
        (Self::Nodes, "/api/v1", "nodes", "Node"),
        (
            Self::ServiceExports,
            "/apis/multicluster.x-k8s.io/v1alpha1",
            "serviceexports",
            "ServiceExport",
        ),
        (
            Self::Gateways,
            "/apis/gateway.networking.k8s.io/v1",
            "gateways",
            "Gateway",
        ),
        (
            Self::Ingresses,
            "/apis/networking.k8s.io/v1",
            "ingresses",
            "Ingress",
        ),
        (
            Self::ServiceAccounts,
            "/api/v1",
            "serviceaccounts",
            "ServiceAccount",
        ),
        (Self::Secrets, "/api/v1", "secrets", "Secret"),
        (Self::ConfigMaps, "/api/v1", "configmaps", "ConfigMap"),
        (
            Self::ClusterProfiles,
            "/apis/multicluster.x-k8s.io/v1alpha1",
            "clusterprofiles",
            "ClusterProfile",
        ),
        (Self::ClusterRoles, RBAC, "clusterroles", "ClusterRole"),
        (
            Self::ClusterRoleBindings,
            RBAC,
            "clusterrolebindings",
            "ClusterRoleBinding",
        ),
        (Self::Roles, RBAC, "roles", "Role"),
        (Self::RoleBindings, RBAC, "rolebindings", "RoleBinding"),
        (
            Self::ClusterProperties,
            "/apis/about.k8s.io/v1beta1",
            "clusterproperties",
            "ClusterProperty",
        ),
        (
            Self::AccessReviews,
            "/apis/authorization.k8s.io/v1",
            "selfsubjectaccessreviews",
            "SelfSubjectAccessReview",
        ),
    ];

    /// The `apiVersion` and `kind` of its objects.
    pub(super) fn types(self) -> (&'static str, &'static str) {
        let found = Self::OBJECTS
            .iter()
            .find(|(resource, ..)| *resource == self);
        found.map_or(("", ""), |(_, group, _, kind)| {
            let version = group.trim_start_matches("/apis/");
            (version.trim_start_matches("/api/"), kind)
        })
    }
}

/// What is done with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Verb {
    /// One object, or a plain path.
    Get,
    /// A collection.
    List,
    /// A collection, as events.
    Watch,
    /// An object more.
    Create,
    /// An object as it should be.
    Patch,
    /// An object less.
    Delete,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// What it is about.
    pub(crate) resource: Resource,
    /// What to do.
    pub(crate) verb: Verb,
    /// Only in this namespace.
    pub(crate) namespace: Option<String>,
    /// Only this object.
    pub(crate) name: Option<String>,
    /// The raw query string.
    pub(crate) query: String,
}

impl Request {
    /// Reads a path below `prefix`; `None` is a path that nothing is served at.
    pub(super) fn parse(method: &Method, uri: &Uri, prefix: &str) -> Option<Self> {
        let path = uri.path().strip_prefix(prefix)?;
        let mut request = Self {
            resource: Resource::Ready,
            verb: Verb::Get,
            namespace: None,
            name: None,
            query: uri.query().unwrap_or_default().to_owned(),
        };
        match path {
            "/readyz" => return Some(request),
            "/version" => {
                request.resource = Resource::Version;
                return Some(request);
            }
            _ => {}
        }
        let known = |(resource, group, plural, _): &(Resource, &str, &str, &str)| {
            let below = path.strip_prefix(group)?.strip_prefix('/')?;
            let (namespace, below) = match below.strip_prefix("namespaces/") {
                Some(inner) if inner.contains('/') => {
                    let (namespace, rest) = inner.split_once('/')?;
                    (Some(namespace.to_owned()), rest)
                }
                _ => (None, below),
            };
            let name = below.strip_prefix(plural)?;
            if name.is_empty() {
                return Some((*resource, namespace, None));
            }
            Some((
                *resource,
                namespace,
                Some(name.strip_prefix('/')?.to_owned()),
            ))
        };
        let (mut resource, namespace, mut name) = Resource::OBJECTS.iter().find_map(known)?;
        if let Some(account) = name.as_ref().and_then(|name| name.strip_suffix("/token")) {
            resource = Resource::Tokens;
            name = Some(account.to_owned());
        }
        let watches = matches!(request.parameter("watch").as_deref(), Some("true" | "1"));
        request.verb = match (method.as_str(), &name, watches) {
            ("POST", ..) => Verb::Create,
            ("PATCH", ..) => Verb::Patch,
            ("DELETE", ..) => Verb::Delete,
            (_, Some(_), _) => Verb::Get,
            (_, None, true) => Verb::Watch,
            (_, None, false) => Verb::List,
        };
        Some(Self {
            resource,
            namespace,
            name,
            ..request
        })
    }

    /// Whether it only asks what would be.
    pub(crate) fn is_dry(&self) -> bool {
        self.parameter("dryRun").is_some()
    }

    /// Whether it goes on with a list.
    pub(super) fn is_later_page(&self) -> bool {
        self.parameter("continue")
            .is_some_and(|token| !token.is_empty())
    }

    /// The value of a query parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let uri: Uri = format!("/?{}", self.query).parse().ok()?;
        let query = axum::extract::Query::<HashMap<String, String>>::try_from_uri(&uri).ok()?;
        query.0.get(name).cloned()
    }
}
