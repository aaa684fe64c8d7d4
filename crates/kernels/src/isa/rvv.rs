//! RISC-V vector instructions, which have no stable intrinsics.
//!
//! Inline assembly can clobber a vector register but not take one as an operand. So a kernel is a block of assembly
//! over memory, from loads to stores. Every block queries the vector length that it works with, and is correct for any
//! register length: the extension guarantees at least 128 bits.

/// Inline assembly with the vector extension enabled, which clobbers all vector registers.
macro_rules! rvv {
    ($($line:expr),+ ; $($operand:tt)*) => {
        core::arch::asm!(
            ".option push",
            ".option arch, +v",
            $($line,)+
            ".option pop",
            $($operand)*
            out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _, out("v6") _, out("v7") _,
            out("v8") _, out("v9") _, out("v10") _, out("v11") _, out("v12") _, out("v13") _, out("v14") _, out("v15") _,
            out("v16") _, out("v17") _, out("v18") _, out("v19") _, out("v20") _, out("v21") _, out("v22") _,
            out("v23") _, out("v24") _, out("v25") _, out("v26") _, out("v27") _, out("v28") _, out("v29") _,
            out("v30") _, out("v31") _,
            options(nostack)
        )
    };
}
pub(crate) use rvv;

/// Whether the CPU has the extension, according to Linux.
#[cfg(target_os = "linux")]
pub(super) fn is_there() -> bool {
    unsafe extern "C" {
        fn getauxval(what: core::ffi::c_ulong) -> core::ffi::c_ulong;
    }
    /// The entry with a bit for each single-letter extension, `a` the lowest.
    const AT_HWCAP: core::ffi::c_ulong = 16;
    // SAFETY: a function of the C library that looks up a number.
    let extensions = unsafe { getauxval(AT_HWCAP) };
    extensions >> (b'v' - b'a') & 1 == 1
}

/// Whether the build targets CPUs with the extension: there is no Linux to query.
#[cfg(not(target_os = "linux"))]
pub(super) fn is_there() -> bool {
    cfg!(target_feature = "v")
}
