//! NEON instructions without stable intrinsics, as functions.
//!
//! They are inline assembly without memory operands, so that the compiler can move and remove them like any other.

use core::arch::aarch64::int32x4_t;
use core::arch::asm;

/// An instruction that adds the products of bytes to 32-bit lanes.
macro_rules! dot {
    ($(#[$doc:meta])* $name:ident, $text:literal, $features:literal) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// The CPU has the instruction.
        #[inline]
        #[target_feature(enable = $features)]
        pub(crate) unsafe fn $name(mut sums: int32x4_t, a: int32x4_t, b: int32x4_t) -> int32x4_t {
            // SAFETY: the caller guarantees the instruction; it only uses registers.
            unsafe {
                asm!(
                    concat!($text, " {0:v}.4s, {1:v}.16b, {2:v}.16b"),
                    inout(vreg) sums, in(vreg) a, in(vreg) b,
                    options(pure, nomem, nostack, preserves_flags)
                );
            }
            sums
        }
    };
}

dot!(
    /// `sums + a · b`, four signed bytes per lane.
    sdot, "sdot", "neon,dotprod"
);
dot!(
    /// `sums + a · b`, four bytes per lane, unsigned in `a` and signed in `b`.
    usdot, "usdot", "neon,i8mm"
);
dot!(
    /// `sums + a · bᵀ`, each side two rows of eight signed bytes: a 2 × 2 matrix, row by row.
    smmla, "smmla", "neon,i8mm"
);
