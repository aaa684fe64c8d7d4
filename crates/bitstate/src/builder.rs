//! Opens a model with options.

use crate::error::Error;
use crate::model::{Inner, Model, Owner, Prepared};
#[cfg(feature = "std")]
use crate::text::{Subject, TextOptions};
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bitstate_engine::Engine;
use bitstate_kernels::Variant;
use bitstate_model::AlignedBytes;
use bitstate_tokenizer::Tokenizer;
#[cfg(feature = "std")]
use std::path::{Path, PathBuf};

/// Options for opening a model: [`Model::builder`].
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct ModelBuilder {
    variant: Option<Variant>,
    tokenizer: Option<Tokenizer>,
    #[cfg(feature = "std")]
    text: TextOptions,
    #[cfg(feature = "std")]
    threads: usize,
    for_many: bool,
}

impl ModelBuilder {
    /// Forces a kernel variant; by default the fastest that this machine supports. The bits are the same.
    pub fn variant(mut self, variant: Variant) -> Self {
        self.variant = Some(variant);
        self
    }

    /// Uses this tokenizer for text, without checks; the tokenizer determines what ends a text.
    pub fn tokenizer(mut self, tokenizer: Tokenizer) -> Self {
        self.tokenizer = Some(tokenizer);
        self
    }

    /// Where the tokenizer of a file comes from, and whether it is required.
    #[cfg(feature = "std")]
    pub fn text(mut self, options: TextOptions) -> Self {
        self.text = options;
        self
    }

    /// Distributes a token's large operations over this many threads, including the caller's; the bits are the same. A
    /// model that gains nothing runs on one: see [`Model::threads`].
    #[cfg(feature = "std")]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Lays an INT8 head out once more, V × D bytes, so that one pass over it serves all sessions of a
    /// [`Batch`](crate::Batch). It gains nothing where there are [threads](ModelBuilder::threads).
    pub fn for_many_sessions(mut self) -> Self {
        self.for_many = true;
        self
    }

    /// Opens the BITS file at `path`, with the description and the tokenizer beside it.
    ///
    /// # Errors
    /// If the file cannot be read, is not a model, or does not match the description or tokenizer beside it.
    #[cfg(feature = "std")]
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Model, Error> {
        let path = path.as_ref();
        let bytes = read_model(path)?;
        let (name, place) = (path.display().to_string(), Some(path.to_path_buf()));
        let prepared = self.prepare(&name, bytes)?;
        let bytes = &prepared.borrow_owner().bytes;
        let description = bitstate_tokenizer::Description::beside(path, bytes).map_err(crate::text::TextError::File)?;
        let vocab_size = prepared.borrow_dependent().config().vocab_size;
        let (tokenizer, ends, notes) = match &self.tokenizer {
            Some(tokenizer) => (Some(tokenizer.clone()), tokenizer.ends().to_vec(), Vec::new()),
            None => {
                let subject = Subject { path, vocab_size, description: description.as_ref() };
                let found = self.text.find(subject)?;
                (found.tokenizer, found.ends, found.notes)
            }
        };
        let mut inner = Inner::new(name, prepared, tokenizer, ends);
        (inner.path, inner.notes) = (place, notes);
        if let Some(description) = &description {
            // It was just checked.
            let _ = inner.sha256.set(description.model.clone());
        }
        inner.description = description;
        Ok(Model::of(inner))
    }

    /// A model from bytes in memory, which are copied for fast access. Tokens are bytes if there are 256 of them and no
    /// tokenizer is given.
    ///
    /// # Errors
    /// If the bytes are not a model, or this machine cannot run it.
    pub fn from_bytes(&self, bytes: &[u8]) -> Result<Model, Error> {
        self.from_aligned(AlignedBytes::copy_of(bytes))
    }

    /// [`from_bytes`](ModelBuilder::from_bytes) without a copy.
    ///
    /// # Errors
    /// As `from_bytes`.
    pub fn from_aligned(&self, bytes: AlignedBytes) -> Result<Model, Error> {
        let name = "the model".to_string();
        let prepared = self.prepare(&name, bytes)?;
        let bytes_as_tokens = prepared.borrow_dependent().config().vocab_size == 256;
        let tokenizer = self.tokenizer.clone().or_else(|| bytes_as_tokens.then(Tokenizer::byte));
        let ends = tokenizer.as_ref().map_or_else(Vec::new, |tokenizer| tokenizer.ends().to_vec());
        Ok(Model::of(Inner::new(name, prepared, tokenizer, ends)))
    }

    fn prepare(&self, name: &str, bytes: AlignedBytes) -> Result<Prepared, Error> {
        Prepared::try_new(Owner::new(bytes), |owner| {
            let model = bitstate_model::Model::parse(&owner.bytes);
            let model = model.map_err(|cause| Error::Model { name: String::from(name), cause: Box::new(cause) })?;
            let engine = Engine::new(&model, self.variant.unwrap_or_else(Variant::best));
            let mut engine = engine.map_err(|cause| Error::Engine { name: String::from(name), cause })?;
            if self.for_many {
                engine.lay_out_for_many();
            }
            #[cfg(feature = "std")]
            if self.threads > 1 && engine.is_divisible() {
                let pool = bitstate_threads::Pool::new(self.threads);
                let pool = pool.map_err(|cause| Error::Threads { threads: self.threads, cause })?;
                let pool = owner.pool.get_or_init(|| pool);
                engine.set_workers(Some(pool));
            }
            Ok(engine)
        })
    }
}

#[cfg(feature = "std")]
fn read_model(path: &Path) -> Result<AlignedBytes, Error> {
    use bitstate_model::ReadError;
    AlignedBytes::read_model(path).map_err(|cause| match cause {
        ReadError::Io(cause) => Error::Read { path: PathBuf::from(path), cause },
        cause => Error::File { path: PathBuf::from(path), cause: Box::new(cause) },
    })
}
