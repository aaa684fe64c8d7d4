//! What `data prepare` leaves in a folder, as training reads it.

use super::tokens::TokenFile;
use crate::error::Error;
use bitstate_tokenizer::Tokenizer;
use std::fs;
use std::hash::Hasher;
use std::io::ErrorKind;
use std::path::Path;
use twox_hash::XxHash64;

/// Names of the files in a folder.
pub(super) const TRAIN: &str = "train.tokens";
pub(super) const VALID: &str = "valid.tokens";
pub(super) const TOKENIZER: &str = "tokenizer.json";

/// The files of a folder, which belong together.
#[derive(Debug)]
pub struct Data {
    /// To train on.
    pub train: TokenFile,
    /// Held out.
    pub valid: TokenFile,
    /// What both were made with.
    pub tokenizer: Tokenizer,
}

impl Data {
    /// Opens the folder.
    ///
    /// # Errors
    /// Where a file is missing or is not what its name says, or one was made with another tokenizer than the folder has.
    pub fn open(folder: &Path) -> Result<Data, Error> {
        if !folder.join(TRAIN).exists() {
            return Err(Error::content(folder, format_args!("there is no {TRAIN}; `bitstate data prepare` makes it")));
        }
        let path = folder.join(TOKENIZER);
        let (tokenizer, digest) = match fs::read(&path) {
            Ok(json) => (Tokenizer::from_json(&json).map_err(|error| Error::content(&path, error))?, digest(&json)),
            Err(error) if error.kind() == ErrorKind::NotFound => (Tokenizer::Byte, BYTES),
            Err(error) => return Err(Error::file("read", &path)(error)),
        };
        let open = |name| {
            let file = TokenFile::open(&folder.join(name))?;
            if (file.tokenizer(), file.vocab_size()) != (digest, tokenizer.vocab_size()) {
                let than = if digest == BYTES { "bytes" } else { "the tokenizer.json beside it" };
                return Err(Error::content(
                    file.path(),
                    format_args!("made with another tokenizer than {than}; run `bitstate data prepare` again"),
                ));
            }
            Ok(file)
        };
        Ok(Data { train: open(TRAIN)?, valid: open(VALID)?, tokenizer })
    }

    /// `byte`, or the digest of the `tokenizer.json`.
    pub fn tokenizer_name(&self) -> String {
        match self.train.tokenizer() {
            BYTES => "byte".into(),
            digest => format!("{digest:016x}"),
        }
    }
}

/// What stands for the tokenizer of bytes, where others have the digest of their file.
pub(super) const BYTES: u64 = 0;

/// XXH64.
pub(super) fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = XxHash64::with_seed(0);
    hasher.write(bytes);
    hasher.finish()
}
