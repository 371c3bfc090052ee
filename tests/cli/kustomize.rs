//! The files for kustomize, put where a Pod would have them: there is no kubelet here.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::Value;

use crate::daemon::{Daemon, eventually};
use crate::program::{command, write};

/// The name that README asks for.
const NAME: &str = "my-service.my-namespace.my-federation.svc.europe-west1-d.example.com.";

/// Writes a volume of a `ConfigMap` as the kubelet does: files are links into `..data`, itself a link to
/// a folder that is replaced as a whole.
fn mount(place: &Path, version: &str, data: &Value) {
    let files = place.join(version);
    fs::create_dir_all(&files).unwrap();
    for (name, text) in data.as_object().into_iter().flatten() {
        write(&files.join(name), text.as_str().expect("text"));
        let link = place.join(name);
        if !link.is_symlink() {
            symlink(Path::new("..data").join(name), link).unwrap();
        }
    }
    symlink(version, place.join("..data.new")).unwrap();
    fs::rename(place.join("..data.new"), place.join("..data")).unwrap();
}

#[test]
fn the_base_serves_its_demo_and_follows_a_changed_config_map() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/kustomize/base/gazetteer.yaml");
    let text = fs::read_to_string(path).unwrap();
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text).expect("YAML");
    let data = |name: &str| {
        let is_it =
            |object: &&Value| object["kind"] == "ConfigMap" && object["metadata"]["name"] == name;
        objects.iter().find(is_it).expect("a ConfigMap")["data"].clone()
    };
    let folder = tempfile::tempdir().unwrap();
    let etc = folder.path().join("etc");
    let mut config = data("gazetteer");
    let toml = config["gazetteer.toml"].as_str().expect("a configuration");
    // Other ports, as tests run side by side.
    let toml = toml.replace("0.0.0.0:5353", "127.0.0.1:0");
    config["gazetteer.toml"] = toml.replace("0.0.0.0:9153", "127.0.0.1:0").into();
    let mut facts = data("gazetteer-facts");
    mount(&etc, "..1", &config);
    mount(&etc.join("facts"), "..1", &facts);
    mount(&etc.join("members.d"), "..1", &data("gazetteer-members"));

    let state = folder.path().join("state");
    let mut start = command(folder.path());
    start
        .env("STATE_DIRECTORY", &state)
        .args(["serve", "etc/gazetteer.toml"]);
    let mut daemon = Daemon::start_command(&mut start).ready();
    assert_eq!(daemon.addresses(NAME).map(|all| all.len()), Some(4));
    assert_eq!(
        daemon.owners(NAME).len(),
        3,
        "a CNAME to the region, and one to the world"
    );

    let belgium = facts["gce-europe-west1.toml"].as_str().expect("facts");
    facts["gce-europe-west1.toml"] = belgium.replacen("ready = false", "ready = true", 1).into();
    mount(&etc.join("facts"), "..2", &facts);
    eventually("the outage is over", || {
        daemon
            .addresses(NAME)
            .is_some_and(|all| all.contains("203.0.113.11"))
    });
    // The configuration too, by the process that there is.
    let toml = config["gazetteer.toml"].as_str().expect("a configuration");
    config["gazetteer.toml"] = toml.replace("example.com", "example.org").into();
    mount(&etc, "..2", &config);
    let moved = NAME.replace("example.com", "example.org");
    eventually("it serves the other apex", || {
        daemon.addresses(&moved).is_some_and(|all| !all.is_empty())
    });
    assert!(daemon.process.try_wait().unwrap().is_none(), "it runs on");
    assert!(
        state.join("facts").is_dir(),
        "state is kept where the volume is"
    );
}
