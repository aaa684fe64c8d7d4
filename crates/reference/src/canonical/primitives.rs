//! The primitives of `crates/ARITHMETIC.md`, under the names used there.
//!
//! Rust neither contracts `a * b + c` nor reorders float operations, so rounding happens exactly as written; `/`,
//! `sqrt` and `as f32` from an integer round correctly, ties to even.

/// `a > b ? a : b`: a NaN in either gives `b`.
pub fn max(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// `a < b ? a : b`: a NaN in either gives `b`.
pub fn min(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// Term `i` goes to partial sum `i mod 16`; the 16 partial sums are then folded in half four times.
pub fn sum16(terms: impl IntoIterator<Item = f32>) -> f32 {
    let mut s = [0.0_f32; 16];
    for (i, t) in terms.into_iter().enumerate() {
        s[i % 16] += t;
    }
    for h in [8, 4, 2, 1] {
        for l in 0..h {
            s[l] += s[l + h];
        }
    }
    s[0]
}

/// The polynomial's coefficients, c0 first.
const C: [u32; 6] = [0x3f000000, 0x3e2aaaaa, 0x3d2aaa46, 0x3c08893a, 0x3ab6c737, 0x394f83bd];

/// `2^k` by its bits; a result for `k` outside the normal range is only ever multiplied by a NaN.
fn pow2(k: i32) -> f32 {
    f32::from_bits((k.wrapping_add(127) << 23) as u32)
}

/// The exponential: infinity above, through the subnormals to 0 below, NaN for NaN.
pub fn exp(x: f32) -> f32 {
    let c = C.map(f32::from_bits);
    let x = min(89.0, max(-104.0, x));
    let t = x * f32::from_bits(0x3fb8aa3b) + 12582912.0;
    let n = t.to_bits().wrapping_sub(0x4b400000) as i32;
    let m = t - 12582912.0;
    let r = (x - m * f32::from_bits(0x3f318000)) - m * f32::from_bits(0xb95e8083);
    let mut p = c[5];
    p = p * r + c[4];
    p = p * r + c[3];
    p = p * r + c[2];
    p = p * r + c[1];
    p = p * r + c[0];
    let y = ((p * (r * r)) + r) + 1.0;
    let h = n >> 1;
    (y * pow2(h)) * pow2(n.wrapping_sub(h))
}

/// `1 / (1 + exp(-x))`, using the exponential of a number that is never above 0.
pub fn sigmoid(x: f32) -> f32 {
    let e = exp(-x.abs());
    let num = if x >= 0.0 { 1.0 } else { e };
    num / (1.0 + e)
}

/// `x · sigmoid(x)`.
pub fn silu(x: f32) -> f32 {
    x * sigmoid(x)
}

/// To the nearest integer, ties to even.
fn round(x: f32) -> f32 {
    x.round_ties_even()
}

/// Mean 0 and (biased) variance 1, then `γ` and `β`; all of one length.
pub fn layer_norm(x: &[f32], gamma: &[f32], beta: &[f32]) -> Vec<f32> {
    let n = x.len() as f32;
    let mean = sum16(x.iter().copied()) / n;
    let d: Vec<f32> = x.iter().map(|x| x - mean).collect();
    let var = sum16(d.iter().map(|d| d * d)) / n;
    let inv = 1.0 / (var + f32::from_bits(0x3727c5ac)).sqrt() + var * 0.0;
    d.iter().zip(gamma).zip(beta).map(|((d, gamma), beta)| ((d * inv) * gamma) + beta).collect()
}

/// An INT8 vector with its scale.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantised {
    /// The values, within ±127.
    pub q: Vec<i8>,
    /// The size of one step.
    pub a: f32,
    /// The values in steps, before clamping and rounding; only used by a trace.
    pub scaled: Vec<f32>,
}

/// INT8 with one scale per vector: 127 steps are 2.5 times the mean magnitude.
pub fn quantise(y: &[f32]) -> Quantised {
    let m = sum16(y.iter().map(|y| y.abs())) / y.len() as f32;
    let t = max(f32::from_bits(0x322bcc77), 2.5 * m);
    let (a, s) = (t / 127.0, 127.0 / t);
    let scaled: Vec<f32> = y.iter().map(|y| y * s).collect();
    let q = scaled.iter().map(|&v| round(min(max(v, -127.0), 127.0)) as i8).collect();
    Quantised { q, a, scaled }
}

/// The head's activations: 15 bits, 16383 steps for the largest magnitude. Returns them with the size of one step.
pub fn quantise_head(z: &[f32]) -> (Vec<i32>, f32) {
    // As integers: a NaN's bits are above those of every number.
    let m = f32::from_bits(z.iter().map(|z| z.abs().to_bits()).max().unwrap_or(0));
    let t = max(f32::from_bits(0x322bcc77), m);
    let s = 16383.0 / t;
    let q = z.iter().map(|z| round(min(max(z * s, -16383.0), 16383.0)) as i32).collect();
    (q, t / 16383.0)
}

/// Token shift: from this token's `z` towards the previous one's `p`.
pub fn mix(z: &[f32], p: &[f32], mu: &[f32]) -> Vec<f32> {
    z.iter().zip(p).zip(mu).map(|((z, p), mu)| z + ((p - z) * mu)).collect()
}

/// The inputs of one head of the WKV step; S values each.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "r, k, v, w, b are the names of the definition")]
pub struct WkvHead<'a> {
    pub r: &'a [f32],
    pub k: &'a [f32],
    pub v: &'a [f32],
    /// `exp(-exp(log_decay))`.
    pub w: &'a [f32],
    /// `exp(u)`.
    pub b: &'a [f32],
}

/// One head of the WKV step: reads `state` (S × S, `k`'s index first), updates it, and returns `y` (S).
pub fn wkv(head: &WkvHead<'_>, state: &mut [f32]) -> Vec<f32> {
    let WkvHead { r, k, v, w, b } = *head;
    let s = r.len();
    // The current token's weight is the same for every j, except for the factor v_j.
    let c = sum16((0..s).map(|i| (r[i] * b[i]) * k[i]));
    let mut acc = vec![0.0_f32; s];
    for i in 0..s {
        let row = &mut state[i * s..(i + 1) * s];
        for j in 0..s {
            acc[j] += r[i] * row[j];
            row[j] = (w[i] * row[j]) + (k[i] * v[j]);
        }
    }
    acc.iter().zip(v).map(|(acc, v)| acc + (c * v)).collect()
}
