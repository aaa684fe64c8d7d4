//! NEON with its dot product: `sdot`, signed bytes × signed bytes, on quarters of a block.
//!
//! A whole byte of codes uses its highest bit, which is a sign here. So the matrix is laid out with that bit flipped
//! (see [`Dpbusd::SIGNED`]).

use super::QuantisedRows;
use super::blocks::{Block, Blocks};
use super::dpbusd::{Dpbusd, entry};
use crate::isa::NeonDotprod;
use crate::vector::neon::store_scaled;
use core::arch::aarch64::*;

/// A quarter of a block: 4 rows × 16 columns. Only created with a [`NeonDotprod`] token.
#[derive(Clone, Copy)]
struct Quarter(int32x4_t);

/// Calls an intrinsic that needs only NEON.
macro_rules! neon {
    ($body:expr) => {{
        // SAFETY: a `Quarter` or a `NeonDotprod` exists, so the CPU has NEON; the one load reads a quarter of a
        // block.
        #[allow(unused_unsafe, reason = "many targets have NEON enabled globally")]
        unsafe {
            $body
        }
    }};
}

impl Dpbusd for Quarter {
    type Isa = NeonDotprod;
    const SIGNED: bool = true;

    #[inline(always)]
    fn splat(_: NeonDotprod, value: i32) -> Self {
        Quarter(neon!(vdupq_n_s32(value)))
    }

    #[inline(always)]
    fn load(_: NeonDotprod, block: &Block, part: usize) -> Self {
        let (quarters, _) = block.0.as_chunks::<16>();
        Quarter(neon!(vreinterpretq_s32_u8(vld1q_u8(quarters[part].as_ptr()))))
    }

    #[inline(always)]
    fn and(self, mask: Self) -> Self {
        Quarter(neon!(vandq_s32(self.0, mask.0)))
    }

    #[inline(always)]
    fn dot(self, codes: Self, activations: Self) -> Self {
        // SAFETY: a `Quarter` exists, so the CPU has the instruction.
        Quarter(unsafe { crate::isa::neon::sdot(self.0, codes.0, activations.0) })
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Quarter(neon!(vaddq_s32(self.0, other.0)))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Quarter(neon!(vsubq_s32(self.0, other.0)))
    }

    #[inline(always)]
    fn shift_right<const N: u32>(self) -> Self {
        Quarter(neon!(vshlq_s32(self.0, vdupq_n_s32(-(N as i32)))))
    }

    #[inline(always)]
    fn scale_into(self, scale: f32, y: &mut [f32]) {
        // SAFETY: a `Quarter` exists, so the CPU has NEON.
        unsafe { store_scaled(self.0, scale, y) }
    }
}

entry!(NeonDotprod, Quarter, 4, 4, 4, "neon,dotprod");
