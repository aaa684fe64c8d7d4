//! Converts a checkpoint with PyTorch tensor names, as a safetensors file, to a BITS file.
//!
//! | tensor | shape |
//! |---|---|
//! | `emb.weight` | V × D |
//! | `blocks.L.tm.{r,k,v,g,o}_proj.weight`, `blocks.L.cm.{k,r,v}_proj.weight` | out × in |
//! | `….norm.weight`, `….norm.bias` of each of these | in |
//! | `blocks.L.{ln1,ln2,tm.group_norm}.{weight,bias}`, `ln_f.{weight,bias}` | D |
//! | `blocks.L.tm.{log_decay,u}` | H × S |
//! | `blocks.L.tm.mu_{r,k,v,g}`, `blocks.L.cm.mu_{k,r}` | D, or 1 × 1 × D |
//!
//! All in F32: matrices are made ternary here as in training. Or matrices and embedding are already I8, with a
//! `….scale` beside each `….weight`: one number for a matrix, V for the embedding. A matrix of -1, 0 and 1 is kept; one
//! of other integers is multiplied by the scale and made ternary. Names may have a common prefix, such as `_orig_mod.`,
//! and `head.weight` may be present if it equals the embedding. Shapes are taken from the tensors.

use crate::error::Error;
use crate::kernels::bit_linear::ternary;
use crate::tensors::Tensors;
use bitstate_model::{
    BitLinearWeights, ChannelMixWeights, Config, EmbeddingWeights, LayerWeights, NormWeights, TimeMixWeights, Version,
    Weights,
};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use std::path::Path;

/// The file's header has the longest training sequence, which such a checkpoint does not record; no engine is limited
/// by it.
const MAX_SEQ_LEN: usize = 1024;

/// Reads the checkpoint at `path` and writes it as BITS 1.2.
///
/// # Errors
/// Names the file, the tensor, and its actual and expected shape and type.
pub fn import(path: &Path) -> Result<(Config, Vec<u8>), Error> {
    let bytes = Tensors::open(path)?.read(path)?;
    let (config, weights) = read(&bytes).map_err(|problem| Error::content(path, problem))?;
    Ok((config, weights.write(Version::V1_2).map_err(Error::Export)?))
}

fn read(bytes: &[u8]) -> Result<(Config, Weights), String> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| format!("not a safetensors file: {error}"))?;
    let mut source = Source { prefix: prefix(&tensors)?, tensors, used: Vec::new() };
    let config = source.config()?;
    let embedding = source.embedding(&config)?;
    let layers = (0..config.n_layer).map(|l| source.layer(&config, l)).collect::<Result<_, _>>()?;
    let ln_f = source.norm("ln_f", config.n_embd)?;
    source.head()?;
    source.nothing_is_left()?;
    Ok((config, Weights { config, embedding, layers, ln_f }))
}

/// The prefix of `emb.weight`.
fn prefix(tensors: &SafeTensors<'_>) -> Result<String, String> {
    let names = tensors.names();
    let mut found = names.iter().filter_map(|name| name.strip_suffix("emb.weight"));
    let found = found.find(|prefix| prefix.is_empty() || prefix.ends_with('.'));
    found.map(str::to_string).ok_or_else(|| "there is no tensor emb.weight".into())
}

/// The tensors, and which of them were used.
struct Source<'a> {
    tensors: SafeTensors<'a>,
    prefix: String,
    used: Vec<String>,
}

impl Source<'_> {
    /// A required tensor.
    fn tensor(&mut self, name: &str) -> Result<TensorView<'_>, String> {
        let name = format!("{}{name}", self.prefix);
        self.used.push(name.clone());
        self.tensors.tensor(&name).map_err(|_| format!("there is no tensor {name}"))
    }

    fn has(&self, name: &str) -> bool {
        self.tensors.tensor(&format!("{}{name}", self.prefix)).is_ok()
    }

    /// The sizes of a two-dimensional tensor.
    fn matrix(&mut self, name: &str, what: [&str; 2]) -> Result<[usize; 2], String> {
        let tensor = self.tensor(name)?;
        match *tensor.shape() {
            [rows, cols] if rows > 0 && cols > 0 => Ok([rows, cols]),
            _ => Err(format!("{name} is {}, and must be {} × {}", found(&tensor), what[0], what[1])),
        }
    }

    fn config(&mut self) -> Result<Config, String> {
        let [vocab_size, n_embd] = self.matrix("emb.weight", ["V", "D"])?;
        let [n_head, head_size] = self.matrix("blocks.0.tm.log_decay", ["H", "S"])?;
        if n_head * head_size != n_embd {
            return Err(format!(
                "blocks.0.tm.log_decay is [{n_head}, {head_size}], and H · S must be D, which is {n_embd}"
            ));
        }
        let [ff, _] = self.matrix("blocks.0.cm.k_proj.weight", ["F", "D"])?;
        if !ff.is_multiple_of(n_embd) {
            return Err(format!("blocks.0.cm.k_proj.weight has {ff} rows, and must have a multiple of D, {n_embd}"));
        }
        let n_layer = (0..).take_while(|l| self.has(&format!("blocks.{l}.tm.log_decay"))).count();
        let ff_mult = ff / n_embd;
        let max_seq_len = MAX_SEQ_LEN;
        Ok(Config { vocab_size, n_layer, n_embd, n_head, head_size, ff_mult, max_seq_len, dropout: 0.0 })
    }

    /// The values of an F32 tensor; `shape` may have leading sizes of 1.
    fn floats(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, String> {
        let tensor = self.tensor(name)?;
        if tensor.dtype() != Dtype::F32 || !same(tensor.shape(), shape) {
            return Err(format!("{name} is {}, and must be F32 {shape:?}", found(&tensor)));
        }
        Ok(f32s(&tensor))
    }

    /// The values of a tensor that is F32, or I8 with its scales.
    fn quantised(&mut self, name: &str, shape: [usize; 2], scales: usize) -> Result<Values, String> {
        let of_weight = format!("{name}.weight");
        let tensor = self.tensor(&of_weight)?;
        if !matches!(tensor.dtype(), Dtype::F32 | Dtype::I8) || *tensor.shape() != shape {
            return Err(format!("{of_weight} is {}, and must be F32 or I8 {shape:?}", found(&tensor)));
        }
        if tensor.dtype() == Dtype::F32 {
            return Ok(Values::F32(f32s(&tensor)));
        }
        let values = tensor.data().iter().map(|&byte| byte as i8).collect();
        let of_scale = format!("{name}.scale");
        let tensor = self.tensor(&of_scale).map_err(|error| format!("{error}, which the I8 of {of_weight} need"))?;
        let count: usize = tensor.shape().iter().product();
        if tensor.dtype() != Dtype::F32 || count != scales {
            return Err(format!("{of_scale} is {}, and must be F32 with {scales} values", found(&tensor)));
        }
        Ok(Values::Int8(values, f32s(&tensor)))
    }

    fn embedding(&mut self, config: &Config) -> Result<EmbeddingWeights, String> {
        let Config { vocab_size, n_embd, .. } = *config;
        Ok(match self.quantised("emb", [vocab_size, n_embd], vocab_size)? {
            Values::F32(rows) => EmbeddingWeights::F32(rows),
            Values::Int8(rows, scales) => EmbeddingWeights::Int8 { rows, scales },
        })
    }

    fn norm(&mut self, name: &str, width: usize) -> Result<NormWeights, String> {
        let weight = self.floats(&format!("{name}.weight"), &[width])?;
        Ok(NormWeights { weight, bias: self.floats(&format!("{name}.bias"), &[width])? })
    }

    fn linear(&mut self, name: &str, [rows, cols]: [usize; 2]) -> Result<BitLinearWeights, String> {
        let (weight, scale) = match self.quantised(name, [rows, cols], 1)? {
            Values::Int8(weight, scales) if weight.iter().all(|w| (-1..=1).contains(w)) => (weight, scales[0]),
            values => {
                let (weight, scale) = ternary(&values.floats());
                (weight.into_iter().map(|w| w as i8).collect(), scale)
            }
        };
        Ok(BitLinearWeights { weight, scale, norm: self.norm(&format!("{name}.norm"), cols)? })
    }

    fn layer(&mut self, config: &Config, l: usize) -> Result<LayerWeights, String> {
        let Config { n_embd: d, n_head, head_size, .. } = *config;
        let f = config.ff_dim();
        let name = |leaf: &str| format!("blocks.{l}.{leaf}");
        Ok(LayerWeights {
            ln1: self.norm(&name("ln1"), d)?,
            time_mix: TimeMixWeights {
                r: self.linear(&name("tm.r_proj"), [d, d])?,
                k: self.linear(&name("tm.k_proj"), [d, d])?,
                v: self.linear(&name("tm.v_proj"), [d, d])?,
                g: self.linear(&name("tm.g_proj"), [d, d])?,
                o: self.linear(&name("tm.o_proj"), [d, d])?,
                log_decay: self.floats(&name("tm.log_decay"), &[n_head, head_size])?,
                u: self.floats(&name("tm.u"), &[n_head, head_size])?,
                mu_r: self.floats(&name("tm.mu_r"), &[d])?,
                mu_k: self.floats(&name("tm.mu_k"), &[d])?,
                mu_v: self.floats(&name("tm.mu_v"), &[d])?,
                mu_g: self.floats(&name("tm.mu_g"), &[d])?,
                group_norm: self.norm(&name("tm.group_norm"), d)?,
            },
            ln2: self.norm(&name("ln2"), d)?,
            channel_mix: ChannelMixWeights {
                k: self.linear(&name("cm.k_proj"), [f, d])?,
                r: self.linear(&name("cm.r_proj"), [d, d])?,
                v: self.linear(&name("cm.v_proj"), [d, f])?,
                mu_k: self.floats(&name("cm.mu_k"), &[d])?,
                mu_r: self.floats(&name("cm.mu_r"), &[d])?,
            },
        })
    }

    /// A head is accepted if it equals the embedding: the format has no untied head.
    fn head(&mut self) -> Result<(), String> {
        if !self.has("head.weight") {
            return Ok(());
        }
        let head = self.tensor("head.weight")?.data().to_vec();
        if head != self.tensor("emb.weight")?.data() {
            return Err("head.weight differs from emb.weight: an untied head cannot be converted".into());
        }
        Ok(())
    }

    /// An unused tensor is an error: ignoring it would lose it silently.
    fn nothing_is_left(&self) -> Result<(), String> {
        let names = self.tensors.names();
        let mut left = names.into_iter().filter(|name| !self.used.iter().any(|used| used == name));
        match left.next() {
            None => Ok(()),
            Some(name) => Err(format!("{name} is not a tensor of this model; remove it from the file")),
        }
    }
}

enum Values {
    F32(Vec<f32>),
    /// With one scale for all, or one per row.
    Int8(Vec<i8>, Vec<f32>),
}

impl Values {
    fn floats(self) -> Vec<f32> {
        match self {
            Values::F32(values) => values,
            Values::Int8(values, scales) => values.into_iter().map(|value| f32::from(value) * scales[0]).collect(),
        }
    }
}

fn f32s(tensor: &TensorView<'_>) -> Vec<f32> {
    tensor.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}

/// Whether `shape` is `wanted`, except for leading sizes of 1.
fn same(shape: &[usize], wanted: &[usize]) -> bool {
    let front = shape.len().saturating_sub(wanted.len());
    shape[..front].iter().all(|&size| size == 1) && shape[front..] == *wanted
}

fn found(tensor: &TensorView<'_>) -> String {
    format!("{:?} {:?}", tensor.dtype(), tensor.shape())
}
