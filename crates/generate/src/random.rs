//! The random number generator.

/// SplitMix64, a small generator with 64 bits of state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// Starts at `seed`; with a [`state`](SplitMix64::state) it continues from there.
    pub fn new(seed: u64) -> Self {
        SplitMix64(seed)
    }

    /// The state that determines the next number.
    pub fn state(&self) -> u64 {
        self.0
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
