//! Which instruction set's kernels run: the one place of the head that lists them.

use super::coarse::{CoarseRows, Input as CoarseInput};
use super::shape::{Input, Shape};
use crate::head;
use crate::isa::{Isa, dispatch};

/// All logits: see [`Kernels::head_int8`](crate::Kernels::head_int8).
#[inline(always)]
pub(super) fn int8(isa: Isa, rows: &[i8], row_scales: &[f32], q: &[i16], scale: f32, logits: &mut [f32]) {
    dispatch!(isa, head::int8(rows, row_scales, q, scale, logits));
}

/// All logits of f32 rows: see [`Kernels::head_f32`](crate::Kernels::head_f32).
#[inline(always)]
pub(super) fn float(isa: Isa, rows: &[u8], z: &[f32], logits: &mut [f32]) {
    dispatch!(isa, head::float(rows, z, logits));
}

/// Whether rows get bounds from this instruction set. Without SIMD it gains nothing, and neither where products of
/// bytes have to be widened first, as with WebAssembly's plain SIMD: there the first stage is as much work as the whole.
pub(super) fn bounds_rows(isa: Isa) -> bool {
    match isa {
        Isa::Generic | Isa::Lut => false,
        #[cfg(target_arch = "wasm32")]
        Isa::Simd128(_) => false,
        #[cfg(any(target_arch = "x86_64", all(target_arch = "wasm32", feature = "relaxed_simd")))]
        _ => true,
    }
}

/// Runs `$name` of the instruction sets that bound rows.
macro_rules! dispatch_bounding {
    ($isa:expr, $name:ident ( $($arg:expr),* )) => {
        match $isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Ssse3(isa) => head::ssse3::$name(isa, $($arg),*),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2(isa) => head::avx2::$name(isa, $($arg),*),
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni(isa) => head::avx_vnni::$name(isa, $($arg),*),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Vnni(isa) => head::avx512_vnni::$name(isa, $($arg),*),
            #[cfg(all(target_arch = "wasm32", feature = "relaxed_simd"))]
            Isa::RelaxedSimd(isa) => head::relaxed_simd::$name(isa, $($arg),*),
            _ => {
                // Used, where no instruction set bounds rows.
                let _ = ($(&$arg),*);
                unreachable!("no first stage was laid out")
            }
        }
    };
}

/// A bound for the logit of each row of a part, from its first group on.
pub(super) fn bounds(
    isa: Isa,
    coarse: &CoarseRows,
    first_group: usize,
    input: &CoarseInput,
    scales: (&[f32], f32),
    bounds: &mut [f32],
) {
    dispatch_bounding!(isa, bounds(coarse, first_group, input, scales, bounds));
}

/// `rows · q` of the rows that `tokens` name.
pub(super) fn exact(isa: Isa, rows: &[i8], tokens: &[u32], q: &[i16], dots: &mut [i32]) {
    dispatch_bounding!(isa, exact(rows, tokens, q, dots));
}

/// The logits of many sessions, of the rows that are in blocks.
pub(super) fn int8_many(isa: Isa, input: Input<'_>, logits: &mut [f32]) {
    match isa {
        Isa::Generic | Isa::Lut => unreachable!("plain Rust has no blocks"),
        #[cfg(target_arch = "x86_64")]
        Isa::Ssse3(isa) => head::ssse3::int8_many(isa, input, logits),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2(isa) => head::avx2::int8_many(isa, input, logits),
        #[cfg(target_arch = "x86_64")]
        Isa::AvxVnni(isa) => head::avx_vnni::int8_many(isa, input, logits),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Vnni(isa) => head::avx512_vnni::int8_many(isa, input, logits),
        #[cfg(target_arch = "wasm32")]
        Isa::Simd128(isa) => head::simd128::int8_many(isa, input, logits),
        #[cfg(all(target_arch = "wasm32", feature = "relaxed_simd"))]
        Isa::RelaxedSimd(isa) => head::simd128::int8_many(isa, input, logits),
    }
}

/// Whether the instruction set bounds the logits of many sessions.
pub(super) fn bounds_many_rows(isa: Isa) -> bool {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::AvxVnni(_) | Isa::Avx512Vnni(_) => true,
        _ => false,
    }
}

/// The bounds of many sessions, where [`bounds_many_rows`] says that there are some.
pub(super) fn bounds_many(isa: Isa, input: Input<'_>, each: &mut dyn FnMut(usize, usize, &mut [f32])) {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::AvxVnni(isa) => head::avx_vnni::bounds_many(isa, input, each),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Vnni(isa) => head::avx512_vnni::bounds_many(isa, input, each),
        _ => {
            // Used, where a variant has bounds.
            let _ = (input, each);
            unreachable!("the caller asks for the bounded rows first")
        }
    }
}

/// What the instruction set's kernel wants.
pub(super) fn shape(isa: Isa) -> Option<Shape> {
    match isa {
        Isa::Generic | Isa::Lut => None,
        #[cfg(target_arch = "x86_64")]
        Isa::Ssse3(_) => Some(head::ssse3::SHAPE),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2(_) => Some(head::avx2::SHAPE),
        #[cfg(target_arch = "x86_64")]
        Isa::AvxVnni(_) => Some(head::avx_vnni::SHAPE),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Vnni(_) => Some(head::avx512_vnni::SHAPE),
        #[cfg(target_arch = "wasm32")]
        Isa::Simd128(_) => Some(head::simd128::SHAPE),
        #[cfg(all(target_arch = "wasm32", feature = "relaxed_simd"))]
        Isa::RelaxedSimd(_) => Some(head::simd128::SHAPE),
    }
}
