//! Capabilities of the CPU as values: a token's field is private, and its one constructor asks the CPU, so that
//! holding a token proves that the instructions may run.

use crate::Variant;

/// A variant that cannot run here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("kernel variant `{}` cannot run here: it needs {needs}", variant.name())]
pub struct Unavailable {
    /// The variant asked for.
    pub variant: Variant,
    /// The CPU feature or target that is missing.
    pub needs: &'static str,
}

/// Proof that the CPU has AVX2.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2(());

#[cfg(target_arch = "x86_64")]
impl Avx2 {
    pub fn detect() -> Option<Self> {
        cpufeatures::new!(has_avx2, "avx2");
        has_avx2::get().then_some(Avx2(()))
    }
}

/// Proof that the WebAssembly engine has 128-bit SIMD: a module that holds such instructions is only
/// instantiated by one that does.
#[cfg(target_arch = "wasm32")]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Simd128(());

#[cfg(target_arch = "wasm32")]
impl Simd128 {
    pub fn detect() -> Option<Self> {
        Some(Simd128(()))
    }
}

/// The instruction set that a set of kernels runs on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Isa {
    /// Plain Rust.
    Generic,
    /// Plain Rust with look-up tables for the ternary matrices.
    Lut,
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "wasm32")]
    Simd128(Simd128),
}

impl Isa {
    /// Asks the CPU for what `variant` needs.
    pub fn detect(variant: Variant) -> Result<Self, Unavailable> {
        let missing = |needs| Unavailable { variant, needs };
        match variant {
            Variant::Generic => Ok(Isa::Generic),
            Variant::Lut => Ok(Isa::Lut),
            #[cfg(target_arch = "x86_64")]
            Variant::Avx2 => Avx2::detect().map(Isa::Avx2).ok_or(missing("the CPU feature avx2")),
            #[cfg(not(target_arch = "x86_64"))]
            Variant::Avx2 => Err(missing("an x86-64 CPU with avx2")),
            #[cfg(target_arch = "wasm32")]
            Variant::Simd128 => Simd128::detect().map(Isa::Simd128).ok_or(missing("WebAssembly SIMD")),
            #[cfg(not(target_arch = "wasm32"))]
            Variant::Simd128 => Err(missing("a WebAssembly build")),
        }
    }
}
