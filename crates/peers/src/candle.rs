//! candle's RWKV-5: the same recurrence as ours, except that the decay of each channel is a parameter of its own.
//!
//! Its linear layers are not ternary: f32, or quantised as is usual with candle.

use crate::weights::Weights;
use crate::{Decoder, Shape};
use candle_core::quantized::{GgmlDType, QTensor, gguf_file};
use candle_core::{D, DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::{quantized_rwkv_v5, rwkv_v5};
use candle_transformers::quantized_var_builder;
use std::collections::HashMap;
use std::io::Cursor;

/// A model with its state.
pub struct Candle {
    model: Model,
    state: rwkv_v5::State,
}

enum Model {
    F32(rwkv_v5::Model),
    Quantised(quantized_rwkv_v5::Model),
}

impl Candle {
    /// All in f32.
    pub fn new(shape: Shape) -> anyhow::Result<Self> {
        let config = config(shape);
        let parameters = VarBuilder::from_tensors(tensors(shape)?, DType::F32, &Device::Cpu);
        let model = Model::F32(rwkv_v5::Model::new(&config, parameters)?);
        Ok(Candle { model, state: rwkv_v5::State::new(1, &config, &Device::Cpu)? })
    }

    /// Linear layers as Q4_0, embedding and head as Q8_0.
    pub fn quantised(shape: Shape) -> anyhow::Result<Self> {
        let config = config(shape);
        let mut quantised = Vec::new();
        for (name, tensor) in tensors(shape)? {
            let kind = match tensor.rank() {
                2 if name == "head.weight" || name.contains("embeddings") => GgmlDType::Q8_0,
                2 if name.ends_with(".weight") => GgmlDType::Q4_0,
                _ => GgmlDType::F32,
            };
            quantised.push((name, QTensor::quantize(&tensor, kind)?));
        }
        let listed: Vec<(&str, &QTensor)> = quantised.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
        let mut file = Cursor::new(Vec::new());
        gguf_file::write(&mut file, &[], &listed)?;
        let parameters = quantized_var_builder::VarBuilder::from_gguf_buffer(file.get_ref(), &Device::Cpu)?;
        let model = Model::Quantised(quantized_rwkv_v5::Model::new(&config, parameters)?);
        Ok(Candle { model, state: rwkv_v5::State::new(1, &config, &Device::Cpu)? })
    }
}

impl Decoder for Candle {
    fn step(&mut self, token: u32) -> anyhow::Result<u32> {
        let input = Tensor::new(&[[token]], &Device::Cpu)?;
        let logits = match &self.model {
            Model::F32(model) => model.forward(&input, &mut self.state)?,
            Model::Quantised(model) => model.forward(&input, &mut self.state)?,
        };
        Ok(logits.flatten_all()?.argmax(D::Minus1)?.to_scalar()?)
    }
}

fn config(shape: Shape) -> rwkv_v5::Config {
    rwkv_v5::Config {
        vocab_size: shape.vocab,
        hidden_size: shape.width,
        num_hidden_layers: shape.layers,
        attention_hidden_size: shape.width,
        // candle's name for the width of a head; it computes the number of heads from it.
        num_attention_heads: shape.head,
        head_size: shape.head,
        intermediate_size: Some(shape.channel),
        layer_norm_epsilon: 1e-5,
        rescale_every: 0,
    }
}

/// All parameters, in f32.
fn tensors(shape: Shape) -> anyhow::Result<HashMap<String, Tensor>> {
    let Shape { vocab, layers, width, head, channel } = shape;
    let mut made = Parameters { weights: Weights::new(), tensors: HashMap::new() };
    made.uniform("rwkv.embeddings.weight", &[vocab, width], [-1.0, 1.0])?;
    made.uniform("head.weight", &[vocab, width], [-1.0, 1.0])?;
    made.norm("rwkv.ln_out", width)?;
    made.norm("rwkv.blocks.0.pre_ln", width)?;
    for layer in 0..layers {
        let named = |leaf: &str| format!("rwkv.blocks.{layer}.{leaf}");
        for norm in ["ln1", "ln2", "attention.ln_x"] {
            made.norm(&named(norm), width)?;
        }
        for mix in ["key", "value", "receptance", "gate"] {
            made.uniform(&named(&format!("attention.time_mix_{mix}")), &[1, 1, width], [0.0, 1.0])?;
        }
        for mix in ["key", "receptance"] {
            made.uniform(&named(&format!("feed_forward.time_mix_{mix}")), &[1, 1, width], [0.0, 1.0])?;
        }
        made.uniform(&named("attention.time_decay"), &[width / head, head], [-6.0, -1.0])?;
        made.uniform(&named("attention.time_faaaa"), &[width / head, head], [0.0, 1.0])?;
        for (leaf, sizes) in [
            ("attention.key", [width, width]),
            ("attention.value", [width, width]),
            ("attention.receptance", [width, width]),
            ("attention.gate", [width, width]),
            ("attention.output", [width, width]),
            ("feed_forward.receptance", [width, width]),
            ("feed_forward.key", [channel, width]),
            ("feed_forward.value", [width, channel]),
        ] {
            made.linear(&named(&format!("{leaf}.weight")), sizes)?;
        }
    }
    Ok(made.tensors)
}

/// Builds the parameters; sizes are rows, then columns.
struct Parameters {
    weights: Weights,
    tensors: HashMap<String, Tensor>,
}

impl Parameters {
    fn uniform(&mut self, name: &str, sizes: &[usize], [low, high]: [f32; 2]) -> anyhow::Result<()> {
        let values = self.weights.uniform(sizes.iter().product(), low, high);
        self.add(name, sizes, values)
    }

    fn norm(&mut self, name: &str, width: usize) -> anyhow::Result<()> {
        self.uniform(&format!("{name}.weight"), &[width], [0.5, 1.5])?;
        self.uniform(&format!("{name}.bias"), &[width], [-0.1, 0.1])
    }

    fn linear(&mut self, name: &str, sizes: [usize; 2]) -> anyhow::Result<()> {
        let values = self.weights.ternary(sizes[0] * sizes[1], sizes[1]);
        self.add(name, &sizes, values)
    }

    fn add(&mut self, name: &str, sizes: &[usize], values: Vec<f32>) -> anyhow::Result<()> {
        self.tensors.insert(name.to_string(), Tensor::from_vec(values, sizes, &Device::Cpu)?);
        Ok(())
    }
}
