//! The WKV recurrence with RISC-V vectors.

use crate::isa::rvv;
use crate::vector::generic;
use crate::vector::operands::WkvInput;

/// Processes as many columns of the state at a time as fit eight registers.
pub(super) fn head(input: WkvInput<'_>, state: &mut [f32], y: &mut [f32]) {
    let WkvInput { r, k, v, decay, bonus } = input;
    let s = y.len();
    let now = generic::sum16!([r, bonus, k], |r, bonus, k| r * bonus * k);
    assert!(s > 0 && state.len() == s * s);
    // SAFETY: a token proves the instructions; all `s` values of `r`, `k`, `v`, `decay` and `y` are accessed, and `s`
    // rows of `s` values of the state.
    unsafe {
        rvv!(
            "2:",
            "vsetvli {t}, {n}, e32, m8, ta, ma",
            "vmv.v.i v0, 0",
            "vle32.v v8, ({v})",
            "mv {row}, {state}",
            "mv {i}, {r}",
            "mv {kp}, {k}",
            "mv {wp}, {w}",
            "3:",
            "flw {f}, ({i})",
            "flw {g}, ({kp})",
            "flw {h}, ({wp})",
            "vle32.v v16, ({row})",
            "vfmul.vf v24, v16, {f}",
            "vfadd.vv v0, v0, v24",
            "vfmul.vf v16, v16, {h}",
            "vfmul.vf v24, v8, {g}",
            "vfadd.vv v16, v16, v24",
            "vse32.v v16, ({row})",
            "addi {i}, {i}, 4",
            "addi {kp}, {kp}, 4",
            "addi {wp}, {wp}, 4",
            "add {row}, {row}, {stride}",
            "bne {i}, {end}, 3b",
            "vfmul.vf v8, v8, {now}",
            "vfadd.vv v0, v0, v8",
            "vse32.v v0, ({y})",
            "sub {n}, {n}, {t}",
            "slli {t}, {t}, 2",
            "add {v}, {v}, {t}",
            "add {y}, {y}, {t}",
            "add {state}, {state}, {t}",
            "bnez {n}, 2b";
            n = inout(reg) s => _, t = out(reg) _, row = out(reg) _, i = out(reg) _, kp = out(reg) _, wp = out(reg) _,
            r = in(reg) r.as_ptr(), k = in(reg) k.as_ptr(), w = in(reg) decay.as_ptr(), end = in(reg) r.as_ptr().add(s),
            stride = in(reg) 4 * s, v = inout(reg) v.as_ptr() => _, y = inout(reg) y.as_mut_ptr() => _,
            state = inout(reg) state.as_mut_ptr() => _, now = in(freg) now,
            f = out(freg) _, g = out(freg) _, h = out(freg) _,
        );
    }
}
