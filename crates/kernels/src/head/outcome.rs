//! How the largest logits were found.

/// How the largest logits were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadPath {
    /// By bounds for all rows; that many were then computed.
    TwoStage {
        /// Number of exact logits.
        exact: usize,
    },
    /// By all logits.
    Full(WhyFull),
}

/// Why all logits were computed where the largest were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyFull {
    /// The rows are not INT8.
    NotInt8,
    /// This variant has no first stage: there it gains nothing.
    Variant,
    /// The rows are so few that it gains nothing.
    Small,
    /// A row's scale is negative, infinite or a NaN: its bound would be none.
    RowScale {
        /// The row's token.
        token: u32,
    },
    /// The scale of the activations is, or makes one of a row's; or it takes even a winner's logit to -∞.
    Scale,
    /// The bounds left too many rows in the running.
    Candidates {
        /// How many.
        rows: usize,
    },
    /// So many were asked for that bounds would leave too many rows.
    Winners {
        /// How many.
        asked: usize,
    },
}
