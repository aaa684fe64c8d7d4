//! Placeholders for bounds in an instruction set that has none.

/// For the rows of one session.
#[cfg(any(target_arch = "riscv64", feature = "simd128"))]
pub(super) mod one {
    use crate::head::coarse::{CoarseRows, Input};
    use crate::head::coarse_many;

    pub(in crate::head) const BOUNDS: bool = false;

    pub(in crate::head) fn bounds<Isa>(_: Isa, _: &CoarseRows, _: usize, _: &Input, _: (&[f32], f32), _: &mut [f32]) {
        unreachable!("no codes were laid out")
    }

    pub(in crate::head) fn bounds_together<Isa>(_: Isa, _: coarse_many::Input<'_>, _: coarse_many::Each<'_>) {
        unreachable!("no codes were laid out")
    }

    /// No row is left by bounds.
    #[cfg(not(feature = "relaxed_simd"))]
    pub(in crate::head) fn exact<Isa>(_: Isa, _: &[i8], _: &[u32], _: &[i16], _: &mut [i32]) {
        unreachable!("no bound left a row")
    }
}

/// For many sessions.
pub(super) mod many {
    use crate::head::shape::Input;

    pub(in crate::head) const BOUNDS_MANY: bool = false;

    pub(in crate::head) fn bounds_many<Isa>(_: Isa, _: Input<'_>, _: &mut dyn FnMut(usize, usize, &mut [f32])) {
        unreachable!("the caller asks first whether there are bounds")
    }
}
