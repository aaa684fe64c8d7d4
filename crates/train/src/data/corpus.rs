//! Text files as lists of stories.

use crate::error::Error;
use serde::Deserialize;
use std::fs;
use std::path::Path;

/// A story of TinyStories' JSON form; what else it holds is of no use here.
#[derive(Deserialize)]
struct JsonStory {
    story: String,
}

/// The stories of a file: text with [`END_OF_TEXT`](bitstate_tokenizer::END_OF_TEXT) between two, or, where the name ends in `.json`, a list of objects
/// with a `story`. White space around a story is taken off, empty stories are left out.
///
/// # Errors
/// Where the file cannot be read, is not UTF-8, is not what its name says, or holds U+0000, which the byte tokenizer
/// uses for the end of a text.
pub fn stories(path: &Path) -> Result<Vec<String>, Error> {
    let bytes = fs::read(path).map_err(Error::file("read", path))?;
    let text = String::from_utf8(bytes)
        .map_err(|error| Error::NotUtf8 { path: path.to_path_buf(), at: error.utf8_error().valid_up_to() })?;
    let json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let texts: Vec<String> = if json {
        let stories: Vec<JsonStory> = serde_json::from_str(&text)
            .map_err(|error| Error::content(path, format_args!("not a list of objects with a `story`: {error}")))?;
        stories.into_iter().map(|story| story.story).collect()
    } else {
        vec![text]
    };
    let mut all = Vec::new();
    for text in &texts {
        let stories = bitstate_tokenizer::stories(text).map_err(|error| Error::content(path, error))?;
        all.extend(stories.into_iter().map(str::to_string));
    }
    Ok(all)
}
