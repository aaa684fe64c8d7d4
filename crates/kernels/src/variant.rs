//! The list of kernel variants.

use crate::Kernels;

/// A way to run every kernel, named by what it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Variant {
    /// Plain Rust as the arithmetic is written; runs everywhere.
    Generic,
    /// Plain Rust with look-up tables in place of multiplication, for CPUs without SIMD; runs everywhere.
    Lut,
    /// 128-bit SIMD of WebAssembly.
    Simd128,
    /// AVX2 of x86-64.
    Avx2,
}

impl Variant {
    /// Every variant, the slowest first on the targets that have SIMD.
    pub const ALL: [Variant; 4] = [Variant::Generic, Variant::Lut, Variant::Simd128, Variant::Avx2];

    /// The variant's name.
    pub const fn name(self) -> &'static str {
        match self {
            Variant::Generic => "generic",
            Variant::Lut => "lut",
            Variant::Simd128 => "simd128",
            Variant::Avx2 => "avx2",
        }
    }

    /// The variant of that name.
    ///
    /// # Errors
    /// Where no variant has it.
    pub fn by_name(name: &str) -> Result<Self, UnknownVariant> {
        Variant::ALL.into_iter().find(|variant| variant.name() == name).ok_or(UnknownVariant)
    }

    /// The fastest variant that runs here.
    pub fn best() -> Self {
        let simd = [Variant::Avx2, Variant::Simd128].into_iter().find(|&variant| Kernels::new(variant).is_ok());
        simd.unwrap_or(Variant::Lut)
    }
}

/// No variant has the name asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no kernel variant has this name; there are generic, lut, simd128 and avx2")]
pub struct UnknownVariant;
