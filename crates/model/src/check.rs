//! Checks of whole tensors. Each first tests for any error in a branchless loop, which compilers vectorise, and locates
//! the error only if there is one.

use crate::error::Problem;

/// f32 values with an exponent of all ones are infinite or NaN.
const EXPONENT: u32 = 0x7f80_0000;
/// The low bit of each 2-bit code of a word.
const LOW_BITS: u64 = 0x5555_5555_5555_5555;

/// Whether every little-endian f32 of `bytes` is finite; otherwise the index of the first that is not.
pub(crate) fn finite_bytes(bytes: &[u8]) -> Result<(), usize> {
    let bits = || bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    finite_bits(bits)
}

/// Whether every value is finite; otherwise the index of the first that is not.
pub(crate) fn finite(values: &[f32]) -> Result<(), usize> {
    finite_bits(|| values.iter().map(|v| v.to_bits()))
}

fn finite_bits<I: Iterator<Item = u32>>(bits: impl Fn() -> I) -> Result<(), usize> {
    let infinite = |b: u32| b & EXPONENT == EXPONENT;
    if !bits().fold(false, |bad, b| bad | infinite(b)) {
        return Ok(());
    }
    bits().position(infinite).map_or(Ok(()), Err)
}

/// Whether every weight is -1, 0 or 1; otherwise what is wrong and its index.
pub(crate) fn ternary(weights: &[i8]) -> Result<(), (usize, Problem)> {
    let wrong = |w: i8| !(-1..=1).contains(&w);
    if !weights.iter().fold(false, |bad, &w| bad | wrong(w)) {
        return Ok(());
    }
    match weights.iter().enumerate().find(|&(_, &w)| wrong(w)) {
        Some((index, &value)) => Err((index, Problem::NotTernary { index, value })),
        None => Ok(()),
    }
}

/// Whether `bytes` contains `count` weights of 2 bits, no code 11 and zeros after the last weight; otherwise what is
/// wrong and the index of the byte.
pub(crate) fn packed(bytes: &[u8], count: usize) -> Result<(), (usize, Problem)> {
    let words = bytes.chunks_exact(8);
    let rest = words.remainder().iter().fold(0, |bad, &b| bad | b & (b >> 1) & LOW_BITS as u8);
    let bad = words.fold(0, |bad, c| {
        let word = u64::from_le_bytes([c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]]);
        bad | word & (word >> 1) & LOW_BITS
    });
    let used = count % 4;
    if used != 0
        && let Some((&byte, whole)) = bytes.split_last()
        && byte >> (2 * used) != 0
        && first_invalid(whole).is_none()
    {
        return Err((whole.len(), Problem::SpareBits { byte }));
    }
    if bad == 0 && rest == 0 {
        return Ok(());
    }
    match first_invalid(bytes) {
        Some((at, index)) => Err((at, Problem::InvalidCode { index })),
        None => Ok(()),
    }
}

/// Byte and weight index of the first code 11.
fn first_invalid(bytes: &[u8]) -> Option<(usize, usize)> {
    bytes.iter().enumerate().find_map(|(at, &b)| {
        let codes = b & (b >> 1) & LOW_BITS as u8;
        (codes != 0).then(|| (at, at * 4 + codes.trailing_zeros() as usize / 2))
    })
}
