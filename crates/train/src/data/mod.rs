//! From text to token files: stories, tokenizers, the split, and the windows that training sees.

mod corpus;
#[cfg(feature = "download")]
pub mod download;
mod folder;
mod prepare;
mod smoke;
mod tokenizer;
mod tokens;
mod windows;

pub use corpus::stories;
pub use folder::Data;
pub use prepare::{Prepare, Prepared, Side, prepare};
pub use smoke::smoke_corpus;
pub use tokenizer::{TokenizerKind, load_tokenizer};
pub use tokens::{TokenFile, write_tokens};
pub use windows::Windows;
