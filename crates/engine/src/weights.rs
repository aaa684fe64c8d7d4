//! A model's weights in the form that the forward pass reads: matrices laid out for the variant, aligned vectors, and
//! the precomputed decay and bonus of the recurrence.

use bitstate_kernels::{Int8Head, Kernels, MixInput, NormInput, TernaryMatrix};
use bitstate_model as model;
use bitstate_model::{AlignedFloats, F32s};

pub(crate) struct Norm {
    pub weight: AlignedFloats,
    pub bias: AlignedFloats,
}

pub(crate) struct BitLinear<'m> {
    pub weight: TernaryMatrix<'m>,
    pub scale: f32,
    pub norm: Norm,
}

pub(crate) struct TimeMix<'m> {
    pub r: BitLinear<'m>,
    pub k: BitLinear<'m>,
    pub v: BitLinear<'m>,
    pub g: BitLinear<'m>,
    pub o: BitLinear<'m>,
    /// H × S, `exp(-exp(log_decay))`.
    pub decay: AlignedFloats,
    /// H × S, `exp(u)`.
    pub bonus: AlignedFloats,
    pub mu_r: AlignedFloats,
    pub mu_k: AlignedFloats,
    pub mu_v: AlignedFloats,
    pub mu_g: AlignedFloats,
    pub group_norm: Norm,
}

pub(crate) struct ChannelMix<'m> {
    pub k: BitLinear<'m>,
    pub r: BitLinear<'m>,
    pub v: BitLinear<'m>,
    pub mu_k: AlignedFloats,
    pub mu_r: AlignedFloats,
}

pub(crate) struct Layer<'m> {
    pub ln1: Norm,
    pub time_mix: TimeMix<'m>,
    pub ln2: Norm,
    pub channel_mix: ChannelMix<'m>,
}

pub(crate) enum Embedding<'m> {
    /// V × D little-endian f32.
    F32(&'m [u8]),
    Int8(Int8Head<'m>),
}

fn vector(values: F32s<'_>) -> AlignedFloats {
    values.iter().collect()
}

impl Norm {
    pub fn new(norm: model::Norm<'_>) -> Self {
        Norm { weight: vector(norm.weight), bias: vector(norm.bias) }
    }

    pub fn input(&self) -> NormInput<'_> {
        NormInput { weight: &self.weight, bias: &self.bias }
    }
}

impl<'m> BitLinear<'m> {
    fn new(kernels: Kernels, linear: &model::BitLinear<'m>) -> Self {
        BitLinear {
            weight: TernaryMatrix::new(kernels, linear.weight),
            scale: linear.scale,
            norm: Norm::new(linear.norm),
        }
    }

    /// The matrix's input, computed from a token and, by `mu`, the previous one.
    pub fn mix<'a>(&'a self, mu: &'a [f32]) -> MixInput<'a> {
        MixInput { mu, norm: self.norm.input() }
    }
}

impl<'m> Layer<'m> {
    pub fn new(kernels: Kernels, layer: &model::Layer<'m>) -> Self {
        let linear = |linear| BitLinear::new(kernels, linear);
        let (tm, cm) = (&layer.time_mix, &layer.channel_mix);
        let mut decay = vector(tm.log_decay);
        kernels.exp(&mut decay);
        for rate in &mut *decay {
            *rate = -*rate;
        }
        kernels.exp(&mut decay);
        let mut bonus = vector(tm.u);
        kernels.exp(&mut bonus);
        Layer {
            ln1: Norm::new(layer.ln1),
            time_mix: TimeMix {
                r: linear(&tm.r),
                k: linear(&tm.k),
                v: linear(&tm.v),
                g: linear(&tm.g),
                o: linear(&tm.o),
                decay,
                bonus,
                mu_r: vector(tm.mu_r),
                mu_k: vector(tm.mu_k),
                mu_v: vector(tm.mu_v),
                mu_g: vector(tm.mu_g),
                group_norm: Norm::new(tm.group_norm),
            },
            ln2: Norm::new(layer.ln2),
            channel_mix: ChannelMix {
                k: linear(&cm.k),
                r: linear(&cm.r),
                v: linear(&cm.v),
                mu_k: vector(cm.mu_k),
                mu_r: vector(cm.mu_r),
            },
        }
    }
}

impl<'m> Layer<'m> {
    /// The ternary matrices, in the order in which a token passes through them.
    pub fn matrices_mut(&mut self) -> [&mut TernaryMatrix<'m>; 8] {
        let (tm, cm) = (&mut self.time_mix, &mut self.channel_mix);
        [&mut tm.r, &mut tm.k, &mut tm.v, &mut tm.g, &mut tm.o, &mut cm.k, &mut cm.r, &mut cm.v]
            .map(|linear| &mut linear.weight)
    }
}

impl<'m> Embedding<'m> {
    pub fn new(kernels: Kernels, embedding: model::Embedding<'m>) -> Self {
        match embedding {
            model::Embedding::F32(rows) => Embedding::F32(rows.as_le_bytes()),
            model::Embedding::Int8 { rows, scales } => {
                Embedding::Int8(Int8Head::new(kernels, rows, scales.iter().collect()))
            }
        }
    }

    /// `x = embedding[token]`; the token is within the vocabulary.
    pub fn lookup(&self, token: usize, x: &mut [f32]) {
        match self {
            Embedding::F32(rows) => {
                let d = x.len();
                let (row, _) = rows[token * d * 4..][..d * 4].as_chunks::<4>();
                for (x, &e) in x.iter_mut().zip(row) {
                    *x = f32::from_le_bytes(e);
                }
            }
            Embedding::Int8(rows) => {
                let (row, scale) = rows.row(token);
                for (x, &e) in x.iter_mut().zip(row) {
                    *x = f32::from(e) * scale;
                }
            }
        }
    }
}
