//! The kubeconfig that a member is followed with: a server, a CA and a token, and nothing else.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::config::Kubeconfig;
use secrecy::{ExposeSecret, SecretString};

/// What everything in it is called.
pub(super) const CONTEXT: &str = "gazetteer";

/// Where an API is, and how it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiEndpoint {
    /// Its URL.
    pub(super) server: String,
    /// Certificates of authorities, PEM; `None` is the platform's.
    pub(super) authority: Option<Vec<u8>>,
    /// The name that its certificate is for, where that is not the host of the URL.
    pub(super) server_name: Option<String>,
    /// The proxy on the way to it.
    pub(super) proxy: Option<String>,
    /// Its certificate is not verified.
    pub(super) is_unverified: bool,
}

/// A server, a CA and a token.
#[derive(Debug, Clone)]
pub(super) struct MemberCredential {
    /// Where the API is.
    pub(super) endpoint: ApiEndpoint,
    /// What the daemon says who it is with.
    pub(super) token: SecretString,
}

impl MemberCredential {
    /// As a kubeconfig.
    pub(super) fn render(&self) -> String {
        let endpoint = &self.endpoint;
        // Strings of JSON are strings of YAML.
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let mut cluster = format!("    server: {}\n", quoted(&endpoint.server));
        if let Some(authority) = &endpoint.authority {
            let data = STANDARD.encode(authority);
            cluster.extend(["    certificate-authority-data: ", &data, "\n"]);
        }
        if let Some(name) = &endpoint.server_name {
            cluster.extend(["    tls-server-name: ", &quoted(name), "\n"]);
        }
        if let Some(proxy) = &endpoint.proxy {
            cluster.extend(["    proxy-url: ", &quoted(proxy), "\n"]);
        }
        if endpoint.is_unverified {
            cluster += "    insecure-skip-tls-verify: true\n";
        }
        let token = quoted(self.token.expose_secret());
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: {CONTEXT}\n\
             clusters:\n- name: {CONTEXT}\n  cluster:\n{cluster}\
             users:\n- name: {CONTEXT}\n  user:\n    token: {token}\n\
             contexts:\n- name: {CONTEXT}\n  context:\n    cluster: {CONTEXT}\n    user: {CONTEXT}\n"
        )
    }

    /// Reads a kubeconfig that [`MemberCredential::render`] wrote; `None` for any other.
    pub(super) fn read(text: &str) -> Option<Self> {
        let kubeconfig = Kubeconfig::from_yaml(text).ok()?;
        let [cluster] = kubeconfig.clusters.as_slice() else {
            return None;
        };
        let [user] = kubeconfig.auth_infos.as_slice() else {
            return None;
        };
        if cluster.name != CONTEXT || user.name != CONTEXT {
            return None;
        }
        let (cluster, user) = (cluster.cluster.as_ref()?, user.auth_info.as_ref()?);
        let authority = match &cluster.certificate_authority_data {
            Some(data) => Some(STANDARD.decode(data).ok()?),
            None => None,
        };
        Some(Self {
            endpoint: ApiEndpoint {
                server: cluster.server.clone()?,
                authority,
                server_name: cluster.tls_server_name.clone(),
                proxy: cluster.proxy_url.clone(),
                is_unverified: cluster.insecure_skip_tls_verify == Some(true),
            },
            token: user.token.clone()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_holds_nothing_else() {
        let endpoint = ApiEndpoint {
            server: "https://203.0.113.7:6443/a\"b".to_owned(),
            authority: Some(b"PEM".to_vec()),
            server_name: Some("api.example.com".to_owned()),
            proxy: None,
            is_unverified: false,
        };
        let written = MemberCredential {
            endpoint: endpoint.clone(),
            token: "a.b.c".into(),
        };
        let text = written.render();
        let read = MemberCredential::read(&text).unwrap();
        assert_eq!(read.endpoint, endpoint);
        assert_eq!(read.token.expose_secret(), "a.b.c");
        assert!(
            !text.contains("insecure") && !text.contains("proxy"),
            "{text}"
        );
        assert!(MemberCredential::read(&text.replace("name: gazetteer", "name: x")).is_none());
    }
}
