//! SHA-256, which identifies models and tokenizers.

use alloc::string::String;
use core::fmt::Write;
use sha2::{Digest, Sha256};

/// SHA-256 in lower-case hex.
pub fn sha256(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
