//! The cases every target runs (`golden/cases.toml`) and the expected answers (`golden/streams/*.json`).

mod cases;
mod chain;
mod divergence;
mod load;
mod stream;
#[cfg(test)]
mod tests;

pub use cases::{Model, Question, RESUMED_TOKENS, SAVED_TOKENS, Source, parse_cases};
pub use divergence::Divergence;
pub use load::{Case, Golden};
pub use stream::{Stream, parse_kernels, parse_stream, stream_path};
