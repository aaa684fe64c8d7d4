//! "Sampling" of `crates/ARITHMETIC.md`: from logits to a token, the same on every target.

mod chain;

pub use chain::Chain;

use crate::canonical::primitives::exp;
use std::error::Error;
use std::fmt;

/// How a token is chosen from the logits.
#[derive(Debug, Clone, PartialEq)]
pub enum Sampling {
    /// The lowest id among the largest logits; no penalty, and no random number is consumed.
    Greedy,
    /// Drawn; the same seed gives the same tokens on every target.
    Seeded {
        /// The initial state of the generator.
        seed: u64,
        /// Divides the logits; 0 is greedy.
        temperature: f32,
        /// Number of largest logits that are kept; 0 keeps all.
        top_k: usize,
        /// Share of the probability that is kept; 1 or more keeps all remaining tokens.
        top_p: f32,
        /// Repetition penalty; 1 disables it.
        penalty: f32,
    },
    /// Drawn with a chain of all samplers.
    Chain(Chain),
}

/// Logits from which no token can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotFinite {
    /// The first token whose logit is NaN or infinite.
    pub token: u32,
}

impl fmt::Display for NotFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the logit of token {} is NaN or infinite", self.token)
    }
}

impl Error for NotFinite {}

/// SplitMix64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    /// Starts at `seed`.
    pub fn new(seed: u64) -> Self {
        SplitMix64 { state: seed }
    }

    /// The next value.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e3779b97f4a7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d049bb133111eb);
        z ^ (z >> 31)
    }

    /// The top 24 bits of the next value as a number in [0, 1).
    pub fn next_f32(&mut self) -> f32 {
        (self.next_u64() >> 40) as f32 * f32::from_bits(0x33800000)
    }
}

/// Chooses tokens, and remembers those of the session and the generator's state.
#[derive(Debug, Clone)]
pub struct Sampler {
    sampling: Sampling,
    rng: SplitMix64,
    /// How often each token occurred in the session, including the prompt; V values.
    counts: Vec<u32>,
    /// All tokens of the session, including the prompt.
    text: Vec<u32>,
}

impl Sampler {
    /// A sampler for a new session.
    pub fn new(sampling: &Sampling, vocab_size: usize) -> Self {
        let seed = match sampling {
            Sampling::Greedy => 0,
            Sampling::Seeded { seed, .. } => *seed,
            Sampling::Chain(chain) => chain.seed,
        };
        Sampler {
            sampling: sampling.clone(),
            rng: SplitMix64::new(seed),
            counts: vec![0; vocab_size],
            text: Vec::new(),
        }
    }

    /// Counts a token of the session: each of the prompt, and each chosen one.
    pub fn observe(&mut self, token: u32) {
        self.counts[token as usize] += 1;
        self.text.push(token);
    }

    /// Chooses a token; it only counts once [observed](Self::observe).
    ///
    /// # Errors
    /// If a logit is NaN or infinite; then no random number is consumed.
    pub fn sample(&mut self, logits: &[f32]) -> Result<u32, NotFinite> {
        if let Some(token) = logits.iter().position(|logit| !logit.is_finite()) {
            return Err(NotFinite { token: token as u32 });
        }
        Ok(match &self.sampling {
            Sampling::Greedy => greedy(logits),
            Sampling::Seeded { temperature: 0.0, .. } => greedy(logits),
            Sampling::Chain(chain) => chain.choose(logits, &self.text, &self.counts, &mut self.rng),
            &Sampling::Seeded { temperature, top_k, top_p, penalty, .. } => {
                let l = scaled(&penalise(logits, &self.counts, penalty), temperature);
                let kept = top_k_of(&l, top_k);
                let sums = running_sums(&l, &kept);
                draw(&kept, &sums[..nucleus(&sums, top_p)], self.rng.next_f32())
            }
        })
    }
}

/// The lowest id among the largest logits.
pub fn greedy(logits: &[f32]) -> u32 {
    top_k_of(logits, 1)[0]
}

/// Step 3: the penalty, once for each occurrence of the token, at most three times. The result is finite.
fn penalise(logits: &[f32], counts: &[u32], penalty: f32) -> Vec<f32> {
    let penalised = logits.iter().zip(counts).map(|(&logit, &count)| {
        let mut f = 1.0;
        for _ in 0..count.min(3) {
            f = f32::min(f * penalty, f32::MAX);
        }
        if logit > 0.0 { logit / f } else { f32::max(logit * f, -f32::MAX) }
    });
    penalised.collect()
}

/// Step 4. At a temperature so low that the largest logit overflows, the differences overflow too, except to logits
/// that equal the largest, which have the same weight.
fn scaled(logits: &[f32], temperature: f32) -> Vec<f32> {
    let largest = logits.iter().copied().fold(-f32::MAX, f32::max);
    if (largest * (1.0 / temperature)).is_finite() {
        logits.iter().map(|logit| logit * (1.0 / temperature)).collect()
    } else {
        logits.iter().map(|logit| (logit - largest) / temperature).collect()
    }
}

/// Step 5: the ids of the `k` largest (0: all), largest first, equal ones in the order of their ids.
fn top_k_of(l: &[f32], k: usize) -> Vec<u32> {
    let mut ids: Vec<u32> = (0..l.len() as u32).collect();
    // The sort is stable, which keeps ids ascending among equals (+0 and -0 are equal).
    ids.sort_by(|&a, &b| {
        l[b as usize].partial_cmp(&l[a as usize]).unwrap_or_else(|| unreachable!("step 4 gives no NaN"))
    });
    ids.truncate(if k == 0 { l.len() } else { k });
    ids
}

/// Step 7, first half: `C_i`, the sums of `exp(l_i - l_0)` from the left.
fn running_sums(l: &[f32], kept: &[u32]) -> Vec<f32> {
    let l0 = l[kept[0] as usize];
    let mut c = 0.0;
    let add = |&id: &u32| {
        c += exp(l[id as usize] - l0);
        c
    };
    kept.iter().map(add).collect()
}

/// Step 7, second half: the length of the shortest prefix with the share `top_p`.
fn nucleus(sums: &[f32], top_p: f32) -> usize {
    let enough = top_p * sums[sums.len() - 1];
    sums.iter().position(|&c| c >= enough).map_or(sums.len(), |last| last + 1)
}

/// Step 10: the token whose interval of the running sums contains `u`.
fn draw(kept: &[u32], sums: &[f32], u: f32) -> u32 {
    let at = u * sums[sums.len() - 1];
    kept[sums.iter().position(|&c| c > at).unwrap_or(sums.len() - 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix64_gives_its_published_first_values() {
        let mut rng = SplitMix64::new(1234567);
        let expected = [6457827717110365317, 3203168211198807973, 9817491932198370423];
        assert_eq!(expected.map(|_| rng.next_u64()), expected);
        assert_eq!(SplitMix64::new(0).next_u64(), 0xe220a8397b1dcdaf);
        assert_eq!(SplitMix64::new(0).next_f32(), f32::from_bits(0x3f6220a8));
    }

    #[test]
    fn greedy_takes_the_lowest_id() {
        assert_eq!(greedy(&[1.0, 3.0, 3.0, 2.0]), 1);
        assert_eq!(greedy(&[-1.0, f32::MIN, -0.0, 0.0]), 2);
    }

    #[test]
    fn logits_that_are_no_numbers_are_refused() {
        let seeded = Sampling::Seeded { seed: 9, temperature: 1.0, top_k: 1, top_p: 1.0, penalty: 1.0 };
        for sampling in [Sampling::Greedy, seeded] {
            for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut sampler = Sampler::new(&sampling, 4);
                assert_eq!(sampler.sample(&[1.0, 9.0, bad, bad]), Err(NotFinite { token: 2 }));
                assert_eq!(sampler.sample(&[1.0, 9.0, 2.0, 3.0]), Ok(1));
            }
        }
    }

    #[test]
    fn a_penalty_of_any_size_leaves_numbers() {
        let penalised = penalise(&[2.0, -2.0, 0.0, f32::MIN], &[9, 9, 9, 1], f32::MAX);
        assert_eq!(penalised, [2.0 / f32::MAX, f32::MIN, 0.0, f32::MIN]);
    }

    #[test]
    fn a_temperature_near_zero_keeps_the_largest_apart() {
        let (inf, tiny) = (f32::INFINITY, f32::from_bits(1));
        assert_eq!(scaled(&[1.0, 3.0, -1.0], 0.5), [2.0, 6.0, -2.0]);
        assert_eq!(scaled(&[1.0, 3.0, 3.0], tiny), [-inf, 0.0, 0.0]);
        assert_eq!(scaled(&[-0.0, -1.0, 0.0], tiny), [0.0, -inf, 0.0]);
        assert_eq!(scaled(&[-3e38, -2e38, 0.0], 1e-3), [-inf, -inf, 0.0]);
        assert_eq!(scaled(&[-3e38, -2e38], 0.5), [(2e38 - 3e38) / 0.5, 0.0]);
        // Differences of the size of the temperature still count.
        assert_eq!(scaled(&[0.0, -2.0 * tiny], tiny), [0.0, -2.0]);
    }

    #[test]
    fn the_penalty_lowers_either_sign_three_times_at_most() {
        let logits = [2.0, -2.0, 2.0, 0.0, 2.0];
        let f3 = (1.0_f32 * 1.1 * 1.1) * 1.1;
        assert_eq!(penalise(&logits, &[1, 1, 3, 9, 9], 1.1), [2.0 / 1.1, -2.0 * 1.1, 2.0 / f3, 0.0, 2.0 / f3]);
    }

    #[test]
    fn the_k_largest_come_in_order_of_value_then_id() {
        let l = [0.0, 5.0, -0.0, 5.0, f32::NEG_INFINITY, -1.0];
        assert_eq!(top_k_of(&l, 4), [1, 3, 0, 2]);
        assert_eq!(top_k_of(&l, 0), [1, 3, 0, 2, 5, 4]);
        assert_eq!(top_k_of(&l, 99).len(), 6);
    }

    #[test]
    fn the_nucleus_is_the_shortest_prefix_that_suffices() {
        let sums = [1.0, 1.5, 1.75, 2.0];
        for (p, length) in [(0.0, 1), (0.5, 1), (0.51, 2), (0.875, 3), (0.876, 4), (1.0, 4), (2.0, 4)] {
            assert_eq!(nucleus(&sums, p), length, "{p}");
        }
    }

    #[test]
    fn the_draw_falls_into_half_open_stretches() {
        let (kept, sums) = ([7, 3, 9], [1.0, 1.5, 2.0]);
        for (u, token) in [(0.0, 7), (0.4999999, 7), (0.5, 3), (0.75, 9), (1.0, 9)] {
            assert_eq!(draw(&kept, &sums, u), token, "{u}");
        }
    }

    #[test]
    fn shares_are_those_of_the_softmax() {
        let logits = [0.0, 2.0_f32.ln(), 5.0_f32.ln(), -200.0];
        let sampling = Sampling::Seeded { seed: 9, temperature: 1.0, top_k: 0, top_p: 1.0, penalty: 1.0 };
        let mut sampler = Sampler::new(&sampling, 4);
        let mut seen = [0_i32; 4];
        for _ in 0..80_000 {
            seen[sampler.sample(&logits).expect("numbers") as usize] += 1;
        }
        // Five standard deviations of a count of 80,000 draws are below 710.
        for (seen, expected) in seen.into_iter().zip([10_000, 20_000, 50_000, 0]) {
            assert!((seen - expected).abs() < 710, "{seen} of {expected}");
        }
        assert_eq!(seen[3], 0);
    }
}
