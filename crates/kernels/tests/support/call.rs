//! A call of a kernel with its inputs, run by any variant at any place in memory.

use super::bits;
use super::data::Source;
use super::memory::{Buffer, Place};
use bitstate_kernels::{
    GatedInput, HeadRows, Kernels, MatmulScratch, MixInput, NormInput, QuantisedRows, TernaryMatrix, WkvInput,
};
use bitstate_model::{Matrix, MatrixData};

/// One kernel call. The names are those of `crates/ARITHMETIC.md`.
#[derive(Debug, Clone)]
pub enum Call {
    Exp {
        x: Vec<f32>,
    },
    LayerNorm {
        x: Vec<f32>,
        weight: Vec<f32>,
        bias: Vec<f32>,
    },
    Mix {
        z: Vec<f32>,
        p: Vec<f32>,
        mu: Vec<f32>,
    },
    QuantiseInt8 {
        y: Vec<f32>,
    },
    Quantise15Bit {
        z: Vec<f32>,
    },
    Wkv {
        r: Vec<f32>,
        k: Vec<f32>,
        v: Vec<f32>,
        decay: Vec<f32>,
        bonus: Vec<f32>,
        state: Vec<f32>,
    },
    SiluGate {
        o: Vec<f32>,
        g: Vec<f32>,
    },
    SigmoidGateAdd {
        x: Vec<f32>,
        r: Vec<f32>,
        v: Vec<f32>,
    },
    ReluSquared {
        k: Vec<f32>,
    },
    Add {
        x: Vec<f32>,
        y: Vec<f32>,
    },
    /// The inputs of four matrices: `mu`, `weight`, `bias` of each.
    MixInputs {
        z: Vec<f32>,
        p: Vec<f32>,
        mixes: [[Vec<f32>; 3]; 4],
    },
    /// The input of two matrices.
    MixTwo {
        z: Vec<f32>,
        p: Vec<f32>,
        mixes: [[Vec<f32>; 3]; 2],
    },
    GatedInput {
        x: Vec<f32>,
        head_size: usize,
        group_norm: [Vec<f32>; 2],
        g: Vec<f32>,
        norm: [Vec<f32>; 2],
    },
    ReluSquaredInput {
        k: Vec<f32>,
        norm: [Vec<f32>; 2],
    },
    StridedMaxima {
        x: Vec<f32>,
        scale: f32,
        step: usize,
        groups: usize,
    },
    NotBelow {
        x: Vec<f32>,
        scale: f32,
        floor: f32,
    },
    Ternary {
        weights: Vec<i8>,
        packed: bool,
        q: Vec<i8>,
        scales: [f32; 2],
    },
    HeadInt8 {
        rows: Vec<i8>,
        row_scales: Vec<f32>,
        q: Vec<i16>,
        scale: f32,
    },
    /// With `scales.len()` sessions.
    HeadMany {
        rows: Vec<i8>,
        row_scales: Vec<f32>,
        q: Vec<i16>,
        scales: Vec<f32>,
    },
    HeadF32 {
        rows: Vec<f32>,
        z: Vec<f32>,
    },
}

/// A call of every kernel on vectors of length `n`.
pub fn vector_calls(from: &mut Source, n: usize) -> Vec<Call> {
    let [scale, floor] = [from.float(), from.float()];
    let (step, groups) = (1 + from.next() as usize % 3, 1 + from.next() as usize % 70);
    // Head sizes that divide the vector: whole lane vectors and others.
    let head_sizes: Vec<usize> = (1..=n.max(1)).filter(|size| n.is_multiple_of(*size)).collect();
    let head_size = head_sizes[from.next() as usize % head_sizes.len()];
    let mut v = || from.floats(n);
    vec![
        Call::Exp { x: v().iter().map(|x| x * 30.0).collect() },
        Call::LayerNorm { x: v(), weight: v(), bias: v() },
        Call::Mix { z: v(), p: v(), mu: v() },
        Call::QuantiseInt8 { y: v() },
        Call::Quantise15Bit { z: v() },
        Call::SiluGate { o: v(), g: v() },
        Call::SigmoidGateAdd { x: v(), r: v(), v: v() },
        Call::ReluSquared { k: v() },
        Call::Add { x: v(), y: v() },
        Call::MixInputs { z: v(), p: v(), mixes: [(); 4].map(|()| [v(), v(), v()]) },
        Call::MixTwo { z: v(), p: v(), mixes: [(); 2].map(|()| [v(), v(), v()]) },
        Call::GatedInput { x: v(), head_size, group_norm: [v(), v()], g: v(), norm: [v(), v()] },
        Call::ReluSquaredInput { k: v(), norm: [v(), v()] },
        Call::StridedMaxima { x: v(), scale, step, groups },
        // Some, all, and few of them.
        Call::NotBelow { x: v(), scale, floor },
        Call::NotBelow { x: v(), scale, floor: f32::NEG_INFINITY },
        Call::NotBelow { x: v(), scale: 1.0, floor: 3.9 },
    ]
}

/// A head of the recurrence with `s` values.
pub fn wkv_call(from: &mut Source, s: usize) -> Call {
    let state = from.floats(s * s);
    let mut v = || from.floats(s);
    Call::Wkv { r: v(), k: v(), v: v(), decay: v(), bonus: v(), state }
}

/// A ternary matrix of `rows` × `cols`, in either form of a file.
pub fn ternary_call(from: &mut Source, rows: usize, cols: usize) -> Call {
    let packed = from.next() >> 63 == 0;
    let scales = [from.float(), from.float()];
    Call::Ternary { weights: from.ternary(rows * cols), packed, q: from.int8s(cols), scales }
}

/// The heads of a vocabulary of `v` tokens; the INT8 one only up to its maximum width.
pub fn head_calls(from: &mut Source, v: usize, d: usize) -> Vec<Call> {
    let mut calls = vec![Call::HeadF32 { rows: from.floats(v * d), z: from.floats(d) }];
    if d <= bitstate_kernels::MAX_N_EMBD {
        let (rows, row_scales, q) = (from.int8s(v * d), from.floats(v), from.int15s(d));
        calls.push(Call::HeadInt8 { rows, row_scales, q, scale: from.float() });
    }
    calls
}

/// The INT8 head of a vocabulary of `v` tokens for many sessions.
pub fn head_many_call(from: &mut Source, v: usize, d: usize, sessions: usize) -> Call {
    let (rows, row_scales) = (from.int8s(v * d), from.floats(v));
    Call::HeadMany { rows, row_scales, q: from.int15s(sessions * d), scales: from.floats(sessions) }
}

/// Four weights per byte without row padding, as in a file.
fn pack(weights: &[i8]) -> Vec<u8> {
    let code = |w: i8| [2u8, 0, 1][usize::try_from(w + 1).unwrap()];
    weights.chunks(4).map(|four| four.iter().rev().fold(0, |byte, &w| byte << 2 | code(w))).collect()
}

pub(super) fn integers<T: Copy + Into<i32>>(values: &[T]) -> Vec<u32> {
    values.iter().map(|&value| value.into() as u32).collect()
}

impl Call {
    /// The bits of everything that the kernel returns or writes, with every slice at `place`.
    ///
    /// # Panics
    /// If it changed an input or wrote outside an output.
    pub fn run(&self, kernels: Kernels, place: Place) -> Vec<u32> {
        let inputs = Inputs(place);
        match self {
            Call::Exp { x } => inputs.update(x, [], |x, []| kernels.exp(x)),
            Call::LayerNorm { x, weight, bias } => {
                inputs.write(x.len(), [x, weight, bias], |out, [x, w, b]| kernels.layer_norm(x, w, b, out))
            }
            Call::Mix { z, p, mu } => inputs.write(z.len(), [z, p, mu], |out, [z, p, mu]| kernels.mix(z, p, mu, out)),
            Call::QuantiseInt8 { y } => {
                let mut rows = empty_rows(kernels, y.len(), 1);
                inputs.read([y], |[y]| rows.push(y));
                quantised(&rows)
            }
            Call::Quantise15Bit { z } => {
                let mut q = Buffer::<i16>::output(place, z.len());
                let scale = inputs.read([z], |[z]| kernels.quantise_15bit(z, &mut q));
                [integers(&q.finish()), bits(&[scale])].concat()
            }
            Call::Wkv { r, k, v, decay, bonus, state } => {
                let mut moved = Buffer::new(place, state);
                let y = inputs.write(r.len(), [r, k, v, decay, bonus], |y, [r, k, v, decay, bonus]| {
                    kernels.wkv(y.len(), WkvInput { r, k, v, decay, bonus }, &mut moved, y);
                });
                [y, bits(&moved.finish())].concat()
            }
            Call::SiluGate { o, g } => inputs.update(o, [g], |o, [g]| kernels.silu_gate(o, g)),
            Call::SigmoidGateAdd { x, r, v } => inputs.update(x, [r, v], |x, [r, v]| kernels.sigmoid_gate_add(x, r, v)),
            Call::ReluSquared { k } => inputs.update(k, [], |k, []| kernels.relu_squared(k)),
            Call::Add { x, y } => inputs.update(x, [y], |x, [y]| kernels.add(x, y)),
            Call::MixInputs { z, p, mixes } => mix_inputs(kernels, place, z, p, mixes),
            Call::MixTwo { z, p, mixes } => mix_inputs(kernels, place, z, p, mixes),
            Call::GatedInput { x, head_size, group_norm, g, norm } => {
                let mut rows = empty_rows(kernels, x.len(), 1);
                let mut room = Buffer::<f32>::output(place, x.len().next_multiple_of(16));
                let mut y = Buffer::<f32>::output(place, x.len());
                let [[group_weight, group_bias], [weight, bias]] = [group_norm, norm];
                inputs.read([x, g, group_weight, group_bias, weight, bias], |[x, g, gw, gb, weight, bias]| {
                    let (group_norm, norm) = (NormInput { weight: gw, bias: gb }, NormInput { weight, bias });
                    let gated = GatedInput { x, head_size: *head_size, group_norm, g, norm };
                    kernels.gated_input(gated, &mut y, &mut room, &mut rows);
                });
                [bits(&y.finish()), quantised(&rows)].concat()
            }
            Call::ReluSquaredInput { k, norm: [weight, bias] } => {
                let mut rows = empty_rows(kernels, k.len(), 1);
                let mut room = Buffer::<f32>::output(place, k.len().next_multiple_of(16));
                inputs.read([k, weight, bias], |[k, weight, bias]| {
                    kernels.relu_squared_input(k, NormInput { weight, bias }, &mut room, &mut rows);
                });
                quantised(&rows)
            }
            Call::StridedMaxima { x, scale, step, groups } => {
                inputs.write(*groups, [x], |maxima, [x]| kernels.strided_maxima(x, *scale, *step, maxima))
            }
            Call::NotBelow { x, scale, floor } => {
                let mut found = Buffer::<u32>::output(place, x.len());
                let n = inputs.read([x], |[x]| kernels.not_below(x, *scale, *floor, &mut found));
                found.finish()[..n].to_vec()
            }
            Call::Ternary { weights, packed, q, scales } => {
                let (rows, cols) = (weights.len() / q.len(), q.len());
                let bytes = Buffer::new(place, &if *packed { pack(weights) } else { Vec::new() });
                let int8s = Buffer::new(place, weights);
                let data = if *packed { MatrixData::Packed(&bytes) } else { MatrixData::Int8(&int8s) };
                let matrix = TernaryMatrix::new(kernels, Matrix { rows, cols, data });
                // Larger than needed and already used: leftovers of an earlier vector must not count.
                let mut x = QuantisedRows::new(kernels, cols + 37, 3);
                let mut scratch = MatmulScratch::new(kernels, rows + 5);
                x.clear(cols + 37);
                x.push_int8(&vec![111; cols + 37], 3.0);
                x.clear(cols);
                x.push_int8(&Buffer::new(place, q), scales[1]);
                let mut y = Buffer::<f32>::output(place, rows);
                matrix.matmul(&x, scales[0], &mut scratch, &mut y);
                bits(&y.finish())
            }
            Call::HeadInt8 { rows, row_scales, q, scale } => {
                let (rows, q) = (Buffer::new(place, rows), Buffer::new(place, q));
                inputs.write(row_scales.len(), [row_scales], |logits, [row_scales]| {
                    kernels.head_int8(&rows, row_scales, &q, *scale, logits);
                })
            }
            Call::HeadMany { rows, row_scales, q, scales } => {
                let (rows, q) = (Buffer::new(place, rows), Buffer::new(place, q));
                let laid_out = HeadRows::new(kernels, &rows, q.len() / scales.len());
                inputs.write(row_scales.len() * scales.len(), [row_scales, scales], |logits, [row_scales, scales]| {
                    laid_out.logits(row_scales, &q, scales, logits);
                })
            }
            Call::HeadF32 { rows, z } => {
                let bytes: Vec<u8> = rows.iter().flat_map(|e| e.to_le_bytes()).collect();
                // Bytes, so any offset is valid.
                let bytes = Buffer::new(place, &bytes);
                inputs.write(rows.len() / z.len(), [z], |logits, [z]| kernels.head_f32(&bytes, z, logits))
            }
        }
    }

    /// Describes a failure: the kernel and the lengths of its slices, without their contents.
    pub fn name(&self) -> String {
        let name = format!("{self:?}").split(' ').next().unwrap_or_default().to_owned();
        match self {
            Call::Ternary { weights, packed, q, .. } => {
                format!("{name} {} × {}, packed: {packed}", weights.len() / q.len(), q.len())
            }
            Call::HeadInt8 { row_scales, q, .. } => format!("{name} {} × {}", row_scales.len(), q.len()),
            Call::HeadMany { row_scales, q, scales, .. } => {
                format!("{name} {} × {}, {} sessions", row_scales.len(), q.len() / scales.len(), scales.len())
            }
            Call::HeadF32 { rows, z } => format!("{name} {} × {}", rows.len() / z.len(), z.len()),
            Call::Exp { x: of }
            | Call::LayerNorm { x: of, .. }
            | Call::Mix { z: of, .. }
            | Call::QuantiseInt8 { y: of }
            | Call::Quantise15Bit { z: of }
            | Call::Wkv { r: of, .. }
            | Call::SiluGate { o: of, .. }
            | Call::SigmoidGateAdd { x: of, .. }
            | Call::ReluSquared { k: of }
            | Call::MixInputs { z: of, .. }
            | Call::MixTwo { z: of, .. }
            | Call::GatedInput { x: of, .. }
            | Call::ReluSquaredInput { k: of, .. }
            | Call::StridedMaxima { x: of, .. }
            | Call::NotBelow { x: of, .. }
            | Call::Add { x: of, .. } => format!("{name} {}", of.len()),
        }
    }
}

/// Already used rows, for rows of `len` values: leftovers must not count.
fn empty_rows(kernels: Kernels, len: usize, rows: usize) -> QuantisedRows {
    let mut empty = QuantisedRows::new(kernels, len, rows);
    empty.clear(len);
    (0..rows).for_each(|_| empty.push_int8(&vec![111; len], 3.0));
    empty.clear(len);
    empty
}

/// The values and the scale of every row.
fn quantised(rows: &QuantisedRows) -> Vec<u32> {
    (0..rows.rows()).flat_map(|row| [integers(rows.q(row)), bits(&[rows.scale(row)])].concat()).collect()
}

/// The inputs of `N` matrices computed by the kernel.
fn mix_inputs<const N: usize>(
    kernels: Kernels,
    place: Place,
    z: &Vec<f32>,
    p: &Vec<f32>,
    mixes: &[[Vec<f32>; 3]; N],
) -> Vec<u32> {
    let placed = mixes.each_ref().map(|mix| mix.each_ref().map(|values| Buffer::new(place, values)));
    let mut room = Buffer::<f32>::output(place, N * z.len().next_multiple_of(16));
    let mut rows = [(); N].map(|()| empty_rows(kernels, z.len(), 1));
    Inputs(place).read([z, p], |[z, p]| {
        let mixes = placed.each_ref().map(|[mu, weight, bias]| MixInput { mu, norm: NormInput { weight, bias } });
        kernels.mix_inputs(z, p, mixes, &mut room, rows.each_mut());
    });
    rows.iter().flat_map(quantised).collect()
}

/// Runs kernels on f32 slices at one place.
struct Inputs(Place);

impl Inputs {
    /// `kernel` reads `inputs`, which must not change.
    fn read<const N: usize, R>(&self, inputs: [&Vec<f32>; N], kernel: impl FnOnce([&[f32]; N]) -> R) -> R {
        let placed = inputs.map(|input| Buffer::new(self.0, input));
        let result = kernel(placed.each_ref().map(|input| &**input));
        for (placed, input) in placed.into_iter().zip(inputs) {
            assert_eq!(bits(&placed.finish()), bits(input), "an input has changed");
        }
        result
    }

    /// `kernel` reads `inputs` and writes `n` values.
    fn write<const N: usize>(
        &self,
        n: usize,
        inputs: [&Vec<f32>; N],
        kernel: impl FnOnce(&mut [f32], [&[f32]; N]),
    ) -> Vec<u32> {
        let mut out = Buffer::<f32>::output(self.0, n);
        self.read(inputs, |inputs| kernel(&mut out, inputs));
        bits(&out.finish())
    }

    /// `kernel` reads `inputs` and changes `values`.
    fn update<const N: usize>(
        &self,
        values: &[f32],
        inputs: [&Vec<f32>; N],
        kernel: impl FnOnce(&mut [f32], [&[f32]; N]),
    ) -> Vec<u32> {
        let mut values = Buffer::new(self.0, values);
        self.read(inputs, |inputs| kernel(&mut values, inputs));
        bits(&values.finish())
    }
}
