//! Observation of a forward pass, to find where two passes diverge.

/// A step of the definition whose output can be observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are the definition's")]
pub enum Step {
    Embedding,
    TimeMixR,
    TimeMixK,
    TimeMixV,
    TimeMixG,
    Wkv,
    GroupNorm,
    TimeMixOutput,
    ChannelMixK,
    ChannelMixR,
    ChannelMixV,
    FinalNorm,
    Head,
}

impl Step {
    /// The step's name: the part of the model, then the definition's letter.
    pub fn name(self) -> &'static str {
        match self {
            Step::Embedding => "embedding",
            Step::TimeMixR => "tm.r",
            Step::TimeMixK => "tm.k",
            Step::TimeMixV => "tm.v",
            Step::TimeMixG => "tm.g",
            Step::Wkv => "tm.wkv",
            Step::GroupNorm => "tm.gn",
            Step::TimeMixOutput => "tm.o",
            Step::ChannelMixK => "cm.k",
            Step::ChannelMixR => "cm.r",
            Step::ChannelMixV => "cm.v",
            Step::FinalNorm => "ln_f",
            Step::Head => "head",
        }
    }
}

/// A category of the work for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The ternary matrices.
    Ternary,
    /// The head: its 15-bit input and every row of the embedding.
    Head,
    /// The recurrence.
    Wkv,
    /// The preparation of the matrices' inputs: norms, token shift, quantisation.
    Norms,
    /// The other f32 steps: embedding, gates, sums.
    Steps,
    /// Choosing a token, which the engine does not do: the caller reports it. A greedy choice only requests the largest
    /// logit from the head, and needs nothing else.
    Sampling,
}

impl Part {
    /// Every part.
    pub const ALL: [Part; 6] = [Part::Ternary, Part::Head, Part::Wkv, Part::Norms, Part::Steps, Part::Sampling];

    /// The part's name.
    pub fn name(self) -> &'static str {
        match self {
            Part::Ternary => "ternary",
            Part::Head => "head",
            Part::Wkv => "wkv",
            Part::Norms => "norms",
            Part::Steps => "steps",
            Part::Sampling => "sampling",
        }
    }
}

/// Receives the output of every step. `()` ignores it, at no cost.
pub trait Observer {
    /// `output` of `step` in `layer`; the final norm and the head count as the layer after the last.
    fn step(&mut self, layer: usize, step: Step, output: &[f32]);

    /// Work up to the next call or the end of the pass belongs to `part`.
    #[inline(always)]
    fn part(&mut self, _part: Part) {}
}

impl Observer for () {
    #[inline(always)]
    fn step(&mut self, _: usize, _: Step, _: &[f32]) {}
}
