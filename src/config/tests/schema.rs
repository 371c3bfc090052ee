//! `deploy/gazetteer.schema.json` knows the keys that are read, and judges as reading does.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Value, json};
use toml::de::{DeTable, DeValue};

use super::bad::{after, federation};
use super::good::{EVERY_KEY, good};
use crate::config::url::OTHER_KEYS;
use crate::config::{Fragment, compose, parse};

/// The schema.
static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let text = include_str!("../../../deploy/gazetteer.schema.json");
    serde_json::from_str(text).expect("JSON")
});

/// What judges configurations by it.
static CONFIGURATION: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::draft7::new(&SCHEMA).expect("a schema"));

/// What judges fragments by it.
static FRAGMENT: LazyLock<Validator> = LazyLock::new(|| {
    let fragment =
        json!({ "$ref": "#/definitions/fragment", "definitions": SCHEMA["definitions"] });
    jsonschema::draft7::new(&fragment).expect("a schema")
});

/// What problems are called that a schema cannot see: they compare values, or judge what a text means.
const UNSEEN: &[&str] = &[
    "already",
    "expected a network",
    "inside the apex",
    "less than twice",
    "inside the service names",
    "listed more than once",
    "no access provider",
    "no federation is served",
    "no room for",
    "not the first address of a network",
    "other name servers than",
    "overlap",
    "reserved for",
    "reserved name",
    "there already",
    "timeout: must not exceed interval",
    "unknown member",
    "unspecified",
    "whole seconds",
];

thread_local! {
    /// The keys that tables were asked for, each with the place of the table, in the order in which
    /// reading them ended.
    static ASKED: RefCell<Vec<(usize, Vec<&'static str>)>> = RefCell::default();
}

/// Notes the keys that a table was asked for.
pub(in crate::config) fn note_asked(at: usize, keys: &[&'static str]) {
    ASKED.with_borrow_mut(|asked| asked.push((at, keys.to_vec())));
}

/// Why the schema refuses a configuration.
pub(super) fn refusals(text: &str) -> Vec<String> {
    refusals_by(&CONFIGURATION, text)
}

/// Why a schema refuses a text of TOML.
fn refusals_by(schema: &Validator, text: &str) -> Vec<String> {
    match toml::from_str::<Value>(text) {
        Ok(value) => schema
            .iter_errors(&value)
            .map(|one| one.to_string())
            .collect(),
        Err(error) => vec![error.to_string()],
    }
}

/// Whether a schema can see a problem.
pub(super) fn judges(problem: &str) -> bool {
    let is_duration = problem.contains("\": must be between ");
    !is_duration && !UNSEEN.iter().any(|words| problem.contains(words))
}

/// The keys of every table, by its path.
type Keys = BTreeMap<String, BTreeSet<String>>;

/// The tables of a file by where they start.
fn places(path: &str, at: usize, value: &DeValue<'_>, places: &mut BTreeMap<usize, String>) {
    match value {
        DeValue::Table(table) => {
            places.insert(at, path.to_owned());
            tables(path, table, places);
        }
        DeValue::Array(elements) => {
            for element in elements {
                self::places(path, element.span().start, element.get_ref(), places);
            }
        }
        _ => {}
    }
}

/// The tables in a table.
fn tables(path: &str, table: &DeTable<'_>, all: &mut BTreeMap<usize, String>) {
    for (key, value) in table {
        let path = format!("{path}.{}", key.get_ref());
        places(&path, value.span().start, value.get_ref(), all);
    }
}

/// The keys that were asked for, `asked` being of the file `text`.
fn asked_keys(text: &str, asked: Vec<(usize, Vec<&'static str>)>) -> Keys {
    let (root, _) = DeTable::parse_recoverable(text);
    let mut places = BTreeMap::from([(0, String::new())]);
    tables("", root.get_ref(), &mut places);
    let mut keys = Keys::new();
    for (at, asked) in asked {
        let own = keys.entry(places[&at].clone()).or_default();
        own.extend(asked.into_iter().map(str::to_owned));
    }
    keys
}

/// The keys that the schema has, from one of its parts on.
fn known_keys(path: &str, part: &Value, keys: &mut Keys) {
    if let Some(reference) = part["$ref"].as_str() {
        let pointer = reference.trim_start_matches('#');
        return known_keys(path, SCHEMA.pointer(pointer).expect(reference), keys);
    }
    if let Some(properties) = part["properties"].as_object() {
        assert_eq!(part["additionalProperties"], false, "{path}");
        keys.insert(path.to_owned(), properties.keys().cloned().collect());
        for (key, inner) in properties {
            known_keys(&format!("{path}.{key}"), inner, keys);
        }
    }
    let forms = part["anyOf"].as_array().into_iter().flatten();
    for inner in part.get("items").into_iter().chain(forms) {
        known_keys(path, inner, keys);
    }
}

#[test]
fn it_has_every_key_that_is_asked_for_and_no_other() {
    ASKED.take();
    good(EVERY_KEY);
    let mut asked = asked_keys(EVERY_KEY, ASKED.take());
    // They are asked for to be refused.
    let host = asked.get_mut(".membership.host").expect("a host");
    assert!(host.remove("file") && host.remove("renew") && host.remove("url"));
    assert!(OTHER_KEYS.iter().all(|key| host.remove(*key)));
    let mut known = Keys::new();
    known_keys("", &SCHEMA, &mut known);
    assert_eq!(asked, known);
}

/// A fragment with every table.
const A_FRAGMENT: &str = r#"
version = "v1"
name = "vm-ams"
region = "europe-west4"
zones = ["europe-west4-a"]
cidrs = ["10.40.0.0/16"]
facts-limit = "512 MiB"
gateway = { addresses = ["203.0.113.80"], port = 15443 }
addresses-from = ["198.51.100.0/24"]
cluster-domain = "cluster.local"
namespaces = ["prod-*"]
source = { kubeconfig = "vm-ams.kubeconfig", context = "join", renew = false }
"#;

/// What is wrong with a fragment.
fn problems(text: &str) -> Vec<String> {
    let fragment = Fragment {
        path: "etc/members.d/vm-ams.toml".into(),
        octets: text.as_bytes().to_vec(),
    };
    let file = Path::new("etc/fed.toml");
    ASKED.take();
    let composed = compose(after("").into_bytes(), file, Some(&[fragment]), &[]);
    let refused = composed.expect("the file is right").refused.into_iter();
    let problems = refused.flat_map(|one| one.problems);
    problems.map(|problem| problem.message).collect()
}

#[test]
fn it_has_every_key_of_fragments_and_no_other() {
    assert_eq!(problems(A_FRAGMENT), [""; 0]);
    let mut asked = ASKED.take();
    // Reading the file ended with its root.
    let file = asked.iter().position(|(at, _)| *at == 0).expect("a root");
    let asked = asked_keys(A_FRAGMENT, asked.split_off(file + 1));
    let mut known = Keys::new();
    known_keys("", &SCHEMA["definitions"]["fragment"], &mut known);
    assert_eq!(asked, known);
}

#[test]
fn it_judges_fragments_as_reading_does() {
    assert_eq!(refusals_by(&FRAGMENT, A_FRAGMENT), [""; 0]);
    for (right, wrong) in [
        ("version = \"v1\"", ""),
        ("name = \"vm-ams\"", ""),
        ("name = \"vm-ams\"", "name = \"vm ams\""),
        ("512 MiB", "512 MB"),
        ("prod-*", "prod/*"),
        ("context = \"join\", ", ""),
        ("port = 15443", "port = 0"),
        ("[\"203.0.113.80\"]", "[]"),
        ("cidrs", "cidr"),
        ("198.51.100.0/24", "none/24"),
        (", port = 15443", ", object = \"service/infra/envoy\""),
        (
            "addresses = [\"203.0.113.80\"], port = 15443",
            "object = \"service/infra\"",
        ),
    ] {
        let text = A_FRAGMENT.replacen(right, wrong, 1);
        assert_ne!(problems(&text), [""; 0], "{text}");
        assert_ne!(refusals_by(&FRAGMENT, &text), [""; 0], "{text}");
    }
}

#[test]
fn the_reference_has_every_key_of_it() {
    let reference = include_str!("../../../docs/configuration.md");
    let mut known = Keys::new();
    known_keys("", &SCHEMA, &mut known);
    for (table, keys) in known {
        for key in keys {
            let forms = ["`KEY`", "`KEY = ", "[KEY]", ".KEY]", "{ KEY = ", ", KEY = "];
            let mut forms = forms.iter().map(|form| form.replace("KEY", &key));
            let is_named = forms.any(|form| reference.contains(&form));
            assert!(is_named, "{key} of {table:?}");
        }
    }
}

/// Values in texts, as `{}`, one of each kind.
const WITH_VALUES: &[&str] = &[
    "[listen]\ntcp-idle = \"{}\"",
    "[listen]\nadmin = \"{}\"",
    "[listen]\nadmin-hosts = [\"{}\"]",
    "[listen]\nnsid = \"{}\"",
    "[listen]\ntrusted = [\"{}\"]",
    "[[member]]\nname = \"{}\"\nsource.in-cluster = true",
    "[[member]]\nname = \"m\"\nsource.in-cluster = true\nfacts-limit = \"{}\"",
    "[[member]]\nname = \"m\"\nsource.in-cluster = true\ngateway.addresses = [\"{}\"]",
    "[[member]]\nname = \"m\"\nsource.in-cluster = true\nnamespaces = [\"{}\"]",
    "[[region]]\nname = \"{}\"",
    "[[region]]\nname = \"r\"\ncountries = [\"{}\"]",
    "[[region]]\nname = \"r\"\ncontinents = [\"{}\"]",
    "[membership]\nhost.in-cluster = true\noverrides = \"{}\"",
    "[membership]\nhost.in-cluster = true\nsecrets = { selector = \"{}\", key = \"*\" }",
    "[membership]\nhost.in-cluster = true\nsecrets.key = \"{}\"",
    "brake = \"{}\"",
    "hostmaster = \"{}\"",
    "probe-ports = [\"{}\"]",
    "probe = { kind = \"http\", status = \"{}\" }",
    "probe = { kind = \"http\", host = \"{}\" }",
    "probe = { kind = \"http\", path = \"{}\" }",
    "probe = { kind = \"{}\", path = \"/\" }",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    #[test]
    fn it_takes_what_reading_takes(
        around in prop::sample::select(WITH_VALUES),
        words in prop::collection::vec(prop::sample::select(vec![
            "0", "1", "30", "204", "65535", "h", "m", "s", "ms", "min", "\u{b5}s", "MiB", "GiB", "%", "a",
            "EU", "JP", "svc", "example", "https", "-", "+", "*", "_", ".", ",", ":", "::", "/", "@", "=",
            " ", "\u{e9}", "[::1]:53", "192.0.2.1", ":53", "/32",
        ]), 0..6),
    ) {
        let lines = around.replace("{}", &words.concat());
        let text = if lines.starts_with('[') { after(&lines) } else { federation(&lines) };
        if parse(&text, Path::new("fed.toml")).is_ok() {
            prop_assert_eq!(refusals(&text), [""; 0]);
        }
    }
}
