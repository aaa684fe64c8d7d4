//! What text is to a model file: its tokenizer, what ends a text, and whether they belong together.
//!
//! A model may have a description, `FILE.json` beside `FILE`, which names its tokenizer by SHA-256. Without one, 256 tokens
//! are bytes, and others are those of the `tokenizer.json` beside the model, where text is wanted.

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
    /// It is taken where it is known; text is refused where it is not.
    #[default]
    IfKnown,
    /// There must be one.
    Text,
    /// Token ids go in. Nothing follows from a `tokenizer.json` that merely lies beside the model.
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

/// A model file, as far as text is concerned.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The file.
    pub path: &'a Path,
    /// V of the model.
    pub vocab_size: usize,
    /// What lies beside the file.
    pub description: Option<&'a Description>,
}

/// What text is to a model.
#[derive(Debug)]
pub struct Found {
    /// `None` if the model's tokens have no text.
    pub tokenizer: Option<Tokenizer>,
    /// The tokens that end a text; the first begins one.
    pub ends: Vec<u32>,
    /// What a user may want to know, a sentence each.
    pub notes: Vec<String>,
}

/// Which option mends an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fix {
    /// [`TextOptions::tokenizer`].
    Tokenizer,
    /// [`TextOptions::end`].
    End,
}

/// Why a model and a tokenizer do not come together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// A file cannot be read, or its content is wrong.
    #[error(transparent)]
    File(#[from] FileError),
    /// The tokenizer that the description names is not there.
    #[error(
        "{} names a tokenizer.json with the SHA-256 {sha256}, which is not beside {}: give it as the tokenizer",
        Description::path(model).display(), model.display()
    )]
    Absent {
        /// The model.
        model: PathBuf,
        /// What the tokenizer is known by.
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
    /// A name of an end that the tokenizer lacks.
    #[error("end {end}: {cause}")]
    End {
        /// The name given.
        end: String,
        /// What is wrong with it.
        cause: TokenizeError,
    },
    /// A name of an end where there is no tokenizer that knows names.
    #[error("end {end}: {cause}; without a tokenizer, give the id of a token")]
    EndId {
        /// The name given.
        end: String,
        /// What is wrong with it.
        cause: core::num::ParseIntError,
    },
    /// An end that the model does not have.
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
    /// Another tokenizer than the description names.
    #[error(
        "{name} is not the tokenizer that {} names for {model}: its SHA-256 is {found} and not {expected}; give the right \
         one as the tokenizer, or, if the model was trained with this one, describe it anew with `bitstate describe \
         --model {model} --tokenizer KIND`",
        Description::path(model).display(), model = model.display()
    )]
    Other {
        /// What the tokenizer is called.
        name: String,
        /// The model.
        model: PathBuf,
        /// SHA-256 of the tokenizer.
        found: String,
        /// What the description names.
        expected: String,
    },
    /// A tokenizer with more tokens than the model.
    #[error(
        "{name} has the token {token:?} with the id {id}, and {} has only {vocab_size} tokens, ids 0 to {}: the model \
         was not trained with this tokenizer", model.display(), vocab_size - 1
    )]
    TooLarge {
        /// What the tokenizer is called.
        name: String,
        /// Its last token.
        token: String,
        /// The id of that.
        id: u32,
        /// The model.
        model: PathBuf,
        /// V of the model.
        vocab_size: usize,
    },
    /// A tokenizer that merely lies beside a model with more tokens.
    #[error(
        "{} has {vocab_size} tokens and {name} beside it only {needed}: if the model was trained with it, give it as the \
         tokenizer", model.display()
    )]
    TooSmall {
        /// What the tokenizer is called.
        name: String,
        /// Tokens that it has.
        needed: usize,
        /// The model.
        model: PathBuf,
        /// V of the model.
        vocab_size: usize,
    },
}

impl TextError {
    /// Which option mends it.
    pub fn fix(&self) -> Option<Fix> {
        match self {
            TextError::File(_) => None,
            TextError::End { .. } | TextError::EndId { .. } | TextError::EndRange { .. } => Some(Fix::End),
            _ => Some(Fix::Tokenizer),
        }
    }
}

impl TextOptions {
    /// What the model's description says; without one, bytes if there are 256 tokens, else the `tokenizer.json` beside
    /// the model.
    pub fn new() -> Self {
        TextOptions::default()
    }

    /// `byte`, or the path of the `tokenizer.json` that the model was trained with.
    pub fn tokenizer(mut self, kind: impl Into<String>) -> Self {
        self.tokenizer = Some(kind.into());
        self
    }

    /// A token that ends a text, by its name or id; again for several. Without any, the description or the files beside
    /// the tokenizer say it.
    pub fn end(mut self, token: impl Into<String>) -> Self {
        self.ends.push(token.into());
        self
    }

    /// Whether there must be a tokenizer.
    pub fn need(mut self, need: Need) -> Self {
        self.need = need;
        self
    }

    /// What text is to `model`.
    ///
    /// # Errors
    /// Where there is no tokenizer and there must be one, or the tokenizer or an end does not belong to the model.
    pub fn find(&self, model: Subject<'_>) -> Result<Found, TextError> {
        let source = match self.source(model) {
            Err(TextError::Absent { .. } | TextError::NotBytes { .. }) if self.need != Need::Text => None,
            source => source?,
        };
        self.open(model, source)
    }

    /// Where the tokenizer is; none if ids have no text.
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

    /// The tokenizer at `source` and the ends of a text.
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
    /// By the option.
    Given(PathBuf),
    /// The tokenizer.json beside the model.
    Beside(PathBuf),
}

impl Source {
    /// The tokenizer, which must be the model's as far as that can be known.
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
        // A description does not say that it is right: it can be changed by hand.
        notes.extend(fits(&tokenizer, &name, model, beside && model.description.is_none())?);
        Ok((tokenizer, path))
    }
}

/// Checks that a model has a token for every id of the tokenizer, and, `exactly`, no other. Returns what a user may want
/// to know.
///
/// # Errors
/// Where it has not.
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
