//! Who a kubeconfig says that we are, where that is more than one thing or a rare one (docs/credentials.md,
//! Who we are).

use serde_json::json;

use crate::fake_apiserver::write;
use crate::kubeconfigs::{api, api_of, cluster, data, folder, is_let_in, refused_in};
use crate::member::kubeconfig;

#[tokio::test]
async fn data_count_beside_files() {
    let api = api_of("server.crt", "server.key", true);
    let mut cluster = cluster(&api);
    cluster["certificate-authority"] = json!("self.crt");
    cluster["certificate-authority-data"] = json!(data("ca.crt"));
    let user = json!({
        "client-certificate": "none.crt", "client-certificate-data": data("client.crt"),
        "client-key": "none.key", "client-key-data": data("client.key"),
    });
    is_let_in(&cluster, &user).await;
    assert!(!api.client_certificates().is_empty());
}

#[tokio::test]
async fn a_certificate_of_our_own_is_shown() {
    let api = api_of("server.crt", "server.key", true);
    let user = json!({ "client-certificate": "self.crt", "client-key": "self.key" });
    is_let_in(&cluster(&api), &user).await;
    assert!(!api.client_certificates().is_empty());
}

#[tokio::test]
async fn a_token_file_alone_that_is_empty_is_refused() {
    let api = api();
    let folder = folder();
    write(&folder.path().join("empty"), "\n");
    let user = json!({ "tokenFile": "empty" });
    kubeconfig(folder.path(), "c", &cluster(&api), &user);
    let said = refused_in(&folder).await;
    assert!(said.contains("tokenFile"), "{said}");
}

#[tokio::test]
async fn a_plugin_is_not_run_for_who_has_a_name() {
    let api = api();
    api.script(|script| script.authorization = Some("Basic bWU6d29yZA==".to_owned()));
    let user = json!({
        "username": "me", "password": "word", "exec": { "command": "/nowhere/plugin" },
    });
    is_let_in(&cluster(&api), &user).await;
}

#[tokio::test]
async fn a_user_in_the_url_counts_where_there_is_no_other() {
    let api = api();
    let mut cluster = cluster(&api);
    cluster["server"] = json!(api.url().replace("https://", "https://me:word@"));
    api.script(|script| script.authorization = Some("Bearer t".to_owned()));
    is_let_in(&cluster, &json!({ "token": "t" })).await;
}

#[tokio::test]
async fn whoever_we_act_as_is_said() {
    let api = api();
    api.script(|script| {
        script.headers = vec![
            ("impersonate-user", "somebody"),
            ("impersonate-uid", "u-1"),
            ("impersonate-group", "first, second"),
            ("impersonate-extra-reason", "tests"),
        ];
    });
    let user = json!({
        "as": "somebody", "as-uid": "u-1", "as-groups": ["first", "second"],
        "as-user-extra": { "reason": ["tests"] },
    });
    is_let_in(&cluster(&api), &user).await;
}

#[tokio::test]
async fn an_id_token_of_oidc_is_sent_as_it_is() {
    let api = api();
    api.script(|script| script.token = Some("e30.e30.c2ln".to_owned()));
    let config = json!({ "id-token": "e30.e30.c2ln", "client-id": "c" });
    let user = json!({ "auth-provider": { "name": "oidc", "config": config } });
    is_let_in(&cluster(&api), &user).await;
}
