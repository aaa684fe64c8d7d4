//! `data prepare`: texts in, a folder with `train.tokens`, `valid.tokens` and perhaps `tokenizer.json` out.

use super::corpus::stories;
use super::tokenizer::{TokenizerKind, to_json};
use super::tokens::write_tokens;
use crate::error::Error;
use crate::file::write_atomically;
use std::hash::Hasher;
use std::io::Write;
use std::path::PathBuf;
use twox_hash::XxHash64;

/// What to prepare.
#[derive(Debug, Clone)]
pub struct Prepare {
    /// Texts; see [`stories`].
    pub inputs: Vec<PathBuf>,
    /// Texts that are held out whole. Where there is none, stories of the inputs are.
    pub valid: Vec<PathBuf>,
    /// Share of the stories held out where `valid` is empty, by their content: a story is always on the same side.
    pub held_out: f64,
    /// Which tokenizer.
    pub tokenizer: TokenizerKind,
    /// The folder to write.
    pub out: PathBuf,
}

/// What was made of one side of the split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Side {
    /// Stories.
    pub stories: usize,
    /// Tokens, ends of texts included.
    pub tokens: usize,
    /// Bytes of the stories.
    pub bytes: u64,
}

/// What was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prepared {
    /// To train on.
    pub train: Side,
    /// Held out.
    pub valid: Side,
    /// Tokens there are.
    pub vocab_size: usize,
}

/// Writes `train.tokens`, `valid.tokens` and, for a BPE, `tokenizer.json` into the folder.
///
/// # Errors
/// Where a text cannot be read, either side has no story, or a file cannot be written.
pub fn prepare(job: &Prepare) -> Result<Prepared, Error> {
    let read = |paths: &[PathBuf]| -> Result<Vec<String>, Error> {
        Ok(paths.iter().map(|path| stories(path)).collect::<Result<Vec<_>, _>>()?.concat())
    };
    let all = read(&job.inputs)?;
    let (train, valid) = match job.valid.is_empty() {
        true => all.into_iter().partition(|story| !is_held_out(story, job.held_out)),
        false => (all, read(&job.valid)?),
    };
    for (side, what) in [(&train, "to train on"), (&valid, "to hold out")] {
        if side.is_empty() {
            return Err(Error::Refused(format!("there is no story {what}: the text is empty or too small to split")));
        }
    }
    let tokenizer = job.tokenizer.tokenizer(&train)?;
    if let Some(json) = to_json(&tokenizer)? {
        write_atomically(&job.out.join("tokenizer.json"), |file| file.write_all(json.as_bytes()))?;
    }
    let side = |name, stories: &[String]| -> Result<Side, Error> {
        let mut tokens = vec![tokenizer.end()];
        for story in stories {
            tokens.extend(tokenizer.encode(story)?);
            tokens.push(tokenizer.end());
        }
        let bytes = stories.iter().map(|story| story.len() as u64).sum();
        write_tokens(&job.out.join(name), tokenizer.vocab_size(), bytes, &tokens)?;
        Ok(Side { stories: stories.len(), tokens: tokens.len(), bytes })
    };
    Ok(Prepared {
        train: side("train.tokens", &train)?,
        valid: side("valid.tokens", &valid)?,
        vocab_size: tokenizer.vocab_size(),
    })
}

fn is_held_out(story: &str, share: f64) -> bool {
    let mut hasher = XxHash64::with_seed(0);
    hasher.write(story.as_bytes());
    (hasher.finish() >> 11) as f64 * (0.5f64).powi(53) < share
}
