//! A view into a forward pass, to find where two of them part.

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

/// Is shown the output of every step. `()` looks away, at no cost.
pub trait Observer {
    /// `output` of `step` in `layer`; the final norm and the head count as the layer after the last.
    fn step(&mut self, layer: usize, step: Step, output: &[f32]);
}

impl Observer for () {
    #[inline(always)]
    fn step(&mut self, _: usize, _: Step, _: &[f32]) {}
}
