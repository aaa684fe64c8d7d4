//! The JSON Schema of a line of records, generated from the row types, so the two cannot disagree.

use super::rows::{END, OLDEST_SCHEMA, Row, SCHEMA};
use crate::definitions::metrics::METRICS;
use crate::workspace::Workspace;
use crate::workspace::error::Error;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Path of the committed file.
pub fn path(workspace: &Workspace) -> PathBuf {
    workspace.root.join("ci/records.schema.json")
}

/// The file's text.
///
/// # Errors
/// If the row types do not give a schema of the expected form.
pub fn text() -> Result<String, Error> {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Row>().to_value();
    schema["title"] = "A line of records.jsonl".into();
    let end = json!({
        "description": "The last row of a file, since version 2: how many rows come before it.",
        "type": "object",
        "properties": {"row": {"type": "string", "const": END}, "rows": {"type": "integer", "minimum": 1}},
        "required": ["row", "rows"],
        "additionalProperties": false,
    });
    let kinds = schema["oneOf"].as_array_mut();
    let kinds = kinds.ok_or_else(|| Error::Refused("the rows have no schema by kind".into()))?;
    kinds.push(end);
    for kind in kinds {
        complete(kind);
    }
    Ok(format!("{schema:#}\n"))
}

/// Adds what the types do not express: the version and the list of metrics.
fn complete(kind: &mut Value) {
    let versions: Vec<u64> = (OLDEST_SCHEMA..=SCHEMA).collect();
    kind["properties"]["schema"] = json!({"description": "Version of the format, the same in every line of a file.",
                                          "enum": versions});
    if let Some(required) = kind["required"].as_array_mut() {
        required.push("schema".into());
    }
    if let Some(metric) = kind["properties"].get_mut("metric") {
        metric["enum"] = METRICS.iter().map(|(name, _)| *name).collect();
    }
}
