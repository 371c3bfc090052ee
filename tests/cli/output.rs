//! What commands print.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::program::{demo, run, transcript, write};

#[test]
fn help_is_as_reviewed() {
    let here = Path::new(".");
    insta::assert_snapshot!("help", transcript(here, &["--help"]));
    for command in [
        "serve",
        "check",
        "clusters",
        "join",
        "unjoin",
        "explain",
        "drain",
        "cordon",
        "uncordon",
        "freeze",
        "thaw",
        "confirm",
        "overrides",
        "events",
        "keys",
        "stub",
        "man",
        "schema",
        "completions",
    ] {
        insta::assert_snapshot!(
            format!("help_{command}"),
            transcript(here, &[command, "--help"])
        );
    }
}

#[test]
fn check_prints_every_problem_and_says_so_by_its_status() {
    let folder = tempfile::tempdir().unwrap();
    let bad = r#"
version = "v1"

[listen]
dns = ["127.0.0.1:53", "localhost"]

[[federation]]
name = "my-federation"
apex = "example.com"
nameservers = [{ name = "ns1.example.com" }]
polcy = "nearest"
ttl = "1 fortnight"

[[region]]
name = "svc"

[[member]]
name = "a@b"
source = { file = "facts.toml", kubeconfig = "kubeconfig" }
"#;
    write(&folder.path().join("bad.toml"), bad);
    insta::assert_snapshot!(
        "check_bad",
        transcript(folder.path(), &["check", "bad.toml"])
    );
    insta::assert_snapshot!(
        "check_missing",
        transcript(folder.path(), &["check", "none.toml"])
    );
    insta::assert_snapshot!("check_usage", transcript(folder.path(), &["check"]));
}

#[test]
fn check_reads_facts_files_too() {
    let folder = demo();
    insta::assert_snapshot!(
        "check_demo",
        transcript(folder.path(), &["check", "demo.toml"])
    );
    write(
        &folder.path().join("gce-us-east1.toml"),
        "[[service]]\nname = \"s\"\nwait = 1\n",
    );
    std::fs::remove_file(folder.path().join("on-premises.toml")).unwrap();
    insta::assert_snapshot!(
        "check_facts",
        transcript(folder.path(), &["check", "demo.toml"])
    );
}

#[test]
fn check_opens_what_a_configuration_names_and_warns_of_regions_that_nothing_has() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let config = r#"
version = "v1"
[geoip]
database = "geo.mmdb"
[[federation]]
name = "f"
apex = "example.com"
nameservers = [{ name = "ns1.example.net" }]
fence = ["eu", "eu-wset"]
[[member]]
name = "one"
region = "eu"
source = { kubeconfig = "kubeconfig", context = "b" }
[[member]]
name = "two"
region = "eu"
source = { file = "two.toml" }
[[member]]
name = "three"
region = "eu"
source = { file = "folder" }
"#;
    write(&at("gazetteer.toml"), config);
    write(
        &at("kubeconfig"),
        "apiVersion: v1\nkind: Config\nclusters: [{ name: c, cluster: { server: \"https://127.0.0.1:1\" } }]\n\
         contexts: [{ name: a, context: { cluster: c, user: u } }]\nusers: [{ name: u, user: { token: t } }]\n",
    );
    write(&at("geo.mmdb"), "no database");
    write(&at("two.toml"), "");
    std::fs::create_dir(at("folder")).unwrap();
    let wrong = transcript(folder.path(), &["check", "gazetteer.toml"]);
    for line in [
        "kubeconfig: member \"one\": ",
        "geo.mmdb: not a GeoIP database",
        "two.toml:1:1: 0 octets long",
        "folder:1:1: cannot be read: expected a regular file, found a folder",
        "warning: fence of federation \"f\": no member and no [[region]] has region \"eu-wset\"",
        "--- exit 1",
    ] {
        assert!(wrong.contains(line), "{line}:\n{wrong}");
    }
    // The context that there is, no GeoIP database, and files that are right.
    write(&at("gazetteer.toml"), &config.replace("\"b\"", "\"a\""));
    std::fs::remove_file(at("geo.mmdb")).unwrap();
    write(&at("two.toml"), "# None.\n");
    std::fs::remove_dir(at("folder")).unwrap();
    let right = transcript(folder.path(), &["check", "gazetteer.toml"]);
    for line in [
        "note: geoip: geo.mmdb does not exist",
        "gazetteer.toml: OK (1 federation, 3 members)",
        "--- exit 0",
    ] {
        assert!(right.contains(line), "{line}:\n{right}");
    }
}

#[test]
fn explain_needs_no_daemon_with_a_configuration() {
    let folder = demo();
    let name = "my-web.my-namespace.my-federation.svc.europe-west1-d.example.com";
    let arguments = [
        "explain",
        name,
        "--from",
        "203.0.113.9",
        "--config",
        "demo.toml",
    ];
    insta::assert_snapshot!("explain_config", transcript(folder.path(), &arguments));
    assert!(!folder.path().join("state").exists(), "it writes nothing");
    let wrong = ["explain", "a..b", "--config", "demo.toml"];
    insta::assert_snapshot!("explain_wrong_name", transcript(folder.path(), &wrong));
}

#[test]
fn without_a_daemon_the_error_says_what_to_give() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["clusters", "--state-dir", "state"];
    insta::assert_snapshot!(
        "clusters_without_daemon",
        transcript(folder.path(), &arguments)
    );
    let arguments = ["drain", "a", "--state-dir", "state"];
    insta::assert_snapshot!(
        "drain_without_daemon",
        transcript(folder.path(), &arguments)
    );
    let arguments = ["drain", "regions/a", "--over", "soon"];
    insta::assert_snapshot!("drain_usage", transcript(folder.path(), &arguments));
}

#[test]
fn schemas_are_printed_by_themselves() {
    let print = |arguments: &[&str]| {
        let output = run(Path::new("."), arguments);
        assert!(output.status.success(), "{output:?}");
        let schema: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert!(jsonschema::meta::is_valid(&schema), "{arguments:?}");
        jsonschema::draft7::new(&schema).expect("a schema")
    };
    let configuration = print(&["schema"]);
    let demo = std::fs::read_to_string(demo().path().join("demo.toml")).unwrap();
    let demo: Value = toml::from_str(&demo).unwrap();
    assert!(configuration.is_valid(&demo));
    let fragment = print(&["schema", "fragment"]);
    let member = json!({"version": "v1", "name": "m", "source": {"in-cluster": true}});
    assert!(fragment.is_valid(&member) && !fragment.is_valid(&demo));
    assert!(!configuration.is_valid(&member));
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let output = run(Path::new("."), &["completions", shell]);
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.success() && script.contains("explain"),
            "{shell}: {script}"
        );
    }
}

#[test]
fn man_pages_have_every_command_and_make_no_warning() {
    let folder = tempfile::tempdir().unwrap();
    let written = run(folder.path(), &["man", "."]);
    assert!(written.status.success(), "{written:?}");
    let main = std::fs::read_to_string(folder.path().join("gazetteer.1")).unwrap();
    let help = run(folder.path(), &["--help"]);
    let help = String::from_utf8(help.stdout).unwrap();
    let commands = help.split_once("Commands:\n").expect("commands").1;
    let commands = commands.lines().take_while(|line| !line.is_empty());
    let mut count = 0;
    for command in commands.filter_map(|line| line.split_whitespace().next()) {
        if command == "help" {
            continue;
        }
        count += 1;
        let page = format!("gazetteer-{command}.1");
        assert!(
            main.contains(&page.replace(".1", "(1)").replace('-', "\\-")),
            "{page}"
        );
        let printed = Command::new("man")
            .args(["--warnings", "-E", "UTF-8", "-l", "-Tutf8", &page])
            .current_dir(folder.path())
            .env("MANWIDTH", "100")
            .output()
            .expect("man runs");
        let warned = String::from_utf8_lossy(&printed.stderr).into_owned();
        assert!(
            printed.status.success() && warned.is_empty(),
            "{page}: {warned}"
        );
        let text = std::fs::read_to_string(folder.path().join(&page)).unwrap();
        let text = text.replace("\\-", "-");
        let usage = run(folder.path(), &[command, "--help"]);
        let usage = String::from_utf8(usage.stdout).unwrap();
        let flags = usage.split(|c: char| !(c.is_ascii_lowercase() || c == '-'));
        for flag in flags.filter(|word| word.starts_with("--") && word.len() > 2) {
            assert!(text.contains(flag), "{page} lacks {flag}");
        }
    }
    assert!(count > 15, "{count} commands");
}
