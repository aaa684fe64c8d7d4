//! What the steps with many operands read.

/// What the WKV recurrence reads, H × S values each.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "r, k, v are the names of the definition")]
pub struct WkvInput<'a> {
    pub r: &'a [f32],
    pub k: &'a [f32],
    pub v: &'a [f32],
    /// `exp(-exp(log_decay))`: what is kept of the state.
    pub decay: &'a [f32],
    /// `exp(u)`: how much the current token counts.
    pub bonus: &'a [f32],
}

impl<'a> WkvInput<'a> {
    /// Of the head that begins at value `at` and has `size` of them.
    #[inline(always)]
    pub(super) fn head(&self, at: usize, size: usize) -> WkvInput<'a> {
        WkvInput {
            r: &self.r[at..][..size],
            k: &self.k[at..][..size],
            v: &self.v[at..][..size],
            decay: &self.decay[at..][..size],
            bonus: &self.bonus[at..][..size],
        }
    }
}

/// The parameters of a norm, one value each for every value that is normed.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "weight and bias are the names of the definition")]
pub struct NormInput<'a> {
    pub weight: &'a [f32],
    pub bias: &'a [f32],
}

/// What makes one input of a ternary matrix out of a token and the one before it.
#[derive(Debug, Clone, Copy)]
pub struct MixInput<'a> {
    /// How much of the token before is mixed in, value by value.
    pub mu: &'a [f32],
    /// The norm of the matrix.
    pub norm: NormInput<'a>,
}

/// What makes the input of the output matrix of a time mix: `layer_norm(group_norm(x) · silu(g))`.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "x and g are the names of the definition")]
pub struct GatedInput<'a> {
    pub x: &'a [f32],
    /// Values of a head; the group norm is a norm of each.
    pub head_size: usize,
    pub group_norm: NormInput<'a>,
    pub g: &'a [f32],
    /// The norm of the matrix.
    pub norm: NormInput<'a>,
}
