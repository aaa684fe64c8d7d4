//! The models of the page.

use crate::site::Files;
use anyhow::Context;
use serde_json::{Value, json};
use std::path::Path;

/// Folders in `golden/models` and the titles on the page; the page loads the first one at start.
const MODELS: [(&str, &str); 2] =
    [("stories-byte", "stories-byte, 340 kB"), ("stories-bpe4k", "stories-bpe4k, 1.9 MB")];

/// Adds models, tokenizers and their list. A model's description is the JSON file next to it.
pub fn add(root: &Path, files: &mut Files) -> anyhow::Result<()> {
    let mut list = Vec::new();
    for (name, title) in MODELS {
        let folder = root.join("golden/models").join(name);
        let description: Value = serde_json::from_slice(&read(&folder.join("model.bits.json"))?)
            .with_context(|| format!("{} is not a model description", folder.join("model.bits.json").display()))?;
        let mut entry = json!({ "title": title, "sha256": description["model"] });
        let sampling = &description["sampling"];
        entry["sampling"] = json!({
            "temperature": sampling["temperature"], "topK": sampling["top_k"], "topP": sampling["top_p"], "minP": 0,
            "penalty": sampling["penalty"],
        });
        for (key, file) in [("file", "model.bits"), ("tokenizer", "tokenizer.json")] {
            if folder.join(file).exists() {
                let path = format!("models/{name}/{file}");
                entry[key] = json!(path);
                files.insert(path, read(&folder.join(file))?);
            }
        }
        list.push(entry);
    }
    files.insert("models/models.json".into(), serde_json::to_vec(&list)?);
    Ok(())
}

/// The bytes of a file, or an error with its name.
pub fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
