//! What stands for bounds in an instruction set that has none.

/// Of the rows of one session.
#[cfg(target_arch = "wasm32")]
pub(super) mod one {
    use crate::head::coarse::{CoarseRows, Input};

    pub(in crate::head) const BOUNDS: bool = false;

    pub(in crate::head) fn bounds<Isa>(_: Isa, _: &CoarseRows, _: usize, _: &Input, _: (&[f32], f32), _: &mut [f32]) {
        unreachable!("no codes were laid out")
    }
}

/// Of many sessions.
pub(super) mod many {
    use crate::head::shape::Input;

    pub(in crate::head) const BOUNDS_MANY: bool = false;

    pub(in crate::head) fn bounds_many<Isa>(_: Isa, _: Input<'_>, _: &mut dyn FnMut(usize, usize, &mut [f32])) {
        unreachable!("the caller asks first whether there are bounds")
    }
}
