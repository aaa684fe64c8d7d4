//! The digest used throughout the project: XXH64 with seed 0, written as 16 hexadecimal digits.

use core::fmt;
use core::hash::Hasher;
use core::str::FromStr;
use twox_hash::XxHash64;

/// A 64-bit digest. It detects accidental differences; it does not protect against forgery.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Digest(pub u64);

impl Digest {
    /// The digest of bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Digest(XxHash64::oneshot(0, bytes))
    }

    /// The digest of the little-endian bits of f32 values, with every NaN replaced by `0x7fc00000`.
    pub fn of_f32s(values: &[f32]) -> Self {
        let mut digester = Digester::default();
        digester.push_f32s(values);
        digester.finish()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Digest {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        match u64::from_str_radix(text, 16) {
            Ok(value) if digits => Ok(Digest(value)),
            _ => Err(()),
        }
    }
}

/// An incremental digest.
#[derive(Clone)]
pub struct Digester(XxHash64);

impl Default for Digester {
    fn default() -> Self {
        Digester(XxHash64::with_seed(0))
    }
}

impl Digester {
    /// Adds bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    /// Adds the little-endian bits of f32 values, with every NaN replaced by `0x7fc00000`: targets differ in the
    /// payload of the NaN that an operation gives, and no arithmetic can observe the difference.
    pub fn push_f32s(&mut self, values: &[f32]) {
        for value in values {
            let bits = if value.is_nan() { 0x7fc0_0000 } else { value.to_bits() };
            self.0.write(&bits.to_le_bytes());
        }
    }

    /// The digest of everything added.
    pub fn finish(&self) -> Digest {
        Digest(self.0.finish())
    }
}
