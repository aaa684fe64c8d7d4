//! Random weights that depend only on the order in which they are requested.

/// SplitMix64 (Steele, Lea, Flood 2014).
pub struct Weights {
    state: u64,
}

impl Weights {
    /// Starts with this program's fixed seed.
    pub fn new() -> Self {
        Weights { state: 0x0b17_57a7 }
    }

    fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Values in `low..high`.
    pub fn uniform(&mut self, count: usize, low: f32, high: f32) -> Vec<f32> {
        let unit = |bits: u64| (bits >> 40) as f32 / (1_u32 << 24) as f32;
        (0..count).map(|_| low + (high - low) * unit(self.bits())).collect()
    }

    /// Each −1, 0 or 1, scaled so that a sum over `inputs` of them has variance one.
    pub fn ternary(&mut self, count: usize, inputs: usize) -> Vec<f32> {
        let scale = (1.5 / inputs as f32).sqrt();
        (0..count).map(|_| ((self.bits() >> 33) % 3) as f32 * scale - scale).collect()
    }
}
