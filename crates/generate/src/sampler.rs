//! Choosing a token from the logits, as the sampling part of `crates/ARITHMETIC.md` defines it.

use crate::candidates::{Adjust, Candidates};
use crate::random::SplitMix64;
use crate::recent::Recent;
use crate::{Order, Sampling, SamplingError};
use alloc::vec;
use alloc::vec::Vec;
use bitstate_kernels::{Kernels, NotFinite};

/// A sampler and what it remembers: the generator, how often each token was seen, and the last ones. It allocates
/// nothing in use.
#[derive(Clone)]
pub struct Sampler {
    sampling: Sampling,
    kernels: Kernels,
    rng: SplitMix64,
    /// How often each token was seen, up to 3.
    counts: Vec<u8>,
    recent: Recent,
    /// V, where the logits are changed before any is looked at; else none.
    adjusted: Vec<f32>,
    candidates: Candidates,
    weights: Vec<f32>,
    /// Places by how near their surprise is to the mean, where typical-p is on.
    by_surprise: Vec<u64>,
}

/// All that a sampler remembers of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SamplerMemory {
    /// Where the generator is.
    pub generator: u64,
    /// How often each token was seen, up to 3: V counts, or none where the sampler does not count.
    pub counts: Vec<u8>,
    /// The last tokens, the oldest first, no more than the window has.
    pub recent: Vec<u32>,
}

impl Sampler {
    /// A sampler for a vocabulary of `vocab_size` tokens that takes its exponentials from `kernels`.
    ///
    /// # Errors
    /// Where a parameter is out of its range.
    pub fn new(sampling: Sampling, vocab_size: usize, kernels: Kernels) -> Result<Self, SamplingError> {
        sampling.check_for(vocab_size)?;
        let room = if sampling.is_greedy() { 0 } else { vocab_size };
        let adjusts = sampling.looks_back() || !sampling.bias.is_empty();
        let typical = !sampling.is_greedy() && sampling.typical_p < 1.0;
        // What has no weight at one temperature may have some at another, and is added at another place by surprise.
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

    /// How it chooses.
    pub fn sampling(&self) -> &Sampling {
        &self.sampling
    }

    /// Where the generator is.
    pub fn generator(&self) -> u64 {
        self.rng.state()
    }

    /// Puts the generator to a place where it was.
    pub fn set_generator(&mut self, generator: u64) {
        self.rng = SplitMix64::new(generator);
    }

    /// Tells the sampler of a token of the session that it did not choose itself.
    pub fn observe(&mut self, token: u32) {
        if let Some(count) = self.counts.get_mut(token as usize) {
            *count = (*count + 1).min(3);
        }
        self.recent.push(token);
    }

    /// All that it remembers.
    pub fn memory(&self) -> SamplerMemory {
        let counts = if self.sampling.penalty == 1.0 { Vec::new() } else { self.counts.clone() };
        SamplerMemory { generator: self.rng.state(), counts, recent: self.recent.tokens().collect() }
    }

    /// Goes on from what a sampler of the same sampling remembered. Counts and last tokens that do not belong to this
    /// vocabulary or this window are left out.
    pub fn restore(&mut self, memory: &SamplerMemory) {
        self.rng = SplitMix64::new(memory.generator);
        self.counts.fill(0);
        self.counts.iter_mut().zip(&memory.counts).for_each(|(count, &saved)| *count = saved.min(3));
        self.recent.clear();
        memory.recent.iter().for_each(|&token| self.recent.push(token));
    }

    /// Chooses the next token from `logits`, one for each token, and remembers it.
    ///
    /// # Errors
    /// Where a logit is NaN or infinite; the sampler is as before then.
    pub fn sample(&mut self, logits: &[f32]) -> Result<u32, NotFinite> {
        self.kernels.check_finite(logits)?;
        let token = self.choose_finite(logits);
        self.observe(token);
        Ok(token)
    }

    /// Chooses from logits that are known to be finite; the token counts only once [observed](Sampler::observe).
    ///
    /// Most logits are only compared, twice, except where all of them are kept (`top_k` 0): what is kept then is
    /// defined by the sum of all weights from the largest to the least, so all that have any weight are sorted.
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

    /// The weights of the candidates, against the largest of them.
    fn weigh(&mut self) {
        let largest = self.candidates.logits().next().unwrap_or_default();
        self.weights.clear();
        self.weights.extend(self.candidates.logits().map(|logit| logit - largest));
        self.kernels.exp(&mut self.weights);
    }

    /// Keeps the candidates whose surprise is nearest to the mean, `typical_p` of the probability. A candidate's surprise
    /// is its distance to the largest logit but for a constant, which the differences do without.
    fn keep_typical(&mut self) {
        self.weigh();
        let largest = self.candidates.logits().next().unwrap_or_default();
        let (mut sum, mut weighted) = (0.0, 0.0);
        for (&weight, logit) in self.weights.iter().zip(self.candidates.logits()) {
            sum += weight;
            // The distance of what has no weight may be infinite.
            if weight > 0.0 {
                weighted += weight * (logit - largest);
            }
        }
        let mean = weighted / sum;
        let distance = |logit: f32| ((logit - largest) - mean).abs();
        let ranks = self.candidates.logits().zip(0u64..);
        self.by_surprise.clear();
        // The bits of numbers from 0 on ascend as the numbers do.
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

    /// Draws from the shortest run of candidates that holds `top_p` of the probability, without those that are less
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

    /// The running sums of the first `kept` candidates once the temperature has divided them.
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

/// Running sums in place of their terms.
fn accumulate(weights: &mut [f32]) {
    let mut sum = 0.0;
    for weight in weights {
        sum += *weight;
        *weight = sum;
    }
}
