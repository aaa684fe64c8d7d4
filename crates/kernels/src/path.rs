//! How a kernel processes a shape: whole blocks, and the rows and columns that do not fill one.
//!
//! The block sizes are repeated here; a change of a kernel's block requires a change here, and the test below checks
//! every variant.

use crate::kernels::Kernels;
use crate::variant::Variant;
use core::fmt;

/// How the rows or columns that do not fill a kernel's block are processed. The result is the same to the bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// There are none.
    None,
    /// This many are in a block padded with zeros.
    Padded(usize),
    /// This many are processed one at a time, with the same instructions.
    OneByOne(usize),
    /// This many are processed in plain Rust.
    PlainRust(usize),
}

impl Tail {
    /// The remainder of `n` after whole blocks of `block`, processed as `how`.
    pub(crate) fn of(n: usize, block: usize, how: fn(usize) -> Tail) -> Tail {
        if n.is_multiple_of(block) { Tail::None } else { how(n % block) }
    }
}

impl fmt::Display for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Tail::None => f.write_str("none"),
            Tail::Padded(n) => write!(f, "{n} padded with zeros"),
            Tail::OneByOne(n) => write!(f, "{n} one at a time"),
            Tail::PlainRust(n) => write!(f, "{n} in plain Rust"),
        }
    }
}

/// How a variant processes a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    /// The algorithm, named as in the files of the kernels.
    pub kernel: &'static str,
    /// How the remaining rows are processed.
    pub rows: Tail,
    /// How the remaining columns are processed.
    pub cols: Tail,
}

/// Plain Rust, which takes any shape.
const PLAIN: Path = Path { kernel: "plain", rows: Tail::None, cols: Tail::None };

impl Kernels {
    /// How a ternary matrix of this shape is processed.
    pub fn ternary_path(&self, rows: usize, cols: usize) -> Path {
        let kernel = match self.variant() {
            // A byte has four weights, and rows that do not end on a byte are repacked.
            Variant::Generic => {
                return Path { kernel: "decode", rows: Tail::None, cols: Tail::of(cols, 4, Tail::Padded) };
            }
            // Four rows share a step, but rows of whole parts are taken alone where no load shifts its offset.
            Variant::Lut => {
                let alone = !cfg!(feature = "thumb") && cols.is_multiple_of(128);
                let rows = if alone { Tail::None } else { Tail::of(rows, 4, Tail::OneByOne) };
                return Path { kernel: "tables", rows, cols: Tail::of(cols, 4, Tail::Padded) };
            }
            Variant::Mve => {
                let rows = Tail::of(rows, 2, Tail::OneByOne);
                return Path { kernel: "vmladava", rows, cols: Tail::of(cols, 4, Tail::Padded) };
            }
            Variant::Simd128 => "widening dot",
            Variant::RelaxedSimd => "relaxed dot",
            Variant::Neon => "smlal",
            Variant::NeonDotprod => "sdot",
            Variant::NeonI8mm => "usdot",
            Variant::Rvv => "vwmaccsu",
            Variant::Ssse3 | Variant::Avx2 => "maddubs",
            Variant::AvxVnni | Variant::Avx512Vnni => "dpbusd",
        };
        Path { kernel, rows: Tail::of(rows, 64, Tail::Padded), cols: Tail::of(cols, 4, Tail::Padded) }
    }

    /// How an INT8 head of this shape is processed.
    pub fn head_int8_path(&self, rows: usize, cols: usize) -> Path {
        let (kernel, cols) = match self.variant() {
            Variant::Generic | Variant::Lut | Variant::Mve => return PLAIN,
            Variant::Rvv => return Path { kernel: "vwmacc", ..PLAIN },
            Variant::AvxVnni => ("dpbusd", Tail::of(cols, 32, Tail::Padded)),
            Variant::Avx512Vnni => ("dpbusd", Tail::of(cols, 64, Tail::Padded)),
            Variant::NeonDotprod | Variant::NeonI8mm => ("sdot", Tail::of(cols, 16, Tail::Padded)),
            Variant::Ssse3 | Variant::Avx2 | Variant::Neon | Variant::Simd128 | Variant::RelaxedSimd => {
                ("madd", Tail::of(cols, 16, Tail::PlainRust))
            }
        };
        // Four rows share each load of activations.
        Path { kernel, rows: Tail::of(rows, 4, Tail::PlainRust), cols }
    }

    /// How an f32 head of this width is processed, and every norm, quantisation and gate.
    pub fn lanes_path(&self, cols: usize) -> Path {
        match self.variant() {
            Variant::Generic | Variant::Lut | Variant::Mve => PLAIN,
            // The vector length is set to the number of remaining values.
            Variant::Rvv => Path { kernel: "vectors", ..PLAIN },
            _ => Path { kernel: "16 lanes", rows: Tail::None, cols: Tail::of(cols, 16, Tail::Padded) },
        }
    }

    /// How the WKV recurrence is processed for heads of this size.
    pub fn wkv_path(&self, head_size: usize) -> Path {
        match self.variant() {
            Variant::Generic | Variant::Lut | Variant::Mve => PLAIN,
            Variant::Rvv => Path { kernel: "vectors", ..PLAIN },
            _ => Path { kernel: "16 lanes", rows: Tail::None, cols: Tail::of(head_size, 16, Tail::PlainRust) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Path, Tail};
    use crate::{Kernels, Variant};

    #[test]
    fn a_whole_number_of_blocks_leaves_nothing_on_any_variant() {
        for kernels in Variant::ALL.into_iter().filter_map(|variant| Kernels::new(variant).ok()) {
            for path in [
                kernels.ternary_path(128, 512),
                kernels.head_int8_path(256, 128),
                kernels.lanes_path(128),
                kernels.wkv_path(32),
            ] {
                assert_eq!((path.rows, path.cols), (Tail::None, Tail::None), "{:?}: {path:?}", kernels.variant());
            }
        }
    }

    #[test]
    fn remainders_are_reported() {
        let path = |kernel, rows, cols| Path { kernel, rows, cols };
        let generic = Kernels::new(Variant::Generic).expect("runs everywhere");
        assert_eq!(generic.ternary_path(101, 97), path("decode", Tail::None, Tail::Padded(1)));
        assert_eq!(generic.head_int8_path(101, 97), path("plain", Tail::None, Tail::None));
        let lut = Kernels::new(Variant::Lut).expect("runs everywhere");
        assert_eq!(lut.ternary_path(101, 98), path("tables", Tail::OneByOne(1), Tail::Padded(2)));
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        for (variant, ternary, head, cols) in [
            (Variant::Neon, "smlal", "madd", Tail::PlainRust(5)),
            (Variant::NeonDotprod, "sdot", "sdot", Tail::Padded(5)),
            (Variant::NeonI8mm, "usdot", "sdot", Tail::Padded(5)),
            (Variant::Ssse3, "maddubs", "madd", Tail::PlainRust(5)),
            (Variant::Avx2, "maddubs", "madd", Tail::PlainRust(5)),
            (Variant::AvxVnni, "dpbusd", "dpbusd", Tail::Padded(5)),
            (Variant::Avx512Vnni, "dpbusd", "dpbusd", Tail::Padded(37)),
        ] {
            let Ok(kernels) = Kernels::new(variant) else { continue };
            assert_eq!(kernels.ternary_path(65, 101), path(ternary, Tail::Padded(1), Tail::Padded(1)));
            assert_eq!(kernels.head_int8_path(32_011, 101), path(head, Tail::PlainRust(3), cols));
            assert_eq!(kernels.lanes_path(101).cols, Tail::Padded(5));
            assert_eq!(kernels.wkv_path(20).cols, Tail::PlainRust(4));
        }
    }
}
