//! Vector instructions of RISC-V, which have no stable intrinsics.
//!
//! A vector register can be overwritten by inline assembly, but is no operand of it. So a kernel is a block of assembly
//! over memory, from loads to stores. Every block asks for the length that it works on, and is right for any length of the
//! registers: the extension has at least 128 bits.

/// Inline assembly in which the instructions of the vector extension are known, and after which no vector register has
/// what it had before.
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

/// Whether the CPU has the extension, as Linux says.
#[cfg(target_os = "linux")]
pub(super) fn is_there() -> bool {
    unsafe extern "C" {
        fn getauxval(what: core::ffi::c_ulong) -> core::ffi::c_ulong;
    }
    /// The entry whose bits are the extensions of one letter, `a` the lowest.
    const AT_HWCAP: core::ffi::c_ulong = 16;
    // SAFETY: a function of the C library that looks a number up.
    let extensions = unsafe { getauxval(AT_HWCAP) };
    extensions >> (b'v' - b'a') & 1 == 1
}

/// Whether the build is for CPUs that have it: there is no Linux to ask.
#[cfg(not(target_os = "linux"))]
pub(super) fn is_there() -> bool {
    cfg!(target_feature = "v")
}
