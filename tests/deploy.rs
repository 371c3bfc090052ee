//! What is shipped beside the program agrees with it, with the documents and with itself. What takes
//! other programs to see is in `tests/real`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A file of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The text of a file of the repository.
fn text(path: &str) -> String {
    fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A YAML file of the repository.
fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names of the files of a folder of the repository with this ending.
fn files(folder: &str, ending: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(repository(folder)).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(ending)).collect()
}

/// The alerts.
fn alerts() -> Vec<Value> {
    let rules = yaml("deploy/prometheus/rules.yaml");
    let groups = rules["groups"].as_array().expect("groups").iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().expect("rules"));
    rules.cloned().collect()
}

/// The words of a text that are names of metrics.
fn metrics(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let named = words.filter(|word| word.starts_with("gazetteer_"));
    named.map(str::to_owned).collect()
}

/// The metrics that docs/metrics.md has.
fn told() -> BTreeSet<String> {
    let page = text("docs/metrics.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_chart_is_of_this_version_and_has_the_files_of_the_repository() {
    let chart = yaml("deploy/chart/Chart.yaml");
    for key in ["version", "appVersion"] {
        assert_eq!(chart[key], env!("CARGO_PKG_VERSION"), "{key}");
    }
    let mut facts = files("zones", ".toml");
    for configuration in ["demo.toml", "signed.toml"] {
        assert!(facts.remove(configuration), "{configuration}");
    }
    assert_eq!(files("deploy/chart/files/demo", ".toml"), facts);
    for name in facts {
        let (here, there) = (
            format!("zones/{name}"),
            format!("deploy/chart/files/demo/{name}"),
        );
        assert_eq!(text(&here), text(&there), "{there}");
    }
    let copy = "deploy/chart/files/rules.yaml";
    assert_eq!(text("deploy/prometheus/rules.yaml"), text(copy), "{copy}");
}

#[test]
fn the_package_is_of_this_version_and_has_the_files_of_the_repository() {
    let changelog = text("deploy/debian/changelog");
    let version = concat!("gazetteer (", env!("CARGO_PKG_VERSION"), "-1) ");
    assert!(changelog.starts_with(version), "{changelog}");
    let facts = "deploy/debian/on-premises.toml";
    assert_eq!(text("zones/on-premises.toml"), text(facts), "{facts}");
}

#[test]
fn the_schema_takes_what_is_shipped() {
    let schema: Value = serde_json::from_str(&text("deploy/gazetteer.schema.json")).expect("JSON");
    assert!(jsonschema::meta::is_valid(&schema));
    let schema = jsonschema::draft7::new(&schema).expect("a schema");
    let base = text("deploy/kustomize/base/gazetteer.yaml");
    let objects: Vec<Value> = serde_saphyr::from_multiple(&base).expect("YAML");
    let maps = objects
        .iter()
        .filter_map(|object| object["data"]["gazetteer.toml"].as_str());
    let files = [
        "zones/demo.toml",
        "zones/signed.toml",
        "deploy/debian/gazetteer.toml",
    ]
    .map(text);
    let mut count = 0;
    for config in maps.map(str::to_owned).chain(files) {
        let config: Value = toml::from_str(&config).expect("TOML");
        let refusals: Vec<_> = schema
            .iter_errors(&config)
            .map(|one| one.to_string())
            .collect();
        assert!(refusals.is_empty(), "{refusals:?}");
        count += 1;
    }
    assert_eq!(count, 4);
}

#[test]
fn every_value_of_the_chart_is_in_its_schema_and_no_other() {
    let (values, schema) = (
        yaml("deploy/chart/values.yaml"),
        text("deploy/chart/values.schema.json"),
    );
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    // Those that have no default, or that Helm itself gives.
    let without = [
        "global",
        "resources.limits",
        "affinity.nodeAffinity",
        "affinity.podAffinity",
        "affinity.podAntiAffinity",
    ];
    let mut differing = Vec::new();
    compare("", &values, &schema, &mut differing);
    differing.retain(|key| !without.contains(&key.as_str()));
    assert!(differing.is_empty(), "{differing:?}");
}

/// Notes the keys that only one of a value and its schema has.
fn compare(prefix: &str, value: &Value, schema: &Value, differing: &mut Vec<String>) {
    let Some(known) = schema["properties"].as_object() else {
        return;
    };
    assert_eq!(schema["additionalProperties"], false, "{prefix}");
    let given: BTreeSet<_> = value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, _)| key)
        .collect();
    let known_keys: BTreeSet<_> = known.keys().collect();
    let one = given.symmetric_difference(&known_keys);
    differing.extend(one.map(|key| format!("{prefix}{key}")));
    for (key, inner) in known {
        compare(&format!("{prefix}{key}."), &value[key], inner, differing);
    }
}

#[test]
fn every_alert_has_a_runbook_and_tests() {
    let page = text("docs/operations.md");
    let tests = text("deploy/prometheus/tests.yaml") + &text("deploy/prometheus/tests-hours.yaml");
    let headings: BTreeSet<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .collect();
    let mut names = BTreeSet::new();
    for alert in alerts() {
        let name = alert["alert"].as_str().expect("a name").to_owned();
        let anchor = format!("docs/operations.md#{}", name.to_lowercase());
        assert_eq!(alert["annotations"]["runbook_url"], anchor, "{name}");
        assert!(
            headings.contains(name.as_str()),
            "no heading {name} in docs/operations.md"
        );
        assert!(
            tests.contains(&format!("- name: {name} fires")),
            "no test of {name}"
        );
        let severity = alert["labels"]["severity"].as_str().unwrap_or_default();
        assert!(["critical", "warning"].contains(&severity), "{name}");
        assert!(names.insert(name), "an alert twice");
    }
    let told: BTreeSet<_> = headings
        .into_iter()
        .filter(|one| one.starts_with("Gazetteer"))
        .collect();
    assert_eq!(told, names.iter().map(String::as_str).collect());
}

#[test]
fn rules_and_dashboards_name_metrics_that_there_are() {
    let told = told();
    let is_told = |name: &String| {
        let base = name
            .strip_suffix("_bucket")
            .or_else(|| name.strip_suffix("_count"));
        told.contains(name) || base.is_some_and(|base| told.contains(base))
    };
    let mut paths = vec!["deploy/prometheus/rules.yaml".to_owned()];
    let boards = files("deploy/grafana", ".json");
    assert_eq!(boards, files("deploy/chart/files/dashboards", ".json"));
    for name in boards {
        let (here, there) = (
            format!("deploy/grafana/{name}"),
            format!("deploy/chart/files/dashboards/{name}"),
        );
        assert_eq!(text(&here), text(&there), "{there}");
        paths.push(here);
    }
    for path in paths {
        let unknown: Vec<_> = metrics(&text(&path))
            .into_iter()
            .filter(|name| !is_told(name))
            .collect();
        assert!(unknown.is_empty(), "{path}: {unknown:?}");
    }
}

#[test]
fn dashboards_name_no_data_source_and_number_their_panels_once() {
    for name in files("deploy/grafana", ".json") {
        let board: Value =
            serde_json::from_str(&text(&format!("deploy/grafana/{name}"))).expect("JSON");
        assert!(board.get("__inputs").is_none(), "{name}");
        let variables = board["templating"]["list"].as_array().expect("variables");
        assert!(
            variables.iter().any(|one| one["type"] == "datasource"),
            "{name}"
        );
        let mut ids = BTreeSet::new();
        for panel in board["panels"].as_array().expect("panels") {
            assert!(
                ids.insert(panel["id"].as_u64().expect("an id")),
                "{name}: {}",
                panel["id"]
            );
            if panel["type"] != "row" {
                assert_eq!(
                    panel["datasource"]["uid"], "${datasource}",
                    "{name}: {}",
                    panel["title"]
                );
            }
        }
    }
}
