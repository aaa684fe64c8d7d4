//! NEON with the dot products of its matrix extension: `usdot`, unsigned codes × signed activations, on quarters of a
//! block.

use super::QuantisedRows;
use super::blocks::{Block, Blocks};
use super::dpbusd::{Dpbusd, entry};
use crate::isa::NeonI8mm;
use crate::vector::neon::store_scaled;
use core::arch::aarch64::*;

/// A quarter of a block: 4 rows × 16 columns. Only created with a [`NeonI8mm`] token.
#[derive(Clone, Copy)]
struct Quarter(int32x4_t);

/// Calls an intrinsic that needs only NEON.
macro_rules! neon {
    ($body:expr) => {{
        // SAFETY: a `Quarter` or a `NeonI8mm` exists, so the CPU has NEON; the one load reads a quarter of a
        // block.
        #[allow(unused_unsafe, reason = "many targets have NEON enabled globally")]
        unsafe {
            $body
        }
    }};
}

impl Dpbusd for Quarter {
    type Isa = NeonI8mm;

    #[inline(always)]
    fn splat(_: NeonI8mm, value: i32) -> Self {
        Quarter(neon!(vdupq_n_s32(value)))
    }

    #[inline(always)]
    fn load(_: NeonI8mm, block: &Block, part: usize) -> Self {
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
        Quarter(unsafe { crate::isa::neon::usdot(self.0, codes.0, activations.0) })
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

entry!(NeonI8mm, Quarter, 4, 4, 4, "neon,dotprod,i8mm");
