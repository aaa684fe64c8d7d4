//! Text files as lists of stories: one reader for all commands that take texts.

use crate::file::FileError;
use crate::{END_OF_TEXT, TokenizeError};
use serde::Deserialize;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The stories of a text, separated by [`END_OF_TEXT`]. White space around a story is removed, and empty stories are
/// skipped.
///
/// # Errors
/// If the text contains U+0000, with its offset.
pub fn stories(text: &str) -> Result<Vec<&str>, TokenizeError> {
    if let Some(at) = text.find('\0') {
        return Err(TokenizeError::Zero(at));
    }
    Ok(text.split(END_OF_TEXT).map(str::trim).filter(|story| !story.is_empty()).collect())
}

/// The stories of a file. Its extension determines the format:
///
/// | name | format |
/// |---|---|
/// | `*.jsonl`, `*.ndjson` | one object per line, with a `text` or a `story` |
/// | `*.json` | a list of such objects |
/// | any other | text, with [`END_OF_TEXT`] between two stories |
///
/// All are UTF-8. A byte order mark at the start is removed and CR LF becomes LF, so that a text encodes to the same
/// tokens however it was saved. The result then follows [`stories`].
///
/// # Errors
/// If the file cannot be read, is larger than 4 GiB, is not UTF-8 (with the offset of the first wrong byte), is not in
/// the format of its extension, or contains U+0000, which the byte tokenizer uses for the end of a text.
pub fn read_stories(path: &Path) -> Result<Vec<String>, FileError> {
    let file = File::open(path).map_err(FileError::read(path))?;
    let text = String::from_utf8(read_utf8(path, file, LARGEST)?)
        .map_err(|error| not_utf8(path, &[], error.utf8_error().valid_up_to()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut all = Vec::new();
    let mut add = |place: String, text: &str| {
        let text = if text.contains('\r') { &text.replace("\r\n", "\n") } else { text };
        let stories = stories(text).map_err(|error| FileError::content(path, format_args!("{place}{error}")))?;
        all.extend(stories.into_iter().map(str::to_string));
        Ok(())
    };
    match extension(path).as_str() {
        "jsonl" | "ndjson" => {
            for (line, number) in text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty()) {
                let story = JsonStory::of_line(line, number).map_err(|problem| FileError::content(path, problem))?;
                add(format!("line {number}: "), &story)?;
            }
        }
        "json" => {
            for (story, number) in
                JsonStory::of_list(text).map_err(|problem| FileError::content(path, problem))?.zip(1..)
            {
                let story = story
                    .text()
                    .map_err(|problem| FileError::content(path, format_args!("object {number} {problem}")))?;
                add(format!("object {number}: "), &story)?;
            }
        }
        _ => add(String::new(), text)?,
    }
    Ok(all)
}

fn extension(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase()
}

/// An object with a story; its other fields are not needed here.
#[derive(Deserialize)]
struct JsonStory {
    text: Option<String>,
    story: Option<String>,
}

impl JsonStory {
    fn of_line(line: &str, number: usize) -> Result<String, String> {
        let story: JsonStory = serde_json::from_str(line)
            .map_err(|error| format!("line {number} is not an object with a `text` or a `story`: {error}"))?;
        story.text().map_err(|problem| format!("the object in line {number} {problem}"))
    }

    fn of_list(text: &str) -> Result<impl Iterator<Item = JsonStory>, String> {
        let list: Vec<JsonStory> = serde_json::from_str(text).map_err(|error| {
            format!("not a list of objects with a `text` or a `story`: {error}; a file with one object per line must be named .jsonl")
        })?;
        Ok(list.into_iter())
    }

    fn text(self) -> Result<String, &'static str> {
        match (self.text, self.story) {
            (Some(text), None) | (None, Some(text)) => Ok(text),
            (Some(_), Some(_)) => Err("has both a `text` and a `story`: remove the one that is not the text"),
            (None, None) => Err("has neither a `text` nor a `story`"),
        }
    }
}

/// Bytes read before they are checked: a file that is not text is rejected early, whatever its size.
const CHUNK: u64 = 1 << 20;
/// Largest accepted text, in bytes: it is held in memory.
const LARGEST: u64 = 4 << 30;

/// The contents of `file`, which must be UTF-8 without U+0000 and at most `limit` bytes.
fn read_utf8(path: &Path, mut file: impl Read, limit: u64) -> Result<Vec<u8>, FileError> {
    let (mut bytes, mut checked) = (Vec::new(), 0);
    loop {
        let read = file.by_ref().take(CHUNK).read_to_end(&mut bytes).map_err(FileError::read(path))?;
        match std::str::from_utf8(&bytes[checked..]) {
            Err(error) if error.error_len().is_some() || read == 0 => {
                return Err(not_utf8(path, &bytes, checked + error.valid_up_to()));
            }
            found => {
                let valid = checked + found.map_or_else(|error| error.valid_up_to(), str::len);
                if let Some(at) = bytes[checked..valid].iter().position(|&byte| byte == 0) {
                    return Err(FileError::content(path, TokenizeError::Zero(checked + at)));
                }
                checked = valid;
            }
        }
        if read == 0 {
            return Ok(bytes);
        }
        if bytes.len() as u64 > limit {
            let problem = format_args!("larger than {} MiB, the largest text that can be read: split it", limit >> 20);
            return Err(FileError::content(path, problem));
        }
    }
}

/// `at`: offset of the first byte that is not UTF-8.
fn not_utf8(path: &Path, bytes: &[u8], at: usize) -> FileError {
    let (encoding, from) = match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => (", the mark of UTF-16", "UTF-16"),
        _ => ("", "ENCODING"),
    };
    FileError::content(
        path,
        format_args!(
            "not UTF-8: the first wrong byte is at offset {at}{encoding}; convert it first, for example with `iconv -f {from} -t UTF-8`"
        ),
    )
}
