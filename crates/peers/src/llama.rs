//! llama.cpp's RWKV-6, its closest network to ours.
//!
//! Its mixes and its decay depend on the token, through low-rank matrices that ours does not have. They get the smallest rank
//! that published models use, 32, and stay in f32, as in files from its own converter.

use crate::weights::Weights;
use crate::{Decoder, Shape};
use anyhow::{Context as _, ensure};
use llama_cpp_sys_2 as sys;
use std::ffi::{CString, c_char, c_void};
use std::path::Path;

/// Rank of the matrices for mixes and decay.
const RANK: usize = 32;
/// Values in a block of TQ2_0; rows consist of whole blocks.
const TERNARY_BLOCK: usize = 256;

/// A model with one sequence.
pub struct Llama {
    model: *mut sys::llama_model,
    context: *mut sys::llama_context,
    vocab: usize,
}

impl Llama {
    /// Creates it with random weights, through a file as users have it.
    pub fn new(shape: Shape) -> anyhow::Result<Self> {
        let file = tempfile::Builder::new().suffix(".gguf").tempfile().context("cannot create a temporary file")?;
        write(shape, file.path())?;
        let path = c_string(file.path().to_str().context("the temporary folder's name is not UTF-8")?)?;
        // SAFETY: the functions are called in the order that llama.h requires, with parameters that it created itself and a
        // path that ends in NUL; a null pointer is checked before it is used.
        unsafe {
            sys::llama_log_set(Some(quiet), std::ptr::null_mut());
            sys::llama_backend_init();
            let model = sys::llama_model_load_from_file(path.as_ptr(), sys::llama_model_default_params());
            ensure!(!model.is_null(), "llama.cpp rejects the model");
            let mut parameters = sys::llama_context_default_params();
            parameters.n_ctx = 4096;
            parameters.n_threads = 1;
            parameters.n_threads_batch = 1;
            parameters.no_perf = true;
            let context = sys::llama_init_from_model(model, parameters);
            ensure!(!context.is_null(), "llama.cpp cannot create a context for the model");
            Ok(Llama { model, context, vocab: shape.vocab })
        }
    }
}

impl Decoder for Llama {
    fn step(&mut self, token: u32) -> anyhow::Result<u32> {
        let mut token = token as i32;
        // SAFETY: the batch borrows one token, which outlives the call; the logits are `vocab` values and live until the
        // next call.
        let logits = unsafe {
            let failed = sys::llama_decode(self.context, sys::llama_batch_get_one(&mut token, 1));
            ensure!(failed == 0, "llama_decode returns {failed}");
            let logits = sys::llama_get_logits_ith(self.context, -1);
            ensure!(!logits.is_null(), "llama.cpp has no logits");
            std::slice::from_raw_parts(logits, self.vocab)
        };
        let mut best = 0;
        for (index, logit) in logits.iter().enumerate() {
            if *logit > logits[best] {
                best = index;
            }
        }
        Ok(best as u32)
    }
}

impl Drop for Llama {
    fn drop(&mut self) {
        // SAFETY: both were made by llama.cpp, are freed once, and the context before its model.
        unsafe {
            sys::llama_free(self.context);
            sys::llama_model_free(self.model);
        }
    }
}

/// Discards llama.cpp's log: errors are return values.
unsafe extern "C" fn quiet(_: sys::ggml_log_level, _: *const c_char, _: *mut c_void) {}

fn c_string(text: &str) -> anyhow::Result<CString> {
    CString::new(text).context("a name contains a NUL")
}

/// Writes the model as GGUF.
fn write(shape: Shape, path: &Path) -> anyhow::Result<()> {
    let Shape { vocab, layers, width, head, channel } = shape;
    let mut file = Gguf::new(shape)?;
    file.text("general.architecture", "rwkv6")?;
    file.text("tokenizer.ggml.model", "no_vocab")?;
    for (key, value) in [
        ("vocab_size", vocab),
        ("context_length", 1 << 20),
        ("embedding_length", width),
        ("block_count", layers),
        ("feed_forward_length", channel),
        ("attention.head_count", 0),
        ("wkv.head_size", head),
        ("time_mix_extra_dim", RANK),
        ("time_decay_extra_dim", RANK),
        ("rescale_every_n_layers", 0),
        ("token_shift_count", 2),
    ] {
        file.number(&format!("rwkv6.{key}"), value)?;
    }
    file.real("rwkv6.attention.layer_norm_epsilon", 1e-5)?;

    file.head("token_embd.weight", [width, vocab])?;
    file.norm("token_embd_norm", width)?;
    file.norm("output_norm", width)?;
    file.head("output.weight", [width, vocab])?;
    for layer in 0..layers {
        let named = |leaf: &str| format!("blk.{layer}.{leaf}");
        file.norm(&named("attn_norm"), width)?;
        file.norm(&named("attn_norm_2"), width)?;
        file.norm(&named("time_mix_ln"), width)?;
        file.vector(&named("time_mix_lerp_x.weight"), &[width], [0.0, 1.0])?;
        file.vector(&named("time_mix_lerp_fused.weight"), &[width, 1, 1, 5], [0.0, 1.0])?;
        file.vector(&named("time_mix_w1.weight"), &[width, 5 * RANK], [-0.1, 0.1])?;
        file.vector(&named("time_mix_w2.weight"), &[RANK, width, 5], [-0.1, 0.1])?;
        file.vector(&named("time_mix_first.weight"), &[head, width / head], [0.0, 1.0])?;
        file.vector(&named("time_mix_decay.weight"), &[width], [-6.0, -1.0])?;
        file.vector(&named("time_mix_decay_w1.weight"), &[width, RANK], [-0.1, 0.1])?;
        file.vector(&named("time_mix_decay_w2.weight"), &[RANK, width], [-0.1, 0.1])?;
        file.vector(&named("channel_mix_lerp_k.weight"), &[width], [0.0, 1.0])?;
        file.vector(&named("channel_mix_lerp_r.weight"), &[width], [0.0, 1.0])?;
        for (leaf, sizes) in [
            ("time_mix_key", [width, width]),
            ("time_mix_value", [width, width]),
            ("time_mix_receptance", [width, width]),
            ("time_mix_gate", [width, width]),
            ("time_mix_output", [width, width]),
            ("channel_mix_receptance", [width, width]),
            ("channel_mix_key", [width, channel]),
            ("channel_mix_value", [channel, width]),
        ] {
            file.layer(&named(&format!("{leaf}.weight")), sizes)?;
        }
    }
    file.save(path)
}

/// Builds a GGUF file. Sizes of a tensor are in ggml's order: the length of a row first.
struct Gguf {
    file: *mut sys::gguf_context,
    tensors: *mut sys::ggml_context,
    weights: Weights,
}

impl Gguf {
    fn new(shape: Shape) -> anyhow::Result<Self> {
        let Shape { vocab, layers, width, channel, .. } = shape;
        // All tensors as f32, and the same again for their headers: generous, but untouched memory costs nothing.
        let most = 4 * (2 * vocab * width + layers * width * (8 * width + 2 * channel + 8 * 6 * RANK + 64));
        let parameters = sys::ggml_init_params {
            mem_size: 2 * most + (16 << 20),
            mem_buffer: std::ptr::null_mut(),
            no_alloc: false,
        };
        // SAFETY: without a buffer of ours, ggml allocates one; null pointers are checked.
        let (file, tensors) = unsafe { (sys::gguf_init_empty(), sys::ggml_init(parameters)) };
        ensure!(!file.is_null() && !tensors.is_null(), "ggml cannot create a context of {most} bytes");
        Ok(Gguf { file, tensors, weights: Weights::new() })
    }

    fn text(&mut self, key: &str, value: &str) -> anyhow::Result<()> {
        let (key, value) = (c_string(key)?, c_string(value)?);
        // SAFETY: both end in NUL and are copied.
        unsafe { sys::gguf_set_val_str(self.file, key.as_ptr(), value.as_ptr()) };
        Ok(())
    }

    fn number(&mut self, key: &str, value: usize) -> anyhow::Result<()> {
        let key = c_string(key)?;
        // SAFETY: the key ends in NUL and is copied.
        unsafe { sys::gguf_set_val_u32(self.file, key.as_ptr(), u32::try_from(value)?) };
        Ok(())
    }

    fn real(&mut self, key: &str, value: f32) -> anyhow::Result<()> {
        let key = c_string(key)?;
        // SAFETY: the key ends in NUL and is copied.
        unsafe { sys::gguf_set_val_f32(self.file, key.as_ptr(), value) };
        Ok(())
    }

    /// A norm's weight and bias.
    fn norm(&mut self, name: &str, width: usize) -> anyhow::Result<()> {
        self.vector(&format!("{name}.weight"), &[width], [0.5, 1.5])?;
        self.vector(&format!("{name}.bias"), &[width], [-0.1, 0.1])
    }

    /// Uniform values in f32.
    fn vector(&mut self, name: &str, sizes: &[usize], [low, high]: [f32; 2]) -> anyhow::Result<()> {
        let values = self.weights.uniform(sizes.iter().product(), low, high);
        self.add(name, sizes, sys::GGML_TYPE_F32, &values)
    }

    /// A ternary matrix.
    fn layer(&mut self, name: &str, sizes: [usize; 2]) -> anyhow::Result<()> {
        let values = self.weights.ternary(sizes[0] * sizes[1], sizes[0]);
        let whole = sizes[0].is_multiple_of(TERNARY_BLOCK);
        self.add(name, &sizes, if whole { sys::GGML_TYPE_TQ2_0 } else { sys::GGML_TYPE_Q4_0 }, &values)
    }

    /// Embedding or head.
    fn head(&mut self, name: &str, sizes: [usize; 2]) -> anyhow::Result<()> {
        let values = self.weights.uniform(sizes[0] * sizes[1], -1.0, 1.0);
        self.add(name, &sizes, sys::GGML_TYPE_Q8_0, &values)
    }

    fn add(&mut self, name: &str, sizes: &[usize], kind: sys::ggml_type, values: &[f32]) -> anyhow::Result<()> {
        let name = c_string(name)?;
        let extents: Vec<i64> = sizes.iter().map(|size| *size as i64).collect();
        let rows = values.len() / sizes[0];
        // SAFETY: `extents` has as many values as it is said to; the tensor has room for `values`, which are as many as
        // its extents, and ggml checks its own memory; the name is copied.
        unsafe {
            let tensor = sys::ggml_new_tensor(self.tensors, kind, extents.len() as i32, extents.as_ptr());
            ensure!(!tensor.is_null(), "ggml has not enough memory for {}", name.to_string_lossy());
            sys::ggml_set_name(tensor, name.as_ptr());
            let data = sys::ggml_get_data(tensor);
            if kind == sys::GGML_TYPE_F32 {
                std::ptr::copy_nonoverlapping(values.as_ptr(), data.cast::<f32>(), values.len());
            } else {
                let (rows, length) = (rows as i64, sizes[0] as i64);
                sys::ggml_quantize_chunk(kind, values.as_ptr(), data, 0, rows, length, std::ptr::null());
            }
            sys::gguf_add_tensor(self.file, tensor);
        }
        Ok(())
    }

    fn save(&self, path: &Path) -> anyhow::Result<()> {
        let name = c_string(path.to_str().context("the temporary folder's name is not UTF-8")?)?;
        // SAFETY: the path ends in NUL.
        let written = unsafe { sys::gguf_write_to_file(self.file, name.as_ptr(), false) };
        ensure!(written, "cannot write {}", path.display());
        Ok(())
    }
}

impl Drop for Gguf {
    fn drop(&mut self) {
        // SAFETY: both were made by ggml and are freed once; the file points into the tensors, so it goes first.
        unsafe {
            sys::gguf_free(self.file);
            sys::ggml_free(self.tensors);
        }
    }
}
