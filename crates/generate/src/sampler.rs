//! Choosing a token from the logits, as defined in the sampling part of `crates/ARITHMETIC.md`.

use crate::candidates::{Adjust, Candidates};
use crate::random::SplitMix64;
use crate::recent::Recent;
use crate::{Order, Sampling, SamplingError};
use alloc::vec;
use alloc::vec::Vec;
use bitstate_kernels::{Kernels, NotFinite};

/// A sampler and its memory: the generator, how often each token was seen, and the last tokens. It allocates nothing in
/// use.
#[derive(Clone)]
pub struct Sampler {
    sampling: Sampling,
    kernels: Kernels,
    rng: SplitMix64,
    /// How often each token was seen, up to 3.
    counts: Vec<u8>,
    recent: Recent,
    /// V values if the logits are changed before the ranking; else none.
    adjusted: Vec<f32>,
    candidates: Candidates,
    weights: Vec<f32>,
    /// Candidate indices by the distance of their surprise from the mean, if typical-p is on.
    by_surprise: Vec<u64>,
}

/// Everything a sampler remembers of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SamplerMemory {
    /// The generator's state.
    pub generator: u64,
    /// How often each token was seen, up to 3: V counts, or none if the sampler does not count.
    pub counts: Vec<u8>,
    /// The last tokens, the oldest first, at most as many as the window.
    pub recent: Vec<u32>,
}

impl Sampler {
    /// A sampler for a vocabulary of `vocab_size` tokens; `kernels` computes its exponentials.
    ///
    /// # Errors
    /// If a parameter is out of its range.
    pub fn new(sampling: Sampling, vocab_size: usize, kernels: Kernels) -> Result<Self, SamplingError> {
        sampling.check_for(vocab_size)?;
        let room = if sampling.is_greedy() { 0 } else { vocab_size };
        let adjusts = sampling.looks_back() || !sampling.bias.is_empty();
        let typical = !sampling.is_greedy() && sampling.typical_p < 1.0;
        // A token without weight at one temperature may have some at another, and the order by surprise adds it
        // elsewhere.
        let prunes = !typical && (sampling.order == Order::TemperatureFirst || sampling.temperature == 1.0);
        let candidates = Candidates::new(sampling.top_k as usize, room, prunes, kernels);
        Ok(Sampler {
            kernels,
            rng: SplitMix64::new(sampling.seed),
            counts: vec![0; room],
            recent: Recent::new(&sampling, vocab_size),
            adjusted: vec![0.0; if adjusts { vocab_size } else { 0 }],
            weights: Vec::with_capacity(candidates.k()),
            by_surprise: Vec::with_capacity(if typical { candidates.k() } else { 0 }),
            candidates,
            sampling,
        })
    }

    /// The sampling parameters.
    pub fn sampling(&self) -> &Sampling {
        &self.sampling
    }

    /// The generator's state.
    pub fn generator(&self) -> u64 {
        self.rng.state()
    }

    /// Resets the generator to an earlier state.
    pub fn set_generator(&mut self, generator: u64) {
        self.rng = SplitMix64::new(generator);
    }

    /// Reports a token of the session that the sampler did not choose itself.
    pub fn observe(&mut self, token: u32) {
        if let Some(count) = self.counts.get_mut(token as usize) {
            *count = (*count + 1).min(3);
        }
        self.recent.push(token);
    }

    /// Everything it remembers.
    pub fn memory(&self) -> SamplerMemory {
        let counts = if self.sampling.penalty == 1.0 { Vec::new() } else { self.counts.clone() };
        SamplerMemory { generator: self.rng.state(), counts, recent: self.recent.tokens().collect() }
    }

    /// Restores the memory of a sampler with the same sampling. Counts and last tokens that do not fit this vocabulary
    /// or this window are ignored.
    pub fn restore(&mut self, memory: &SamplerMemory) {
        self.rng = SplitMix64::new(memory.generator);
        self.counts.fill(0);
        self.counts.iter_mut().zip(&memory.counts).for_each(|(count, &saved)| *count = saved.min(3));
        self.recent.clear();
        memory.recent.iter().for_each(|&token| self.recent.push(token));
    }

    /// Chooses the next token from `logits`, one per token, and remembers it.
    ///
    /// # Errors
    /// If a logit is NaN or infinite; then the sampler is unchanged.
    pub fn sample(&mut self, logits: &[f32]) -> Result<u32, NotFinite> {
        self.kernels.check_finite(logits)?;
        let token = self.choose_finite(logits);
        self.observe(token);
        Ok(token)
    }

    /// Chooses from logits that are known to be finite; the token only counts once it is [observed](Sampler::observe).
    ///
    /// Most logits are only compared, twice, unless all of them are kept (`top_k` 0): then the result is defined by the
    /// sum of all weights from the largest to the least, so all that have any weight are sorted.
    pub(crate) fn choose_finite(&mut self, logits: &[f32]) -> u32 {
        let logits = if self.adjusted.is_empty() {
            logits
        } else {
            self.adjusted.copy_from_slice(logits);
            self.recent.adjust(&self.sampling, &mut self.adjusted);
            &self.adjusted
        };
        if self.sampling.is_greedy() {
            return self.kernels.argmax(logits);
        }
        let temperature = match self.sampling.order {
            Order::TemperatureFirst => self.sampling.temperature,
            Order::TemperatureLast => 1.0,
        };
        self.candidates.select(logits, &self.counts, &Adjust::new(temperature, self.sampling.penalty));
        if self.sampling.typical_p < 1.0 {
            self.keep_typical();
        }
        self.draw()
    }

    /// The weights of the candidates, relative to the largest.
    fn weigh(&mut self) {
        let largest = self.candidates.logits().next().unwrap_or_default();
        self.weights.clear();
        self.weights.extend(self.candidates.logits().map(|logit| logit - largest));
        self.kernels.exp(&mut self.weights);
    }

    /// Keeps the candidates whose surprise is closest to the mean, `typical_p` of the probability. A candidate's
    /// surprise is its distance to the largest logit plus a constant, which cancels in the differences.
    fn keep_typical(&mut self) {
        self.weigh();
        let largest = self.candidates.logits().next().unwrap_or_default();
        let (mut sum, mut weighted) = (0.0, 0.0);
        for (&weight, logit) in self.weights.iter().zip(self.candidates.logits()) {
            sum += weight;
            // The distance of a candidate without weight may be infinite.
            if weight > 0.0 {
                weighted += weight * (logit - largest);
            }
        }
        let mean = weighted / sum;
        let distance = |logit: f32| ((logit - largest) - mean).abs();
        let ranks = self.candidates.logits().zip(0u64..);
        self.by_surprise.clear();
        // The bits of non-negative numbers ascend like the numbers.
        self.by_surprise.extend(ranks.map(|(logit, place)| u64::from(distance(logit).to_bits()) << 32 | place));
        self.by_surprise.sort_unstable();

        let place = |ranked: u64| ranked as u32 as usize;
        let weights = &self.weights;
        let total = self.by_surprise.iter().fold(0.0, |sum, &ranked| sum + weights[place(ranked)]);
        let (least, mut sum) = (self.sampling.typical_p * total, 0.0);
        let enough = self.by_surprise.iter().position(|&ranked| {
            sum += weights[place(ranked)];
            sum >= least
        });
        self.by_surprise.truncate(enough.map_or(usize::MAX, |last| last + 1));
        self.by_surprise.sort_unstable_by_key(|&ranked| place(ranked));
        self.candidates.keep(self.by_surprise.iter().map(|&ranked| place(ranked)));
    }

    /// Draws from the shortest prefix of candidates with `top_p` of the probability, excluding those that are less
    /// likely than `min_p` of the first.
    fn draw(&mut self) -> u32 {
        self.weigh();
        let Sampling { top_p, min_p, temperature, order, .. } = self.sampling;
        let likely = self.weights.iter().position(|&weight| weight < min_p).unwrap_or(self.weights.len());
        accumulate(&mut self.weights);
        let Some(&sum) = self.weights.last() else { return 0 };
        let least = top_p * sum;
        let nucleus = self.weights.iter().position(|&sum| sum >= least).map_or(self.weights.len(), |last| last + 1);
        let kept = nucleus.min(likely).max(1);
        if order == Order::TemperatureLast && temperature != 1.0 {
            self.weigh_at(temperature, kept);
        }
        let sums = &self.weights[..kept];
        let target = self.rng.next_f32() * sums[kept - 1];
        let chosen = sums.iter().position(|&sum| sum > target).unwrap_or(kept - 1);
        self.candidates.token(chosen)
    }

    /// Recomputes the running sums of the first `kept` candidates after division by the temperature.
    fn weigh_at(&mut self, temperature: f32, kept: usize) {
        let largest = self.candidates.logits().next().unwrap_or_default();
        let inverse = 1.0 / temperature;
        let scaled = largest * inverse;
        self.weights.clear();
        let logits = self.candidates.logits().take(kept);
        if scaled.is_finite() {
            self.weights.extend(logits.map(|logit| logit * inverse - scaled));
        } else {
            self.weights.extend(logits.map(|logit| (logit - largest) / temperature));
        }
        self.kernels.exp(&mut self.weights);
        accumulate(&mut self.weights);
    }
}

/// Replaces the terms by their running sums.
fn accumulate(weights: &mut [f32]) {
    let mut sum = 0.0;
    for weight in weights {
        sum += *weight;
        *weight = sum;
    }
}
