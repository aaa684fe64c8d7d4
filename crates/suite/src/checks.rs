//! Checks of every kernel over irregular shapes, with one digest per kernel.
//!
//! The same inputs are used for every implementation of [`Arithmetic`]: the kernels of a variant, and the oracle that
//! the golden digests come from. A digest that differs names the kernel to look at.

mod arithmetic;

use alloc::vec;
use alloc::vec::Vec;
use bitstate_generate::SplitMix64;
use bitstate_kernels::{GatedInput, MixInput, NormInput, WkvInput};
use bitstate_model::{Matrix, MatrixData};
use bitstate_protocol::{Digest, Digester};

pub use arithmetic::{Arithmetic, Quantised};

/// Lengths around the boundaries of vectors and blocks.
const LENGTHS: [usize; 10] = [1, 2, 15, 16, 17, 31, 33, 96, 101, 160];
/// Rows × columns around the boundaries of blocks, and beyond the range of 16-bit sums.
const SHAPES: [(usize, usize); 11] =
    [(1, 1), (3, 5), (15, 16), (16, 17), (17, 15), (31, 96), (33, 101), (101, 160), (64, 255), (32, 257), (7, 1030)];

/// Seeded inputs.
struct Inputs(SplitMix64);

impl Inputs {
    /// `n` values in about ±`spread`, including zeros, subnormals and large ones.
    fn floats(&mut self, n: usize, spread: f32) -> Vec<f32> {
        let mut value = |_| {
            let uniform = 2.0 * self.0.next_f32() - 1.0;
            match self.0.next_u64() % 61 {
                0 => 0.0,
                1 => -0.0,
                2 => f32::from_bits(1 + (self.0.next_u64() % 1000) as u32),
                3 => uniform * spread * 64.0,
                _ => uniform * spread,
            }
        };
        (0..n).map(&mut value).collect()
    }

    fn int8s(&mut self, n: usize) -> Vec<i8> {
        (0..n).map(|_| (self.0.next_u64() % 255) as i32 - 127).map(|q| q as i8).collect()
    }

    fn ternary(&mut self, n: usize) -> Vec<i8> {
        (0..n).map(|_| (self.0.next_u64() % 3) as i8 - 1).collect()
    }
}

/// Runs every check and passes each kernel's name and digest to `report`.
pub fn run(arithmetic: &mut impl Arithmetic, mut report: impl FnMut(&str, Digest)) {
    let inputs = &mut Inputs(SplitMix64::new(0x6269_7473_7461_7465));
    report("exp", exp(arithmetic, inputs));
    report("layer_norm", layer_norm(arithmetic, inputs));
    report("mix", mix(arithmetic, inputs));
    report("quantise", quantise(arithmetic, inputs));
    report("wkv", wkv(arithmetic, inputs));
    report("gates", gates(arithmetic, inputs));
    report("ternary", ternary(arithmetic, inputs));
    report("head", head(arithmetic, inputs));
    report("head_many", head_many(arithmetic, inputs));
    report("mix_inputs", mix_inputs(arithmetic, inputs));
    report("gated_input", gated_input(arithmetic, inputs));
    report("relu_squared_input", relu_squared_input(arithmetic, inputs));
    report("divide", divide(inputs));
}

/// Quotients of operands of any bits, of special ones and next to the middle of two floats. Norms and gates divide, and on a
/// core without an instruction for it the firmware or the compiler has a function: so this is of the target, not of a variant.
fn divide(inputs: &mut Inputs) -> Digest {
    const SPECIAL: [u32; 9] =
        [0, 1, 0x007f_ffff, 0x0080_0000, 0x3f80_0000, 0x3f80_0001, 0x7f7f_ffff, 0x7f80_0000, 0x7fc0_0000];
    let special = || SPECIAL.into_iter().flat_map(|bits| [bits, bits | 1 << 31]).map(f32::from_bits);
    let mut digester = Digester::default();
    let mut push = |a: f32, b: f32| {
        let quotient = core::hint::black_box(a) / core::hint::black_box(b);
        // The bits of a NaN are the machine's choice.
        digester.push_f32s(&[if quotient.is_nan() { f32::NAN } else { quotient }]);
    };
    for a in special() {
        special().for_each(|b| push(a, b));
    }
    for _ in 0..10_000 {
        let bits = inputs.0.next_u64();
        let (a, b) = (f32::from_bits((bits >> 32) as u32), f32::from_bits(bits as u32));
        push(a, b);
        // The product of a divisor's 24 bits and the middle of two floats, rounded.
        let (divisor, middle) = (0x0080_0000 | bits >> 41, 0x0100_0001 | (bits & 0x007f_ffff) << 1);
        push((divisor * middle) as f32, divisor as f32);
    }
    digester.finish()
}

fn exp(arithmetic: &mut impl Arithmetic, inputs: &mut Inputs) -> Digest {
    let mut x = inputs.floats(1000, 30.0);
    x.extend([f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 88.722_84, 88.8, -87.4, -103.9, -104.1, 1e30, -1e30]);
    arithmetic.exp(&mut x);
    Digest::of_f32s(&x)
}

fn layer_norm(arithmetic: &mut impl Arithmetic, inputs: &mut Inputs) -> Digest {
    let mut digester = Digester::default();
    for n in LENGTHS {
        let (x, weight, bias) = (inputs.floats(n, 3.0), inputs.floats(n, 1.0), inputs.floats(n, 0.2));
        let mut out = vec![0.0; n];
        arithmetic.layer_norm(&x, &weight, &bias, &mut out);
        digester.push_f32s(&out);
        arithmetic.layer_norm(&vec![2.5; n], &weight, &bias, &mut out);
        digester.push_f32s(&out);
    }
    digester.finish()
}

fn mix(arithmetic: &mut impl Arithmetic, inputs: &mut Inputs) -> Digest {
    let mut digester = Digester::default();
    for n in LENGTHS {
        let (z, p, mu) = (inputs.floats(n, 3.0), inputs.floats(n, 3.0), inputs.floats(n, 1.0));
        let mut out = vec![0.0; n];
        arithmetic.mix(&z, &p, &mu, &mut out);
        digester.push_f32s(&out);
    }
    digester.finish()
}

fn quantise(arithmetic: &mut impl Arithmetic, inputs: &mut Inputs) -> Digest {
    let mut digester = Digester::default();
    let mut check = |y: &[f32]| {
        push_quantised(&mut digester, arithmetic.quantise_int8(y));
        let (q, scale) = arithmetic.quantise_15bit(y);
        q.iter().for_each(|q| digester.push(&q.to_le_bytes()));
        digester.push_f32s(&[scale]);
    };
    for n in LENGTHS {
        check(&inputs.floats(n, 2.0));
        check(&vec![0.0; n]);
        // Halves: every other value is a tie.
        check(&(0..n).map(|i| i as f32 * 0.5 - 8.0).collect::<Vec<_>>());
    }
    check(&[1.0, f32::NAN, -1.0]);
    check(&[f32::MAX, f32::MIN_POSITIVE, -1.0, f32::INFINITY]);
    digester.finish()
}

fn wkv(arithmetic: &mut impl Arithmetic, inputs: &mut Inputs) -> Digest {
    let mut digester = Digester::default();
    for s in [1, 5, 16, 17, 32, 64] {
        let mut state = inputs.floats(s * s, 1.0);
        let mut y = vec![0.0; s];
        for _ in 0..3 {
            let [r, k, v, decay, bonus] = [(); 5].map(|()| inputs.floats(s, 1.0));
            let input = WkvInput { r: &r, k: &k, v: &v, decay: &decay, bonus: &bonus };
            arithmetic.wkv(input, &mut state, &mut y);
            digester.push_f32s(&y);
        }
        digester.push_f32s(&state);
    }
    digester.finish()
}

fn gates(arithmetic: &mut impl Arithmetic, inputs: &mut Inputs) -> Digest {
    let mut digester = Digester::default();
    for n in LENGTHS {
        let (mut x, gate, v) = (inputs.floats(n, 2.0), inputs.floats(n, 12.0), inputs.floats(n, 2.0));
        arithmetic.silu_gate(&mut x, &gate);
        digester.push_f32s(&x);
        arithmetic.sigmoid_gate_add(&mut x, &gate, &v);
        digester.push_f32s(&x);
        arithmetic.relu_squared(&mut x);
        digester.push_f32s(&x);
    }
    digester.finish()
}

fn ternary(arithmetic: &mut impl Arithmetic, inputs: &mut Inputs) -> Digest {
    let mut digester = Digester::default();
    for (rows, cols) in SHAPES {
        let mut y = vec![0.0; rows];
        let random = (inputs.ternary(rows * cols), inputs.int8s(cols));
        let extreme = |weight: i8, q: i8| (vec![weight; rows * cols], vec![q; cols]);
        for (weights, q) in [random, extreme(1, 127), extreme(-1, 127), extreme(1, -127), extreme(0, -127)] {
            let matrix = Matrix { rows, cols, data: MatrixData::Int8(&weights) };
            arithmetic.ternary(matrix, &q, 0.125, &mut y);
            digester.push_f32s(&y);
        }
    }
    digester.finish()
}

fn head_many(arithmetic: &mut impl Arithmetic, inputs: &mut Inputs) -> Digest {
    let mut digester = Digester::default();
    for (v, d, sessions) in [(1, 1, 1), (15, 16, 2), (16, 17, 3), (33, 96, 5), (20, 160, 1), (17, 1024, 2)] {
        let (rows, row_scales) = (inputs.int8s(v * d), inputs.floats(v, 0.01));
        let (mut q, mut scales) = (Vec::new(), Vec::new());
        for _ in 0..sessions {
            let (of_one, scale) = arithmetic.quantise_15bit(&inputs.floats(d, 2.0));
            q.extend(of_one);
            scales.push(scale);
        }
        let mut logits = vec![0.0; sessions * v];
        arithmetic.head_many(&rows, &row_scales, &q, &scales, &mut logits);
        digester.push_f32s(&logits);
    }
    digester.finish()
}

fn head(arithmetic: &mut impl Arithmetic, inputs: &mut Inputs) -> Digest {
    let mut digester = Digester::default();
    for (v, d) in [(1, 1), (3, 16), (5, 17), (9, 96), (6, 160), (4, 1024)] {
        let (rows, scales, z) = (inputs.int8s(v * d), inputs.floats(v, 0.01), inputs.floats(d, 2.0));
        let mut logits = vec![0.0; v];
        let (q, scale) = arithmetic.quantise_15bit(&z);
        arithmetic.head_int8(&rows, &scales, &q, scale, &mut logits);
        digester.push_f32s(&logits);
        arithmetic.head_int8(&vec![-128; v * d], &scales, &vec![-16_383; d], 1.0, &mut logits);
        digester.push_f32s(&logits);
        let rows: Vec<u8> = inputs.floats(v * d, 0.1).iter().flat_map(|e| e.to_le_bytes()).collect();
        arithmetic.head_f32(&rows, &z, &mut logits);
        digester.push_f32s(&logits);
    }
    digester.finish()
}

fn push_quantised(digester: &mut Digester, (q, scale): Quantised) {
    q.iter().for_each(|q| digester.push(&q.to_le_bytes()));
    digester.push_f32s(&[scale]);
}

/// The parameters of a norm.
struct Norm {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Norm {
    fn new(inputs: &mut Inputs, n: usize) -> Self {
        Norm { weight: inputs.floats(n, 1.0), bias: inputs.floats(n, 0.2) }
    }

    fn input(&self) -> NormInput<'_> {
        NormInput { weight: &self.weight, bias: &self.bias }
    }
}

fn mix_inputs(arithmetic: &mut impl Arithmetic, inputs: &mut Inputs) -> Digest {
    let mut digester = Digester::default();
    for n in LENGTHS {
        let (z, p) = (inputs.floats(n, 3.0), inputs.floats(n, 3.0));
        let mixes: [_; 4] = core::array::from_fn(|_| (inputs.floats(n, 1.0), Norm::new(inputs, n)));
        let [a, b, c, d] = mixes.each_ref().map(|(mu, norm)| MixInput { mu, norm: norm.input() });
        // As a time mix has them, and a channel mix.
        for quantised in arithmetic.mix_inputs(&z, &p, [a, b, c, d]) {
            push_quantised(&mut digester, quantised);
        }
        for quantised in arithmetic.mix_inputs(&z, &p, [d, b]) {
            push_quantised(&mut digester, quantised);
        }
    }
    digester.finish()
}

fn gated_input(arithmetic: &mut impl Arithmetic, inputs: &mut Inputs) -> Digest {
    let mut digester = Digester::default();
    for (heads, head_size) in [(1, 1), (3, 5), (2, 16), (3, 17), (3, 32), (4, 64)] {
        let n = heads * head_size;
        let (x, g) = (inputs.floats(n, 3.0), inputs.floats(n, 12.0));
        let (group_norm, norm) = (Norm::new(inputs, n), Norm::new(inputs, n));
        let mut y = vec![0.0; n];
        let gated = GatedInput { x: &x, head_size, group_norm: group_norm.input(), g: &g, norm: norm.input() };
        let quantised = arithmetic.gated_input(gated, &mut y);
        digester.push_f32s(&y);
        push_quantised(&mut digester, quantised);
    }
    digester.finish()
}

fn relu_squared_input(arithmetic: &mut impl Arithmetic, inputs: &mut Inputs) -> Digest {
    let mut digester = Digester::default();
    for n in LENGTHS {
        let (k, norm) = (inputs.floats(n, 2.0), Norm::new(inputs, n));
        push_quantised(&mut digester, arithmetic.relu_squared_input(&k, norm.input()));
    }
    digester.finish()
}
