//! `gazetteer schema`

use std::process::ExitCode;

use serde_json::{Map, Value};

use super::arguments::SchemaOf;
use super::output;

/// The schema of the configuration. That of fragments is one of its definitions.
const SCHEMA: &str = include_str!("../../deploy/gazetteer.schema.json");

/// Prints the JSON Schema of a kind of file.
pub(super) fn schema(of: SchemaOf) -> anyhow::Result<ExitCode> {
    match of {
        SchemaOf::Configuration => output::print(SCHEMA)?,
        SchemaOf::Fragment => output::print(&format!("{:#}\n", fragment(SCHEMA)?))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The schema of fragments by itself: editors take a file, not a part of one.
fn fragment(schema: &str) -> serde_json::Result<Value> {
    let mut schema: Map<String, Value> = serde_json::from_str(schema)?;
    let mut definitions = schema.remove("definitions").unwrap_or_default();
    let fragment = definitions
        .as_object_mut()
        .and_then(|all| all.remove("fragment"));
    let mut whole = fragment.unwrap_or_default();
    whole["$schema"] = schema.remove("$schema").unwrap_or_default();
    whole["definitions"] = definitions;
    Ok(whole)
}
