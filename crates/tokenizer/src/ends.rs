//! The tokens that end a text: from the files usually found beside a `tokenizer.json`, or by their names.

use crate::file::{FileError, read_if_there};
use crate::json::Json;
use serde::Deserialize;
use std::path::Path;

/// Largest accepted file: the largest of public models have a few MB.
const LIMIT: u64 = 64 << 20;

/// The tokens with names that are known to end a text.
pub(crate) fn known(json: &Json) -> Vec<u32> {
    crate::KNOWN_ENDS.iter().filter_map(|name| json.id(name)).collect()
}

/// `tokenizer_config.json`, `special_tokens_map.json`; their other fields are not needed here.
#[derive(Deserialize)]
struct Names {
    eos_token: Option<Name>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Name {
    Plain(String),
    Token { content: String },
}

/// `generation_config.json`.
#[derive(Deserialize)]
struct Ids {
    eos_token_id: Option<OneOrMany>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(u32),
    Many(Vec<u32>),
}

/// The end tokens named in the files beside the `tokenizer.json` at `path`, without duplicates, in file order.
pub(crate) fn beside(json: &Json, path: &Path) -> Result<Vec<u32>, FileError> {
    let mut ends = Vec::new();
    for file in ["tokenizer_config.json", "special_tokens_map.json"] {
        let file = path.with_file_name(file);
        if let Some(Names { eos_token: Some(name) }) = parse(&file)? {
            let (Name::Plain(name) | Name::Token { content: name }) = name;
            let id = json.id(&name).ok_or_else(|| lacks(&file, path, &format!("{name:?}")))?;
            ends.push(id);
        }
    }
    let file = path.with_file_name("generation_config.json");
    if let Some(Ids { eos_token_id: Some(ids) }) = parse(&file)? {
        let ids = match ids {
            OneOrMany::One(id) => vec![id],
            OneOrMany::Many(ids) => ids,
        };
        if let Some(id) = ids.iter().find(|&&id| id > json.largest().1) {
            return Err(lacks(&file, path, &id.to_string()));
        }
        ends.extend(ids);
    }
    let mut seen = std::collections::HashSet::new();
    ends.retain(|&id| seen.insert(id));
    Ok(ends)
}

fn lacks(file: &Path, tokenizer: &Path, end: &str) -> FileError {
    let tokenizer = tokenizer.display();
    FileError::content(file, format_args!("the end-of-text token is {end}, which {tokenizer} lacks; set it with --end"))
}

fn parse<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>, FileError> {
    let Some(bytes) = read_if_there(path, LIMIT)? else { return Ok(None) };
    let parsed = serde_json::from_slice(&bytes);
    parsed.map(Some).map_err(|error| {
        FileError::content(path, format_args!("cannot determine the end-of-text token: {error}; set it with --end"))
    })
}
