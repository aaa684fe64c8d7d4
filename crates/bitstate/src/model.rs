//! A model file prepared for this machine.

use crate::builder::ModelBuilder;
use crate::error::Error;
use crate::session::Session;
use crate::shared::Arc;
use alloc::string::String;
use alloc::vec::Vec;
use bitstate_engine::Engine;
use bitstate_generate::Sampling;
use bitstate_kernels::Variant;
use bitstate_model::{AlignedBytes, Config};
use bitstate_tokenizer::Tokenizer;
use self_cell::self_cell;

/// A model, its tokenizer and its end tokens. It is immutable in use; clones share it, and any number of sessions on
/// any threads may run it, except on a chip without atomic operations, where all stay on one thread.
#[derive(Clone)]
pub struct Model(Arc<Inner>);

/// The data that an engine borrows from.
pub(crate) struct Owner {
    pub bytes: AlignedBytes,
    #[cfg(feature = "std")]
    pub pool: std::sync::OnceLock<bitstate_threads::Pool>,
}

impl Owner {
    pub fn new(bytes: AlignedBytes) -> Self {
        Owner {
            bytes,
            #[cfg(feature = "std")]
            pool: std::sync::OnceLock::new(),
        }
    }
}

self_cell!(
    /// The bytes and the engine that borrows them.
    pub(crate) struct Prepared {
        owner: Owner,
        #[covariant]
        dependent: Engine,
    }
);

pub(crate) struct Inner {
    /// The name used in errors.
    pub name: String,
    pub prepared: Prepared,
    pub tokenizer: Option<Tokenizer>,
    pub ends: Vec<u32>,
    /// Computed on request: it takes as long as a few hundred tokens.
    #[cfg(feature = "std")]
    pub sha256: std::sync::OnceLock<String>,
    #[cfg(not(feature = "std"))]
    pub sha256: String,
    #[cfg(feature = "std")]
    pub path: Option<std::path::PathBuf>,
    #[cfg(feature = "std")]
    pub description: Option<bitstate_tokenizer::Description>,
    #[cfg(feature = "std")]
    pub notes: Vec<String>,
}

impl Inner {
    pub fn new(name: String, prepared: Prepared, tokenizer: Option<Tokenizer>, ends: Vec<u32>) -> Self {
        Inner {
            name,
            #[cfg(feature = "std")]
            sha256: std::sync::OnceLock::new(),
            #[cfg(not(feature = "std"))]
            sha256: bitstate_tokenizer::sha256(&prepared.borrow_owner().bytes),
            prepared,
            tokenizer,
            ends,
            #[cfg(feature = "std")]
            path: None,
            #[cfg(feature = "std")]
            description: None,
            #[cfg(feature = "std")]
            notes: Vec::new(),
        }
    }
}

impl Model {
    pub(crate) fn of(inner: Inner) -> Self {
        Model(Arc::new(inner))
    }

    /// Opens the BITS file at `path`, with the description (`FILE.json`) and the tokenizer beside it, if there are any.
    ///
    /// # Errors
    /// If the file cannot be read, is not a model, or does not match the description or tokenizer beside it.
    #[cfg(feature = "std")]
    pub fn open(path: impl AsRef<std::path::Path>) -> Result<Self, Error> {
        Model::builder().open(path)
    }

    /// A model from bytes in memory, which are copied for fast access. Tokens are bytes if there are 256 of them.
    ///
    /// # Errors
    /// If the bytes are not a model, or this machine cannot run it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Model::builder().from_bytes(bytes)
    }

    /// Opens a model with a given variant, tokenizer or number of threads.
    pub fn builder() -> ModelBuilder {
        ModelBuilder::default()
    }

    /// A new session.
    ///
    /// # Errors
    /// If a sampling parameter is out of range, or a bias is for a token outside the vocabulary.
    pub fn session(&self, sampling: Sampling) -> Result<Session, Error> {
        Session::new(self.clone(), sampling)
    }

    /// The default sampling: from the model's description; without one, temperature 0.8, top-k 50, top-p 0.9 and,
    /// unless tokens are bytes, a penalty of 1.1. (Letters recur in any text.)
    pub fn sampling(&self, seed: u64) -> Sampling {
        #[cfg(feature = "std")]
        if let Some(description) = &self.0.description {
            let bitstate_tokenizer::Sampling { temperature, top_k, top_p, penalty } = description.sampling;
            return Sampling::seeded(seed).temperature(temperature).top_k(top_k).top_p(top_p).penalty(penalty);
        }
        let penalty = if self.config().vocab_size == 256 { 1.0 } else { 1.1 };
        Sampling::seeded(seed).temperature(0.8).top_k(50).top_p(0.9).penalty(penalty)
    }

    /// The engine, for functions that a session does not offer.
    pub fn engine(&self) -> &Engine<'_> {
        self.0.prepared.borrow_dependent()
    }

    /// The bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        &self.0.prepared.borrow_owner().bytes
    }

    /// Shapes of the model.
    pub fn config(&self) -> &Config {
        self.engine().config()
    }

    /// The kernel variant in use.
    pub fn variant(&self) -> Variant {
        self.engine().variant()
    }

    /// Number of threads that share a token's work; 1 if the model is too small to gain from more.
    pub fn threads(&self) -> usize {
        #[cfg(feature = "std")]
        if let Some(pool) = self.0.prepared.borrow_owner().pool.get() {
            return pool.threads();
        }
        1
    }

    /// The tokenizer; `None` if the tokens have no text.
    pub fn tokenizer(&self) -> Option<&Tokenizer> {
        self.0.tokenizer.as_ref()
    }

    /// The tokens that end a text; the first also begins one.
    pub fn ends(&self) -> &[u32] {
        &self.0.ends
    }

    /// The SHA-256 of the file in hex, computed at the first call.
    pub fn sha256(&self) -> &str {
        #[cfg(feature = "std")]
        return self.0.sha256.get_or_init(|| bitstate_tokenizer::sha256(self.bytes()));
        #[cfg(not(feature = "std"))]
        &self.0.sha256
    }

    /// The file that the model was read from.
    #[cfg(feature = "std")]
    pub fn path(&self) -> Option<&std::path::Path> {
        self.0.path.as_deref()
    }

    /// The description beside the file.
    #[cfg(feature = "std")]
    pub fn description(&self) -> Option<&bitstate_tokenizer::Description> {
        self.0.description.as_ref()
    }

    /// Notes for the user about the tokenizer, one sentence each.
    #[cfg(feature = "std")]
    pub fn notes(&self) -> &[String] {
        &self.0.notes
    }

    /// The tokenizer, or an error that there is none.
    pub(crate) fn text(&self) -> Result<&Tokenizer, Error> {
        self.tokenizer().ok_or_else(|| Error::NoText { name: self.0.name.clone() })
    }

    /// Adds the model's name to an error of a session.
    pub(crate) fn named(&self, cause: impl Into<bitstate_generate::SessionError>) -> Error {
        Error::Session { name: self.0.name.clone(), cause: cause.into() }
    }
}

impl core::fmt::Debug for Model {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Model").field("name", &self.0.name).field("variant", &self.variant()).finish_non_exhaustive()
    }
}
