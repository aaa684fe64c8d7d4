//! Instructions of NEON that have no stable intrinsics, as the function that each would be.
//!
//! They are inline assembly without operands in memory, so that the compiler may move and drop them as it does others.

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
            // SAFETY: the caller promises the instruction; it touches registers alone.
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
    /// `sums + a · b`, four signed bytes to a lane.
    sdot, "sdot", "neon,dotprod"
);
dot!(
    /// `sums + a · b`, four bytes to a lane, those of `a` unsigned and of `b` signed.
    usdot, "usdot", "neon,i8mm"
);
dot!(
    /// `sums + a · bᵀ`, each side two rows of eight signed bytes: a 2 × 2 matrix, row by row.
    smmla, "smmla", "neon,i8mm"
);
