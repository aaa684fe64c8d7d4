//! CPU capabilities as values: a token's field is private, and its only constructor checks the CPU, so a token proves
//! that the instructions are available.

use crate::variant::Variant;

#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;
#[cfg(target_arch = "riscv64")]
mod rvv;
#[cfg(target_arch = "riscv64")]
pub(crate) use rvv::rvv;

/// A variant that cannot run here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("kernel variant `{}` cannot run here: it needs {needs}, and this is {missing}", variant.name())]
pub struct Unavailable {
    /// The requested variant.
    pub variant: Variant,
    /// All its requirements.
    pub needs: &'static str,
    /// What is present instead: a CPU without the first missing feature, or another target.
    pub missing: &'static str,
}

/// A token for a set of x86-64 features, each in the spelling of the compiler and of `/proc/cpuinfo`.
#[cfg(target_arch = "x86_64")]
macro_rules! x86_token {
    ($(#[$doc:meta])* $name:ident: $($feature:tt as $shown:literal),+) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub(crate) struct $name(());

        impl $name {
            /// The token, or the first missing feature.
            fn detect() -> Result<Self, &'static str> {
                $(if !std::is_x86_feature_detected!($feature) {
                    return Err(concat!("an x86-64 CPU without ", $shown));
                })+
                Ok($name(()))
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
x86_token!(
    /// Proof that the CPU has SSSE3.
    Ssse3: "sse2" as "sse2", "ssse3" as "ssse3"
);
#[cfg(target_arch = "x86_64")]
x86_token!(
    /// Proof that the CPU has AVX2.
    Avx2: "avx2" as "avx2"
);
#[cfg(target_arch = "x86_64")]
x86_token!(
    /// Proof that the CPU has AVX2 and AVX-VNNI.
    AvxVnni: "avx2" as "avx2", "avxvnni" as "avx_vnni"
);
#[cfg(target_arch = "x86_64")]
x86_token!(
    /// Proof that the CPU has AVX-512 F, BW and VL with VNNI.
    Avx512Vnni: "avx2" as "avx2", "avx512f" as "avx512f", "avx512bw" as "avx512bw", "avx512vl" as "avx512vl",
    "avx512vnni" as "avx512_vnni"
);

#[cfg(target_arch = "x86_64")]
impl From<AvxVnni> for Avx2 {
    /// AVX-VNNI implies AVX2.
    fn from(_: AvxVnni) -> Self {
        Avx2(())
    }
}

/// A token for a set of AArch64 features, each in the spelling of the compiler and of `/proc/cpuinfo`.
#[cfg(target_arch = "aarch64")]
macro_rules! aarch64_token {
    ($(#[$doc:meta])* $name:ident: $($feature:tt as $shown:literal),+) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub(crate) struct $name(());

        impl $name {
            /// The token, or the first missing feature.
            fn detect() -> Result<Self, &'static str> {
                $(
                    #[cfg(not(target_os = "none"))]
                    let has = std::arch::is_aarch64_feature_detected!($feature);
                    // Without an operating system to query, only the build's target features.
                    #[cfg(target_os = "none")]
                    let has = cfg!(target_feature = $feature);
                    if !has {
                        return Err(concat!("an AArch64 CPU without ", $shown));
                    }
                )+
                Ok($name(()))
            }
        }
    };
}

#[cfg(target_arch = "aarch64")]
aarch64_token!(
    /// Proof that the CPU has NEON.
    Neon: "neon" as "asimd"
);
#[cfg(target_arch = "aarch64")]
aarch64_token!(
    /// Proof that the CPU has NEON and its dot product.
    NeonDotprod: "neon" as "asimd", "dotprod" as "asimddp"
);
#[cfg(target_arch = "aarch64")]
aarch64_token!(
    /// Proof that the CPU has NEON, its dot product and the INT8 matrix instructions.
    NeonI8mm: "neon" as "asimd", "dotprod" as "asimddp", "i8mm" as "i8mm"
);

#[cfg(target_arch = "aarch64")]
impl From<NeonDotprod> for Neon {
    /// The dot product implies NEON.
    fn from(_: NeonDotprod) -> Self {
        Neon(())
    }
}

#[cfg(target_arch = "aarch64")]
impl From<NeonI8mm> for Neon {
    /// The matrix instructions imply NEON.
    fn from(_: NeonI8mm) -> Self {
        Neon(())
    }
}

#[cfg(target_arch = "aarch64")]
impl From<NeonI8mm> for NeonDotprod {
    /// The matrix instructions imply the dot product.
    fn from(_: NeonI8mm) -> Self {
        NeonDotprod(())
    }
}

/// Proof that the CPU has RISC-V vectors of at least 128 bits.
#[cfg(target_arch = "riscv64")]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rvv(());

#[cfg(target_arch = "riscv64")]
impl Rvv {
    /// The token, or what is missing. The standard library has no stable way to query it.
    fn detect() -> Result<Self, &'static str> {
        if rvv::is_there() { Ok(Rvv(())) } else { Err("a RISC-V CPU without v") }
    }
}

/// Proof that the WebAssembly engine has 128-bit SIMD: only an engine with SIMD accepts a module with such
/// instructions.
#[cfg(all(target_arch = "wasm32", feature = "simd128"))]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Simd128(());

/// Proof that the WebAssembly engine has relaxed SIMD, for the same reason.
#[cfg(all(target_arch = "wasm32", feature = "relaxed_simd"))]
#[derive(Debug, Clone, Copy)]
pub(crate) struct RelaxedSimd(());

#[cfg(all(target_arch = "wasm32", feature = "relaxed_simd"))]
impl From<RelaxedSimd> for Simd128 {
    fn from(_: RelaxedSimd) -> Self {
        Simd128(())
    }
}

/// Proof that the core has MVE for integers: only a build for such a core has the feature.
#[cfg(all(target_arch = "arm", feature = "mve"))]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mve(());

/// The instruction set that a set of kernels runs on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Isa {
    /// Plain Rust.
    Generic,
    /// Plain Rust with look-up tables for the ternary matrices.
    Lut,
    #[cfg(target_arch = "x86_64")]
    Ssse3(Ssse3),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    AvxVnni(AvxVnni),
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni(Avx512Vnni),
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
    #[cfg(target_arch = "aarch64")]
    NeonDotprod(NeonDotprod),
    #[cfg(target_arch = "aarch64")]
    NeonI8mm(NeonI8mm),
    #[cfg(target_arch = "riscv64")]
    Rvv(Rvv),
    #[cfg(all(target_arch = "arm", feature = "mve"))]
    Mve(Mve),
    #[cfg(all(target_arch = "wasm32", feature = "simd128"))]
    Simd128(Simd128),
    #[cfg(all(target_arch = "wasm32", feature = "relaxed_simd"))]
    RelaxedSimd(RelaxedSimd),
}

impl Isa {
    /// Checks the CPU for what `variant` needs.
    pub fn detect(variant: Variant) -> Result<Self, Unavailable> {
        match variant {
            Variant::Generic => Ok(Isa::Generic),
            Variant::Lut => Ok(Isa::Lut),
            _ => Self::detect_simd(variant).map_err(|missing| Unavailable { variant, needs: variant.needs(), missing }),
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn detect_simd(variant: Variant) -> Result<Self, &'static str> {
        match variant {
            Variant::Ssse3 => Ssse3::detect().map(Isa::Ssse3),
            Variant::Avx2 => Avx2::detect().map(Isa::Avx2),
            Variant::AvxVnni => AvxVnni::detect().map(Isa::AvxVnni),
            Variant::Avx512Vnni => Avx512Vnni::detect().map(Isa::Avx512Vnni),
            _ => Err("an x86-64 build"),
        }
    }

    #[cfg(target_arch = "aarch64")]
    fn detect_simd(variant: Variant) -> Result<Self, &'static str> {
        match variant {
            Variant::Neon => Neon::detect().map(Isa::Neon),
            Variant::NeonDotprod => NeonDotprod::detect().map(Isa::NeonDotprod),
            Variant::NeonI8mm => NeonI8mm::detect().map(Isa::NeonI8mm),
            _ => Err("an AArch64 build"),
        }
    }

    #[cfg(target_arch = "riscv64")]
    fn detect_simd(variant: Variant) -> Result<Self, &'static str> {
        match variant {
            Variant::Rvv => Rvv::detect().map(Isa::Rvv),
            _ => Err("a RISC-V build"),
        }
    }

    #[cfg(all(target_arch = "wasm32", feature = "simd128"))]
    fn detect_simd(variant: Variant) -> Result<Self, &'static str> {
        match variant {
            Variant::Simd128 => Ok(Isa::Simd128(Simd128(()))),
            #[cfg(feature = "relaxed_simd")]
            Variant::RelaxedSimd => Ok(Isa::RelaxedSimd(RelaxedSimd(()))),
            #[cfg(not(feature = "relaxed_simd"))]
            Variant::RelaxedSimd => Err("a WebAssembly build without the feature relaxed_simd"),
            _ => Err("a WebAssembly build"),
        }
    }

    #[cfg(all(target_arch = "wasm32", not(feature = "simd128")))]
    fn detect_simd(_: Variant) -> Result<Self, &'static str> {
        Err("a WebAssembly build without the feature simd128")
    }

    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64", target_arch = "wasm32")))]
    fn detect_simd(variant: Variant) -> Result<Self, &'static str> {
        match variant {
            #[cfg(all(target_arch = "arm", feature = "mve"))]
            Variant::Mve => Ok(Isa::Mve(Mve(()))),
            _ => Err("a build for a target without SIMD kernels"),
        }
    }
}

/// Runs `$name` of the module for the instruction set; this is the only list of modules. With `else`, plain Rust does
/// something else; without arguments, `$name` is a constant.
macro_rules! dispatch {
    ($isa:expr, $family:ident :: $name:ident ( $($arg:expr),* )) => {
        $crate::isa::dispatch!(@ $isa, isa, $family, $name, [(isa, $($arg),*)], $family::generic::$name($($arg),*))
    };
    ($isa:expr, $family:ident :: $name:ident ( $($arg:expr),* ), else $plain:expr) => {
        $crate::isa::dispatch!(@ $isa, isa, $family, $name, [(isa, $($arg),*)], {
            // Marks the arguments as used if only plain Rust is built.
            let _ = ($(&$arg),*);
            $plain
        })
    };
    ($isa:expr, $family:ident :: $name:ident, else $plain:expr) => {
        $crate::isa::dispatch!(@ $isa, _isa, $family, $name, [], $plain)
    };
    (@ $isa:expr, $token:ident, $family:ident, $name:ident, [$($args:tt)?], $plain:expr) => {
        match $isa {
            $crate::isa::Isa::Generic | $crate::isa::Isa::Lut => $plain,
            // Its integers are for the ternary matrices alone.
            #[cfg(all(target_arch = "arm", feature = "mve"))]
            $crate::isa::Isa::Mve(_) => $plain,
            #[cfg(target_arch = "x86_64")]
            $crate::isa::Isa::Ssse3($token) => $family::ssse3::$name $($args)?,
            #[cfg(target_arch = "x86_64")]
            $crate::isa::Isa::Avx2($token) => $family::avx2::$name $($args)?,
            #[cfg(target_arch = "x86_64")]
            $crate::isa::Isa::AvxVnni($token) => $family::avx_vnni::$name $($args)?,
            #[cfg(target_arch = "x86_64")]
            $crate::isa::Isa::Avx512Vnni($token) => $family::avx512_vnni::$name $($args)?,
            #[cfg(target_arch = "aarch64")]
            $crate::isa::Isa::Neon($token) => $family::neon::$name $($args)?,
            #[cfg(target_arch = "aarch64")]
            $crate::isa::Isa::NeonDotprod($token) => $family::neon_dotprod::$name $($args)?,
            #[cfg(target_arch = "aarch64")]
            $crate::isa::Isa::NeonI8mm($token) => $family::neon_i8mm::$name $($args)?,
            #[cfg(target_arch = "riscv64")]
            $crate::isa::Isa::Rvv($token) => $family::rvv::$name $($args)?,
            #[cfg(all(target_arch = "wasm32", feature = "simd128"))]
            $crate::isa::Isa::Simd128($token) => $family::simd128::$name $($args)?,
            #[cfg(all(target_arch = "wasm32", feature = "relaxed_simd"))]
            $crate::isa::Isa::RelaxedSimd($token) => $family::relaxed_simd::$name $($args)?,
        }
    };
}
pub(crate) use dispatch;
