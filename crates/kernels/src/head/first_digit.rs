//! Bounds of the logits of many sessions from the first digit of their activations, with half of the products.
//!
//! Let an activation be `q = 128·a + b` with the remainder as small as possible, `|b| <= 64` (127 next to the largest
//! `q`), and `e` a row. Then, by the Cauchy-Schwarz inequality,
//!
//! ```text
//! Σ e·q = 128·Σ e·a + Σ e·b <= A + N·‖b‖,   A = 128·Σ e·a,   N = ‖e‖
//! ```
//!
//! `A` is exact, and below 2^31. In the f32 value of `A + N·Q`, the conversion of `A` and the final sum may each lose
//! 2^-24 of `|A| <= N·‖128·a‖` and a few times 2^-24 of `N·Q`. So with `Q = ‖b‖·(1 + 2^-12) + ‖128·a‖·2^-20` it is at
//! least the dot product. The rest follows as in [`coarse`](super::coarse): a logit's factor is not negative, so the
//! bound times the factor is at least the logit.
//!
//! `b` is so small that only a few rows remain, compared with hundreds after the codes of one session. The whole head
//! is read, but once for all sessions, and the cost is in the multiplications.

use super::dpbusd::{self, Dpbusd};
use super::many::Quad;
use super::shape::ROWS;

/// A vector of rows, bounded by the first digit.
#[derive(Clone, Copy)]
pub(super) struct FirstDigit<M>(M);

impl<const COLUMNS: usize, M> Quad<COLUMNS> for FirstDigit<M>
where
    M: Quad<COLUMNS, Spread = [M; 2], Sums = [M; 2]> + Dpbusd<COLUMNS, Isa = <M as Quad<COLUMNS>>::Isa>,
{
    type Isa = <M as Quad<COLUMNS>>::Isa;
    type Spread = M;
    type Sums = M;

    #[inline(always)]
    fn zeros(isa: Self::Isa) -> M {
        M::zero(isa)
    }

    #[inline(always)]
    fn load_rows(isa: Self::Isa, e: &[i8; COLUMNS]) -> Self {
        FirstDigit(M::load_rows(isa, e))
    }

    #[inline(always)]
    fn arrange(q: &[i16; COLUMNS]) -> [i16; COLUMNS] {
        // Chosen so that the floor of the digits gives the nearest value, and the last digit 0.
        let mut firsts = [0; COLUMNS];
        for (first, &q) in firsts.iter_mut().zip(q) {
            *first = 128 * first_digit(q) as i16;
        }
        dpbusd::digits(&firsts)
    }

    #[inline(always)]
    fn spread<const GROUP: i32>(isa: Self::Isa, q: &[i16; COLUMNS]) -> M {
        M::spread::<GROUP>(isa, q)[0]
    }

    #[inline(always)]
    fn add_products(self, sums: M, q: M) -> M {
        sums.dot(self.0, q)
    }

    /// `A`.
    #[inline(always)]
    fn total(isa: Self::Isa, quads: [M; 4]) -> [i32; ROWS] {
        let [a, b, c, d] = quads;
        let none = M::zero(isa);
        M::total(isa, [[a, none], [b, none], [c, none], [d, none]])
    }

    #[inline(always)]
    fn surplus(q: &[i16]) -> i32 {
        if M::SIGNED {
            return 0;
        }
        128 * 128 * q.iter().map(|&q| first_digit(q)).sum::<i32>()
    }

    /// `Q`.
    #[inline(always)]
    fn reach(q: &[i16]) -> f32 {
        // At most 128² · 1024 each.
        let (mut of_first, mut of_rest) = (0, 0);
        for &q in q {
            let (a, b) = (first_digit(q), i32::from(q) - 128 * first_digit(q));
            of_first += a * a;
            of_rest += b * b;
        }
        let (first, rest) = (128.0 * libm::sqrtf(of_first as f32), libm::sqrtf(of_rest as f32));
        rest * (1.0 + 1.0 / 4096.0) + first / 1_048_576.0
    }

    #[inline(always)]
    fn result(near: i32, norm: f32, reach: f32) -> f32 {
        near as f32 + norm * reach
    }
}

/// `a`, of 8 bits.
#[inline(always)]
fn first_digit(q: i16) -> i32 {
    ((i32::from(q) + 64) >> 7).min(127)
}
