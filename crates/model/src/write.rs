//! Weights → bytes, in file order. What the parser would reject is rejected here.

use crate::check;
use crate::config::{Config, Version};
use crate::error::{Field, Problem, Shape, WriteError};
use crate::parse::{FIELDS, MAGIC};
use crate::weights::{BitLinearWeights, EmbeddingWeights, LayerWeights, NormWeights, Weights};
use alloc::vec::Vec;

/// The largest INT8 of an embedding row.
const INT8_MAX: f32 = 127.0;
/// Adding and subtracting 1.5 · 2^23 rounds an f32 below 2^22 to the nearest integer, ties to even.
const ROUND: f32 = 12_582_912.0;

/// The file of `weights`.
pub(crate) fn file(weights: &Weights, version: Version) -> Result<Vec<u8>, WriteError> {
    let config = weights.config;
    config.validate()?;
    if weights.layers.len() != config.n_layer {
        let problem = Problem::WrongLength { expected: config.n_layer, found: weights.layers.len() };
        return Err(WriteError { field: Field::new("layers"), problem });
    }
    let mut file = Writer { out: Vec::new(), version, config };
    file.header();
    file.embedding(&weights.embedding)?;
    for (index, layer) in weights.layers.iter().enumerate() {
        file.layer(index, layer)?;
    }
    file.norm(Field::new("ln_f"), ["weight", "bias"], &weights.ln_f, config.n_embd)?;
    Ok(file.out)
}

/// The file so far.
struct Writer {
    out: Vec<u8>,
    version: Version,
    config: Config,
}

impl Writer {
    fn u32(&mut self, value: u32) {
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    fn header(&mut self) {
        for word in [MAGIC, self.version.code(), FIELDS] {
            self.u32(word);
        }
        for size in self.config.sizes() {
            // Checked sizes are below 2^31.
            self.u32(size as u32);
        }
        // use_bitnet and tie_weights: other models are not supported.
        self.u32(1);
        self.u32(1);
        self.u32(self.config.dropout.to_bits());
    }

    /// The header of a tensor, after checking that its `found` values match the shape.
    fn shape(&mut self, field: Field, shape: Shape, found: usize) -> Result<(), WriteError> {
        expect(field, shape, found)?;
        self.u32(shape.ndim);
        for &dim in shape.dims() {
            self.u32(dim);
        }
        Ok(())
    }

    fn floats(&mut self, field: Field, shape: Shape, values: &[f32]) -> Result<(), WriteError> {
        self.shape(field, shape, values.len())?;
        expect_finite(field, values)?;
        self.out.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        Ok(())
    }

    fn norm(
        &mut self,
        field: Field,
        leaves: [&'static str; 2],
        norm: &NormWeights,
        width: usize,
    ) -> Result<(), WriteError> {
        self.floats(field.leaf(leaves[0]), Shape::vector(width), &norm.weight)?;
        self.floats(field.leaf(leaves[1]), Shape::vector(width), &norm.bias)
    }

    fn bit_linear(
        &mut self,
        field: Field,
        rows: usize,
        cols: usize,
        linear: &BitLinearWeights,
    ) -> Result<(), WriteError> {
        let (weights, of_weight) = (&linear.weight, field.leaf("weight"));
        self.shape(of_weight, Shape::matrix(rows, cols), weights.len())?;
        check::ternary(weights).map_err(|(_, problem)| WriteError { field: of_weight, problem })?;
        if self.version == Version::V1_0 {
            self.out.extend_from_slice(bytemuck::cast_slice(weights));
        } else {
            self.out.extend(weights.chunks(4).map(pack));
        }
        self.floats(field.leaf("scale"), Shape::SCALAR, &[linear.scale])?;
        self.norm(field, ["norm.weight", "norm.bias"], &linear.norm, cols)
    }

    fn embedding(&mut self, embedding: &EmbeddingWeights) -> Result<(), WriteError> {
        let Config { vocab_size, n_embd, .. } = self.config;
        let (field, shape) = (Field::new("embedding"), Shape::matrix(vocab_size, n_embd));
        match (embedding, self.version >= Version::V1_2) {
            (EmbeddingWeights::F32(rows), false) => self.floats(field, shape, rows),
            (EmbeddingWeights::Int8 { rows, scales }, true) => self.int8_rows(field, shape, rows, scales),
            (EmbeddingWeights::F32(rows), true) => {
                expect(field, shape, rows.len())?;
                expect_finite(field, rows)?;
                let (rows, scales) = quantise(rows, n_embd);
                self.int8_rows(field, shape, &rows, &scales)
            }
            (EmbeddingWeights::Int8 { rows, scales }, false) => {
                expect(field, shape, rows.len())?;
                expect(field.leaf("scales"), Shape::vector(vocab_size), scales.len())?;
                expect_finite(field.leaf("scales"), scales)?;
                self.floats(field, shape, &dequantise(rows, scales, n_embd))
            }
        }
    }

    fn int8_rows(&mut self, field: Field, shape: Shape, rows: &[i8], scales: &[f32]) -> Result<(), WriteError> {
        self.shape(field, shape, rows.len())?;
        self.out.extend_from_slice(bytemuck::cast_slice(rows));
        self.floats(field.leaf("scales"), Shape::vector(self.config.vocab_size), scales)
    }

    /// A layer: all its BitLinears first, then the vectors.
    fn layer(&mut self, index: usize, layer: &LayerWeights) -> Result<(), WriteError> {
        let Config { n_embd: width, n_head, head_size, .. } = self.config;
        let ff = self.config.ff_dim();
        let part = |name| Field::layer(index, name);
        let LayerWeights { ln1, time_mix, ln2, channel_mix } = layer;
        self.bit_linear(part("time_mix.r"), width, width, &time_mix.r)?;
        self.bit_linear(part("time_mix.k"), width, width, &time_mix.k)?;
        self.bit_linear(part("time_mix.v"), width, width, &time_mix.v)?;
        self.bit_linear(part("time_mix.g"), width, width, &time_mix.g)?;
        self.bit_linear(part("time_mix.o"), width, width, &time_mix.o)?;
        self.bit_linear(part("channel_mix.k"), ff, width, &channel_mix.k)?;
        self.bit_linear(part("channel_mix.r"), width, width, &channel_mix.r)?;
        self.bit_linear(part("channel_mix.v"), width, ff, &channel_mix.v)?;
        self.norm(part("ln1"), ["weight", "bias"], ln1, width)?;
        self.norm(part("ln2"), ["weight", "bias"], ln2, width)?;
        let per_head = Shape::matrix(n_head, head_size);
        self.floats(part("time_mix.log_decay"), per_head, &time_mix.log_decay)?;
        self.floats(part("time_mix.u"), per_head, &time_mix.u)?;
        let shift = Shape::token_shift(width);
        self.floats(part("time_mix.mu_r"), shift, &time_mix.mu_r)?;
        self.floats(part("time_mix.mu_k"), shift, &time_mix.mu_k)?;
        self.floats(part("time_mix.mu_v"), shift, &time_mix.mu_v)?;
        self.floats(part("time_mix.mu_g"), shift, &time_mix.mu_g)?;
        self.floats(part("channel_mix.mu_k"), shift, &channel_mix.mu_k)?;
        self.floats(part("channel_mix.mu_r"), shift, &channel_mix.mu_r)?;
        self.norm(part("time_mix.group_norm"), ["weight", "bias"], &time_mix.group_norm, width)
    }
}

/// Checks that a tensor has the number of values of its shape.
fn expect(field: Field, shape: Shape, found: usize) -> Result<(), WriteError> {
    if shape.count() == found as u64 {
        return Ok(());
    }
    let expected = usize::try_from(shape.count()).unwrap_or(usize::MAX);
    Err(WriteError { field, problem: Problem::WrongLength { expected, found } })
}

fn expect_finite(field: Field, values: &[f32]) -> Result<(), WriteError> {
    check::finite(values).map_err(|index| WriteError { field, problem: Problem::NotFinite { index } })
}

/// Up to four ternary weights in a byte, the first in the low bits: 00 = 0, 01 = 1, 10 = -1.
fn pack(weights: &[i8]) -> u8 {
    weights.iter().rev().fold(0, |byte, &w| byte << 2 | if w < 0 { 2 } else { w as u8 })
}

/// Converts finite f32 rows of `width` to INT8 rows and a scale for each.
fn quantise(rows: &[f32], width: usize) -> (Vec<i8>, Vec<f32>) {
    let mut quantised = Vec::with_capacity(rows.len());
    let mut scales = Vec::with_capacity(rows.len() / width);
    for row in rows.chunks(width) {
        let scale = row_scale(row);
        scales.push(scale);
        quantised.extend(row.iter().map(|e| {
            let steps = (e / scale).clamp(-INT8_MAX, INT8_MAX);
            (steps + ROUND - ROUND) as i8
        }));
    }
    (quantised, scales)
}

/// Converts INT8 rows of `width` to f32.
fn dequantise(rows: &[i8], scales: &[f32], width: usize) -> Vec<f32> {
    let scaled = rows.chunks(width).zip(scales);
    scaled.flat_map(|(row, scale)| row.iter().map(move |&e| f32::from(e) * scale)).collect()
}

/// `max|e| / 127`. A row of zeros, or one so small that this is not above zero, gets 1: any scale works for zeros, and
/// this one can be divided by.
fn row_scale(row: &[f32]) -> f32 {
    let scale = row.iter().fold(0.0, |max: f32, e| max.max(e.abs())) / INT8_MAX;
    if scale > 0.0 { scale } else { 1.0 }
}
