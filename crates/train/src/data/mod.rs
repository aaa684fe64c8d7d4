//! From text to token files: stories, tokenizers, the split, and the windows that training sees.

mod answers;
#[cfg(feature = "download")]
pub mod download;
mod folder;
pub mod plant;
mod prepare;
mod shards;
mod smoke;
mod tokenizer;
mod tokens;
mod windows;

pub use answers::Answers;
pub use folder::{Data, TOKENIZER, tokenizer_name};
pub use prepare::{Prepare, Prepared, Side, prepare};
pub use shards::{Shard, Source};
pub use smoke::smoke_corpus;
pub use tokenizer::{TokenizerKind, load_tokenizer};
pub use tokens::{TokenFile, write_tokens};
pub use windows::Windows;
