//! Checkpoints: a safetensors file with the parameters, the optimiser's state, and the position of the run.
//!
//! Tensors, all f32: each parameter under its name, and its Adam means under `adam.m.` and `adam.v.` followed by the
//! name. The metadata's `bitstate` is a [`Position`] as JSON.

use crate::error::Error;
use crate::file::write_atomically;
use crate::optim::AdamW;
use crate::params::Params;
use crate::tensors::Tensors;
use bitstate_model::Config;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

/// The metadata's key.
const KEY: &str = "bitstate";

/// The tensor that holds the mean of a parameter's gradient.
fn mean_of(name: &str) -> String {
    format!("adam.m.{name}")
}

/// The tensor that holds the mean of its squared gradient.
fn square_of(name: &str) -> String {
    format!("adam.v.{name}")
}

/// The model, and the progress of its training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// V, L, D, H, S, ff_mult, max_seq_len.
    pub shapes: [usize; 7],
    /// Whether it is trained as ternary.
    pub bitnet: bool,
    /// XXH64 of the `tokenizer.json`, or `byte`.
    pub tokenizer: String,
    /// The token that ends a text; `None` in checkpoints of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<u32>,
    /// XXH64 of the training token file.
    pub data: String,
    /// Steps done.
    pub step: u64,
    /// Tokens processed.
    pub tokens: u64,
    /// The next epoch and window.
    pub windows: [u64; 2],
    /// Lowest bits per byte on held-out text so far.
    pub best: Option<f64>,
    /// The seed of the run.
    pub seed: u64,
}

impl Position {
    /// The model's shapes.
    pub fn config(&self) -> Config {
        let [vocab_size, n_layer, n_embd, n_head, head_size, ff_mult, max_seq_len] = self.shapes;
        Config { vocab_size, n_layer, n_embd, n_head, head_size, ff_mult, max_seq_len, dropout: 0.0 }
    }

    /// The first field in which this differs from `other`, of model, data and seed.
    pub fn difference(&self, other: &Position) -> Option<String> {
        const SIZES: [&str; 7] = ["vocab_size", "n_layer", "n_embd", "n_head", "head_size", "ff_mult", "seq_len"];
        let sizes = SIZES.iter().zip(self.shapes.iter().zip(&other.shapes));
        let size = |(name, (a, b)): (&&str, (&usize, &usize))| (a != b).then(|| format!("{name} {a}, not {b}"));
        let end_of = |position: &Position| match (self.end, other.end, position.end) {
            (Some(_), Some(_), Some(end)) => end.to_string(),
            _ => "unknown".into(),
        };
        sizes.filter_map(size).next().or_else(|| {
            let named = [
                ("bitnet", self.bitnet.to_string(), other.bitnet.to_string()),
                ("tokenizer", self.tokenizer.clone(), other.tokenizer.clone()),
                ("end", end_of(self), end_of(other)),
                ("data", self.data.clone(), other.data.clone()),
                ("seed", self.seed.to_string(), other.seed.to_string()),
            ];
            named.into_iter().find(|(_, a, b)| a != b).map(|(name, a, b)| format!("{name} {a}, not {b}"))
        })
    }

    /// The shapes of `config`.
    pub fn shapes_of(config: &Config) -> [usize; 7] {
        let Config { vocab_size, n_layer, n_embd, n_head, head_size, ff_mult, max_seq_len, .. } = *config;
        [vocab_size, n_layer, n_embd, n_head, head_size, ff_mult, max_seq_len]
    }
}

/// The saved state of a training run.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Its position.
    pub position: Position,
    /// The parameters.
    pub params: Params,
    /// The optimiser's state.
    pub adam: AdamW,
}

impl Checkpoint {
    /// Writes it to `path` atomically.
    ///
    /// # Errors
    /// If it cannot be written; an existing file is then unchanged.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let parts = self.params.0.iter().zip(self.adam.m.iter().zip(&self.adam.v));
        let tensors = parts.flat_map(|(param, (m, v))| {
            let names = [param.name.clone(), mean_of(&param.name), square_of(&param.name)];
            names.into_iter().zip([&param.values, m, v]).map(|(name, values)| (name, &param.shape, values))
        });
        let views = tensors.map(|(name, shape, values)| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytemuck::cast_slice(values));
            Ok((name, view.map_err(|error| Error::content(path, error))?))
        });
        let views = views.collect::<Result<Vec<_>, Error>>()?;
        let position = serde_json::to_string(&self.position).map_err(|error| Error::content(path, error))?;
        let metadata = HashMap::from([(KEY.to_string(), position)]);
        let bytes = safetensors::serialize(views, Some(metadata)).map_err(|error| Error::content(path, error))?;
        write_atomically(path, |file| file.write_all(&bytes))
    }

    /// Whether the file at `path` is marked as a checkpoint, rather than another safetensors file.
    ///
    /// # Errors
    /// If it cannot be read or is not a safetensors file.
    pub fn is_one(path: &Path) -> Result<bool, Error> {
        let header = Tensors::open(path)?.metadata;
        Ok(header.metadata().as_ref().is_some_and(|metadata| metadata.contains_key(KEY)))
    }

    /// Reads a file of [`save`](Checkpoint::save).
    ///
    /// # Errors
    /// If the file cannot be read or is not a checkpoint; names a tensor that is missing or has another shape.
    pub fn load(path: &Path) -> Result<Checkpoint, Error> {
        let file = Tensors::open(path)?;
        let wrong = |problem: String| Error::content(path, problem);
        let position = file.metadata.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
        let position =
            position.ok_or_else(|| wrong("a safetensors file, but not a checkpoint of a training run".into()))?;
        let position: Position = serde_json::from_str(position).map_err(|error| wrong(error.to_string()))?;
        let bytes = file.read(path)?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(|error| wrong(error.to_string()))?;
        let config = position.config();
        config.validate().map_err(|error| wrong(error.to_string()))?;
        // Checked before allocating: some of the tensors, which need at least this many values for the shapes.
        let [v, l, d, ff] = [config.vocab_size, config.n_layer, config.n_embd, config.ff_mult].map(|size| size as u128);
        if (v * d + l * d * d * ff) * 4 > bytes.len() as u128 {
            let shapes = format!("{v} tokens, {l} layers, {d} channels, ff_mult {ff}");
            return Err(wrong(format!("too short for the shapes that it states: {shapes}")));
        }
        let mut params = Params::new(&config, 0);
        let mut adam = AdamW::new(&params);
        for (param, (m, v)) in params.0.iter_mut().zip(adam.m.iter_mut().zip(&mut adam.v)) {
            let names = [param.name.clone(), mean_of(&param.name), square_of(&param.name)];
            for (name, target) in names.into_iter().zip([&mut param.values, m, v]) {
                let tensor = tensors.tensor(&name).map_err(|_| wrong(format!("there is no tensor {name}")))?;
                if tensor.dtype() != Dtype::F32 || tensor.shape() != param.shape {
                    let (dtype, found, expected) = (tensor.dtype(), tensor.shape(), &param.shape);
                    return Err(wrong(format!("{name} is {dtype:?} {found:?}, and must be F32 {expected:?}")));
                }
                let floats = tensor.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes));
                *target = floats.collect();
            }
        }
        Ok(Checkpoint { position, params, adam })
    }
}
