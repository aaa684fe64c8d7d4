//! The f32 steps with RISC-V vectors. Four registers form a group of at least 16 values, for any register length.
//!
//! A sum of 16 lanes uses 16 of them, an elementwise step all of them. Steps that run once per token, and searches
//! among logits, are plain Rust.

mod wkv;

use super::constants::{EPS, INT8_MAX, LANES, TINY};
use super::generic;
use super::mean::mean;
use super::operands::{GatedInput, MixInput, NormInput, WkvInput};
use crate::isa::{Rvv, rvv};

/// Runs `$line`s for as many values as fit, until all of `$n` are done; they find four bytes per value at each
/// `$pointer`. The register group from v0 on is for masks.
macro_rules! each {
    ($n:expr, [$($pointer:ident = $start:expr),+], [$($line:literal),+], $($operand:tt)*) => {{
        let n: usize = $n;
        if n > 0 {
            // SAFETY: a token proves the instructions; the callers' slices have `n` values each.
            unsafe {
                rvv!(
                    "2:",
                    "vsetvli {t}, {n}, e32, m4, ta, ma",
                    $($line,)+
                    "sub {n}, {n}, {t}",
                    "slli {t}, {t}, 2",
                    $(concat!("add {", stringify!($pointer), "}, {", stringify!($pointer), "}, {t}"),)+
                    "bnez {n}, 2b";
                    n = inout(reg) n => _, t = out(reg) _,
                    $($pointer = inout(reg) $start => _,)+
                    $($operand)*
                );
            }
        }
    }};
}

/// `sum16` of the values of `$x` after `$line`s processed them in v4, lane by lane; they must map 0 to 0.
macro_rules! sum16 {
    ($x:expr, [$($line:literal),*], $($operand:tt)*) => {{
        let x: &[f32] = $x;
        let sum: f32;
        // SAFETY: a token proves the instructions; exactly the slice is read.
        unsafe {
            rvv!(
                "vsetivli zero, 16, e32, m4, ta, ma",
                "vmv.v.i v8, 0",
                "beqz {whole}, 3f",
                "2:",
                "vle32.v v4, ({x})",
                $($line,)*
                "vfadd.vv v8, v8, v4",
                "addi {x}, {x}, 64",
                "addi {whole}, {whole}, -1",
                "bnez {whole}, 2b",
                "3:",
                "beqz {tail}, 4f",
                // The other lanes keep their sums.
                "vsetvli zero, {tail}, e32, m4, tu, ma",
                "vle32.v v4, ({x})",
                $($line,)*
                "vfadd.vv v8, v8, v4",
                "4:",
                // The fixed tree.
                "vsetivli zero, 16, e32, m4, ta, ma",
                "vslidedown.vi v4, v8, 8",
                "vfadd.vv v8, v8, v4",
                "vslidedown.vi v4, v8, 4",
                "vfadd.vv v8, v8, v4",
                "vslidedown.vi v4, v8, 2",
                "vfadd.vv v8, v8, v4",
                "vslidedown.vi v4, v8, 1",
                "vfadd.vv v8, v8, v4",
                "vfmv.f.s {sum}, v8";
                x = inout(reg) x.as_ptr() => _, whole = inout(reg) x.len() / LANES => _, tail = in(reg) x.len() % LANES,
                sum = lateout(freg) sum,
                $($operand)*
            );
        }
        sum
    }};
}

/// The mean, and the factor of the deviations from it.
fn moments(x: &[f32]) -> (f32, f32) {
    let mu = mean(sum16!(x, [],), x.len());
    let squares = sum16!(x, ["vfsub.vf v4, v4, {mu}", "vfmul.vv v4, v4, v4"], mu = in(freg) mu,);
    let variance = mean(squares, x.len());
    let root: f32;
    // SAFETY: every CPU with vectors has the instruction, which only uses registers.
    unsafe {
        core::arch::asm!("fsqrt.s {0}, {1}", out(freg) root, in(freg) variance + EPS, options(pure, nomem, nostack));
    }
    (mu, 1.0 / root + variance * 0.0)
}

pub(crate) fn layer_norm(_: Rvv, x: &[f32], weight: &[f32], bias: &[f32], out: &mut [f32]) {
    let (mu, inv) = moments(x);
    norm_into(x.as_ptr(), (mu, inv), NormInput { weight, bias }, out);
}

/// `out = (x - mu) · inv · weight + bias` for the length of `out`; `x` may be `out`.
fn norm_into(x: *const f32, (mu, inv): (f32, f32), NormInput { weight, bias }: NormInput<'_>, out: &mut [f32]) {
    each!(
        out.len(),
        [x = x, weight = weight.as_ptr(), bias = bias.as_ptr(), out = out.as_mut_ptr()],
        [
            "vle32.v v4, ({x})",
            "vle32.v v8, ({weight})",
            "vle32.v v12, ({bias})",
            "vfsub.vf v4, v4, {mu}",
            "vfmul.vf v4, v4, {inv}",
            "vfmul.vv v4, v4, v8",
            "vfadd.vv v4, v4, v12",
            "vse32.v v4, ({out})"
        ],
        mu = in(freg) mu, inv = in(freg) inv,
    );
}

pub(crate) fn mix(_: Rvv, z: &[f32], p: &[f32], mu: &[f32], out: &mut [f32]) {
    each!(
        out.len(),
        [z = z.as_ptr(), p = p.as_ptr(), mu = mu.as_ptr(), out = out.as_mut_ptr()],
        [
            "vle32.v v4, ({z})",
            "vle32.v v8, ({p})",
            "vle32.v v12, ({mu})",
            "vfsub.vv v8, v8, v4",
            "vfmul.vv v8, v8, v12",
            "vfadd.vv v4, v4, v8",
            "vse32.v v4, ({out})"
        ],
    );
}

pub(crate) fn quantise_int8(_: Rvv, y: &[f32], q: &mut [i8]) -> f32 {
    let spread = 2.5 * mean(sum16!(y, ["vfsgnjx.vv v4, v4, v4"],), y.len());
    let t = if TINY > spread { TINY } else { spread };
    if y.is_empty() {
        return t / INT8_MAX;
    }
    // SAFETY: the token proves the instructions; the slices have one length, and all of them is read and written. A NaN
    // becomes the other operand of the maximum.
    unsafe {
        rvv!(
            "2:",
            "vsetvli {t}, {n}, e32, m4, ta, ma",
            "vle32.v v4, ({y})",
            "vfmul.vf v4, v4, {factor}",
            "vfmax.vf v4, v4, {low}",
            "vfmin.vf v4, v4, {high}",
            "vfcvt.x.f.v v4, v4",
            "vsetvli zero, zero, e16, m2, ta, ma",
            "vnsrl.wi v8, v4, 0",
            "vsetvli zero, zero, e8, m1, ta, ma",
            "vnsrl.wi v4, v8, 0",
            "vse8.v v4, ({q})",
            "sub {n}, {n}, {t}",
            "add {q}, {q}, {t}",
            "slli {t}, {t}, 2",
            "add {y}, {y}, {t}",
            "bnez {n}, 2b";
            n = inout(reg) y.len() => _, t = out(reg) _, y = inout(reg) y.as_ptr() => _,
            q = inout(reg) q.as_mut_ptr() => _, factor = in(freg) INT8_MAX / t, low = in(freg) -INT8_MAX,
            high = in(freg) INT8_MAX,
        );
    }
    t / INT8_MAX
}

pub(crate) fn mix_inputs<const N: usize>(
    isa: Rvv,
    z: &[f32],
    p: &[f32],
    mixes: [MixInput<'_>; N],
    room: &mut [f32],
    q: [&mut [i8]; N],
) -> [f32; N] {
    let (mut scales, room) = ([0.0; N], &mut room[..z.len()]);
    for ((MixInput { mu, norm }, q), scale) in mixes.into_iter().zip(q).zip(&mut scales) {
        mix(isa, z, p, mu, room);
        *scale = normed_input(isa, room, norm, q);
    }
    scales
}

pub(crate) fn relu_squared_input(isa: Rvv, k: &[f32], norm: NormInput<'_>, room: &mut [f32], q: &mut [i8]) -> f32 {
    let room = &mut room[..k.len()];
    room.copy_from_slice(k);
    relu_squared(isa, room);
    normed_input(isa, room, norm, q)
}

pub(crate) fn gated_input(isa: Rvv, input: GatedInput<'_>, y: &mut [f32], room: &mut [f32], q: &mut [i8]) -> f32 {
    let GatedInput { x, head_size, group_norm, g, norm } = input;
    let heads = x.chunks_exact(head_size).zip(y.chunks_exact_mut(head_size));
    let parameters = group_norm.weight.chunks_exact(head_size).zip(group_norm.bias.chunks_exact(head_size));
    for ((x, y), (weight, bias)) in heads.zip(parameters) {
        layer_norm(isa, x, weight, bias, y);
    }
    silu_gate(isa, y, g);
    let room = &mut room[..y.len()];
    room.copy_from_slice(y);
    normed_input(isa, room, norm, q)
}

/// Quantises the norm of `x` into `q`; returns the scale.
fn normed_input(isa: Rvv, x: &mut [f32], norm: NormInput<'_>, q: &mut [i8]) -> f32 {
    let moments = moments(x);
    norm_into(x.as_ptr(), moments, norm, x);
    quantise_int8(isa, x, q)
}

pub(crate) fn relu_squared(_: Rvv, k: &mut [f32]) {
    each!(
        k.len(),
        [k = k.as_mut_ptr()],
        [
            "vle32.v v4, ({k})",
            // Not the maximum instruction, whose result is never NaN.
            "vmflt.vf v0, v4, {zero}",
            "vfmerge.vfm v4, v4, {zero}, v0",
            "vfmul.vv v4, v4, v4",
            "vse32.v v4, ({k})"
        ],
        zero = in(freg) 0.0f32,
    );
}

pub(crate) fn exp(_: Rvv, x: &mut [f32]) {
    use super::constants::ROUND;
    use super::constants::exp::{C, LN2_HIGH, LN2_LOW, LOG2_E, MAX, MIN};
    each!(
        x.len(),
        [x = x.as_mut_ptr()],
        [
            "vle32.v v4, ({x})",
            "vmflt.vf v0, v4, {min}",
            "vfmerge.vfm v4, v4, {min}, v0",
            "vmfgt.vf v0, v4, {max}",
            "vfmerge.vfm v4, v4, {max}, v0",
            "vfmul.vf v8, v4, {log2_e}",
            "vfadd.vf v8, v8, {round}",
            "vfsub.vf v12, v8, {round}",
            "vfmul.vf v16, v12, {ln2_high}",
            "vfsub.vv v4, v4, v16",
            "vfmul.vf v16, v12, {ln2_low}",
            "vfsub.vv v4, v4, v16",
            "vfmul.vf v12, v4, {c0}",
            "vfadd.vf v12, v12, {c1}",
            "vfmul.vv v12, v12, v4",
            "vfadd.vf v12, v12, {c2}",
            "vfmul.vv v12, v12, v4",
            "vfadd.vf v12, v12, {c3}",
            "vfmul.vv v12, v12, v4",
            "vfadd.vf v12, v12, {c4}",
            "vfmul.vv v12, v12, v4",
            "vfadd.vf v12, v12, {c5}",
            "vfmul.vv v16, v4, v4",
            "vfmul.vv v12, v12, v16",
            "vfadd.vv v12, v12, v4",
            "vfadd.vf v12, v12, {one}",
            // In two steps, because 2^n alone may not be representable.
            "vsub.vx v8, v8, {round_bits}",
            "vsra.vi v16, v8, 1",
            "vsub.vv v8, v8, v16",
            "vadd.vx v16, v16, {bias}",
            "vsll.vi v16, v16, 23",
            "vadd.vx v8, v8, {bias}",
            "vsll.vi v8, v8, 23",
            "vfmul.vv v12, v12, v16",
            "vfmul.vv v12, v12, v8",
            "vse32.v v12, ({x})"
        ],
        min = in(freg) MIN, max = in(freg) MAX, log2_e = in(freg) LOG2_E, round = in(freg) ROUND,
        ln2_high = in(freg) LN2_HIGH, ln2_low = in(freg) LN2_LOW, c0 = in(freg) C[0], c1 = in(freg) C[1],
        c2 = in(freg) C[2], c3 = in(freg) C[3], c4 = in(freg) C[4], c5 = in(freg) C[5], one = in(freg) 1.0f32,
        round_bits = in(reg) super::constants::ROUND_BITS, bias = in(reg) 127,
    );
}

/// The sigmoids of `x`.
fn sigmoids<'a>(isa: Rvv, x: &[f32], room: &'a mut [f32; 4 * LANES]) -> &'a [f32] {
    let sigmoids = &mut room[..x.len()];
    each!(
        x.len(),
        [x = x.as_ptr(), out = sigmoids.as_mut_ptr()],
        ["vle32.v v4, ({x})", "vfsgnjx.vv v4, v4, v4", "vfsgnjn.vv v4, v4, v4", "vse32.v v4, ({out})"],
    );
    exp(isa, sigmoids);
    each!(
        x.len(),
        [x = x.as_ptr(), e = sigmoids.as_mut_ptr()],
        [
            "vle32.v v4, ({x})",
            "vle32.v v8, ({e})",
            "vmfge.vf v0, v4, {zero}",
            "vfmerge.vfm v4, v8, {one}, v0",
            "vfadd.vf v8, v8, {one}",
            "vfdiv.vv v4, v4, v8",
            "vse32.v v4, ({e})"
        ],
        zero = in(freg) 0.0f32, one = in(freg) 1.0f32,
    );
    sigmoids
}

pub(crate) fn silu_gate(isa: Rvv, o: &mut [f32], g: &[f32]) {
    let mut room = [0.0; 4 * LANES];
    for (o, g) in o.chunks_mut(room.len()).zip(g.chunks(4 * LANES)) {
        let sigmoids = sigmoids(isa, g, &mut room);
        each!(
            o.len(),
            [o = o.as_mut_ptr(), g = g.as_ptr(), s = sigmoids.as_ptr()],
            [
                "vle32.v v4, ({o})",
                "vle32.v v8, ({g})",
                "vle32.v v12, ({s})",
                "vfmul.vv v8, v8, v12",
                "vfmul.vv v4, v4, v8",
                "vse32.v v4, ({o})"
            ],
        );
    }
}

pub(crate) fn sigmoid_gate_add(isa: Rvv, x: &mut [f32], r: &[f32], v: &[f32]) {
    let mut room = [0.0; 4 * LANES];
    for ((x, r), v) in x.chunks_mut(room.len()).zip(r.chunks(4 * LANES)).zip(v.chunks(4 * LANES)) {
        let sigmoids = sigmoids(isa, r, &mut room);
        each!(
            x.len(),
            [x = x.as_mut_ptr(), s = sigmoids.as_ptr(), v = v.as_ptr()],
            [
                "vle32.v v4, ({x})",
                "vle32.v v8, ({s})",
                "vle32.v v12, ({v})",
                "vfmul.vv v8, v8, v12",
                "vfadd.vv v4, v4, v8",
                "vse32.v v4, ({x})"
            ],
        );
    }
}

pub(crate) fn wkv(_: Rvv, head_size: usize, input: WkvInput<'_>, state: &mut [f32], y: &mut [f32]) {
    let states = state.chunks_exact_mut(head_size * head_size);
    for (h, (state, y)) in states.zip(y.chunks_exact_mut(head_size)).enumerate() {
        wkv::head(input.head(h * head_size, head_size), state, y);
    }
}

/// Steps in plain Rust.
macro_rules! plain {
    ($(fn $name:ident($($arg:ident: $type:ty),*) $(-> $result:ty)?;)*) => {$(
        pub(crate) fn $name(_: Rvv, $($arg: $type),*) $(-> $result)? {
            generic::$name($($arg),*)
        }
    )*};
}

plain! {
    fn quantise_15bit(z: &[f32], q: &mut [i16]) -> f32;
    fn largest_magnitude(x: &[f32]) -> f32;
    fn add(x: &mut [f32], y: &[f32]);
    fn argmax(logits: &[f32]) -> u32;
    fn next_block(values: &[f32], from: usize, mark: f32) -> usize;
    fn strided_maxima(x: &[f32], scale: f32, step: usize, maxima: &mut [f32]);
    fn not_below(x: &[f32], scale: f32, floor: f32, found: &mut [u32]) -> usize;
    fn read(bytes: &[u8]) -> f32;
}
