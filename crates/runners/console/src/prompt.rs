//! Continues a prompt, and says how long it took.

use crate::{Board, Core};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bitstate_engine::Engine;
use bitstate_generate::{Sampling, Session};
use bitstate_kernels::Variant;
use bitstate_model::Model;
use bitstate_runner_bare::Notes;
use core::fmt::Write;

/// Tokens of a model that is trained on bytes.
pub const BYTES: usize = 256;
/// Ctrl-C.
const STOP: u8 = 0x03;

/// How to generate.
pub struct Settings {
    /// Seed of the draws; none: the most likely token.
    pub seed: Option<u64>,
    /// Most tokens to generate.
    pub tokens: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { seed: Some(1), tokens: 200 }
    }
}

impl Settings {
    /// The defaults of the `bitstate` command, for a model without a description.
    fn sampling(&self, vocab_size: usize) -> Sampling {
        // By its bits: Xtensa's back end cannot select one of two constants (`crates/runners/xtensa/README.md`).
        let bits = if vocab_size == BYTES { 1.0_f32.to_bits() } else { 1.1_f32.to_bits() };
        let penalty = f32::from_bits(core::hint::black_box(bits));
        self.seed.map_or_else(Sampling::greedy, |seed| {
            Sampling::seeded(seed).temperature(0.8).top_k(50).top_p(0.9).penalty(penalty)
        })
    }
}

/// Generates after a prompt until the last token, the end of a text or Ctrl-C, and prints each token at once. The engine
/// is built for each prompt, so that the memory is free for `:test`.
///
/// # Errors
/// The message.
pub fn generate<B: Board>(model: &Model, prompt: &[u8], settings: &Settings) -> Result<(), String> {
    let mut out = Notes::<Core<B>>::new();
    let vocab_size = model.config.vocab_size;
    let tokens = tokens(prompt, vocab_size)?;
    let engine = Engine::new(model, Variant::best()).map_err(|error| error.to_string())?;
    let sampling = settings.sampling(vocab_size);
    let mut session = Session::new(&engine, sampling).map_err(|error| error.to_string())?;
    let mut core = Core::<B>::start();
    session.feed(&tokens).map_err(|error| error.to_string())?;
    let prefill = core.cycles();
    let (mut count, mut decode) = (0, 0);
    while count < settings.tokens && B::read() != Some(STOP) {
        let start = core.cycles();
        let token = session.choose().map_err(|error| error.to_string())?;
        session.advance(token).map_err(|error| error.to_string())?;
        decode += core.cycles() - start;
        count += 1;
        if vocab_size == BYTES {
            match token as u8 {
                0 => break,
                byte => B::write(&[byte]),
            }
        } else {
            let _ = write!(out, "{token} ");
        }
    }
    let _ = write!(out, "\n[prompt: {} tokens, {} cycles", tokens.len(), prefill);
    if decode > 0 {
        let per_token = decode / u64::from(count);
        let tenths = 10 * B::HZ * u64::from(count) / decode;
        let _ = write!(out, "; {count} tokens, {per_token} cycles each: ");
        let _ = write!(out, "{}.{} tokens/s at {} MHz", tenths / 10, tenths % 10, B::HZ / 1_000_000);
    }
    let _ = writeln!(out, "]");
    Ok(())
}

/// The tokens of a prompt: its bytes, or the ids that it lists.
fn tokens(prompt: &[u8], vocab_size: usize) -> Result<Vec<u32>, String> {
    if vocab_size == BYTES {
        return Ok(prompt.iter().map(|&byte| u32::from(byte)).collect());
    }
    let text = core::str::from_utf8(prompt).unwrap_or("");
    let ids: Option<Vec<u32>> = text.split_ascii_whitespace().map(|word| word.parse().ok()).collect();
    ids.filter(|ids| !ids.is_empty())
        .ok_or_else(|| String::from("the tokens of this model are not bytes: type ids, separated by spaces"))
}
