//! The folder that `data prepare` writes, as training reads it.

use super::tokens::TokenFile;
use crate::error::Error;
use crate::file::TOKENIZER_LIMIT;
use bitstate_tokenizer::Tokenizer;
use std::hash::Hasher;
use std::io::ErrorKind;
use std::path::Path;
use twox_hash::XxHash64;

/// Names of the files in a folder.
pub(super) const TRAIN: &str = "train.tokens";
pub(super) const VALID: &str = "valid.tokens";
/// Name of the tokenizer of a folder.
pub const TOKENIZER: &str = "tokenizer.json";

/// The files of a folder, checked to match.
#[derive(Debug)]
pub struct Data {
    /// Training text.
    pub train: TokenFile,
    /// Held-out text.
    pub valid: TokenFile,
    /// The tokenizer of both.
    pub tokenizer: Tokenizer,
    /// The bytes of its `tokenizer.json`; `None` if tokens are bytes.
    pub json: Option<Vec<u8>>,
}

impl Data {
    /// Opens the folder.
    ///
    /// # Errors
    /// If a file is missing or malformed, or was made with another tokenizer than the folder's.
    pub fn open(folder: &Path) -> Result<Data, Error> {
        if !folder.join(TRAIN).exists() {
            return Err(Error::content(folder, format_args!("there is no {TRAIN}; `bitstate data prepare` makes it")));
        }
        let path = folder.join(TOKENIZER);
        let (mut tokenizer, digest, json) = match bitstate_files::read(&path, TOKENIZER_LIMIT) {
            Ok(json) => {
                let tokenizer = Tokenizer::from_json(&json).map_err(|error| Error::content(&path, error))?;
                (tokenizer, digest(&json), Some(json))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => (Tokenizer::byte(), BYTES, None),
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
        let (train, valid) = (open(TRAIN)?, open(VALID)?);
        // Both begin with the end-of-text token, which may differ from the tokenizer's own.
        let [end, same] = [&train, &valid].map(|file| (!file.is_empty()).then(|| file.get(0)));
        if end.is_none() || end != same {
            let problem = "it does not begin with the end of a text; run `bitstate data prepare` again";
            return Err(Error::content(if end.is_none() { train.path() } else { valid.path() }, problem));
        }
        tokenizer.set_ends(end.into_iter().collect());
        Ok(Data { train, valid, tokenizer, json })
    }

    /// `byte`, or the XXH64 of the `tokenizer.json`.
    pub fn tokenizer_name(&self) -> String {
        tokenizer_name(self.json.as_deref())
    }
}

/// The name of a tokenizer in checkpoints: the XXH64 of its `tokenizer.json`, or `byte` without one.
pub fn tokenizer_name(json: Option<&[u8]>) -> String {
    json.map_or_else(|| bitstate_tokenizer::BYTES.into(), |json| format!("{:016x}", digest(json)))
}

/// In place of a digest: the byte tokenizer.
pub(super) const BYTES: u64 = 0;

/// XXH64.
pub(super) fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = XxHash64::with_seed(0);
    hasher.write(bytes);
    hasher.finish()
}
