//! Detection of NaN and infinite logits.

use crate::kernels::Kernels;

/// A logit that is NaN or infinite, because the model's activations overflowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the logit of token {token} is NaN or infinite: the model overflows, its weights are too large")]
pub struct NotFinite {
    /// The lowest token with such a logit.
    pub token: u32,
}

impl Kernels {
    /// Checks that every logit is finite, in one pass.
    ///
    /// # Errors
    /// The first token with a logit that is NaN or infinite.
    #[inline]
    pub fn check_finite(&self, logits: &[f32]) -> Result<(), NotFinite> {
        if self.largest_magnitude(logits).is_finite() {
            return Ok(());
        }
        let first = (0..).zip(logits).find(|(_, logit)| !logit.is_finite());
        first.map_or(Ok(()), |(token, _)| Err(NotFinite { token }))
    }
}
