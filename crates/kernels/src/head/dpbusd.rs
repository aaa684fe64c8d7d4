//! The INT8 head with `vpdpbusd`: rows stay bytes, activations become two digits, `q = 128 · high + low`.
//!
//! The instruction needs one unsigned operand, so a row's bytes are read as `e + 128` (one xor); the resulting surplus,
//! `128 · Σ q`, is the same for every row and subtracted at the end. 32-bit sums may wrap and are still correct,
//! because the result itself fits.

use super::generic;
use crate::MAX_N_EMBD;

/// A vector of `BYTES` bytes, or of 32-bit sums, of an instruction set that has `vpdpbusd`.
pub(super) trait Dpbusd<const BYTES: usize>: Copy {
    /// The token that proves that the instructions are available.
    type Isa: Copy;
    /// Whether the instruction takes two signed operands: then a row's bytes are read unchanged, without a surplus.
    const SIGNED: bool = false;

    fn zero(isa: Self::Isa) -> Self;
    /// The bytes plus 128; unchanged if [`SIGNED`](Self::SIGNED).
    fn load_unsigned(isa: Self::Isa, e: &[i8; BYTES]) -> Self;
    fn load(isa: Self::Isa, digits: &[i8; BYTES]) -> Self;
    /// `self + e · digits`, four bytes per lane.
    fn dot(self, e: Self, digits: Self) -> Self;
    /// `128 · self + low`, lane by lane.
    fn join(self, low: Self) -> Self;
    /// The sum of the lanes of each of four rows.
    fn sum4(rows: [Self; 4]) -> [i32; 4];
}

/// Activations as two digits, `q = 128 · high + low`, padded with zeros.
struct Digits {
    high: [i8; MAX_N_EMBD],
    low: [i8; MAX_N_EMBD],
    /// `128 · Σ q`; 0 if rows are read signed.
    surplus: i32,
}

impl Digits {
    #[inline(always)]
    fn new(q: &[i16], signed: bool) -> Self {
        let surplus = if signed { 0 } else { surplus(q) };
        let mut digits = Digits { high: [0; MAX_N_EMBD], low: [0; MAX_N_EMBD], surplus };
        for ((high, low), &q) in digits.high.iter_mut().zip(&mut digits.low).zip(q) {
            (*high, *low) = ((q >> 7) as i8, (q & 127) as i8);
        }
        digits
    }
}

/// Chunks of a row for which all digits stay in registers.
const HELD: usize = 4;

/// `logits = (rows · q) · (row_scales · scale)`, four rows at a time: sequentially if all digits fit the registers,
/// else interleaved, so that each load of digits serves four rows, because loads are the bottleneck then.
#[inline(always)]
pub(super) fn int8<const BYTES: usize, M: Dpbusd<BYTES>>(
    isa: M::Isa,
    rows: &[i8],
    row_scales: &[f32],
    q: &[i16],
    scale: f32,
    logits: &mut [f32],
) {
    let (d, digits) = (q.len(), Digits::new(q, M::SIGNED));
    let mut held = [[M::zero(isa); 2]; HELD];
    let (highs, lows) = (digits.high.as_chunks::<BYTES>().0, digits.low.as_chunks::<BYTES>().0);
    for i in 0..HELD {
        held[i] = [M::load(isa, &highs[i]), M::load(isa, &lows[i])];
    }
    let (fours, scale_fours) = (rows.chunks_exact(4 * d), row_scales.chunks_exact(4));
    let left = (fours.remainder(), scale_fours.remainder());
    let mut logit_fours = logits.chunks_exact_mut(4);
    if d == HELD * BYTES {
        for ((rows, row_scales), logits) in fours.zip(scale_fours).zip(&mut logit_fours) {
            let dots = in_order::<BYTES, M>(isa, rows, &held, digits.surplus);
            for i in 0..4 {
                logits[i] = dots[i] as f32 * (row_scales[i] * scale);
            }
        }
    } else {
        for ((rows, row_scales), logits) in fours.zip(scale_fours).zip(&mut logit_fours) {
            let rows = [&rows[..d], &rows[d..2 * d], &rows[2 * d..3 * d], &rows[3 * d..]];
            let dots = dot4::<BYTES, M>(isa, rows, &digits);
            for i in 0..4 {
                logits[i] = dots[i] as f32 * (row_scales[i] * scale);
            }
        }
    }
    generic::int8(left.0, left.1, q, scale, logit_fours.into_remainder());
}

/// `rows · q` of the rows that `tokens` name.
#[inline(always)]
pub(super) fn exact<const BYTES: usize, M: Dpbusd<BYTES>>(
    isa: M::Isa,
    rows: &[i8],
    tokens: &[u32],
    q: &[i16],
    dots: &mut [i32],
) {
    let digits = Digits::new(q, M::SIGNED);
    for (tokens, dots) in tokens.chunks(4).zip(dots.chunks_mut(4)) {
        let four = dot4::<BYTES, M>(isa, super::shape::rows4(rows, tokens, q.len()), &digits);
        dots.copy_from_slice(&four[..dots.len()]);
    }
}

/// `rows · q` of four consecutive rows, read in memory order: the hardware prefetches one stream better than four. With
/// the branch inside the loop instead of around it the head takes an eighth longer.
#[inline(always)]
fn in_order<const BYTES: usize, M: Dpbusd<BYTES>>(
    isa: M::Isa,
    rows: &[i8],
    digits: &[[M; 2]; HELD],
    surplus: i32,
) -> [i32; 4] {
    let (chunks, _) = rows.as_chunks::<BYTES>();
    let (rows, _) = chunks.as_chunks::<HELD>();
    let mut sums = [M::zero(isa); 4];
    for (sum, row) in sums.iter_mut().zip(rows) {
        let (mut by_high, mut by_low) = (M::zero(isa), M::zero(isa));
        for i in 0..HELD {
            let e = M::load_unsigned(isa, &row[i]);
            by_high = by_high.dot(e, digits[i][0]);
            by_low = by_low.dot(e, digits[i][1]);
        }
        *sum = by_high.join(by_low);
    }
    let mut dots = M::sum4(sums);
    for dot in &mut dots {
        *dot = dot.wrapping_sub(surplus);
    }
    dots
}

/// `rows · q`.
#[inline(always)]
fn dot4<const BYTES: usize, M: Dpbusd<BYTES>>(isa: M::Isa, rows: [&[i8]; 4], digits: &Digits) -> [i32; 4] {
    let d = rows[0].len();
    let (highs, lows) = (digits.high.as_chunks::<BYTES>().0, digits.low.as_chunks::<BYTES>().0);
    let (mut by_high, mut by_low) = ([M::zero(isa); 4], [M::zero(isa); 4]);
    for i in 0..d / BYTES {
        let (high, low) = (M::load(isa, &highs[i]), M::load(isa, &lows[i]));
        for r in 0..4 {
            let e = M::load_unsigned(isa, chunk(&rows[r][i * BYTES..]));
            by_high[r] = by_high[r].dot(e, high);
            by_low[r] = by_low[r].dot(e, low);
        }
    }
    if !d.is_multiple_of(BYTES) {
        let i = d / BYTES;
        let (high, low) = (M::load(isa, &highs[i]), M::load(isa, &lows[i]));
        for r in 0..4 {
            // The digits past the end are 0, so the bytes of the row there add nothing.
            let mut last = [0; BYTES];
            let tail = &rows[r][i * BYTES..];
            last[..tail.len()].copy_from_slice(tail);
            let e = M::load_unsigned(isa, &last);
            by_high[r] = by_high[r].dot(e, high);
            by_low[r] = by_low[r].dot(e, low);
        }
    }
    let mut sums = [M::zero(isa); 4];
    for r in 0..4 {
        sums[r] = by_high[r].join(by_low[r]);
    }
    let mut dots = M::sum4(sums);
    for dot in &mut dots {
        *dot = dot.wrapping_sub(digits.surplus);
    }
    dots
}

/// For [`many`](super::many): the high digits of the columns, then the low ones, in the space of the values.
#[inline(always)]
pub(super) fn digits<const COLUMNS: usize>(q: &[i16; COLUMNS]) -> [i16; COLUMNS] {
    let mut digits = [0; COLUMNS];
    let (high, low) = digits.split_at_mut(COLUMNS / 2);
    let (pairs, _) = q.as_chunks::<2>();
    for ((high, low), &[a, b]) in high.iter_mut().zip(low).zip(pairs) {
        *high = i16::from_le_bytes([(a >> 7) as u8, (b >> 7) as u8]);
        *low = i16::from_le_bytes([(a & 127) as u8, (b & 127) as u8]);
    }
    digits
}

/// The surplus in a row's sum from reading its bytes as `e + 128`.
#[inline(always)]
pub(super) fn surplus(q: &[i16]) -> i32 {
    128 * q.iter().map(|&q| i32::from(q)).sum::<i32>()
}

#[inline(always)]
fn chunk<const BYTES: usize>(bytes: &[i8]) -> &[i8; BYTES] {
    bytes.first_chunk().expect("the caller steps in whole chunks")
}
