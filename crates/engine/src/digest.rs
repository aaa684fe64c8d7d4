//! The engine's digest.

use core::hash::Hasher;
use twox_hash::XxHash64;

/// XXH64 (seed 0) of bytes: of a model file, or of a saved state.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = XxHash64::with_seed(0);
    hasher.write(bytes);
    hasher.finish()
}
