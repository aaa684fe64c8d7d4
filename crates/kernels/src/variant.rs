//! The list of kernel variants.

/// An implementation of every kernel, named after its instruction set or technique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Variant {
    /// Plain Rust, a direct implementation of the arithmetic; runs everywhere.
    Generic,
    /// Plain Rust with look-up tables in place of multiplication, for CPUs without SIMD; runs everywhere.
    Lut,
    /// Integer vectors (MVE) of Armv8.1-M for the ternary matrices, plain Rust otherwise.
    Mve,
    /// 128-bit SIMD of WebAssembly.
    Simd128,
    /// 128-bit SIMD of WebAssembly with the relaxed dot product.
    RelaxedSimd,
    /// NEON of AArch64.
    Neon,
    /// NEON with the dot product of AArch64.
    NeonDotprod,
    /// NEON with the dot product and the INT8 matrix instructions of AArch64.
    NeonI8mm,
    /// The vectors of RISC-V, of any length.
    Rvv,
    /// SSSE3 of x86-64.
    Ssse3,
    /// AVX2 of x86-64.
    Avx2,
    /// AVX2 with the VNNI dot product of x86-64.
    AvxVnni,
    /// AVX-512 with the VNNI dot product of x86-64.
    Avx512Vnni,
}

impl Variant {
    /// Every variant; of those that one machine can run, the fastest is last.
    pub const ALL: [Variant; 13] = [
        Variant::Generic,
        Variant::Lut,
        Variant::Mve,
        Variant::Simd128,
        Variant::RelaxedSimd,
        Variant::Neon,
        Variant::NeonDotprod,
        Variant::NeonI8mm,
        Variant::Rvv,
        Variant::Ssse3,
        Variant::Avx2,
        Variant::AvxVnni,
        Variant::Avx512Vnni,
    ];

    /// The variant's name.
    pub const fn name(self) -> &'static str {
        match self {
            Variant::Generic => "generic",
            Variant::Lut => "lut",
            Variant::Mve => "mve",
            Variant::Simd128 => "simd128",
            Variant::RelaxedSimd => "relaxed_simd",
            Variant::Neon => "neon",
            Variant::NeonDotprod => "neon_dotprod",
            Variant::NeonI8mm => "neon_i8mm",
            Variant::Rvv => "rvv",
            Variant::Ssse3 => "ssse3",
            Variant::Avx2 => "avx2",
            Variant::AvxVnni => "avx_vnni",
            Variant::Avx512Vnni => "avx512_vnni",
        }
    }

    /// What a machine needs to run it.
    pub(crate) const fn needs(self) -> &'static str {
        match self {
            Variant::Generic | Variant::Lut => "nothing",
            Variant::Mve => "a Cortex-M build with the feature mve",
            Variant::Simd128 => "a WebAssembly build with the feature simd128",
            Variant::RelaxedSimd => "a WebAssembly build with the feature relaxed_simd",
            Variant::Neon => "an AArch64 CPU with asimd",
            Variant::NeonDotprod => "an AArch64 CPU with asimd and asimddp",
            Variant::NeonI8mm => "an AArch64 CPU with asimd, asimddp and i8mm",
            Variant::Rvv => "a RISC-V CPU with v",
            Variant::Ssse3 => "an x86-64 CPU with ssse3",
            Variant::Avx2 => "an x86-64 CPU with avx2",
            Variant::AvxVnni => "an x86-64 CPU with avx_vnni (avx512_vnni is another feature)",
            Variant::Avx512Vnni => "an x86-64 CPU with avx512f, avx512bw, avx512vl and avx512_vnni",
        }
    }

    /// The variant with this name.
    ///
    /// # Errors
    /// If no variant has this name.
    pub fn by_name(name: &str) -> Result<Self, UnknownVariant> {
        Variant::ALL.into_iter().find(|variant| variant.name() == name).ok_or(UnknownVariant)
    }
}

/// No variant has the given name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "no kernel variant has this name; there are generic, lut, mve, simd128, relaxed_simd, neon, neon_dotprod, neon_i8mm, \
     rvv, ssse3, avx2, avx_vnni and avx512_vnni"
)]
pub struct UnknownVariant;
