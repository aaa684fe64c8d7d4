//! Files of the harness: a first line with the kind, then the file.

use super::text;
use crate::Inputs;
use serde_json::{Value, json};
use std::path::Path;

/// The definitions, whole and by stanza.
///
/// # Errors
/// If one cannot be read.
pub fn definitions(root: &Path) -> anyhow::Result<Inputs> {
    let mut inputs = Inputs::new();
    for kind in ["targets", "workloads", "thresholds", "expected", "cases"] {
        let folder = if kind == "cases" { "golden" } else { "ci" };
        let file = text(root, &format!("{folder}/{kind}.toml"))?;
        inputs.push((kind.into(), format!("{kind}\n{file}").into_bytes()));
        // Short inputs, which a fuzzer mutates faster, though most of them are not complete.
        let mut stanzas: Vec<&str> = file.split("\n\n").filter(|stanza| stanza.contains('=')).collect();
        stanzas.sort_unstable_by_key(|stanza| stanza.len());
        for (i, stanza) in stanzas.into_iter().rev().take(4).enumerate() {
            inputs.push((format!("{kind}-{i}"), format!("{kind}\n{stanza}\n").into_bytes()));
        }
    }
    Ok(inputs)
}

/// Rows of published runs, one of each kind; baselines; golden streams.
///
/// # Errors
/// If a file cannot be read, or is malformed.
pub fn records(root: &Path) -> anyhow::Result<Inputs> {
    let mut inputs = Inputs::new();
    let mut put = |kind: &str, name: String, file: String| {
        inputs.push((format!("{kind}-{name}"), format!("{kind}\n{file}").into_bytes()));
    };
    for entry in std::fs::read_dir(root.join("reports"))? {
        let path = entry?.path().join("records.jsonl");
        if !path.is_file() {
            continue;
        }
        let name = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
        let rows = kinds_of_rows(&std::fs::read_to_string(&path)?)?;
        put("records", name.clone(), closed(&rows));
        put("journal", name, journal(&rows)?);
    }
    for target in ["native", "wasm"] {
        let file: Value = serde_json::from_str(&text(root, &format!("ci/baselines/{target}.json"))?)?;
        let least = |list: &str| file[list].as_array().into_iter().flatten().take(2).cloned().collect::<Vec<_>>();
        let mut history = least("history");
        for accepted in &mut history {
            accepted["changes"] = accepted["changes"].as_array().into_iter().flatten().take(2).cloned().collect();
        }
        let cut = json!({"schema": file["schema"], "history": history, "rows": least("rows")});
        put("baseline", target.into(), cut.to_string());
    }
    let stream = json!({"case": "a", "model": "small", "model_digest": "d69061fe3f9c0a9d", "prompt": [3, 1],
        "sampler": {"kind": "seeded", "seed": 42, "temperature": 0.8, "top_k": 50, "top_p": 0.9, "penalty": 1.1},
        "tokens": [22], "digests": ["db00000000000001"]});
    put("stream", "seeded".into(), stream.to_string());
    put("stream", "golden".into(), text(root, "golden/streams/small-v1.2__pi-greedy.json")?);
    put("kernels", "golden".into(), text(root, "golden/kernels.json")?);
    let quality = json!({"tokens": 1, "nats_per_token": 1.5, "bits_per_byte": 0.5,
        "trace": [{"tokens": [0, 5], "digests": ["db00000000000001"]}]});
    put("quality", "short".into(), quality.to_string());
    Ok(inputs)
}

/// The first row of each kind, and for samples the first of each metric: the first of a file is its `run`.
fn kinds_of_rows(file: &str) -> anyhow::Result<Vec<Value>> {
    let mut seen: Vec<(Value, Value)> = Vec::new();
    let mut kept = Vec::new();
    for line in file.lines() {
        let mut row: Value = serde_json::from_str(line)?;
        let kind = (row["row"].clone(), row["metric"].clone());
        if row["row"] == "end" || seen.contains(&kind) {
            continue;
        }
        seen.push(kind);
        // The longest field adds little coverage.
        if row.get("cpu_features").is_some() {
            row["cpu_features"] = "fpu sse2 avx2".into();
        }
        row["schema"] = 2.into();
        kept.push(row);
    }
    Ok(kept)
}

fn closed(rows: &[Value]) -> String {
    let end = json!({"row": "end", "rows": rows.len(), "schema": 2});
    rows.iter().chain([&end]).map(|row| format!("{row}\n")).collect()
}

/// A journal with some of these rows.
fn journal(rows: &[Value]) -> anyhow::Result<String> {
    let bare = |row: &Value| {
        let mut row = row.clone();
        if let Some(fields) = row.as_object_mut() {
            fields.remove("schema");
        }
        row
    };
    let mut provenance = rows.first().map(bare).unwrap_or_default();
    if let Some(fields) = provenance.as_object_mut() {
        fields.remove("row");
    }
    let begun = json!({"flags": ["--quick"], "key": {"commit": "4750"}, "inputs": {"golden": "3c52"},
        "provenance": provenance});
    let done: Vec<Value> = rows.iter().skip(1).take(3).map(bare).collect();
    let lines = [
        json!({"line": "begun", "begun": begun, "schema": 2}),
        json!({"line": "done", "task": "verify native/avx2", "rows": done, "checks": {"exp": "db00000000000001"},
               "decided": null, "spent": [3, 1], "schema": 2}),
        json!({"line": "resumed", "when": "2026-11-23T08:10:26Z", "schema": 2}),
        json!({"line": "done", "task": "samples", "rows": [], "checks": {}, "decided": 5, "spent": [4, 1], "schema": 2}),
    ];
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    // A truncated line, as after a crash.
    Ok(text + "{\"line\":\"done\",\"ta")
}
