//! Sixteen lanes built from the registers of an instruction set: `N` of `16 / N` lanes.
//!
//! An instruction set provides the operations on one register; they are combined here, once. Loops, not closures: see
//! `lanes`.

use super::constants::LANES;
use super::lanes::Lanes;

/// One register of f32 lanes. A value can only be created with the token.
pub(crate) trait Register: Copy {
    /// The token that proves that the instructions are available.
    type Isa: Copy;

    /// The square root of one value.
    fn sqrt(isa: Self::Isa, value: f32) -> f32;
    fn splat(isa: Self::Isa, value: f32) -> Self;
    /// From at least as many values as the register has lanes.
    fn load(isa: Self::Isa, from: &[f32]) -> Self;
    /// The same from little-endian bytes at any alignment.
    fn load_bytes(isa: Self::Isa, from: &[u8]) -> Self;
    /// To at least as many values as the register has lanes.
    fn store(self, to: &mut [f32]);
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    /// `self > other ? self : other`.
    fn max(self, other: Self) -> Self;
    /// `self < other ? self : other`.
    fn min(self, other: Self) -> Self;
    fn abs(self) -> Self;
    /// The larger of the bits as signed integers.
    fn max_bits(self, other: Self) -> Self;
    /// Whether any lane is at least `mark`.
    fn any_at_least(self, mark: Self) -> bool;
    /// `self >= 0 ? yes : no`.
    fn select_not_negative(self, yes: Self, no: Self) -> Self;
    /// A bit mask of the lanes that are not below those of `other`, lane 0 the lowest bit; a NaN counts as not below.
    fn not_below(self, other: Self) -> u16;
    /// `(self · 2^h) · 2^(n - h)`, where `t = n + ROUND` and `h = n >> 1`.
    fn scale_by_power(self, t: Self) -> Self;
    /// Rounds the 16 lanes of all registers to the nearest integers, ties to even; each within i8.
    fn round_to_i8(all: &[Self], to: &mut [i8; LANES]);
    /// Rounds the 16 lanes of all registers to the nearest integers, ties to even; each within i16.
    fn round_to_i16(all: &[Self], to: &mut [i16; LANES]);
    /// The fixed tree over the lanes of one register.
    fn sum(self) -> f32;
}

/// Lanes in order, `16 / N` per register.
#[derive(Clone, Copy)]
pub(crate) struct Wide<R, const N: usize>([R; N]);

/// `self.op(other)`, register by register.
macro_rules! lanewise {
    ($($name:ident),*) => {$(
        #[inline(always)]
        fn $name(mut self, other: Self) -> Self {
            for i in 0..N {
                self.0[i] = self.0[i].$name(other.0[i]);
            }
            self
        }
    )*};
}

impl<R: Register, const N: usize> Lanes for Wide<R, N> {
    type Isa = R::Isa;
    const REGISTERS: usize = N;

    #[inline(always)]
    fn sqrt(isa: R::Isa, value: f32) -> f32 {
        R::sqrt(isa, value)
    }

    #[inline(always)]
    fn splat(isa: R::Isa, value: f32) -> Self {
        Wide([R::splat(isa, value); N])
    }

    #[inline(always)]
    fn load(isa: R::Isa, from: &[f32; LANES]) -> Self {
        let mut all = [R::splat(isa, 0.0); N];
        for i in 0..N {
            all[i] = R::load(isa, &from[i * (LANES / N)..]);
        }
        Wide(all)
    }

    #[inline(always)]
    fn load_bytes(isa: R::Isa, from: &[u8; 4 * LANES]) -> Self {
        let mut all = [R::splat(isa, 0.0); N];
        for i in 0..N {
            all[i] = R::load_bytes(isa, &from[i * (4 * LANES / N)..]);
        }
        Wide(all)
    }

    #[inline(always)]
    fn store(self, to: &mut [f32; LANES]) {
        for i in 0..N {
            self.0[i].store(&mut to[i * (LANES / N)..]);
        }
    }

    lanewise!(add, sub, mul, div, max, min, scale_by_power);

    #[inline(always)]
    fn abs(mut self) -> Self {
        for i in 0..N {
            self.0[i] = self.0[i].abs();
        }
        self
    }

    #[inline(always)]
    fn max_magnitude(self, other: Self) -> Self {
        let (mut a, b) = (self.abs(), other.abs());
        for i in 0..N {
            a.0[i] = a.0[i].max_bits(b.0[i]);
        }
        a
    }

    #[inline(always)]
    fn any_at_least(self, mark: Self) -> bool {
        let mut any = false;
        for i in 0..N {
            any |= self.0[i].any_at_least(mark.0[i]);
        }
        any
    }

    #[inline(always)]
    fn select_not_negative(mut self, yes: Self, no: Self) -> Self {
        for i in 0..N {
            self.0[i] = self.0[i].select_not_negative(yes.0[i], no.0[i]);
        }
        self
    }

    #[inline(always)]
    fn not_below(self, other: Self) -> u16 {
        let mut all = 0;
        for i in 0..N {
            all |= self.0[i].not_below(other.0[i]) << (i * (LANES / N));
        }
        all
    }

    #[inline(always)]
    fn round_to_i8(self, to: &mut [i8; LANES]) {
        R::round_to_i8(&self.0, to);
    }

    #[inline(always)]
    fn round_to_i16(self, to: &mut [i16; LANES]) {
        R::round_to_i16(&self.0, to);
    }

    #[inline(always)]
    fn sum(mut self) -> f32 {
        let mut half = N / 2;
        while half > 0 {
            for i in 0..half {
                self.0[i] = self.0[i].add(self.0[i + half]);
            }
            half /= 2;
        }
        self.0[0].sum()
    }
}
