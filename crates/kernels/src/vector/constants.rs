//! The constants of the f32 arithmetic, as `crates/ARITHMETIC.md` lists them.

/// Number of partial sums of a reduction.
pub(crate) const LANES: usize = 16;

/// `1.5 · 2^23`: adding it to `|x| < 2^22` puts the nearest integer to `x` into the low bits of the sum.
pub(crate) const ROUND: f32 = 12_582_912.0;
/// The bits of [`ROUND`].
pub(crate) const ROUND_BITS: i32 = 0x4b40_0000;

/// ε of every norm, 1e-5.
pub(crate) const EPS: f32 = f32::from_bits(0x3727_c5ac);
/// Least scale of a quantised vector, 1e-8.
pub(crate) const TINY: f32 = f32::from_bits(0x322b_cc77);
/// Largest INT8 value of an activation.
pub(crate) const INT8_MAX: f32 = 127.0;
/// Largest value of an activation of the head.
pub(crate) const INT15_MAX: f32 = 16_383.0;

/// Constants of `exp`, as `crates/ARITHMETIC.md` lists them.
pub(crate) mod exp {
    pub const MAX: f32 = 89.0;
    pub const MIN: f32 = -104.0;
    pub const LOG2_E: f32 = f32::from_bits(0x3fb8_aa3b);
    pub const LN2_HIGH: f32 = f32::from_bits(0x3f31_8000);
    pub const LN2_LOW: f32 = f32::from_bits(0xb95e_8083);
    /// c5 … c0.
    pub const C: [f32; 6] = [
        f32::from_bits(0x394f_83bd),
        f32::from_bits(0x3ab6_c737),
        f32::from_bits(0x3c08_893a),
        f32::from_bits(0x3d2a_aa46),
        f32::from_bits(0x3e2a_aaaa),
        f32::from_bits(0x3f00_0000),
    ];
}
