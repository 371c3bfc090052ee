//! `[membership]`: what becomes of it, and what is refused.

use super::bad::{after, check};
use super::good::{EVERY_KEY, good};
use crate::config::{AccessProvider, HostCluster, ProfileOrigin, SecretOrigin, Source};

#[test]
fn every_key_of_a_host_cluster_reaches_its_setting() {
    let membership = good(EVERY_KEY).membership;
    assert_eq!(membership.folder, std::path::Path::new("etc/members"));
    let expected = HostCluster {
        source: Source::Kubeconfig {
            path: "etc/host.kubeconfig".into(),
            context: "host".to_owned(),
        },
        namespace: "federation".to_owned(),
        secrets: Some(SecretOrigin {
            selector: "istio/multiCluster=true".to_owned(),
            key: "*".to_owned(),
        }),
        profiles: Some(ProfileOrigin {
            selector: "env in (prod)".to_owned(),
            access: vec!["google".to_owned(), "secretreader".to_owned()],
        }),
        providers: vec![AccessProvider {
            name: "google".to_owned(),
            command: "etc/bin/gcp-auth".into(),
            args: vec!["--quiet".to_owned()],
            env: vec![("REGION".to_owned(), "eu".to_owned())],
        }],
        proxies: vec!["http://192.0.2.9:3128".to_owned()],
        overrides: Some("gazetteer-overrides".to_owned()),
    };
    assert_eq!(membership.host, Some(expected));
}

#[test]
fn a_host_cluster_has_defaults() {
    let text = "[membership]\nhost = { in-cluster = true }\nsecrets = {}\ncluster-profiles = {}";
    let membership = good(&after(text)).membership;
    let expected = HostCluster {
        source: Source::InCluster,
        namespace: "gazetteer".to_owned(),
        secrets: Some(SecretOrigin {
            selector: "gazetteer.dev/member=true".to_owned(),
            key: "kubeconfig".to_owned(),
        }),
        profiles: Some(ProfileOrigin {
            selector: String::new(),
            access: vec!["secretreader".to_owned()],
        }),
        providers: Vec::new(),
        proxies: Vec::new(),
        overrides: None,
    };
    assert_eq!(membership.host, Some(expected));
}

#[test]
fn a_wrong_host_cluster_is_refused_with_its_place() {
    let host = |lines: &str| {
        after(&format!(
            "[membership]\nhost = {{ in-cluster = true }}\n{lines}"
        ))
    };
    check(&[
        (
            after("[membership]\nsecrets = {}\noverrides = \"o\""),
            &[
                "6:1: overrides: requires host",
                "6:1: secrets: requires host",
            ],
        ),
        (
            after("[membership]\nhost = { file = \"f\" }"),
            &["7:8: file: expected in-cluster, or kubeconfig with context"],
        ),
        (
            after("[membership]\nhost = { kubeconfig = \"k\" }"),
            &["7:8: context: required"],
        ),
        (
            host("namespace = \"a b\""),
            &["8:13: namespace \"a b\": invalid DNS label (letters, digits, and hyphens inside)"],
        ),
        (
            host("secrets = { selector = \"a\\nb\", key = \"a/b\" }"),
            &[
                "8:24: selector \"a\\nb\": expected a label selector such as example.com/role=member",
                "8:38: key \"a/b\": expected a key of a Secret, or * for every key",
            ],
        ),
        (
            host("cluster-profiles = { access = [\"google\"] }"),
            &[
                "8:32: access \"google\": no access provider, there are kubeconfig-secretreader, secretreader",
            ],
        ),
        (
            host("overrides = \"Overrides\""),
            &["8:13: overrides \"Overrides\": expected the name of an object"],
        ),
        (
            host("[[membership.access-provider]]\nname = \"secretreader\"\ncommand = \"c\""),
            &["9:8: access-provider \"secretreader\": there already"],
        ),
        (
            host("[[membership.access-provider]]\nname = \"g\"\nenv = { A = 1 }"),
            &[
                "8:1: command: required",
                "10:13: env: expected a string, found a whole number",
            ],
        ),
    ]);
}
