//! A daemon whose members are `ClusterProfile`s of a host cluster.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::daemon::{Daemon, eventually};
use crate::fake_apiserver::{FakeApi, Resource};
use crate::host_members::{
    cluster, folder, kubeconfig, member_api, secret, states, until, until_metric,
};
use crate::program::{clusters, write};

/// A `ClusterProfile` that offers this access provider, which is told this.
pub(crate) fn profile(
    name: &str,
    called: &str,
    cluster: &Value,
    provider: &str,
    told: &Value,
) -> Value {
    let mut cluster = cluster.clone();
    cluster["extensions"] =
        json!([{"name": "client.authentication.k8s.io/exec", "extension": told}]);
    json!({
        "metadata": {"namespace": "gazetteer", "name": name},
        "spec": {"clusterManager": {"name": "m"}, "displayName": name},
        "status": {
            "accessProviders": [{"name": provider, "cluster": cluster}],
            "properties": [{"name": "cluster.clusterset.k8s.io", "value": called}],
            "conditions": [{"type": "ControlPlaneHealthy", "status": "False"}],
        },
    })
}

/// A program that gives the token `t` to who asks for a cluster at an `https` URL and is told `wanted`.
fn plugin(path: &std::path::Path, wanted: &str) {
    let credential = "{\"apiVersion\":\"client.authentication.k8s.io/v1\",\
        \"kind\":\"ExecCredential\",\"status\":{\"token\":\"t\"}}";
    let script = format!(
        "#!/bin/sh\ncase \"$KUBERNETES_EXEC_INFO\" in\n\
        *'\"server\":\"https://'*) ;;\n*) exit 1 ;;\nesac\n\
        case \"$KUBERNETES_EXEC_INFO$SAYS\" in\n*{wanted}*word) echo '{credential}' ;;\n\
        *) exit 1 ;;\nesac\n"
    );
    write(path, &script);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn cluster_profiles_are_members_by_their_access_providers() {
    let (host, api) = (FakeApi::start(), member_api("t"));
    let own = member_api("t1");
    let at = cluster(&api);
    let none = json!({});
    let text = kubeconfig(
        &json!({"server": "https://127.0.0.1:1"}),
        &json!({"token": "t"}),
    );
    for object in [
        secret("p1", &none, &[("token", "t1")]),
        secret("a-kubeconfig", &none, &[("value", &text)]),
    ] {
        host.apply(Resource::Secrets, object);
    }
    let reads = json!({"name": "a-kubeconfig", "key": "value"});
    for object in [
        profile("p1", "east", &cluster(&own), "secretreader", &none),
        profile("p2", "", &at, "kubeconfig-secretreader", &reads),
        profile("p3", "west", &at, "google", &json!({"project": "wanted"})),
        profile("p4", "zzz", &at, "amazon", &none),
    ] {
        host.apply(Resource::ClusterProfiles, object);
    }
    let folder = folder(
        &host,
        "membership.cluster-profiles = { access = [\"google\", \"secretreader\", \
         \"kubeconfig-secretreader\"] }\n\
         [[membership.access-provider]]\nname = \"google\"\ncommand = \"./plugin\"\n\
         env = { SAYS = \"word\" }\n",
    );
    let path = folder.path();
    plugin(&path.join("plugin"), "wanted");
    let daemon = Daemon::start(path, "g.toml");
    let ready = ["east Ready", "p2 Ready", "west Ready"];
    eventually("three are ready", || {
        states(path).get(..3) == Some(&ready.map(String::from))
    });
    let shown = clusters(path);
    assert_eq!(shown[0]["origin"], "profile/p1", "{shown}");
    let unhealthy = "clusterprofile gazetteer/p1: its control plane is said to be unhealthy";
    assert!(shown[0].to_string().contains(unhealthy), "{shown}");
    until_metric(
        &daemon,
        "gazetteer_publish_member_warnings{member=\"east\"} 1",
    );
    let why = "clusterprofile gazetteer/p4: no access provider of \\\"amazon\\\", have google, \
        secretreader, kubeconfig-secretreader";
    assert!(shown[3].to_string().contains(why), "{shown}");
    until_metric(
        &daemon,
        "gazetteer_membership_refused{origin=\"profile\"} 1",
    );
    until_metric(
        &daemon,
        "gazetteer_membership_members{origin=\"profile\"} 4",
    );

    // Its control plane is well again.
    let mut healthy = profile("p1", "east", &cluster(&own), "secretreader", &none);
    healthy["status"]["conditions"][0]["status"] = json!("True");
    host.apply(Resource::ClusterProfiles, healthy);
    until_metric(
        &daemon,
        "gazetteer_publish_member_warnings{member=\"east\"} 0",
    );

    // The token is another one.
    own.script(|script| script.token = Some("t2".to_owned()));
    host.apply(
        Resource::Secrets,
        secret("p1", &json!({}), &[("token", "t2")]),
    );
    daemon.log(&["credentials renewed", "member=east"]);
    host.delete(Resource::ClusterProfiles, "gazetteer", "p4");
    until(path, &ready);
    host.delete(Resource::ClusterProfiles, "gazetteer", "p3");
    until(path, &["east Ready", "p2 Ready"]);
}
