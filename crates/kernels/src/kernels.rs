//! The safe entry to the f32 steps and the head: shapes checked, then one dispatch on the instruction set.
//!
//! The lengths checked here are the engine's own, so a failed check is a bug in the caller and panics.

use crate::isa::Isa;
use crate::{TopLogit, Unavailable, Variant, head, top, vector};

/// The kernels of one variant.
#[derive(Debug, Clone, Copy)]
pub struct Kernels {
    variant: Variant,
    pub(crate) isa: Isa,
}

/// Runs `$name` of the module that the instruction set selects.
macro_rules! dispatch {
    ($isa:expr, $family:ident :: $name:ident ( $($arg:expr),* )) => {
        match $isa {
            Isa::Generic | Isa::Lut => $family::generic::$name($($arg),*),
            #[cfg(target_arch = "x86_64")]
            Isa::Ssse3(isa) => $family::ssse3::$name(isa, $($arg),*),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2(isa) => $family::avx2::$name(isa, $($arg),*),
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni(isa) => $family::avx_vnni::$name(isa, $($arg),*),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Vnni(isa) => $family::avx512_vnni::$name(isa, $($arg),*),
            #[cfg(target_arch = "wasm32")]
            Isa::Simd128(isa) => $family::simd128::$name(isa, $($arg),*),
            #[cfg(all(target_arch = "wasm32", feature = "relaxed_simd"))]
            Isa::RelaxedSimd(isa) => $family::relaxed_simd::$name(isa, $($arg),*),
        }
    };
}

/// What one head of the WKV recurrence reads, S values each.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "r, k, v are the names of the definition")]
pub struct WkvInput<'a> {
    pub r: &'a [f32],
    pub k: &'a [f32],
    pub v: &'a [f32],
    /// `exp(-exp(log_decay))`: what is kept of the state.
    pub decay: &'a [f32],
    /// `exp(u)`: how much the current token counts.
    pub bonus: &'a [f32],
}

impl Kernels {
    /// The kernels of `variant`.
    ///
    /// # Errors
    /// Where the CPU or the target lacks what the variant needs.
    pub fn new(variant: Variant) -> Result<Self, Unavailable> {
        Ok(Kernels { variant, isa: Isa::detect(variant)? })
    }

    /// The variant that runs.
    pub fn variant(&self) -> Variant {
        self.variant
    }

    /// How many rows of activations are worth keeping for one pass over the weights. Plain Rust gains nothing, and the
    /// machines it is for have little memory.
    #[inline]
    pub fn batch_rows(&self) -> usize {
        if matches!(self.isa, Isa::Generic | Isa::Lut) { 1 } else { 16 }
    }

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

    /// The largest magnitude among the values; NaN if any of them is.
    #[inline]
    pub(crate) fn largest_magnitude(&self, x: &[f32]) -> f32 {
        dispatch!(self.isa, vector::largest_magnitude(x))
    }

    /// One head of the WKV recurrence: reads and updates `state` (S × S, row `i` for key `i`), writes `y` (S).
    #[inline]
    pub fn wkv(&self, input: WkvInput<'_>, state: &mut [f32], y: &mut [f32]) {
        let WkvInput { r, k, v, decay, bonus } = input;
        same_length(y.len(), &[r.len(), k.len(), v.len(), decay.len(), bonus.len()]);
        same_length(y.len() * y.len(), &[state.len()]);
        dispatch!(self.isa, vector::wkv(input, state, y));
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

    /// The place of the first of the largest values; a NaN is never the largest, and 0 stands for no number at all.
    #[inline]
    pub fn argmax(&self, logits: &[f32]) -> u32 {
        dispatch!(self.isa, vector::argmax(logits))
    }

    /// Fills `top` with the largest of `logits`, in their [order](TopLogit::order).
    ///
    /// # Panics
    /// Where more are asked for than there are.
    pub fn top(&self, logits: &[f32], top: &mut [TopLogit]) {
        assert!(top.len() <= logits.len(), "the {} largest of {} values", top.len(), logits.len());
        match top {
            [] => {}
            [first] => {
                let token = self.argmax(logits);
                *first = TopLogit { token, logit: logits[token as usize] };
            }
            _ => top::top(*self, logits, top),
        }
    }

    /// Where the next block of [`BLOCK`](top::BLOCK) values starts that has one of at least `mark`: `from`, or a multiple
    /// of the block's length further; the end where there is none.
    #[inline]
    pub(crate) fn next_block(&self, values: &[f32], from: usize, mark: f32) -> usize {
        dispatch!(self.isa, vector::next_block(values, from, mark))
    }

    /// `maxima_j` = the largest `x_i · scale` of group `j`, which is every `i ≡ j` modulo the number of maxima: `x` is
    /// rows of that length, of which only every `step`-th counts. A NaN counts as -∞, and so does a group of nothing.
    ///
    /// The k-th largest of the maxima is a floor under the k-th largest product: each is that of another element.
    #[inline]
    pub fn strided_maxima(&self, x: &[f32], scale: f32, step: usize, maxima: &mut [f32]) {
        assert!(!maxima.is_empty() && step > 0, "{} groups, every {step} rows", maxima.len());
        dispatch!(self.isa, vector::strided_maxima(x, scale, step, maxima));
    }

    /// Writes every `i` with an `x_i · scale` that is not below `floor`, ascending, into `found`, which has room for
    /// all; returns how many there are. A NaN is not below anything.
    #[inline]
    pub fn not_below(&self, x: &[f32], scale: f32, floor: f32, found: &mut [u32]) -> usize {
        same_length(x.len(), &[found.len()]);
        dispatch!(self.isa, vector::not_below(x, scale, floor, found))
    }

    /// Reads every byte in order with the variant's own loads: the bandwidth that what streams is held against. The
    /// value stands for nothing.
    pub fn read(&self, bytes: &[u8]) -> f32 {
        dispatch!(self.isa, vector::read(bytes))
    }

    /// `logits = (rows · q) · (row_scales · scale)`: `rows` is V × D, `q` has D 15-bit values, D at most
    /// [`MAX_N_EMBD`](crate::MAX_N_EMBD).
    #[inline]
    pub fn head_int8(&self, rows: &[i8], row_scales: &[f32], q: &[i16], scale: f32, logits: &mut [f32]) {
        assert!(q.len() <= crate::MAX_N_EMBD, "the sums of a head this wide do not fit i32");
        same_length(logits.len(), &[row_scales.len()]);
        same_length(logits.len() * q.len(), &[rows.len()]);
        dispatch!(self.isa, head::int8(rows, row_scales, q, scale, logits));
    }

    /// `logits = rows · z`: `rows` is V × D little-endian f32 at any alignment, `z` has D values.
    #[inline]
    pub fn head_f32(&self, rows: &[u8], z: &[f32], logits: &mut [f32]) {
        same_length(logits.len() * z.len() * 4, &[rows.len()]);
        dispatch!(self.isa, head::float(rows, z, logits));
    }
}

#[track_caller]
pub(crate) fn same_length(expected: usize, lengths: &[usize]) {
    assert!(lengths.iter().all(|&length| length == expected), "vector lengths {lengths:?} are not all {expected}");
}
