//! How the largest logits were found.

/// How the largest logits were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadPath {
    /// With bounds for all rows; `exact` rows were then computed.
    TwoStage {
        /// Number of exact logits.
        exact: usize,
    },
    /// By computing all logits.
    Full(WhyFull),
}

/// Why all logits were computed although only the largest were requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyFull {
    /// The rows are not INT8.
    NotInt8,
    /// This variant has no first stage: it would save nothing.
    Variant,
    /// There are too few rows for it to save time.
    Small,
    /// A row's scale is negative, infinite or NaN: it has no valid bound.
    RowScale {
        /// The row's token.
        token: u32,
    },
    /// The scale of the activations is, or makes one of a row's so; or it takes even a winner's logit to -∞.
    Scale,
    /// The bounds left too many candidate rows.
    Candidates {
        /// Their number.
        rows: usize,
    },
    /// So many winners were requested that bounds would leave too many rows.
    Winners {
        /// Their number.
        asked: usize,
    },
}
