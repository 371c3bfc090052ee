//! What a kubeconfig says of its server, where that is more than one thing; and what of the environment
//! counts (docs/credentials.md, The file and The server).

use std::process::Command;

use serde_json::json;

use crate::fake_apiserver::write;
use crate::kubeconfigs::{api, cluster, folder, pem, refused, text_is_let_in};
use crate::member::kubeconfig;

#[tokio::test]
async fn of_several_documents_the_first_with_a_name_counts() {
    let api = api();
    let of = |server: &str| {
        format!(
            "clusters:\n- name: k\n  cluster: {{ server: \"{server}\", certificate-authority: ca.crt }}\n\
             contexts:\n- name: c\n  context: {{ cluster: k }}\n"
        )
    };
    let text = format!("{}---\n{}", of(&api.url()), of("https://127.0.0.1:1"));
    text_is_let_in(text.as_bytes()).await;
}

#[tokio::test]
async fn without_a_scheme_nothing_of_tls_may_be_beside_it() {
    let api = api();
    let bare = api.address.to_string();
    let certificate = json!({ "client-certificate": "client.crt", "client-key": "client.key" });
    for (cluster, user) in [
        (
            json!({ "server": bare, "tls-server-name": "api.example" }),
            json!({}),
        ),
        (
            json!({ "server": bare, "insecure-skip-tls-verify": true }),
            json!({}),
        ),
        (json!({ "server": bare }), certificate),
    ] {
        let said = refused(&cluster, &user).await;
        assert!(said.contains("write https://"), "{cluster}: {said}");
    }
}

/// What `check --live` says of the API of a kubeconfig, with these variables of the environment.
fn checked(cluster: &serde_json::Value, variables: &[(&str, &str)]) -> String {
    let folder = folder();
    kubeconfig(folder.path(), "c", cluster, &json!({}));
    let configuration = "version = \"v1\"\nstate-dir = \"state\"\nlisten.dns = [\"127.0.0.1:0\"]\n\
        [[federation]]\nname = \"f\"\napex = \"example.com\"\n\
        nameservers = [{ name = \"ns.example.net\" }]\n\
        [[member]]\nname = \"m\"\nsource = { kubeconfig = \"kubeconfig\", context = \"c\" }\n";
    write(&folder.path().join("g.toml"), configuration);
    let only = ["--only", "api-reachable,api-certificate", "--ascii"];
    let output = Command::new(env!("CARGO_BIN_EXE_gazetteer"))
        .args(["check", "g.toml", "--live"])
        .args(only)
        .current_dir(folder.path())
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .expect("the program runs");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn proxies_of_the_environment_are_not_read() {
    let api = api();
    let nowhere = "http://127.0.0.1:1";
    let names = [
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
        "ALL_PROXY",
        "all_proxy",
    ];
    let text = checked(&cluster(&api), &names.map(|name| (name, nowhere)));
    assert!(text.ends_with("2 checks: 2 ok\n"), "{text}");
}

#[test]
fn without_an_authority_those_of_the_platform_count() {
    let api = api();
    let bare = json!({ "server": api.url() });
    let folder = folder();
    let path = folder.path().join("platform.crt");
    write(&path, pem("ca.crt"));
    let path = path.display().to_string();
    let text = checked(&bare, &[("SSL_CERT_FILE", &path)]);
    assert!(text.contains("ok api-certificate: verified"), "{text}");
    write(&folder.path().join("other.crt"), pem("self.crt"));
    let other = folder.path().join("other.crt").display().to_string();
    let text = checked(&bare, &[("SSL_CERT_FILE", &other)]);
    assert!(text.contains(": TLS: "), "{text}");
}
