//! All samplers in order: steps 1 to 10 of "Sampling" in `crates/ARITHMETIC.md`, each written out separately.

use super::{SplitMix64, draw, greedy, nucleus, penalise, running_sums, scaled, top_k_of};
use crate::canonical::primitives::exp;

/// Parameters of the sampler chain. Each step has a value that disables it.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// The initial state of the generator.
    pub seed: u64,
    /// Divides the logits; 0 is greedy after steps 1 and 2.
    pub temperature: f32,
    /// Whether it does so in step 9 instead of step 4.
    pub temperature_last: bool,
    /// Number of largest logits that are kept; 0 keeps all.
    pub top_k: usize,
    /// Share of the probability kept around the mean surprise; 1 keeps all.
    pub typical_p: f32,
    /// Share of the probability kept, of the most probable tokens.
    pub top_p: f32,
    /// Tokens below this share of the most probable token are dropped; 0 keeps all.
    pub min_p: f32,
    /// Penalty over the whole session; 1 disables it.
    pub penalty: f32,
    /// Factor for a token among the last ones; 1 disables it.
    pub repetition: f32,
    /// Subtracted for a token among the last ones; 0 disables it.
    pub presence: f32,
    /// Subtracted for each occurrence of a token among the last ones; 0 disables it.
    pub frequency: f32,
    /// Number of last tokens.
    pub window: usize,
    /// Added to the logits of tokens, in order.
    pub bias: Vec<(u32, f32)>,
}

impl Chain {
    pub(super) fn choose(&self, logits: &[f32], text: &[u32], counts: &[u32], rng: &mut SplitMix64) -> u32 {
        let biased = self.biased(logits);
        let last = &text[text.len().saturating_sub(self.window)..];
        let logits = self.repeated(&biased, last);
        if self.temperature == 0.0 {
            return greedy(&logits);
        }
        let penalised = penalise(&logits, counts, self.penalty);
        let l = if self.temperature_last { penalised } else { scaled(&penalised, self.temperature) };
        let kept = self.typical(&l, top_k_of(&l, self.top_k));
        let kept = &kept[..nucleus(&running_sums(&l, &kept), self.top_p)];
        let kept = &kept[..self.likely(&l, kept)];
        let sums = if self.temperature_last {
            let of_kept: Vec<f32> = kept.iter().map(|&id| l[id as usize]).collect();
            let places: Vec<u32> = (0..kept.len() as u32).collect();
            running_sums(&scaled(&of_kept, self.temperature), &places)
        } else {
            running_sums(&l, kept)
        };
        draw(kept, &sums, rng.next_f32())
    }

    /// Step 1.
    fn biased(&self, logits: &[f32]) -> Vec<f32> {
        let mut biased = logits.to_vec();
        for &(token, bias) in &self.bias {
            biased[token as usize] = (biased[token as usize] + bias).clamp(-f32::MAX, f32::MAX);
        }
        biased
    }

    /// Step 2.
    fn repeated(&self, logits: &[f32], last: &[u32]) -> Vec<f32> {
        let one = |(&logit, token): (&f32, u32)| {
            let count = last.iter().filter(|&&seen| seen == token).count();
            if count == 0 {
                return logit;
            }
            let factor = if logit > 0.0 { logit / self.repetition } else { logit * self.repetition };
            let taken = count as f32 * self.frequency + self.presence;
            (factor.clamp(-f32::MAX, f32::MAX) - taken).clamp(-f32::MAX, f32::MAX)
        };
        let on = self.repetition != 1.0 || self.frequency != 0.0 || self.presence != 0.0;
        if on { logits.iter().zip(0..).map(one).collect() } else { logits.to_vec() }
    }

    /// Step 6.
    fn typical(&self, l: &[f32], kept: Vec<u32>) -> Vec<u32> {
        if self.typical_p == 1.0 {
            return kept;
        }
        let d: Vec<f32> = kept.iter().map(|&id| l[id as usize] - l[kept[0] as usize]).collect();
        let e: Vec<f32> = d.iter().map(|&d| exp(d)).collect();
        let (mut c, mut s) = (0.0, 0.0);
        for (&d, &e) in d.iter().zip(&e) {
            c += e;
            s += if e > 0.0 { e * d } else { 0.0 };
        }
        let mean = s / c;
        let mut order: Vec<usize> = (0..kept.len()).collect();
        // Stable: equal distances keep their order.
        order.sort_by(|&a, &b| f32::total_cmp(&(d[a] - mean).abs(), &(d[b] - mean).abs()));
        let mut sums = Vec::new();
        for &i in &order {
            sums.push(sums.last().unwrap_or(&0.0) + e[i]);
        }
        order.truncate(nucleus(&sums, self.typical_p));
        order.sort_unstable();
        order.into_iter().map(|i| kept[i]).collect()
    }

    /// Step 8: the number of kept tokens.
    fn likely(&self, l: &[f32], kept: &[u32]) -> usize {
        let e = |id: u32| exp(l[id as usize] - l[kept[0] as usize]);
        kept.iter().position(|&id| e(id) < self.min_p).unwrap_or(kept.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> Chain {
        Chain {
            seed: 1,
            temperature: 1.0,
            temperature_last: false,
            top_k: 0,
            typical_p: 1.0,
            top_p: 1.0,
            min_p: 0.0,
            penalty: 1.0,
            repetition: 1.0,
            presence: 0.0,
            frequency: 0.0,
            window: 3,
            bias: Vec::new(),
        }
    }

    #[test]
    fn biases_add_up_and_stay_finite() {
        let chain = Chain { bias: vec![(0, 1.5), (0, 2.0), (2, -f32::MAX), (3, f32::MAX)], ..plain() };
        assert_eq!(chain.biased(&[1.0, 2.0, -f32::MAX, f32::MAX]), [4.5, 2.0, -f32::MAX, f32::MAX]);
    }

    #[test]
    fn last_tokens_lose_once_and_by_their_number() {
        let chain = Chain { repetition: 2.0, presence: 0.5, frequency: 0.25, ..plain() };
        let last = [0, 1, 1];
        assert_eq!(chain.repeated(&[2.0, -2.0, 2.0], &last), [1.0 - 0.75, -4.0 - 1.0, 2.0]);
    }

    #[test]
    fn the_typical_are_not_always_the_likeliest() {
        // Probabilities of 0.4 and six times 0.1: the mean surprise is closer to the six.
        let l: Vec<f32> = [0.4f32, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1].iter().map(|p| p.ln()).collect();
        let chain = Chain { typical_p: 0.35, ..plain() };
        assert_eq!(chain.typical(&l, top_k_of(&l, 0)), [1, 2, 3, 4]);
        assert_eq!(Chain { typical_p: 0.99, ..plain() }.typical(&l, top_k_of(&l, 0)), [0, 1, 2, 3, 4, 5, 6]);
        let nothing = [0.0, f32::NEG_INFINITY];
        assert_eq!(chain.typical(&nothing, vec![0, 1]), [0]);
    }

    #[test]
    fn the_least_likely_are_left_out() {
        let l = [0.0, -0.5, -1.0, -5.0];
        let of = |min_p| Chain { min_p, ..plain() }.likely(&l, &[0, 1, 2, 3]);
        assert_eq!((of(0.0), of(0.3), of(0.4), of(1.0)), (4, 3, 2, 1));
    }
}
