//! Small ternary RWKV language models (BITS files): text in, text out, the same bits on every machine.
//!
//! A [`Model`] is a file prepared for this machine; a [`Session`] is one text in progress. Its state has a fixed size
//! for any length of text: a session can be cloned, saved to a file, resumed on any other machine or kernel variant,
//! and undone, and it continues bit for bit.
//!
//! ```
//! use bitstate::{Model, Sampling, Stop};
//! # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/models/stories-byte");
//! # if !std::path::Path::new(folder).exists() { return Ok(()) }
//! # let path = format!("{folder}/model.bits");
//!
//! let model = Model::open(&path)?;
//! let mut session = model.session(Sampling::seeded(42).temperature(0.8).top_k(50))?;
//! session.feed_text("Once upon a time")?;
//! for piece in session.text(Stop::new().max_tokens(64)) {
//!     print!("{}", piece?);
//! }
//! // Continue later, elsewhere: the next token is the same as without the interruption.
//! let saved = session.to_bytes();
//! let mut resumed = model.resume(&saved)?;
//! assert_eq!(resumed.next_token()?, session.next_token()?);
//! # Ok::<(), bitstate::Error>(())
//! ```
//!
//! | task | functions |
//! |---|---|
//! | tokens with their probabilities and alternatives | [`Session::tokens`], [`Session::alternatives`] |
//! | a custom sampler | [`Session::logits`], [`Session::feed`] |
//! | several answers to one prompt | [`Session::answers`] |
//! | save, resume | [`Session::to_bytes`], `Session::save`, [`Model::resume`], `Model::resume_file` |
//! | many sessions in one pass over the weights | [`Continuation`], [`Batch`] |
//! | a prompt that many sessions begin with | [`Session::prefix`], [`Session::feed_prefix`] |
//! | undo, fork | [`Session::keep_checkpoints`], [`Session::undo`], `clone` |
//!
//! Without the default feature `std` it only needs `alloc`: models come from bytes, and tokens are bytes or ids.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod batch;
mod builder;
mod chances;
mod checkpoints;
mod continuation;
mod error;
mod file;
mod model;
mod prefix;
mod session;
mod shared;
mod stop;
#[cfg(feature = "std")]
pub mod text;
mod tokens;

/// BITS files themselves: views, presets, seeded models, a writer.
pub use bitstate_model as bits;
/// Tokenizers, and the description beside a model.
pub use bitstate_tokenizer as tokenizer;

pub use batch::Batch;
pub use bitstate_engine::{Engine, EngineError, NotFinite, RestoreError};
pub use bitstate_generate::{Order, Sampling, SamplingError, SessionError};
pub use bitstate_kernels::{Unavailable, UnknownVariant, Variant};
pub use bitstate_protocol::{Digest, Digester};
pub use builder::ModelBuilder;
pub use chances::Alternative;
pub use continuation::{Continuation, Piece};
pub use error::Error;
pub use file::SessionFileError;
pub use model::Model;
pub use prefix::Prefix;
pub use session::Session;
pub use stop::{Ended, Stop};
pub use tokens::{Text, Token, Tokens};
