//! The tokenizer and the end tokens of a model file, and whether they belong together.
//!
//! A model may have a description, `FILE.json` beside `FILE`, which identifies its tokenizer by SHA-256. Without one,
//! 256 tokens are bytes, and other models use the `tokenizer.json` beside the model if text is required.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bitstate_tokenizer::{BYTES, Description, FileError, TokenizeError, Tokenizer};
use std::path::{Path, PathBuf};

/// Tokens of a model whose tokens are bytes.
const BYTE_TOKENS: usize = 256;

/// Whether a model needs a tokenizer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Need {
    /// Used if it is known; otherwise text is rejected.
    #[default]
    IfKnown,
    /// It is required.
    Text,
    /// Input is token ids. A `tokenizer.json` that is only found beside the model is ignored.
    Ids,
}

/// Where the tokenizer and the ends of a text come from.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct TextOptions {
    tokenizer: Option<String>,
    ends: Vec<String>,
    need: Need,
}

/// A model file, as needed for text.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The file.
    pub path: &'a Path,
    /// V of the model.
    pub vocab_size: usize,
    /// The description beside the file.
    pub description: Option<&'a Description>,
}

/// The text support of a model.
#[derive(Debug)]
pub struct Found {
    /// `None` if the model's tokens have no text.
    pub tokenizer: Option<Tokenizer>,
    /// The tokens that end a text; the first begins one.
    pub ends: Vec<u32>,
    /// Notes for the user, one sentence each.
    pub notes: Vec<String>,
}

/// The option that fixes an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fix {
    /// [`TextOptions::tokenizer`].
    Tokenizer,
    /// [`TextOptions::end`].
    End,
}

/// Why a model and a tokenizer cannot be used together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// A file cannot be read, or its content is wrong.
    #[error(transparent)]
    File(#[from] FileError),
    /// The tokenizer that the description identifies was not found.
    #[error(
        "{} names a tokenizer.json with the SHA-256 {sha256}, which is not beside {}: give it as the tokenizer",
        Description::path(model).display(), model.display()
    )]
    Absent {
        /// The model.
        model: PathBuf,
        /// The digest of the tokenizer.
        sha256: String,
    },
    /// A model whose tokens are not bytes, without a tokenizer.
    #[error(
        "{} has {vocab_size} tokens, which are not bytes ({BYTE_TOKENS} tokens): give the tokenizer.json that it was \
         trained with as the tokenizer", model.display()
    )]
    NotBytes {
        /// The model.
        model: PathBuf,
        /// V of the model.
        vocab_size: usize,
    },
    /// A name of an end token that the tokenizer lacks.
    #[error("end {end}: {cause}")]
    End {
        /// The given name.
        end: String,
        /// What is wrong with it.
        cause: TokenizeError,
    },
    /// A name of an end token without a tokenizer that knows names.
    #[error("end {end}: {cause}; without a tokenizer, give the id of a token")]
    EndId {
        /// The given name.
        end: String,
        /// What is wrong with it.
        cause: core::num::ParseIntError,
    },
    /// An end token outside the model's vocabulary.
    #[error("the end of a text is token {end}, and {} has tokens 0 to {}; name another as the end",
        model.display(), vocab_size - 1)]
    EndRange {
        /// The token.
        end: u32,
        /// The model.
        model: PathBuf,
        /// V of the model.
        vocab_size: usize,
    },
    /// Another tokenizer than the description identifies.
    #[error(
        "{name} is not the tokenizer that {} names for {model}: its SHA-256 is {found} and not {expected}; give the right \
         one as the tokenizer, or, if the model was trained with this one, describe it again with `bitstate describe \
         --model {model} --tokenizer KIND`",
        Description::path(model).display(), model = model.display()
    )]
    Other {
        /// The tokenizer's name.
        name: String,
        /// The model.
        model: PathBuf,
        /// SHA-256 of the tokenizer.
        found: String,
        /// The digest in the description.
        expected: String,
    },
    /// A tokenizer with more tokens than the model.
    #[error(
        "{name} has the token {token:?} with the id {id}, and {} has only {vocab_size} tokens, ids 0 to {}: the model \
         was not trained with this tokenizer", model.display(), vocab_size - 1
    )]
    TooLarge {
        /// The tokenizer's name.
        name: String,
        /// Its last token.
        token: String,
        /// Its id.
        id: u32,
        /// The model.
        model: PathBuf,
        /// V of the model.
        vocab_size: usize,
    },
    /// A tokenizer beside a model with more tokens, not given explicitly.
    #[error(
        "{} has {vocab_size} tokens and {name} beside it only {needed}: if the model was trained with it, give it as the \
         tokenizer", model.display()
    )]
    TooSmall {
        /// The tokenizer's name.
        name: String,
        /// The number of its tokens.
        needed: usize,
        /// The model.
        model: PathBuf,
        /// V of the model.
        vocab_size: usize,
    },
}

impl TextError {
    /// The option that fixes it.
    pub fn fix(&self) -> Option<Fix> {
        match self {
            TextError::File(_) => None,
            TextError::End { .. } | TextError::EndId { .. } | TextError::EndRange { .. } => Some(Fix::End),
            _ => Some(Fix::Tokenizer),
        }
    }
}

impl TextOptions {
    /// Uses the model's description; without one, bytes if there are 256 tokens, else the `tokenizer.json` beside the
    /// model.
    pub fn new() -> Self {
        TextOptions::default()
    }

    /// `byte`, or the path of the `tokenizer.json` that the model was trained with.
    pub fn tokenizer(mut self, kind: impl Into<String>) -> Self {
        self.tokenizer = Some(kind.into());
        self
    }

    /// A token that ends a text, by its name or id; call it again to add more. Without any, they come from the
    /// description or the files beside the tokenizer.
    pub fn end(mut self, token: impl Into<String>) -> Self {
        self.ends.push(token.into());
        self
    }

    /// Whether a tokenizer is required.
    pub fn need(mut self, need: Need) -> Self {
        self.need = need;
        self
    }

    /// Finds the text support of `model`.
    ///
    /// # Errors
    /// If there is no tokenizer although it is required, or the tokenizer or an end token does not match the model.
    pub fn find(&self, model: Subject<'_>) -> Result<Found, TextError> {
        let source = match self.source(model) {
            Err(TextError::Absent { .. } | TextError::NotBytes { .. }) if self.need != Need::Text => None,
            source => source?,
        };
        self.open(model, source)
    }

    /// The tokenizer's location; none if ids have no text.
    fn source(&self, model: Subject<'_>) -> Result<Option<Source>, TextError> {
        let beside = model.path.with_file_name("tokenizer.json");
        let path = || model.path.to_path_buf();
        Ok(match (&self.tokenizer, model.description) {
            (Some(kind), _) if kind == BYTES => Some(Source::Byte),
            (Some(path), _) => Some(Source::Given(path.into())),
            (None, Some(description)) if description.tokenizer == BYTES => Some(Source::Byte),
            (None, Some(_)) if beside.exists() => Some(Source::Beside(beside)),
            (None, None) if model.vocab_size == BYTE_TOKENS => Some(Source::Byte),
            (None, _) if self.need == Need::Ids => None,
            (None, Some(description)) => {
                return Err(TextError::Absent { model: path(), sha256: description.tokenizer.clone() });
            }
            (None, None) if beside.exists() => Some(Source::Beside(beside)),
            (None, None) => return Err(TextError::NotBytes { model: path(), vocab_size: model.vocab_size }),
        })
    }

    /// Opens the tokenizer at `source` and determines the end tokens.
    fn open(&self, model: Subject<'_>, source: Option<Source>) -> Result<Found, TextError> {
        let mut notes = Vec::new();
        let mut found = source.map(|source| source.open(model, &mut notes)).transpose()?;
        let ends = match (model.description, &mut found) {
            _ if !self.ends.is_empty() => {
                let tokenizer = found.as_ref().map(|(tokenizer, _)| tokenizer);
                self.ends.iter().map(|end| end_id(end, tokenizer)).collect::<Result<_, _>>()?
            }
            (Some(description), _) => description.end.clone(),
            (None, Some((tokenizer, path))) => {
                if let Some(path) = path {
                    tokenizer.find_ends(path)?;
                }
                tokenizer.ends().to_vec()
            }
            (None, None) => Vec::new(),
        };
        let vocab_size = model.vocab_size;
        if let Some(&end) = ends.iter().find(|&&end| end as usize >= vocab_size) {
            return Err(TextError::EndRange { end, model: model.path.to_path_buf(), vocab_size });
        }
        let tokenizer = found.map(|(mut tokenizer, _)| {
            tokenizer.set_ends(ends.clone());
            tokenizer
        });
        Ok(Found { tokenizer, ends, notes })
    }
}

fn end_id(end: &str, tokenizer: Option<&Tokenizer>) -> Result<u32, TextError> {
    let named = || end.to_string();
    match tokenizer {
        Some(tokenizer) => tokenizer.id(end).map_err(|cause| TextError::End { end: named(), cause }),
        None => end.parse().map_err(|cause| TextError::EndId { end: named(), cause }),
    }
}

enum Source {
    Byte,
    /// Given as an option.
    Given(PathBuf),
    /// The tokenizer.json beside the model.
    Beside(PathBuf),
}

impl Source {
    /// The tokenizer, checked against the model as far as possible.
    fn open(self, model: Subject<'_>, notes: &mut Vec<String>) -> Result<(Tokenizer, Option<PathBuf>), TextError> {
        let (tokenizer, path, beside) = match self {
            Source::Byte => (Tokenizer::byte(), None, false),
            Source::Given(path) => (Tokenizer::open(&path)?, Some(path), false),
            Source::Beside(path) => (Tokenizer::open(&path)?, Some(path), true),
        };
        let name = path.as_ref().map_or_else(|| "the tokenizer of bytes".into(), |path| path.display().to_string());
        if !tokenizer.ignored().is_empty() {
            notes.push(format!("{name} stores {}, which is not used", tokenizer.ignored().join(" and ")));
        }
        if let Some(description) = model.description.filter(|description| description.tokenizer != tokenizer.digest()) {
            let (found, expected) = (tokenizer.digest().to_string(), description.tokenizer.clone());
            return Err(TextError::Other { name, model: model.path.to_path_buf(), found, expected });
        }
        // A description can be edited by hand, so the tokenizer is checked anyway.
        notes.extend(fits(&tokenizer, &name, model, beside && model.description.is_none())?);
        Ok((tokenizer, path))
    }
}

/// Checks that a model has a token for every id of the tokenizer, and, if `exactly`, no others. Returns a note for the
/// user.
///
/// # Errors
/// If it does not.
pub fn fits(tokenizer: &Tokenizer, name: &str, model: Subject<'_>, exactly: bool) -> Result<Option<String>, TextError> {
    let (needed, vocab_size) = (tokenizer.vocab_size(), model.vocab_size);
    let (name, path) = (name.to_string(), model.path.to_path_buf());
    if tokenizer.is_byte() {
        return if vocab_size == needed { Ok(None) } else { Err(TextError::NotBytes { model: path, vocab_size }) };
    }
    if needed > vocab_size {
        let (token, id) = tokenizer.largest();
        return Err(TextError::TooLarge { name, token: token.to_string(), id, model: path, vocab_size });
    }
    if exactly && needed < vocab_size {
        return Err(TextError::TooSmall { name, needed, model: path, vocab_size });
    }
    let more = needed < vocab_size && model.description.is_none();
    Ok(more.then(|| format!("{} has {vocab_size} tokens and {name} only {needed}", path.display())))
}
