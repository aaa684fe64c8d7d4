//! Reproducible random numbers: every seed is in the records.

/// SplitMix64: small, fast, and good enough for shuffling and resampling.
#[derive(Debug, Clone)]
pub struct SplitMix(u64);

impl SplitMix {
    /// A generator that starts at `seed`.
    pub fn new(seed: u64) -> Self {
        SplitMix(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which must not be 0.
    pub fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.bits()) * end as u128) >> 64) as usize
    }

    /// Shuffles items.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// Equally many `true` and `false` (one more `true` if `n` is odd), in random order.
    pub fn balanced(&mut self, n: usize) -> Vec<bool> {
        let mut sides: Vec<bool> = (0..n).map(|i| i % 2 == 0).collect();
        self.shuffle(&mut sides);
        sides
    }
}

#[cfg(test)]
mod tests {
    use super::SplitMix;

    #[test]
    fn a_shuffle_keeps_everything_and_is_the_same_for_the_same_seed() {
        let shuffled = |seed| {
            let mut items: Vec<u32> = (0..20).collect();
            SplitMix::new(seed).shuffle(&mut items);
            items
        };
        assert_eq!(shuffled(7), shuffled(7));
        assert_ne!(shuffled(7), shuffled(8));
        let mut sorted = shuffled(7);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..20).collect::<Vec<u32>>());
    }

    #[test]
    fn balanced_sides_are_half_and_half() {
        let sides = SplitMix::new(3).balanced(20);
        assert_eq!(sides.iter().filter(|side| **side).count(), 10);
        assert_ne!(sides, SplitMix::new(4).balanced(20));
    }

    #[test]
    fn numbers_below_an_end_are_all_reached() {
        let mut random = SplitMix::new(1);
        let mut seen = [0; 7];
        (0..700).for_each(|_| seen[random.below(7)] += 1);
        assert!(seen.iter().all(|count| (50..150).contains(count)), "{seen:?}");
    }
}
