//! The f32 steps: norms, quantisation, token shift, WKV, gates, exp. This is the safe entry: it checks the shapes, then
//! dispatches on the instruction set.
//!
//! A vector is processed in 16 lanes; lane `l` has the elements `l`, `l + 16`, `l + 32`, …:
//!
//! ```text
//! lane         0    1    2   …   15
//! element      0    1    2   …   15
//!             16   17   18   …   31
//! ```
//!
//! A sum first adds along each lane, then folds the 16 partial sums in one fixed order, so that its bits do not depend
//! on the width of the registers. `generic` is the arithmetic as written; `lanes` is the same algorithm over a vector
//! of 16 lanes, which `wide` builds from the registers that each instruction set provides in a thin file of its own.

mod constants;
pub(crate) mod generic;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", feature = "simd128"))]
mod inputs;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", feature = "simd128"))]
pub(crate) mod lanes;
mod mean;
mod operands;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", feature = "simd128"))]
mod select;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", feature = "simd128"))]
mod wide;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", feature = "simd128"))]
mod wkv;

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512_vnni;
// VNNI adds nothing for f32.
#[cfg(target_arch = "x86_64")]
pub(crate) use avx2 as avx_vnni;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;
// Dot products of bytes add nothing for f32.
#[cfg(target_arch = "aarch64")]
pub(crate) use neon as neon_dotprod;
#[cfg(target_arch = "aarch64")]
pub(crate) use neon as neon_i8mm;
#[cfg(target_arch = "riscv64")]
pub(crate) mod rvv;
#[cfg(all(target_arch = "wasm32", feature = "simd128"))]
pub(crate) mod simd128;
// The relaxed f32 instructions (contraction, estimates) are forbidden by the arithmetic.
#[cfg(all(target_arch = "wasm32", feature = "relaxed_simd"))]
pub(crate) use simd128 as relaxed_simd;
#[cfg(target_arch = "x86_64")]
pub(crate) mod ssse3;

use crate::isa::dispatch;
use crate::kernels::{Kernels, same_length};
use crate::ternary::QuantisedRows;
use crate::vector;

pub(crate) use constants::LANES;
pub use operands::{GatedInput, MixInput, NormInput, WkvInput};

impl Kernels {
    /// `out = layer_norm(x; weight, bias)`, all of one length.
    #[inline]
    pub fn layer_norm(&self, x: &[f32], weight: &[f32], bias: &[f32], out: &mut [f32]) {
        same_length(x.len(), &[weight.len(), bias.len(), out.len()]);
        dispatch!(self.isa, vector::layer_norm(x, weight, bias, out));
    }

    /// `out = z + (p - z) · mu`, all of one length.
    #[inline]
    pub fn mix(&self, z: &[f32], p: &[f32], mu: &[f32], out: &mut [f32]) {
        same_length(z.len(), &[p.len(), mu.len(), out.len()]);
        dispatch!(self.isa, vector::mix(z, p, mu, out));
    }

    /// Adds a row to each of `inputs`, which read one token mixed with the previous one in different ratios:
    /// `quantise(layer_norm(z + (p - z) · mu))`. `room` is a work buffer of N × the next multiple of 16 values.
    ///
    /// # Panics
    /// If not all lengths are that of `z`, or there is no room for another row.
    pub fn mix_inputs<const N: usize>(
        &self,
        z: &[f32],
        p: &[f32],
        mixes: [MixInput<'_>; N],
        room: &mut [f32],
        inputs: [&mut QuantisedRows; N],
    ) {
        for MixInput { mu, norm } in mixes {
            same_length(z.len(), &[p.len(), mu.len(), norm.weight.len(), norm.bias.len()]);
        }
        check_room(N * z.len().next_multiple_of(LANES), room);
        let mut inputs = inputs;
        let q = inputs.each_mut().map(|input| input.next_row(z.len()));
        let scales = dispatch!(self.isa, vector::mix_inputs(z, p, mixes, room, q));
        for (input, scale) in inputs.into_iter().zip(scales) {
            input.set_scale(scale);
        }
    }

    /// `y = group_norm(x) · silu(g)` for heads of `head_size` values, and another row of `input`:
    /// `quantise(layer_norm(y))`. `room` is a work buffer of the next multiple of 16 values.
    ///
    /// # Panics
    /// If not all lengths are that of `x`, which is whole heads, or there is no room for another row.
    pub fn gated_input(&self, gated: GatedInput<'_>, y: &mut [f32], room: &mut [f32], input: &mut QuantisedRows) {
        let GatedInput { x, head_size, group_norm, g, norm } = gated;
        same_length(x.len(), &[group_norm.weight.len(), group_norm.bias.len(), g.len(), y.len()]);
        same_length(x.len(), &[norm.weight.len(), norm.bias.len(), x.len().next_multiple_of(head_size)]);
        check_room(x.len(), room);
        let q = input.next_row(x.len());
        let scale = dispatch!(self.isa, vector::gated_input(gated, y, room, q));
        input.set_scale(scale);
    }

    /// Adds a row to `input`: `quantise(layer_norm(relu(k)²))`. `room` is a work buffer of the next multiple of 16
    /// values.
    ///
    /// # Panics
    /// If not all lengths are that of `k`, or there is no room for another row.
    pub fn relu_squared_input(&self, k: &[f32], norm: NormInput<'_>, room: &mut [f32], input: &mut QuantisedRows) {
        same_length(k.len(), &[norm.weight.len(), norm.bias.len()]);
        check_room(k.len(), room);
        let q = input.next_row(k.len());
        let scale = dispatch!(self.isa, vector::relu_squared_input(k, norm, room, q));
        input.set_scale(scale);
    }

    /// INT8 values of `y` into `q`; returns the scale of one unit.
    #[inline]
    pub(crate) fn quantise_int8(&self, y: &[f32], q: &mut [i8]) -> f32 {
        same_length(y.len(), &[q.len()]);
        dispatch!(self.isa, vector::quantise_int8(y, q))
    }

    /// 15-bit values of `z` into `q`, for the head; returns the scale of one unit.
    #[inline]
    pub fn quantise_15bit(&self, z: &[f32], q: &mut [i16]) -> f32 {
        same_length(z.len(), &[q.len()]);
        dispatch!(self.isa, vector::quantise_15bit(z, q))
    }

    /// The largest magnitude of the values; NaN if any of them is.
    #[inline]
    pub(crate) fn largest_magnitude(&self, x: &[f32]) -> f32 {
        dispatch!(self.isa, vector::largest_magnitude(x))
    }

    /// The WKV recurrence of heads of `head_size` values: reads and updates `state` (H × S × S, row `i` of a head for
    /// its key `i`), writes `y` (H × S).
    ///
    /// # Panics
    /// If the lengths differ from these.
    #[inline]
    pub fn wkv(&self, head_size: usize, input: WkvInput<'_>, state: &mut [f32], y: &mut [f32]) {
        let WkvInput { r, k, v, decay, bonus } = input;
        same_length(
            y.len(),
            &[r.len(), k.len(), v.len(), decay.len(), bonus.len(), y.len().next_multiple_of(head_size)],
        );
        same_length(y.len() * head_size, &[state.len()]);
        dispatch!(self.isa, vector::wkv(head_size, input, state, y));
    }

    /// `o = o · silu(g)`.
    #[inline]
    pub fn silu_gate(&self, o: &mut [f32], g: &[f32]) {
        same_length(o.len(), &[g.len()]);
        dispatch!(self.isa, vector::silu_gate(o, g));
    }

    /// `x = x + sigmoid(r) · v`.
    #[inline]
    pub fn sigmoid_gate_add(&self, x: &mut [f32], r: &[f32], v: &[f32]) {
        same_length(x.len(), &[r.len(), v.len()]);
        dispatch!(self.isa, vector::sigmoid_gate_add(x, r, v));
    }

    /// `k = relu(k)²`.
    #[inline]
    pub fn relu_squared(&self, k: &mut [f32]) {
        dispatch!(self.isa, vector::relu_squared(k));
    }

    /// `x = x + y`.
    #[inline]
    pub fn add(&self, x: &mut [f32], y: &[f32]) {
        same_length(x.len(), &[y.len()]);
        dispatch!(self.isa, vector::add(x, y));
    }

    /// `x = exp(x)`.
    #[inline]
    pub fn exp(&self, x: &mut [f32]) {
        dispatch!(self.isa, vector::exp(x));
    }

    /// The index of the first of the largest values; a NaN is never the largest, and the result is 0 if there is no
    /// number.
    #[inline]
    pub fn argmax(&self, logits: &[f32]) -> u32 {
        dispatch!(self.isa, vector::argmax(logits))
    }

    /// The start of the next block of [`BLOCK`](top::BLOCK) values with one of at least `mark`: `from` plus a multiple
    /// of the block's length; the end if there is none.
    #[inline]
    pub(crate) fn next_block(&self, values: &[f32], from: usize, mark: f32) -> usize {
        dispatch!(self.isa, vector::next_block(values, from, mark))
    }

    /// `maxima_j` = the largest `x_i · scale` of group `j`, the elements `i ≡ j` modulo the number of maxima: `x`
    /// consists of rows of that length, of which only every `step`-th counts. A NaN counts as -∞, and so does an empty
    /// group.
    ///
    /// The k-th largest of the maxima is a lower bound of the k-th largest product: each belongs to another element.
    #[inline]
    pub fn strided_maxima(&self, x: &[f32], scale: f32, step: usize, maxima: &mut [f32]) {
        assert!(!maxima.is_empty() && step > 0, "{} groups, every {step} rows", maxima.len());
        dispatch!(self.isa, vector::strided_maxima(x, scale, step, maxima));
    }

    /// Writes every `i` with an `x_i · scale` that is not below `floor`, ascending, into `found`, which has room for
    /// all; returns their number. A NaN counts as not below.
    #[inline]
    pub fn not_below(&self, x: &[f32], scale: f32, floor: f32, found: &mut [u32]) -> usize {
        same_length(x.len(), &[found.len()]);
        dispatch!(self.isa, vector::not_below(x, scale, floor, found))
    }

    /// Reads every byte in order with the variant's own loads, to measure the bandwidth that streaming kernels are
    /// compared with. The value has no meaning.
    pub fn read(&self, bytes: &[u8]) -> f32 {
        dispatch!(self.isa, vector::read(bytes))
    }
}

/// Checks that the work buffer has space for `len` values, rounded up to a multiple of 16.
#[track_caller]
fn check_room(len: usize, room: &[f32]) {
    let needed = len.next_multiple_of(LANES);
    assert!(room.len() >= needed, "room for {} values instead of {needed}", room.len());
}
