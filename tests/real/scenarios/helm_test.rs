//! What `helm test` runs, as the Pod of the chart has it: there is no kubelet to start that Pod.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use super::chart::test_pod;
use crate::desk::Desk;
use crate::files;
use crate::fleet::Fleet;

/// Runs what the Pod runs, with the files that it has in this folder in place of `/etc/gazetteer`.
fn run(etc: &Path, values: &Value) -> Output {
    let (arguments, config) = test_pod(etc, values);
    files::write(&etc.join("gazetteer.toml"), config);
    let etc = etc.to_str().expect("a path");
    let arguments = arguments
        .iter()
        .map(|one| one.replace("/etc/gazetteer", etc));
    let mut command = Command::new(env!("CARGO_BIN_EXE_gazetteer"));
    command.args(arguments).env_clear();
    command.output().expect("the program runs")
}

/// What a run says: whether all is well, and in words.
fn said(output: &Output) -> (bool, String) {
    let text = [&output.stdout[..], &output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (output.status.success(), text)
}

/// Of the demo its files are looked at, which has neither APIs nor name servers that are there; of a
/// configuration that is wrong the place is told.
pub(crate) fn files_alone(folder: &Path) {
    let zones = Path::new(env!("CARGO_MANIFEST_DIR")).join("zones");
    for entry in std::fs::read_dir(zones).expect("the demo") {
        let path = entry.expect("the demo").path();
        if !path.is_file() {
            // What a daemon keeps that was run there.
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("facts");
        let name = path.file_name().expect("a name");
        files::write(&folder.join("facts").join(name), text);
    }
    let (is_well, text) = said(&run(folder, &json!({})));
    assert!(is_well, "{text}");
    let wrong = "version = \"v1\"\nlisten.dns = [\"0.0.0.0:5300\"]\nlisten.admin = \"0.0.0.0:9100\"\n\
        [[federation]]\nname = \"fed\"\napex = \"example.com\"\nnameserver = []\n";
    let (is_well, text) = said(&run(folder, &json!({"config": wrong, "demo": false})));
    assert!(!is_well, "{text}");
    assert!(text.contains("gazetteer.toml:7:1"), "{text}");
}

/// A member that was joined is looked at by its API, and what is wrong with it fails the test.
pub(crate) fn members(fleet: &Fleet) {
    let member = &fleet.members[0];
    let desk = Desk::of(fleet, member);
    desk.join(&[]).well();
    let config = "version = \"v1\"\nlisten.dns = [\"0.0.0.0:5300\"]\nlisten.admin = \"0.0.0.0:9100\"\n\
        [[federation]]\nname = \"fed\"\napex = \"example.com\"\n\
        nameservers = [{ name = \"ns1.example.net\" }]\n";
    let values = json!({"config": config, "demo": false, "memberSecrets": ["joined"]});
    let (is_well, text) = said(&run(&desk.folder, &values));
    assert!(is_well, "{text}");
    assert!(text.contains("ok rights-watch"), "{text}");
    member.kill_server();
    let (is_well, text) = said(&run(&desk.folder, &values));
    assert!(!is_well, "{text}");
    assert!(text.contains("xx api-reachable"), "{text}");
    member.start_server();
    desk.unjoin(&[]).well();
}
