//! Selects the kernels of an instruction set.

use super::coarse::{CoarseRows, Input as CoarseInput};
use super::coarse_many;
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

/// Whether this instruction set computes bounds. Without SIMD they save nothing, nor where byte products must be
/// widened first, as with WebAssembly's plain SIMD: there the first stage takes as much work as the full head.
pub(super) fn bounds_rows(isa: Isa) -> bool {
    dispatch!(isa, head::BOUNDS, else false)
}

/// A bound for the logit of each row of a part that starts at `first_group`.
pub(super) fn bounds(
    isa: Isa,
    coarse: &CoarseRows,
    first_group: usize,
    input: &CoarseInput,
    scales: (&[f32], f32),
    bounds: &mut [f32],
) {
    dispatch!(isa, head::bounds(coarse, first_group, input, scales, bounds), else unreachable!("no codes were laid out"));
}

/// A bound for the logit of each row, for each of many sessions.
pub(super) fn bounds_together(isa: Isa, input: coarse_many::Input<'_>, each: coarse_many::Each<'_>) {
    dispatch!(isa, head::bounds_together(input, each), else unreachable!("no codes were laid out"));
}

/// `rows · q` of the rows that `tokens` name.
pub(super) fn exact(isa: Isa, rows: &[i8], tokens: &[u32], q: &[i16], dots: &mut [i32]) {
    dispatch!(isa, head::exact(rows, tokens, q, dots), else unreachable!("plain Rust has no bounds"));
}

/// The logits of many sessions, for the rows that are in blocks.
pub(super) fn int8_many(isa: Isa, input: Input<'_>, logits: &mut [f32]) {
    dispatch!(isa, head::int8_many(input, logits), else unreachable!("plain Rust has no blocks"));
}

/// Whether the instruction set bounds the logits of many sessions.
pub(super) fn bounds_many_rows(isa: Isa) -> bool {
    dispatch!(isa, head::BOUNDS_MANY, else false)
}

/// The bounds of many sessions, if [`bounds_many_rows`] is true.
pub(super) fn bounds_many(isa: Isa, input: Input<'_>, each: &mut dyn FnMut(usize, usize, &mut [f32])) {
    dispatch!(isa, head::bounds_many(input, each), else unreachable!("plain Rust has no bounds"));
}

/// The layout that the instruction set expects.
pub(super) fn shape(isa: Isa) -> Option<Shape> {
    dispatch!(isa, head::SHAPE, else None)
}
