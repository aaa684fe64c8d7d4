//! `data prepare`: reads texts, and writes a folder with `train.tokens`, `valid.tokens` and possibly `tokenizer.json`.

use super::folder::{BYTES, TOKENIZER, TRAIN, VALID, digest};
use super::tokenizer::TokenizerKind;
use super::tokens::write_tokens;
use crate::error::Error;
use crate::file::write_atomically;
use bitstate_tokenizer::{Tokenizer, read_stories};
use std::collections::HashSet;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

/// A preparation job.
#[derive(Debug, Clone)]
pub struct Prepare {
    /// Texts; see [`read_stories`].
    pub inputs: Vec<PathBuf>,
    /// Texts to hold out completely. If empty, some stories of the inputs are held out.
    pub valid: Vec<PathBuf>,
    /// Fraction of the stories held out if `valid` is empty, chosen by content: a story is always on the same side.
    pub held_out: f64,
    /// The tokenizer.
    pub tokenizer: TokenizerKind,
    /// The end-of-text token, by name or id, if it differs from the tokenizer's.
    pub end: Option<String>,
    /// The output folder.
    pub out: PathBuf,
}

/// Statistics of one side of the split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Side {
    /// Stories.
    pub stories: usize,
    /// Tokens, including ends of texts.
    pub tokens: usize,
    /// Bytes of the stories.
    pub bytes: u64,
}

/// Statistics of a prepared folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prepared {
    /// Training text.
    pub train: Side,
    /// Held-out text.
    pub valid: Side,
    /// Held-out stories that are also in the training text.
    pub in_both: usize,
    /// Size of the vocabulary.
    pub vocab_size: usize,
}

/// Writes `train.tokens`, `valid.tokens` and, for a BPE, `tokenizer.json` into the folder.
///
/// # Errors
/// If a text cannot be read, a side has no story, the sides are equal, or a file cannot be written.
pub fn prepare(job: &Prepare) -> Result<Prepared, Error> {
    let read = |paths: &[PathBuf]| -> Result<Vec<String>, Error> {
        Ok(paths.iter().map(|path| read_stories(path)).collect::<Result<Vec<_>, _>>()?.concat())
    };
    let all = read(&job.inputs)?;
    if all.is_empty() {
        return Err(Error::Refused(format!("there is no story in {}", names(&job.inputs))));
    }
    let share = job.held_out;
    if job.valid.is_empty() && !(share > 0.0 && share < 1.0) {
        return Err(Error::Refused(format!("the share to hold out is {share}, and must be above 0 and below 1")));
    }
    let (train, valid) = match job.valid.is_empty() {
        true => all.into_iter().partition(|story| !is_held_out(story, share)),
        false => (all, read(&job.valid)?),
    };
    if job.valid.is_empty() && (train.is_empty() || valid.is_empty()) {
        let stories = train.len() + valid.len();
        return Err(Error::Refused(format!("{stories} stories are too few to hold out a share of {share}")));
    }
    if valid.is_empty() {
        return Err(Error::Refused(format!("there is no story in {}, to hold out", names(&job.valid))));
    }
    let known: HashSet<&String> = train.iter().collect();
    let in_both = valid.iter().filter(|story| known.contains(story)).count();
    if in_both == valid.len() {
        return Err(Error::Refused("every story to hold out is in the text to train on, too".into()));
    }
    let tokenizer = tokenizer(job, &train)?;
    let end = tokenizer.end()?;
    // First, so that after a later failure the old token files do not match it and are refused.
    let path = job.out.join(TOKENIZER);
    let name = match tokenizer.to_json()? {
        Some(json) => {
            write_atomically(&path, |file| file.write_all(json.as_bytes()))?;
            digest(json.as_bytes())
        }
        None => match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(Error::file("remove", &path)(error)),
            _ => BYTES,
        },
    };
    let side = |file, stories: &[String]| -> Result<Side, Error> {
        let mut tokens = vec![end];
        for story in stories {
            let of_story = tokenizer.encode(story).map_err(|error| {
                let beginning: String = story.chars().take(40).collect();
                Error::Refused(format!("the story that begins {beginning:?}: {error}"))
            })?;
            tokens.extend(of_story);
            tokens.push(end);
        }
        let bytes = stories.iter().map(|story| story.len() as u64).sum();
        write_tokens(&job.out.join(file), (tokenizer.vocab_size(), name), bytes, &tokens)?;
        Ok(Side { stories: stories.len(), tokens: tokens.len(), bytes })
    };
    Ok(Prepared {
        train: side(TRAIN, &train)?,
        valid: side(VALID, &valid)?,
        in_both,
        vocab_size: tokenizer.vocab_size(),
    })
}

/// The tokenizer of the job, with the requested end-of-text token.
fn tokenizer(job: &Prepare, stories: &[String]) -> Result<Tokenizer, Error> {
    let Some(end) = &job.end else { return job.tokenizer.tokenizer(stories) };
    // A tokenizer trained here uses token 0 as the end of a text.
    let TokenizerKind::File(path) = &job.tokenizer else {
        return Err(Error::Refused("an end of a text can be named only with a tokenizer.json".into()));
    };
    let mut tokenizer = Tokenizer::open(path)?;
    tokenizer.set_ends(vec![tokenizer.id(end).map_err(|error| Error::content(path, error))?]);
    Ok(tokenizer)
}

fn names(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn is_held_out(story: &str, share: f64) -> bool {
    (digest(story.as_bytes()) >> 11) as f64 * (0.5f64).powi(53) < share
}
