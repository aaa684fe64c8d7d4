//! The caches of a modelled chip.

use serde::Deserialize;
use std::num::NonZeroU64;

/// `[target.….cache]` and `code_cache`: the cache in front of a board's slow memory, and the time of a line.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// The memory region in the linker script.
    pub region: String,
    /// Bytes of the cache.
    pub bytes: NonZeroU64,
    /// Lines of a set.
    pub ways: NonZeroU64,
    /// Bytes of a line.
    pub line_bytes: NonZeroU64,
    /// Cycles of the core that reading or writing a line takes, without another instruction meanwhile.
    pub line_cycles: NonZeroU64,
}
