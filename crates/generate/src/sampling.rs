//! Sampling parameters, as a builder.

use alloc::vec::Vec;

/// When the logits are divided by the temperature.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// Before top-k, so that typical-p, top-p and min-p keep shares of the distribution that is drawn from.
    #[default]
    TemperatureFirst,
    /// After min-p, as in llama.cpp's sampler chain: the set of kept tokens does not depend on the temperature.
    TemperatureLast,
}

/// Sampling parameters. Every step is off until it is set, and a disabled step changes no bit.
///
/// The steps in order, as `crates/ARITHMETIC.md` defines them: bias; repetition, presence and frequency over the last
/// tokens; penalty over the whole text; temperature (or after min-p: [`Order`]); top-k; typical-p; top-p; min-p; draw.
///
/// ```
/// use bitstate_generate::Sampling;
///
/// let sampling = Sampling::seeded(42).temperature(0.8).top_k(50).top_p(0.9).penalty(1.1);
/// assert!(sampling.check().is_ok());
/// // An error names the range.
/// let error = Sampling::seeded(1).min_p(2.0).check().unwrap_err();
/// assert_eq!(error.to_string(), "min-p is 2: it must be from 0 (none) to 1");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Sampling {
    /// Seed of the generator.
    pub seed: u64,
    /// Divides the logits: below 1 likely tokens become more likely, above 1 less. 0 always takes the largest logit,
    /// after the bias and the penalties over the [`window`](Sampling::window), and uses no random number.
    pub temperature: f32,
    /// Number of largest logits that are kept; 0 keeps all.
    pub top_k: u32,
    /// Share of the probability that is kept, of the tokens with the surprise closest to the mean; in (0, 1].
    pub typical_p: f32,
    /// Share of the probability that is kept, of the most probable tokens; in (0, 1].
    pub top_p: f32,
    /// Tokens with less than this share of the most probable token's probability are dropped; in [0, 1].
    pub min_p: f32,
    /// Penalty on a token seen `n` times in the whole text: this factor to the power `min(n, 3)`; 1 disables it.
    pub penalty: f32,
    /// Penalty factor for a token among the last ones, applied once; 1 disables it, below 1 it favours the token.
    pub repetition: f32,
    /// Subtracted from the logit of a token that is among the last ones.
    pub presence: f32,
    /// Subtracted from the logit of a token for each of its occurrences among the last ones.
    pub frequency: f32,
    /// Number of last tokens that repetition, presence and frequency consider.
    pub window: u32,
    /// Added to the logits of tokens; a token may occur several times.
    pub bias: Vec<(u32, f32)>,
    /// When the logits are divided by the temperature.
    pub order: Order,
}

/// Setters for single values.
macro_rules! setters {
    ($($name:ident: $kind:ty,)*) => {$(
        #[doc = concat!("Sets [`", stringify!($name), "`](field@Sampling::", stringify!($name), ").")]
        pub fn $name(mut self, $name: $kind) -> Self {
            self.$name = $name;
            self
        }
    )*};
}

impl Sampling {
    /// Largest window.
    pub const MAX_WINDOW: u32 = 65_536;

    /// The lowest id among the largest logits.
    pub fn greedy() -> Self {
        Sampling {
            seed: 0,
            temperature: 0.0,
            top_k: 0,
            typical_p: 1.0,
            top_p: 1.0,
            min_p: 0.0,
            penalty: 1.0,
            repetition: 1.0,
            presence: 0.0,
            frequency: 0.0,
            window: 64,
            bias: Vec::new(),
            order: Order::TemperatureFirst,
        }
    }

    /// Drawn from the unmodified distribution; the same seed gives the same tokens on every target.
    pub fn seeded(seed: u64) -> Self {
        Sampling { seed, temperature: 1.0, ..Self::greedy() }
    }

    setters! {
        seed: u64,
        temperature: f32,
        top_k: u32,
        typical_p: f32,
        top_p: f32,
        min_p: f32,
        penalty: f32,
        repetition: f32,
        presence: f32,
        frequency: f32,
        window: u32,
        order: Order,
    }

    /// Adds `bias` to the logit of `token`; with -100 it is practically never drawn.
    pub fn bias(mut self, token: u32, bias: f32) -> Self {
        self.bias.push((token, bias));
        self
    }

    /// Whether the largest logit is always taken.
    pub fn is_greedy(&self) -> bool {
        self.temperature == 0.0
    }

    /// Whether the last tokens change any logit.
    pub fn looks_back(&self) -> bool {
        self.window > 0 && (self.repetition != 1.0 || self.presence != 0.0 || self.frequency != 0.0)
    }

    /// Whether the largest unmodified logit is always taken: then no other logits are needed.
    pub fn is_plain_greedy(&self) -> bool {
        self.is_greedy() && !self.looks_back() && self.bias.is_empty()
    }

    /// Checks every value.
    ///
    /// # Errors
    /// Names the first value that is out of range.
    pub fn check(&self) -> Result<(), SamplingError> {
        use SamplingError as E;
        let share = |p: f32| p > 0.0 && p <= 1.0;
        let checks = [
            (self.temperature >= 0.0 && self.temperature.is_finite(), E::Temperature(self.temperature)),
            (share(self.top_p), E::TopP(self.top_p)),
            (self.penalty >= 1.0 && self.penalty.is_finite(), E::Penalty(self.penalty)),
            (share(self.typical_p), E::TypicalP(self.typical_p)),
            ((0.0..=1.0).contains(&self.min_p), E::MinP(self.min_p)),
            (self.repetition > 0.0 && self.repetition.is_finite(), E::Repetition(self.repetition)),
            (self.presence.is_finite(), E::Presence(self.presence)),
            (self.frequency.is_finite(), E::Frequency(self.frequency)),
            (self.window <= Self::MAX_WINDOW, E::Window(self.window)),
        ];
        if let Some((_, error)) = checks.into_iter().find(|(good, _)| !good) {
            return Err(error);
        }
        match self.bias.iter().find(|(_, bias)| !bias.is_finite()) {
            Some(&(token, bias)) => Err(E::Bias { token, bias }),
            None => Ok(()),
        }
    }

    /// [`check`](Sampling::check) for a model of `vocab_size` tokens.
    ///
    /// # Errors
    /// As `check`, and for a bias of a token outside the vocabulary.
    pub fn check_for(&self, vocab_size: usize) -> Result<(), SamplingError> {
        self.check()?;
        match self.bias.iter().find(|(token, _)| *token as usize >= vocab_size) {
            Some(&(token, _)) => Err(SamplingError::BiasToken { token, vocab_size }),
            None => Ok(()),
        }
    }
}

/// A sampling parameter out of its range.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum SamplingError {
    /// Below 0, or not finite.
    #[error("the temperature is {0}: it must be a finite number from 0 on (0 is greedy)")]
    Temperature(f32),
    /// Not in (0, 1].
    #[error("top-p is {0}: it must be above 0 and at most 1")]
    TopP(f32),
    /// Below 1, or not finite.
    #[error("the repetition penalty is {0}: it must be a finite number of at least 1")]
    Penalty(f32),
    /// Not in (0, 1].
    #[error("typical-p is {0}: it must be above 0 and at most 1 (none)")]
    TypicalP(f32),
    /// Not in [0, 1].
    #[error("min-p is {0}: it must be from 0 (none) to 1")]
    MinP(f32),
    /// Not above 0, or not finite.
    #[error("the repetition penalty of the last tokens is {0}: it must be a finite number above 0 (1 is none)")]
    Repetition(f32),
    /// Not finite.
    #[error("the presence penalty is {0}: it must be a finite number (0 is none)")]
    Presence(f32),
    /// Not finite.
    #[error("the frequency penalty is {0}: it must be a finite number (0 is none)")]
    Frequency(f32),
    /// Too large.
    #[error("the window of the penalties is {0} tokens: it must be at most {max}", max = Sampling::MAX_WINDOW)]
    Window(u32),
    /// Not finite.
    #[error("the bias of token {token} is {bias}: it must be a finite number; -100 means practically never")]
    Bias {
        /// The token.
        token: u32,
        /// The given bias.
        bias: f32,
    },
    /// A bias of a token outside the vocabulary.
    #[error("token {token} has a bias, and the model has tokens 0 to {}", vocab_size - 1)]
    BiasToken {
        /// The token.
        token: u32,
        /// V of the model.
        vocab_size: usize,
    },
}
