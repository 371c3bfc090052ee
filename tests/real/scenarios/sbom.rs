//! What the program is made of, as it says itself and as the file beside it says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::artefacts::{artefact, run};

/// A crate and its version.
type Crate = (String, String);

/// The crates that Cargo links into the program, and those too that build them.
fn of_cargo() -> (BTreeSet<Crate>, BTreeSet<Crate>) {
    let target = "--filter-platform=x86_64-unknown-linux-gnu";
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let manifest = manifest.display().to_string();
    let printed = run(
        env!("CARGO"),
        &[
            "metadata",
            "--locked",
            "--format-version=1",
            target,
            "--manifest-path",
            &manifest,
        ],
    );
    let metadata: Value = serde_json::from_str(&printed).expect("JSON");
    let nodes = metadata["resolve"]["nodes"]
        .as_array()
        .expect("nodes")
        .iter();
    let nodes: BTreeMap<&str, &Value> = nodes.map(|node| (text(node, "id"), node)).collect();
    let packages = metadata["packages"].as_array().expect("packages").iter();
    let packages: BTreeMap<&str, &Value> = packages.map(|one| (text(one, "id"), one)).collect();
    let root = text(&metadata["resolve"], "root");
    let reached = |kinds: &[Value]| {
        let mut found = BTreeSet::new();
        let mut open = vec![root];
        while let Some(id) = open.pop() {
            let package = packages[id];
            // What a macro is made of is not in what it writes.
            let is_macro = package["targets"][0]["kind"][0] == "proc-macro";
            if is_macro && kinds.len() == 1 {
                continue;
            }
            let one = (
                text(package, "name").to_owned(),
                text(package, "version").to_owned(),
            );
            if !found.insert(one) {
                continue;
            }
            for dependency in nodes[id]["deps"].as_array().into_iter().flatten() {
                let mut of = dependency["dep_kinds"].as_array().into_iter().flatten();
                if of.any(|kind| kinds.contains(&kind["kind"])) {
                    open.push(text(dependency, "pkg"));
                }
            }
        }
        found
    };
    let linked = reached(&[Value::Null]);
    (linked, reached(&[Value::Null, Value::from("build")]))
}

/// A text of an object.
fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("{key} of {value}"))
}

/// The programs name every crate that is linked and none that has no part in the build, the file all of
/// these, each with a license that `deny.toml` allows.
pub(crate) fn are_complete(_: &Path) {
    let (linked, all) = of_cargo();
    assert!(linked.len() > 150, "{}", linked.len());
    for program in ["gazetteer", "gazetteer-static"] {
        let program = artefact(program);
        let info =
            auditable_info::audit_info_from_file(&program, auditable_info::Limits::default());
        let info = info.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let packages = info.packages.into_iter();
        let told: BTreeSet<Crate> = packages
            .map(|one| (one.name, one.version.to_string()))
            .collect();
        compare(&told, &linked, &all);
    }
    let bill = std::fs::read_to_string(artefact("gazetteer.cdx.json")).expect("a bill");
    let bill: Value = serde_json::from_str(&bill).expect("JSON");
    assert_eq!(bill["bomFormat"], "CycloneDX");
    let itself = &bill["metadata"]["component"];
    let components = bill["components"].as_array().expect("components");
    let told = components.iter().chain([itself]);
    let told = told.map(|one| {
        (
            text(one, "name").to_owned(),
            text(one, "version").to_owned(),
        )
    });
    assert_eq!(told.collect::<BTreeSet<_>>(), all);
    let allowed = allowed();
    for component in components {
        let licenses = component["licenses"].as_array().into_iter().flatten();
        let expressions: Vec<_> = licenses.map(|one| text(one, "expression")).collect();
        // Of each group of alternatives, one.
        let is_one_allowed = |group: &str| {
            let group = group.trim_matches(['(', ')']);
            let mut choices = group
                .split(" OR ")
                .map(|one| one.trim().trim_end_matches('+'));
            choices.any(|one| allowed.contains(one))
        };
        let is_allowed = |expression: &&str| expression.split(" AND ").all(is_one_allowed);
        assert!(
            !expressions.is_empty() && expressions.iter().all(is_allowed),
            "{}: {expressions:?}",
            component["name"]
        );
    }
}

/// All that is linked, and nothing that is not there.
fn compare(told: &BTreeSet<Crate>, linked: &BTreeSet<Crate>, all: &BTreeSet<Crate>) {
    let missing: Vec<_> = linked.difference(told).collect();
    assert!(missing.is_empty(), "missing: {missing:?}");
    let strange: Vec<_> = told.difference(all).collect();
    assert!(strange.is_empty(), "in no build: {strange:?}");
}

/// The licenses of `deny.toml`, those of exceptions too: which crates these are of, cargo-deny judges.
fn allowed() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml");
    let text = std::fs::read_to_string(path).expect("deny.toml");
    let deny: toml::Table = text.parse().expect("TOML");
    let lists = |table: &toml::Value| {
        let list = table["allow"].as_array().cloned().unwrap_or_default();
        list.into_iter()
            .filter_map(|one| one.as_str().map(str::to_owned))
    };
    let exceptions = deny["licenses"]["exceptions"]
        .as_array()
        .expect("exceptions");
    lists(&deny["licenses"])
        .chain(exceptions.iter().flat_map(lists))
        .collect()
}
