//! Choosing a token from the logits, as the sampling part of `crates/ARITHMETIC.md` defines it.

use crate::candidates::{Adjust, Candidates};
use alloc::vec;
use alloc::vec::Vec;
use bitstate_kernels::{Kernels, NotFinite};

/// How a token is chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sampling {
    /// The lowest id among the largest logits.
    Greedy,
    /// Drawn from the most likely tokens.
    Seeded {
        /// Seed of the generator.
        seed: u64,
        /// Divides the logits: below 1 the likely tokens gain, above 1 they lose. 0 is [`Greedy`](Sampling::Greedy), without
        /// a penalty.
        temperature: f32,
        /// How many of the largest are kept; 0 keeps all.
        top_k: u32,
        /// Share of the probability that is kept, in (0, 1].
        top_p: f32,
        /// A token seen `n` times before loses by this factor to the power `min(n, 3)`; 1 is none.
        penalty: f32,
    },
}

/// A sampling parameter out of its range.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum SamplingError {
    /// Below 0, or not finite.
    #[error("the temperature is {0}: it must be a finite number from 0 on (0 is greedy)")]
    Temperature(f32),
    /// Not in (0, 1].
    #[error("top-p is {0}: it must be above 0 and at most 1")]
    TopP(f32),
    /// Below 1, or not finite.
    #[error("the repetition penalty is {0}: it must be a finite number of at least 1")]
    Penalty(f32),
}

/// SplitMix64, a small generator with 64 bits of state.
#[derive(Debug, Clone)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// Starts at `seed`.
    pub fn new(seed: u64) -> Self {
        SplitMix64(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = self.0;
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1), a multiple of 2^-24.
    pub fn next_f32(&mut self) -> f32 {
        const UNIT: f32 = 1.0 / (1u32 << 24) as f32;
        (self.next_u64() >> 40) as f32 * UNIT
    }
}

/// A sampler and what it remembers: the generator and how often each token was seen. It allocates nothing in use.
#[derive(Clone)]
pub struct Sampler {
    sampling: Sampling,
    kernels: Kernels,
    rng: SplitMix64,
    /// How often each token was seen, up to 3.
    counts: Vec<u8>,
    candidates: Candidates,
    weights: Vec<f32>,
}

impl Sampler {
    /// A sampler for a vocabulary of `vocab_size` tokens that takes its exponentials from `kernels`.
    ///
    /// # Errors
    /// Where a parameter is out of its range.
    pub fn new(sampling: Sampling, vocab_size: usize, kernels: Kernels) -> Result<Self, SamplingError> {
        let (seed, room, k) = match sampling {
            Sampling::Greedy => (0, 0, 0),
            Sampling::Seeded { seed, temperature, top_k, top_p, penalty } => {
                if !(temperature >= 0.0 && temperature.is_finite()) {
                    return Err(SamplingError::Temperature(temperature));
                }
                if !(top_p > 0.0 && top_p <= 1.0) {
                    return Err(SamplingError::TopP(top_p));
                }
                if !(penalty >= 1.0 && penalty.is_finite()) {
                    return Err(SamplingError::Penalty(penalty));
                }
                if temperature == 0.0 {
                    return Sampler::new(Sampling::Greedy, vocab_size, kernels);
                }
                (seed, vocab_size, top_k as usize)
            }
        };
        let candidates = Candidates::new(k, room, kernels);
        Ok(Sampler {
            sampling,
            kernels,
            rng: SplitMix64::new(seed),
            counts: vec![0; room],
            weights: Vec::with_capacity(candidates.k()),
            candidates,
        })
    }

    /// How it chooses; [`Sampling::Greedy`] at a temperature of 0.
    pub fn sampling(&self) -> Sampling {
        self.sampling
    }

    /// Tells the sampler of a token of the session that it did not choose itself.
    pub fn observe(&mut self, token: u32) {
        if let Some(count) = self.counts.get_mut(token as usize) {
            *count = (*count + 1).min(3);
        }
    }

    /// Chooses the next token from `logits`, one for each token, and remembers it.
    ///
    /// # Errors
    /// Where a logit is NaN or infinite; the sampler is as before then.
    pub fn sample(&mut self, logits: &[f32]) -> Result<u32, NotFinite> {
        self.kernels.check_finite(logits)?;
        Ok(self.sample_finite(logits))
    }

    /// [`sample`](Sampler::sample) of logits that are known to be finite.
    ///
    /// Most logits are only compared, twice, except where all of them are kept (`top_k` 0): what is kept then is
    /// defined by the sum of all weights from the largest to the least, so all that have any weight are sorted.
    pub(crate) fn sample_finite(&mut self, logits: &[f32]) -> u32 {
        let token = match self.sampling {
            Sampling::Greedy => self.kernels.argmax(logits),
            Sampling::Seeded { temperature, top_p, penalty, .. } => {
                self.candidates.select(logits, &self.counts, &Adjust::new(temperature, penalty));
                self.draw(top_p)
            }
        };
        self.observe(token);
        token
    }

    /// Draws from the shortest run of candidates that holds `top_p` of the probability.
    fn draw(&mut self, top_p: f32) -> u32 {
        let Some(largest) = self.candidates.logits().next() else { return 0 };
        self.weights.clear();
        self.weights.extend(self.candidates.logits().map(|logit| logit - largest));
        self.kernels.exp(&mut self.weights);
        let mut sum = 0.0;
        for weight in &mut self.weights {
            sum += *weight;
            *weight = sum;
        }
        let sums = &self.weights;
        let least = top_p * sum;
        let kept = sums.iter().position(|&sum| sum >= least).unwrap_or(sums.len() - 1);
        let target = self.rng.next_f32() * sums[kept];
        let chosen = sums[..kept].iter().position(|&sum| sum > target).unwrap_or(kept);
        self.candidates.token(chosen)
    }
}
