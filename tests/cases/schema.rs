//! What the schema that is shipped says of the configurations of the worlds.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;
use toml::Table;

/// What judges configurations.
static CONFIGURATION: LazyLock<Validator> = LazyLock::new(|| {
    let schema: Value =
        serde_json::from_str(include_str!("../../deploy/gazetteer.schema.json")).expect("JSON");
    jsonschema::draft7::new(&schema).expect("a schema")
});

/// Whether the schema takes a configuration; what is wrong else.
pub(crate) fn judge(config: &Table) -> Result<(), String> {
    let value = serde_json::to_value(config).map_err(|error| error.to_string())?;
    let refusals = CONFIGURATION.iter_errors(&value);
    let refusals: Vec<_> = refusals.map(|one| one.to_string()).collect();
    if refusals.is_empty() {
        Ok(())
    } else {
        Err(format!("the schema refuses it: {refusals:?}"))
    }
}
