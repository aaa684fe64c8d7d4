//! All kinds of logits through the sampler: every variant chooses the same tokens as the reference.
//!
//! An input consists of the parameters, [`PARAMETERS`] bytes, and then logits, which are repeated to fill a larger vocabulary.

use crate::input::Input;
use crate::models::variants;
use bitstate_generate::{Sampler, Sampling};
use bitstate_kernels::{Kernels, NotFinite};
use bitstate_reference::sampling as reference;

/// Bytes before the logits: seed u64; temperature, top-p and penalty f32; top-k u16; tokens seen before u8; repetitions u8.
pub const PARAMETERS: usize = 24;
/// Largest vocabulary.
const MOST_LOGITS: usize = 1024;
/// Number of consecutive draws.
const DRAWS: usize = 3;

/// A decoded input.
struct Question {
    /// `None` for greedy.
    seeded: Option<Seeded>,
    /// Tokens of the session before the first draw, by id.
    seen: usize,
    logits: Vec<f32>,
}

#[derive(Clone, Copy)]
struct Seeded {
    seed: u64,
    temperature: f32,
    top_k: u32,
    top_p: f32,
    penalty: f32,
}

impl Question {
    fn read(data: &[u8]) -> Option<Self> {
        let mut input = Input(data);
        let (seed, temperature, top_p, penalty) = (input.u64(), input.f32(), input.f32(), input.f32());
        let (top_k, seen, times) = (u32::from(input.u16()), usize::from(input.u8()), usize::from(input.u8()));
        let once: Vec<f32> = input.0.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        if once.is_empty() {
            return None;
        }
        let count = (once.len() * (times % 64 + 1)).min(MOST_LOGITS);
        let seeded = (seed != 0).then_some(Seeded { seed, temperature, top_k, top_p, penalty });
        Some(Question { seeded, seen, logits: once.into_iter().cycle().take(count).collect() })
    }

    /// The tokens seen before: some of them several times.
    fn seen(&self) -> impl Iterator<Item = u32> {
        (0..self.seen).map(|i| (i / 2 % self.logits.len()) as u32)
    }
}

/// Reads one input.
///
/// # Panics
/// If a variant chooses another token than the reference, or only some variants reject the input.
pub fn run(data: &[u8]) {
    let Some(question) = Question::read(data) else { return };
    let mut refused = Vec::new();
    for variant in variants() {
        let kernels = Kernels::new(variant).expect("the variant runs here");
        let sampling = question.seeded.map_or(Sampling::greedy(), |seeded| {
            let Seeded { seed, temperature, top_k, top_p, penalty } = seeded;
            Sampling { seed, temperature, top_k, top_p, penalty, ..Sampling::greedy() }
        });
        let sampler = Sampler::new(sampling, question.logits.len(), kernels);
        refused.push(sampler.is_err());
        if let Ok(sampler) = sampler {
            assert_eq!(chosen(sampler, &question), expected(&question), "{variant:?}");
        }
    }
    assert!(refused.iter().all(|&is| is == refused[0]), "the variants accept different parameters: {refused:?}");
}

/// The tokens chosen, in order; or the first whose logit is NaN or infinite.
type Chosen = Result<Vec<u32>, u32>;

fn chosen(mut sampler: Sampler, question: &Question) -> Chosen {
    question.seen().for_each(|token| sampler.observe(token));
    (0..DRAWS).map(|_| sampler.sample(&question.logits).map_err(|NotFinite { token }| token)).collect()
}

fn expected(question: &Question) -> Chosen {
    let sampling = question.seeded.map_or(reference::Sampling::Greedy, |seeded| {
        let Seeded { seed, temperature, top_k, top_p, penalty } = seeded;
        reference::Sampling::Seeded { seed, temperature, top_k: top_k as usize, top_p, penalty }
    });
    let mut sampler = reference::Sampler::new(&sampling, question.logits.len());
    question.seen().for_each(|token| sampler.observe(token));
    let draw = |_| {
        let token = sampler.sample(&question.logits).map_err(|not_finite| not_finite.token)?;
        sampler.observe(token);
        Ok(token)
    };
    (0..DRAWS).map(draw).collect()
}
