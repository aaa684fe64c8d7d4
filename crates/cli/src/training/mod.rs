//! The commands that need the trainer; built with `--features train`, so that a `bitstate` that only runs models
//! builds without a training framework.

pub mod convert;
pub mod data;
mod make;
pub mod train;

use crate::output::{has_place, write_out};
use anyhow::{Context, Result, ensure};
use bitstate::tokenizer::BYTES;
use bitstate_train::checkpoint::Position;
use bitstate_train::data::{TOKENIZER, tokenizer_name};
use bitstate_train::{TOKENIZER_LIMIT, write_atomically};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Writes the file that `--out` names, like [`write_out`], and creates its folder if needed.
fn write_out_in_folder(out: &Path, bytes: &[u8]) -> Result<()> {
    if has_place(out) { Ok(write_atomically(out, |file| file.write_all(bytes))?) } else { write_out(out, bytes) }
}

/// The tokenizer.json that the run at `position` was trained with, from `--tokenizer` or next to the checkpoint; `None`
/// if it was trained on bytes.
///
/// # Errors
/// If it is missing, or is another one.
pub fn tokenizer_of(checkpoint: &Path, position: &Position, given: Option<&str>) -> Result<Option<PathBuf>> {
    let run = checkpoint.display();
    if position.tokenizer == BYTES {
        ensure!(given.is_none_or(|kind| kind == BYTES), "{run} was trained on bytes: omit --tokenizer");
        return Ok(None);
    }
    ensure!(given != Some(BYTES), "{run} was trained with a tokenizer.json, not on bytes: give it with --tokenizer");
    let path = given.map_or_else(|| checkpoint.with_file_name(TOKENIZER), PathBuf::from);
    ensure!(
        given.is_some() || path.exists(),
        "{run} was trained with a tokenizer.json, which is not beside it: give it with --tokenizer; `data prepare` wrote it \
         next to the token files"
    );
    let found =
        bitstate_files::read(&path, TOKENIZER_LIMIT).with_context(|| format!("cannot read {}", path.display()))?;
    let (found, wanted) = (tokenizer_name(Some(&found)), &position.tokenizer);
    ensure!(
        found == *wanted,
        "{} is not the tokenizer that {run} was trained with: its XXH64 is {found}, not {wanted}; give the one that \
         `data prepare` wrote next to the token files with --tokenizer",
        path.display()
    );
    Ok(Some(path))
}
