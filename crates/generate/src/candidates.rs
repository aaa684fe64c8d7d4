//! The largest logits in the order in which they are drawn, found without ranking the rest.

use alloc::vec;
use alloc::vec::Vec;
use bitstate_kernels::Kernels;

/// Adjusts a finite logit for ranking: the penalty of the whole text and the temperature.
#[derive(Debug)]
pub(crate) struct Adjust {
    /// The penalty for a token seen 0, 1, 2, 3 times.
    factors: [f32; 4],
    temperature: f32,
    /// Infinite if the temperature is below 2^-128.
    inverse: f32,
}

impl Adjust {
    /// For a temperature and a penalty in their ranges.
    pub fn new(temperature: f32, penalty: f32) -> Self {
        let mut factors = [1.0; 4];
        for n in 1..4 {
            let factor = factors[n - 1] * penalty;
            factors[n] = if factor < f32::MAX { factor } else { f32::MAX };
        }
        Adjust { factors, temperature, inverse: 1.0 / temperature }
    }

    /// The logit of a token that was seen `count` times; finite.
    fn penalised(&self, logit: f32, count: u8) -> f32 {
        // Avoids a division by 1 for unseen tokens.
        if count == 0 {
            return logit;
        }
        let factor = self.factors[usize::from(count)];
        let penalised = if logit > 0.0 { logit / factor } else { logit * factor };
        if penalised > f32::MIN { penalised } else { f32::MIN }
    }

    /// `l` of a token that was seen `count` times, if that of the largest is finite.
    fn apply(&self, logit: f32, count: u8) -> f32 {
        self.penalised(logit, count) * self.inverse
    }
}

/// A token and its adjusted logit, which is not NaN, as one integer. Ascending integers are in the definition's order:
/// by logit descending, +0 equal to -0, then by id ascending.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate(u64);

impl Candidate {
    fn new(logit: f32, token: u32) -> Self {
        // -0 + 0 is +0.
        let bits = (logit + 0.0).to_bits();
        // The bits of negative numbers ascend as the numbers descend, and are above those of all positive ones.
        let rank = if bits >> 31 == 0 { bits ^ 0x7fff_ffff } else { bits };
        Candidate(u64::from(rank) << 32 | u64::from(token))
    }

    fn logit(self) -> f32 {
        let rank = (self.0 >> 32) as u32;
        f32::from_bits(if rank >> 31 == 0 { rank ^ 0x7fff_ffff } else { rank })
    }

    fn token(self) -> u32 {
        self.0 as u32
    }
}

/// Groups of logits per candidate: then half of the groups' maxima are above the floor.
const GROUPS_PER_CANDIDATE: usize = 2;
/// For a large vocabulary only every fourth row counts for the maxima. That reads less, and leaves about five
/// candidates above the floor for each that is kept, so the floor usually still holds after penalties have moved some
/// below it.
const STEP: usize = 4;

/// Buffers for finding candidates, allocated at the start.
#[derive(Clone)]
pub(crate) struct Candidates {
    kernels: Kernels,
    k: usize,
    /// Whether candidates without a weight may be dropped.
    prunes: bool,
    /// The candidates found, ranked.
    ranked: Vec<Candidate>,
    /// Ids of logits that are not below the floor.
    found: Vec<u32>,
    /// Maxima of groups of logits; empty if so many are kept that a floor would save little.
    maxima: Vec<f32>,
}

impl Candidates {
    /// For the `k` largest (0: all) of `vocab_size` logits. If all are kept and `prunes`, drops some that can neither
    /// be drawn nor change what is drawn, provided that the weights are only added in candidate order.
    pub fn new(k: usize, vocab_size: usize, prunes: bool, kernels: Kernels) -> Self {
        let k = if k == 0 { vocab_size } else { k.min(vocab_size) };
        let groups = GROUPS_PER_CANDIDATE * k;
        let groups = if groups <= vocab_size / 2 { groups.next_multiple_of(16) } else { 0 };
        let (found, maxima) = (vec![0; vocab_size], vec![0.0; groups]);
        Candidates { kernels, k, prunes, ranked: Vec::with_capacity(vocab_size), found, maxima }
    }

    /// The maximum number of kept candidates.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Their adjusted logits in order.
    pub fn logits(&self) -> impl Iterator<Item = f32> {
        self.ranked.iter().map(|candidate| candidate.logit())
    }

    /// The `i`-th token in order.
    pub fn token(&self, i: usize) -> u32 {
        self.ranked[i].token()
    }

    /// Keeps only the candidates at these indices, which ascend.
    pub fn keep(&mut self, places: impl Iterator<Item = usize>) {
        let mut kept = 0;
        for place in places {
            self.ranked[kept] = self.ranked[place];
            kept += 1;
        }
        self.ranked.truncate(kept);
    }

    /// Keeps the `k` largest of the adjusted `logits`, all finite, of tokens seen `counts` times, in order: top-k of
    /// the definition. The result must be sorted, since the order in which the weights are added determines their bits:
    /// 0.43 ms for 32,011 flat logits. (A radix sort took 0.24 ms, and another 270 KB.)
    ///
    /// A penalty never raises a logit (`P >= 1`, and rounding preserves the order). So any logit that
    /// [`Kernels::not_below`] rejects without its penalty is also below the floor with it.
    pub fn select(&mut self, logits: &[f32], counts: &[u8], adjust: &Adjust) {
        // 0 times an infinite inverse would be NaN.
        if adjust.inverse.is_finite() {
            if self.k == logits.len() {
                let floor = self.weightless(logits, counts, adjust);
                self.rank_from(floor, logits, counts, adjust);
            } else {
                self.select_k(logits, counts, adjust);
            }
            self.ranked.sort_unstable();
            if self.logits().next().is_none_or(f32::is_finite) {
                return;
            }
        }
        self.select_by_difference(logits, counts, adjust);
    }

    /// [`select`](Self::select) at a temperature so low that the largest logit overflows: uses the differences to it.
    fn select_by_difference(&mut self, logits: &[f32], counts: &[u8], adjust: &Adjust) {
        let penalised = || logits.iter().zip(counts).map(|(&logit, &count)| adjust.penalised(logit, count));
        let largest = penalised().fold(f32::MIN, |largest, logit| if logit > largest { logit } else { largest });
        self.ranked.clear();
        let differences = penalised().map(|logit| (logit - largest) / adjust.temperature);
        self.ranked.extend(differences.zip(0..).map(|(logit, token)| Candidate::new(logit, token)));
        self.ranked.sort_unstable();
        self.ranked.truncate(self.k);
    }

    /// Ranks the logits that are not below `floor` before their penalty, in any order.
    fn rank_from(&mut self, floor: f32, logits: &[f32], counts: &[u8], adjust: &Adjust) {
        let n = self.kernels.not_below(logits, adjust.inverse, floor, &mut self.found);
        self.ranked.clear();
        let found = self.found[..n].iter().map(|&token| (token, token as usize));
        self.ranked.extend(found.map(|(token, i)| Candidate::new(adjust.apply(logits[i], counts[i]), token)));
    }

    /// The `k` largest, fewer than all, in any order.
    ///
    /// They are among the logits left by the floor if `k` of those are not below it with their penalties either.
    /// Otherwise the `k`-th largest of those is a valid floor: that many are not below it.
    fn select_k(&mut self, logits: &[f32], counts: &[u8], adjust: &Adjust) {
        let mut floor = self.floor(logits, adjust.inverse);
        loop {
            self.rank_from(floor, logits, counts, adjust);
            let (_, kth, _) = self.ranked.select_nth_unstable(self.k - 1);
            let kth = kth.logit();
            self.ranked.truncate(self.k);
            // Nothing is below -∞: all were ranked.
            if kth >= floor || floor == f32::NEG_INFINITY {
                return;
            }
            floor = kth;
        }
    }

    /// A value such that at least `k` logits are not below it before their penalties, or -∞.
    fn floor(&mut self, logits: &[f32], inverse: f32) -> f32 {
        if self.maxima.is_empty() {
            return f32::NEG_INFINITY;
        }
        let step = if logits.len() / self.maxima.len() >= 4 * STEP { STEP } else { 1 };
        self.kernels.strided_maxima(logits, inverse, step, &mut self.maxima);
        let (_, kth, _) = self.maxima.select_nth_unstable_by(self.k - 1, |a, b| b.total_cmp(a));
        *kth
    }

    /// A value below which no logit has any weight in the running sums of the definition's top-p, or -∞.
    ///
    /// The sums start with `exp(0) = 1`, and at 1 or more, half a unit in the last place is at least 2^-24. The `exp`
    /// of -18 or less is below 2^-25, so adding it changes nothing: the sums have reached their final value before it,
    /// and the drawn token is the first to reach a value that is not above the final one.
    ///
    /// None of this holds if the largest logit overflows; then all logits are examined anyway.
    fn weightless(&self, logits: &[f32], counts: &[u8], adjust: &Adjust) -> f32 {
        if !self.prunes {
            return f32::NEG_INFINITY;
        }
        let best = self.kernels.argmax(logits) as usize;
        let Some((&logit, &count)) = logits.get(best).zip(counts.get(best)) else { return f32::NEG_INFINITY };
        if !(logit * adjust.inverse).is_finite() {
            return f32::NEG_INFINITY;
        }
        // Penalties may have changed which logit is the largest; then the floor is only lower than necessary. A number
        // below the rounded difference is below the exact one.
        adjust.apply(logit, count) - 18.0
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use bitstate_kernels::Variant;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    /// Logits of one kind, most of them with ties.
    fn logits(n: usize) -> impl Strategy<Value = Vec<f32>> {
        let special = vec![0.0, -0.0, f32::MAX, f32::MIN, f32::MIN_POSITIVE];
        let (subnormal, few) = ((0..200u32).prop_map(f32::from_bits), (-3..3i8).prop_map(f32::from));
        let arbitrary = any::<u32>().prop_map(f32::from_bits).prop_filter("finite", |logit| logit.is_finite());
        let mixed = prop_oneof![8 => -12.0f32..12.0, 1 => arbitrary, 1 => select(special)];
        prop_oneof![
            vec(-12.0f32..12.0, n),
            vec(mixed, n),
            vec(subnormal, n),
            vec(few, n),
            Just((0..n).map(|i| i as f32 * 0.01 - 3.0).collect()),
            Just((0..n).map(|i| 3.0 - i as f32 * 0.01).collect()),
            select(vec![1.0, -1.0, 0.0, f32::MAX, f32::MIN]).prop_map(move |same| vec![same; n]),
        ]
    }

    /// `k` below the number of logits, logits, how often each token was seen, and the adjustment.
    fn call() -> impl Strategy<Value = (usize, Vec<f32>, Vec<u8>, Adjust)> {
        // Temperatures whose inverse is infinite, makes the logits overflow, or makes ties of them, and penalties whose
        // powers overflow.
        let extreme = select(vec![1.0, 1e-45, 2.9e-39, 3e-39, f32::MIN_POSITIVE, 3e-38, 1e-37, 1e30, f32::MAX]);
        let temperature = prop_oneof![0.05f32..4.0, extreme];
        let penalty = prop_oneof![1.0f32..1.3, select(vec![1.0, 10.0, 1e20, f32::MAX])];
        let of_length = |n: usize| {
            let k = prop_oneof![select(vec![1, 2, 3, 10, 49, 50, 51, n - 1]), 1..n].prop_map(move |k| k.min(n - 1));
            let counts = prop_oneof![Just(vec![0; n]), Just(vec![3; n]), vec(0..4u8, n)];
            (k, logits(n), counts)
        };
        let n = prop_oneof![2..400usize, select(vec![255, 256, 257, 3500])];
        (n.prop_flat_map(of_length), temperature, penalty).prop_map(|((k, logits, counts), temperature, penalty)| {
            (k, logits, counts, Adjust::new(temperature, penalty))
        })
    }

    /// The `k` largest according to the definition.
    fn expected(k: usize, logits: &[f32], counts: &[u8], adjust: &Adjust) -> Vec<(u32, u32)> {
        let penalised: Vec<f32> = logits.iter().zip(counts).map(|(&l, &n)| adjust.penalised(l, n)).collect();
        let largest = penalised.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let l = |&logit: &f32| {
            if (largest * adjust.inverse).is_finite() {
                logit * adjust.inverse
            } else {
                (logit - largest) / adjust.temperature
            }
        };
        let mut all: Vec<(f32, u32)> = penalised.iter().map(l).zip(0..).collect();
        all.sort_by(|(a, _), (b, _)| b.partial_cmp(a).unwrap());
        all[..k].iter().map(|&(l, token)| (bits(l), token)).collect()
    }

    /// Maps both zeros to the same bits.
    fn bits(l: f32) -> u32 {
        (l + 0.0).to_bits()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_k_largest_come_in_order((k, logits, counts, adjust) in call()) {
            let expected = expected(k, &logits, &counts, &adjust);
            for variant in [Variant::Generic, Variant::best()] {
                let kernels = Kernels::new(variant).expect("both run here");
                let mut candidates = Candidates::new(k, logits.len(), true, kernels);
                // Twice: a call must not leave anything for the next.
                for _ in 0..2 {
                    candidates.select(&logits, &counts, &adjust);
                    let found = candidates.logits().enumerate().map(|(i, l)| (bits(l), candidates.token(i)));
                    prop_assert_eq!(found.collect::<Vec<_>>(), &expected[..], "{:?}", variant);
                }
            }
        }
    }
}
