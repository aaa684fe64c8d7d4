//! Initial inputs: the golden files and definitions of a workspace, truncated to a size that a fuzzer mutates well.

mod files;
mod lines;
mod models;
mod tokenizers;

pub use files::{definitions, records};
pub use lines::{answer, request};
pub use models::{bits, sampler, session, state};
pub use tokenizers::tokenizer;

use anyhow::Context;
use std::path::Path;

fn text(root: &Path, name: &str) -> anyhow::Result<String> {
    let path = root.join(name);
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}
