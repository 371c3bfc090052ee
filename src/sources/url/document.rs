//! A facts document as a server sends it: TOML, or JSON of the same keys. Pure.

use serde_json::{Map, Value, json};

/// The document as TOML. Errors say where it is wrong.
///
/// JSON is told by its first character, which no TOML has. It becomes TOML service by service, so that
/// one reader judges both.
pub(super) fn text(octets: Vec<u8>) -> Result<Vec<u8>, String> {
    let first = octets.iter().find(|octet| !octet.is_ascii_whitespace());
    if first != Some(&b'{') {
        return Ok(octets);
    }
    let document: Map<String, Value> = serde_json::from_slice(&octets).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        format!("line {line}, column {column}: not JSON")
    })?;
    drop(octets);
    let mut toml = String::from("# From JSON.\n");
    let mut end = None;
    for (key, value) in document {
        match (key.as_str(), value) {
            ("end", value) => end = Some(value),
            ("service", Value::Array(services)) => {
                for (place, service) in services.into_iter().enumerate() {
                    let what = || format!("service {}", place + 1);
                    append(&mut toml, &json!({ "service": [service] }), what)?;
                }
            }
            (_, value) => append(&mut toml, &json!({ &key: value }), || key.clone())?,
        }
    }
    if let Some(end) = end {
        append(&mut toml, &json!({ "end": end }), || "end".to_owned())?;
    }
    Ok(toml.into_bytes())
}

/// Appends a table as TOML.
fn append(toml: &mut String, table: &Value, what: impl Fn() -> String) -> Result<(), String> {
    let written = toml::to_string(table)
        .map_err(|_| format!("{}: null, or a number that TOML has not", what()))?;
    toml.push_str(&written);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::facts::parse;

    #[test]
    fn json_says_what_toml_says() {
        let json = br#" {
            "end": { "complete": true },
            "service": [
                { "namespace": "shop", "name": "web", "addresses": ["192.0.2.1"],
                  "ports": [{ "name": "http", "port": 80 }], "endpoints": [{ "address": "10.1.0.1" }],
                  "probe": { "kind": "tcp" }, "weight": 3 },
                { "namespace": "shop", "name": "api", "type": "ClusterIP", "endpoints": [] }
            ] }"#;
        let toml = r#"
            [[service]]
            namespace = "shop"
            name = "web"
            addresses = ["192.0.2.1"]
            ports = [{ name = "http", port = 80 }]
            endpoints = [{ address = "10.1.0.1" }]
            probe = { kind = "tcp" }
            weight = 3
            [[service]]
            namespace = "shop"
            name = "api"
            type = "ClusterIP"
            endpoints = []
            [end]
            complete = true
        "#;
        let read = |octets: &[u8]| {
            let text = String::from_utf8(text(octets.to_vec()).unwrap()).unwrap();
            parse(&text, Path::new("x")).unwrap()
        };
        assert_eq!(read(json), read(toml.as_bytes()));
    }

    #[test]
    fn what_is_no_json_or_has_null_is_said() {
        let why = |json: &str| text(json.into()).unwrap_err();
        assert_eq!(why("{\n  nope"), "line 2, column 3: not JSON");
        let null = r#"{"service": [{"namespace": "a", "name": "b"}, {"weight": null}]}"#;
        assert!(why(null).starts_with("service 2: null"), "{}", why(null));
    }
}
