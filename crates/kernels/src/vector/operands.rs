//! Operands of the steps with many inputs.

/// Operands of the WKV recurrence, H × S values each.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "r, k, v are the names of the definition")]
pub struct WkvInput<'a> {
    pub r: &'a [f32],
    pub k: &'a [f32],
    pub v: &'a [f32],
    /// `exp(-exp(log_decay))`: the factor by which the state is kept.
    pub decay: &'a [f32],
    /// `exp(u)`: the weight of the current token.
    pub bonus: &'a [f32],
}

impl<'a> WkvInput<'a> {
    /// The operands of the head that begins at value `at` and has `size` values.
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

/// The parameters of a norm, one value for each normalised value.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "weight and bias are the names of the definition")]
pub struct NormInput<'a> {
    pub weight: &'a [f32],
    pub bias: &'a [f32],
}

/// Operands for one input of a ternary matrix, from a token and the previous one.
#[derive(Debug, Clone, Copy)]
pub struct MixInput<'a> {
    /// The ratio of the previous token, per value.
    pub mu: &'a [f32],
    /// The norm of the matrix.
    pub norm: NormInput<'a>,
}

/// Operands for the input of a time mix's output matrix: `layer_norm(group_norm(x) · silu(g))`.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "x and g are the names of the definition")]
pub struct GatedInput<'a> {
    pub x: &'a [f32],
    /// Values per head; the group norm normalises each head.
    pub head_size: usize,
    pub group_norm: NormInput<'a>,
    pub g: &'a [f32],
    /// The norm of the matrix.
    pub norm: NormInput<'a>,
}
