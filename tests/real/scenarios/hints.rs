//! Each hint of `gazetteer check --live` is followed as it is printed, and its check then passes. What is
//! an edit is made; what only looks is run first.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::checks::{lines, without};
use super::hosts;
use super::joins::bare;
use crate::desk::{CONTEXT, Desk, Ran, installed, verified};
use crate::files;
use crate::fleet::Fleet;
use crate::gazetteer::Gazetteer;
use crate::member::{Member, RBAC};
use crate::objects::service_path;
use crate::wait::{SOON, until};

/// The namespace of what is exported here: other scenarios leave services too.
const NAMESPACE: &str = "hints";

/// Waits until a check of the member `m`, or of what is no member, has this state. Its hints.
fn until_is(desk: &Desk, id: &str, state: &str) -> Vec<String> {
    until(&format!("{id} is {state}"), 4 * SOON, || {
        let lines = lines(desk);
        let is_other = |line: &&Value| {
            let subject = line["subject"].as_str().unwrap_or_default();
            subject.starts_with("member/") && subject != "member/m"
        };
        let of = lines.iter().filter(|line| line["id"] == id);
        let of: Vec<_> = of.filter(|line| !is_other(line)).collect();
        if of.is_empty() || of.iter().any(|line| line["state"] != state) {
            return Err(format!("{of:#?}"));
        }
        let hints = of.iter().filter_map(|line| line["hint"].as_str());
        Ok(hints.map(str::to_owned).collect())
    })
}

/// The hints of a check that a fault brings into a state.
fn hints(desk: &Desk, id: &str, state: &str, spoil: impl FnOnce()) -> Vec<String> {
    until_is(desk, id, "ok");
    spoil();
    let hints = until_is(desk, id, state);
    assert!(!hints.is_empty(), "{id}");
    hints
}

/// Runs a hint in a shell, with the names that it leaves to the operator.
fn run(desk: &Desk, hint: &str, names: &[(&str, &str)]) -> Ran {
    // What follows a comma is to be done besides.
    let command = hint.split(", ").next().unwrap_or_default();
    let mut command = command.replace("CONTEXT", &format!("'{CONTEXT}'"));
    for (word, name) in names {
        assert!(command.contains(word), "{word}: {hint}");
        command = command.replace(word, name);
    }
    desk.shell(&command)
}

/// A hint that is a command, and mends by itself.
fn commanded(desk: &Desk, id: &str, state: &str, names: &[(&str, &str)], spoil: impl FnOnce()) {
    for hint in hints(desk, id, state, spoil) {
        let names = names.iter().filter(|(word, _)| hint.contains(word));
        let names: Vec<_> = names.copied().collect();
        run(desk, &hint, &names).well();
    }
    until_is(desk, id, "ok");
}

/// A hint that looks, or says what is to be edited.
fn edited(desk: &Desk, id: &str, state: &str, spoil: impl FnOnce(), edit: impl FnOnce(&[Ran])) {
    let hints = hints(desk, id, state, spoil);
    let ran: Vec<_> = hints.iter().map(|hint| run(desk, hint, &[])).collect();
    edit(&ran);
    until_is(desk, id, "ok");
}

/// A desk where `m` is joined, and takes services of one namespace alone; with contexts of two members.
fn desk(fleet: &Fleet) -> Desk {
    let [member, other, _] = &fleet.members;
    for cluster in [member, other] {
        bare(cluster);
    }
    let desk = Desk::new(
        fleet,
        &[
            (CONTEXT, member, verified(member)),
            ("other", other, verified(other)),
        ],
    );
    desk.join(&[]).well();
    let fragment = desk.member_file("m.toml").expect("a fragment");
    let fragment = format!("{fragment}namespaces = [\"{NAMESPACE}\"]\n");
    files::write(&desk.folder.join("members.d/m.toml"), fragment);
    desk
}

/// Files: what is wrong is mended where the line says, and the hint then says that all is right.
pub(crate) fn of_files(fleet: &Fleet) {
    let desk = desk(fleet);
    let path = |name: &str| desk.folder.join(name);
    let good = std::fs::read_to_string(path("gazetteer.toml")).expect("a configuration");
    let good = format!(
        "{good}\n[[member]]\nname = \"vm\"\nregion = \"r\"\nsource = {{ file = \"vm.toml\" }}\n"
    );
    files::write(&path("gazetteer.toml"), &good);
    files::write(&path("vm.toml"), "# No service yet.\n");
    let of_file = |id: &str, state: &str, file: &str, bad: &str, good: Option<&str>| {
        let spoil = || files::write(&path(file), bad);
        let mut checked = Vec::new();
        edited(&desk, id, state, spoil, |ran| {
            assert_eq!(ran[0].code, Some(i32::from(state == "failure")), "{ran:?}");
            match good {
                Some(good) => files::write(&path(file), good),
                None => std::fs::remove_file(path(file)).expect("the file"),
            }
            checked.push(desk.run(&["check", "gazetteer.toml"]));
        });
        checked.remove(0).well();
    };
    let unknown = format!("{good}polcy = 1\n");
    of_file("config", "failure", "gazetteer.toml", &unknown, Some(&good));
    let missing = format!("{good}[geoip]\ndatabase = \"none.mmdb\"\n");
    of_file("config", "warning", "gazetteer.toml", &missing, Some(&good));
    let wrong = "[[service]]\nname = \"s\"\nwait = 1\n";
    of_file("facts-files", "failure", "vm.toml", wrong, Some("\n"));
    let other = "version = \"v1\"\nname = \"y\"\n";
    of_file("fragments", "failure", "members.d/x.toml", other, None);
    desk.unjoin(&[]).well();
}

/// The API and the credential of a member.
pub(crate) fn of_access(fleet: &Fleet) {
    let [member, ..] = &fleet.members;
    let desk = desk(fleet);
    edited(
        &desk,
        "api-reachable",
        "failure",
        || member.kill_server(),
        |ran| {
            // It shows what the daemon meets with.
            assert!(ran[0].errors.contains("refused"), "{ran:?}");
            member.start_server();
        },
    );
    let authority = member.pki().authority.display().to_string();
    commanded(
        &desk,
        "api-certificate",
        "failure",
        &[("CA.pem", &authority)],
        || {
            desk.join(&["--insecure-skip-tls-verify"]).well();
        },
    );
    let base = installed(member).pop().expect("a binding");
    commanded(&desk, "credential", "warning", &[], || {
        let path = format!("{RBAC}/namespaces/kube-system/rolebindings/{base}-token");
        member.api.delete(&path);
    });
    commanded(&desk, "rights-paths", "failure", &[], || {
        let role = format!("{RBAC}/clusterroles/gazetteer");
        let mut rules = member.api.get(&role).expect("the role")["rules"].clone();
        let all = rules.as_array_mut().expect("rules");
        all.retain(|rule| rule["nonResourceURLs"].is_null());
        member.api.patch(&role, &json!({ "rules": rules }));
        // By default every account may ask for these paths; a server that starts again restores that.
        for default in [
            "system:public-info-viewer",
            "system:discovery",
            "system:monitoring",
        ] {
            let binding = format!("{RBAC}/clusterrolebindings/{default}");
            member.api.patch(&binding, &json!({"subjects": []}));
        }
    });
    let more = format!("{RBAC}/clusterrolebindings/too-much");
    edited(
        &desk,
        "rights-least",
        "warning",
        || {
            let binding = json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
                "metadata": {"name": "too-much"},
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                    "name": "cluster-admin",
                },
                "subjects": [{
                    "kind": "ServiceAccount", "namespace": "kube-system", "name": base,
                }],
            });
            member.api.apply(&more, &binding);
        },
        |ran| {
            let text = &ran[0].text;
            assert!(text.contains("too-much"), "{ran:?}");
            member.api.delete(&more);
        },
    );
    desk.unjoin(&[]).well();
    member.kill_server();
    member.start_server();
}

/// Nodes, services and names of a member.
pub(crate) fn of_objects(fleet: &Fleet) {
    let [member, other, _] = &fleet.members;
    let desk = desk(fleet);
    let node = |cluster: &Member, name: &str, spec: Value| {
        let node = json!({
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": spec,
        });
        cluster.api.apply(&format!("/api/v1/nodes/{name}"), &node);
    };
    let places = [("REGION", member.region), ("ZONE", member.zone)];
    commanded(&desk, "labels", "warning", &places, || {
        node(member, "bare", json!({}));
    });
    member.api.delete("/api/v1/nodes/bare");

    let arguments = ["join", "n", "--context", "other"];
    desk.run(&[&arguments[..], &["--config", "gazetteer.toml"]].concat())
        .well();
    let extra = "/api/v1/nodes/extra";
    let pods = || json!({"podCIDR": "10.77.0.0/16", "podCIDRs": ["10.77.0.0/16"]});
    edited(
        &desk,
        "networks",
        "warning",
        || {
            node(member, "extra", pods());
            node(other, "extra", pods());
        },
        |ran| {
            assert!(ran[0].text.contains("10.77.0.0/16"), "{ran:?}");
            other.api.delete(extra);
        },
    );
    member.api.delete(extra);
    let arguments = ["unjoin", "n", "--context", "other"];
    desk.run(&[&arguments[..], &["--config", "gazetteer.toml"]].concat())
        .well();

    edited(
        &desk,
        "exports",
        "warning",
        || member.service(NAMESPACE, "web", false, &json!([])),
        |ran| {
            assert!(ran[0].text.contains("gazetteer.dev/export"), "{ran:?}");
            member.set_ingress(NAMESPACE, "web", &json!([{"ip": member.balancer(1)}]));
            member.set_slice(NAMESPACE, "web", true);
        },
    );

    let long = "l".repeat(63);
    let settings = desk.folder.join("gazetteer.toml");
    let good = std::fs::read_to_string(&settings).expect("a configuration");
    // With the apex of the desk no name of a Service is too long.
    let deep = format!(
        "{}.{}.{}.example.com",
        "d".repeat(63),
        "e".repeat(63),
        "f".repeat(10)
    );
    files::write(
        &settings,
        good.replace("\"example.com\"", &format!("\"{deep}\"")),
    );
    commanded(&desk, "names", "warning", &[("SHORTER", "s")], || {
        member.simple_service(NAMESPACE, &long, 1);
    });
    member.api.delete(&service_path(NAMESPACE, &long));
    files::write(&settings, good);
    edited(
        &desk,
        "names",
        "warning",
        || member.simple_service("fed", "x", 1),
        |ran| {
            assert!(ran[0].text.contains("LoadBalancer"), "{ran:?}");
            member.api.delete(&service_path("fed", "x"));
        },
    );
    member.api.delete(&service_path(NAMESPACE, "web"));
    desk.unjoin(&[]).well();
}

/// A member whose kubeconfig leads to another cluster: the hint has it be that one, and a daemon then takes
/// it so.
pub(crate) fn of_identity(fleet: &Fleet) {
    let [_, other, _] = &fleet.members;
    let desk = desk(fleet).with_admin();
    let daemon = |desk: &Desk| {
        let gazetteer = Gazetteer::run(desk.folder.clone());
        gazetteer.until_shown("m", "Ready", SOON, |shown| shown.status == "Ready");
        gazetteer
    };
    let gazetteer = daemon(&desk);
    until_is(&desk, "api-identity", "ok");
    gazetteer.until_state_holds("m", 1);
    assert_eq!(gazetteer.terminate(), Some(0));
    // As where somebody copies the file of another installation.
    let elsewhere = Desk::new(fleet, &[(CONTEXT, other, verified(other))]);
    elsewhere.join(&[]).well();
    let copied = elsewhere.member_file("m.kubeconfig").expect("a kubeconfig");
    let hints = hints(&desk, "api-identity", "failure", || {
        files::write(&desk.folder.join("members.d/m.kubeconfig"), &copied);
    });
    let command = hints[0].replace("CONTEXT", "other");
    desk.shell(&command).well();
    let _gazetteer = daemon(&desk);
    until_is(&desk, "api-identity", "ok");
    elsewhere.unjoin(&[]).well();
    let leave = ["unjoin", "m", "--context", "other", "--yes"];
    desk.run(&[&leave[..], &["--config", "gazetteer.toml"]].concat())
        .well();
}

/// A member of a Secret of a host cluster, which is asked as the daemon does, then by the operator's context.
pub(crate) fn of_host(fleet: &Fleet) {
    let [member, other, host] = &fleet.members;
    bare(member);
    let members = [(CONTEXT, member), ("other", other)];
    let desk = hosts::desk(fleet, members, host, "membership.secrets = {}");
    let arguments = ["m", "--context", CONTEXT, "--host-context", "host"];
    desk.run(&[&["join"], &arguments[..]].concat()).well();
    let path = "/api/v1/namespaces/gazetteer/secrets/m";
    let secret = host.api.get(path).expect("the Secret");
    let kubeconfig = STANDARD.decode(secret["data"]["kubeconfig"].as_str().expect("data"));
    let kubeconfig = String::from_utf8(kubeconfig.expect("base64")).expect("text");
    let (_, token) = kubeconfig.split_once("token: \"").expect("a token");
    let token = token.split('"').next().expect("its end");

    let text = desk.run(&["check", "gazetteer.toml", "--live"]).text;
    assert!(
        text.contains("√ host-members: 1 member of Secrets"),
        "{text}"
    );
    assert!(text.contains("\nmember m (secret/m)\n"), "{text}");
    assert!(!text.contains(token), "{text}");
    commanded(
        &desk,
        "rights-watch",
        "failure",
        &[("HOST", "host")],
        || {
            without(member, "watch");
        },
    );

    // The daemon's way to the host is closed from here.
    let file = desk.folder.join("host.kubeconfig");
    let open = std::fs::read_to_string(&file).expect("a kubeconfig");
    let hints = hints(&desk, "host-members", "failure", || {
        files::write(&file, open.replace(&host.url(), "https://127.0.0.1:1"));
    });
    let ran = run(&desk, &hints[0], &[("HOST", "host")]);
    assert!(ran.text.contains("√ host-members: 1 member"), "{ran:?}");
    assert!(
        ran.text.contains("\nmember m (secret/m)\n√ api-reachable"),
        "{ran:?}"
    );
    assert!(!ran.text.contains(token), "{ran:?}");
    files::write(&file, open);
    desk.run(&[&["unjoin", "--yes"], &arguments[..]].concat())
        .well();
}
