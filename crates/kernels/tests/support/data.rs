//! Test values: seeded, of one kind.

/// Lengths around the edges of vectors, and the widths of models.
pub const LENGTHS: [usize; 17] = [1, 2, 15, 16, 17, 31, 32, 33, 96, 101, 160, 255, 256, 257, 512, 1024, 1030];
/// Rows around the edges of row groups.
pub const ROWS: [usize; 11] = [1, 2, 15, 17, 33, 63, 64, 65, 101, 130, 257];

/// The kind of a vector's values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// All zero.
    Zero,
    /// +1 or -1, the largest INT8 values, all of one sign.
    Positive,
    /// The same with the other sign.
    Negative,
    /// Multiples of a half: every other value is a rounding tie.
    Ties,
    /// Within about ±4, the whole range of an INT8.
    Random,
    /// Random, with NaN, infinities, subnormals, -0 and the largest floats among them.
    Special,
}

impl Kind {
    pub const ALL: [Kind; 6] = [Kind::Zero, Kind::Positive, Kind::Negative, Kind::Ties, Kind::Random, Kind::Special];
}

/// The special values.
const SPECIALS: [f32; 12] = [
    f32::NAN,
    -f32::NAN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    -0.0,
    0.0,
    f32::MAX,
    f32::MIN,
    f32::MIN_POSITIVE,
    f32::from_bits(1),
    f32::from_bits(0x8000_0001),
    f32::from_bits(0x007f_ffff),
];

/// A seeded source of values of one kind.
pub struct Source {
    pub kind: Kind,
    state: u64,
}

impl Source {
    pub fn new(kind: Kind, seed: u64) -> Self {
        Source { kind, state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 }
    }

    /// xorshift64*.
    pub fn next(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 32) % n
    }

    pub fn float(&mut self) -> f32 {
        let special = self.below(9) == 0;
        match self.kind {
            Kind::Zero => 0.0,
            Kind::Positive => 1.0,
            Kind::Negative => -1.0,
            Kind::Ties => self.below(64) as f32 * 0.5 - 16.0,
            Kind::Special if special => SPECIALS[self.below(SPECIALS.len() as u64) as usize],
            Kind::Random | Kind::Special => (self.next() >> 40) as f32 / (1u32 << 21) as f32 - 4.0,
        }
    }

    pub fn floats(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.float()).collect()
    }

    /// Within ±`max`.
    fn integer(&mut self, max: i32) -> i32 {
        match self.kind {
            Kind::Zero => 0,
            Kind::Positive => max,
            Kind::Negative => -max,
            _ => self.below(2 * max as u64 + 1) as i32 - max,
        }
    }

    pub fn int8s(&mut self, n: usize) -> Vec<i8> {
        (0..n).map(|_| self.integer(127) as i8).collect()
    }

    pub fn int15s(&mut self, n: usize) -> Vec<i16> {
        (0..n).map(|_| self.integer(16_383) as i16).collect()
    }

    pub fn ternary(&mut self, n: usize) -> Vec<i8> {
        (0..n).map(|_| self.integer(1) as i8).collect()
    }
}
