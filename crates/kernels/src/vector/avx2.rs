//! Sixteen lanes as two AVX2 registers.

use super::lanes::{self, Lanes};
use super::{LANES, ROUND_BITS};
use crate::WkvInput;
use crate::isa::Avx2;
use core::arch::x86_64::*;

/// Lanes 0-7 and 8-15. A value is made only by a function that was given an [`Avx2`].
#[derive(Clone, Copy)]
pub(crate) struct Avx2Lanes([__m256; 2]);

/// Runs an intrinsic that needs AVX2 alone.
macro_rules! avx2 {
    ($body:expr) => {{
        // SAFETY: an `Avx2Lanes` or an `Avx2` is at hand, so the CPU has AVX2; the pointers, where there are any,
        // come from references to as many bytes as are read or written, and no alignment is asked of them.
        unsafe { $body }
    }};
}

impl Avx2Lanes {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(__m256, __m256) -> __m256) -> Self {
        Avx2Lanes([f(self.0[0], other.0[0]), f(self.0[1], other.0[1])])
    }

    /// The nearest integers, lanes in order.
    #[inline(always)]
    fn round(self) -> [__m256i; 2] {
        self.0.map(|half| avx2!(_mm256_cvtps_epi32(half)))
    }
}

impl Lanes for Avx2Lanes {
    type Isa = Avx2;

    #[inline(always)]
    fn splat(_: Avx2, value: f32) -> Self {
        Avx2Lanes([avx2!(_mm256_set1_ps(value)); 2])
    }

    #[inline(always)]
    fn load(_: Avx2, from: &[f32; LANES]) -> Self {
        let from = from.as_ptr();
        Avx2Lanes(avx2!([_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))]))
    }

    #[inline(always)]
    fn load_bytes(_: Avx2, from: &[u8; 4 * LANES]) -> Self {
        let from = from.as_ptr().cast::<f32>();
        Avx2Lanes(avx2!([_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))]))
    }

    #[inline(always)]
    fn store(self, to: &mut [f32; LANES]) {
        let to = to.as_mut_ptr();
        avx2!({
            _mm256_storeu_ps(to, self.0[0]);
            _mm256_storeu_ps(to.add(8), self.0[1]);
        });
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| avx2!(_mm256_add_ps(a, b)))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| avx2!(_mm256_sub_ps(a, b)))
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| avx2!(_mm256_mul_ps(a, b)))
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| avx2!(_mm256_div_ps(a, b)))
    }

    // The instructions give the second operand where either is a NaN, which is the definition's `a > b ? a : b`.
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| avx2!(_mm256_max_ps(a, b)))
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| avx2!(_mm256_min_ps(a, b)))
    }

    #[inline(always)]
    fn abs(self) -> Self {
        let sign = avx2!(_mm256_set1_ps(-0.0));
        Avx2Lanes(self.0.map(|a| avx2!(_mm256_andnot_ps(sign, a))))
    }

    #[inline(always)]
    fn max_magnitude(self, other: Self) -> Self {
        self.abs().zip(other.abs(), |a, b| {
            avx2!(_mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b))))
        })
    }

    #[inline(always)]
    fn select_not_negative(self, yes: Self, no: Self) -> Self {
        let select = |x, yes, no| avx2!(_mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_GE_OQ>(x, _mm256_setzero_ps())));
        Avx2Lanes([select(self.0[0], yes.0[0], no.0[0]), select(self.0[1], yes.0[1], no.0[1])])
    }

    #[inline(always)]
    fn scale_by_power(self, t: Self) -> Self {
        self.zip(t, |y, t| {
            avx2!({
                let n = _mm256_sub_epi32(_mm256_castps_si256(t), _mm256_set1_epi32(ROUND_BITS));
                let half = _mm256_srai_epi32::<1>(n);
                let bias = _mm256_set1_epi32(127);
                let power = |k| _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_add_epi32(k, bias)));
                _mm256_mul_ps(_mm256_mul_ps(y, power(half)), power(_mm256_sub_epi32(n, half)))
            })
        })
    }

    #[inline(always)]
    fn round_to_i8(self, to: &mut [i8; LANES]) {
        let [low, high] = self.round();
        avx2!({
            let words = words_in_order(low, high);
            let bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
            _mm_storeu_si128(to.as_mut_ptr().cast(), bytes);
        });
    }

    #[inline(always)]
    fn round_to_i16(self, to: &mut [i16; LANES]) {
        let [low, high] = self.round();
        avx2!(_mm256_storeu_si256(to.as_mut_ptr().cast(), words_in_order(low, high)));
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        avx2!({
            let eight = _mm256_add_ps(self.0[0], self.0[1]);
            let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
        })
    }
}

/// Sixteen i32 as i16 in their order: the instruction packs within halves of a register.
///
/// # Safety
/// The CPU has AVX2.
#[inline(always)]
unsafe fn words_in_order(low: __m256i, high: __m256i) -> __m256i {
    avx2!(_mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(low, high)))
}

/// Entry functions: the shared algorithm, compiled for AVX2.
macro_rules! entries {
    ($($(#[$doc:meta])* fn $name:ident ( $($arg:ident : $type:ty),* ) $(-> $result:ty)?;)*) => {$(
        $(#[$doc])*
        #[inline(always)]
        pub(crate) fn $name(isa: Avx2, $($arg: $type),*) $(-> $result)? {
            #[target_feature(enable = "avx2")]
            fn compiled(isa: Avx2, $($arg: $type),*) $(-> $result)? {
                lanes::$name::<Avx2Lanes>(isa, $($arg),*)
            }
            avx2!(compiled(isa, $($arg),*))
        }
    )*};
}

entries! {
    fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], out: &mut [f32]);
    fn mix(z: &[f32], p: &[f32], mu: &[f32], out: &mut [f32]);
    fn quantise_int8(y: &[f32], q: &mut [i8]) -> f32;
    fn quantise_15bit(z: &[f32], q: &mut [i16]) -> f32;
    fn wkv(input: WkvInput<'_>, state: &mut [f32], y: &mut [f32]);
    fn silu_gate(o: &mut [f32], g: &[f32]);
    fn sigmoid_gate_add(x: &mut [f32], r: &[f32], v: &[f32]);
    fn relu_squared(k: &mut [f32]);
    fn add(x: &mut [f32], y: &[f32]);
    fn exp(x: &mut [f32]);
    fn dot_rows(rows: &[u8], z: &[f32], logits: &mut [f32]);
}
