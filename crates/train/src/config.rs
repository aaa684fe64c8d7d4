//! `train.toml`: parsed strictly, with defaults where there is a sensible one.

use crate::curriculum::{self, Stage};
use crate::error::{Error, nearest};
use crate::file::{CONFIG_LIMIT, read};
use bitstate_model::{Config, Preset};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A training run.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Folder with `train.tokens` and `valid.tokens`, as `data prepare` makes it.
    pub data: PathBuf,
    /// Folder of the run: checkpoints and log.
    pub out: PathBuf,
    /// Seed of the initial parameters and of the order of the text.
    #[serde(default = "one")]
    pub seed: u64,
    /// Optimiser steps.
    pub steps: u64,
    /// Checkpoint of a model of the same shapes to start from, f32 or ternary; by default parameters are random. Its
    /// optimiser state is not used.
    pub start: Option<PathBuf>,
    /// The model.
    pub model: ModelConfig,
    /// The data of a step.
    #[serde(default)]
    pub batch: BatchConfig,
    /// The texts are prompts with answers: a sequence is one text, and only its answer counts in the loss.
    pub answers: Option<AnswersConfig>,
    /// Changes of the sequence length; `batch` applies until the first one.
    #[serde(default)]
    pub curriculum: Vec<Stage>,
    /// The optimiser.
    #[serde(default)]
    pub optimizer: OptimizerConfig,
    /// A teacher for distillation.
    pub distill: Option<DistillConfig>,
    /// Intervals of logging, validation and checkpoints.
    #[serde(default)]
    pub watch: WatchConfig,
}

/// The model: a preset, and overrides.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Name of a preset.
    pub preset: String,
    /// Ternary weights and INT8 activations; false for a teacher in f32.
    #[serde(default = "yes")]
    pub bitnet: bool,
    /// V; by default that of the tokenizer.
    pub vocab_size: Option<usize>,
    /// L.
    pub n_layer: Option<usize>,
    /// D.
    pub n_embd: Option<usize>,
    /// H.
    pub n_head: Option<usize>,
    /// F / D.
    pub ff_mult: Option<usize>,
    /// Initial `log_decay` of the first and the last channel of a head, from which the others are interpolated; the last
    /// layer's are larger by 1. A state shrinks by `exp(-exp(log_decay))` a token: to 0.9 in 100 tokens at -7, in one
    /// at -2.2. By default -4 and -2, and the last layer's are larger by 3. It is of no effect on a run with `start`.
    pub log_decay: Option<[f64; 2]>,
    /// Dropout: the fraction of each mix's output to the residual stream that is zeroed at random.
    #[serde(default)]
    pub dropout: f64,
}

/// The data of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchConfig {
    /// Sequences per forward pass.
    pub sequences: usize,
    /// Tokens per sequence.
    pub seq_len: usize,
    /// Forward passes per step.
    pub accumulate: usize,
}

impl Default for BatchConfig {
    fn default() -> Self {
        BatchConfig { sequences: 16, seq_len: 256, accumulate: 1 }
    }
}

/// Where an answer begins.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AnswersConfig {
    /// The text between prompt and answer: its first occurrence in a text.
    pub after: String,
}

/// AdamW and its learning rate.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerConfig {
    /// The peak learning rate.
    pub lr: f64,
    /// Steps of linear warmup to the peak.
    pub warmup: u64,
    /// Fraction of the peak at the last step, reached by a cosine schedule.
    pub final_share: f64,
    /// Weight decay of the matrices, times the learning rate.
    pub weight_decay: f64,
    /// Decay rates of the means of the gradient and of its square.
    pub betas: [f64; 2],
    /// Largest gradient norm; a larger gradient is clipped to it.
    pub clip: f64,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        let (lr, warmup) = (4e-3, 200);
        OptimizerConfig { lr, warmup, final_share: 0.05, weight_decay: 0.1, betas: [0.9, 0.95], clip: 1.0 }
    }
}

/// Distillation from a teacher: `α·KL(teacher‖student)·T² + (1-α)·CE`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DistillConfig {
    /// Checkpoint of the teacher; its tokenizer must be the data's.
    pub teacher: PathBuf,
    /// α.
    #[serde(default = "alpha")]
    pub alpha: f64,
    /// T.
    #[serde(default = "temperature")]
    pub temperature: f64,
}

/// Most tokens in a forward pass.
const MOST_TOKENS: usize = 1 << 24;

/// Intervals in steps, 0 for never.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct WatchConfig {
    /// A line in the log.
    pub log: u64,
    /// The loss on held-out text, with a separate checkpoint if it is the lowest so far.
    pub validate: u64,
    /// Largest number of windows of held-out text.
    pub validate_windows: usize,
    /// A checkpoint; the end of a run always writes one.
    pub checkpoint: u64,
    /// A text sample from the model.
    pub sample: u64,
    /// Largest number of tokens in a sample.
    pub sample_tokens: usize,
    /// The prompt of a sample.
    pub prompt: String,
}

impl Default for WatchConfig {
    fn default() -> Self {
        WatchConfig {
            log: 10,
            validate: 200,
            validate_windows: 128,
            checkpoint: 100,
            sample: 1000,
            sample_tokens: 100,
            prompt: "Once upon a time".into(),
        }
    }
}

fn one() -> u64 {
    1
}

fn yes() -> bool {
    true
}

fn alpha() -> f64 {
    0.7
}

fn temperature() -> f64 {
    4.0
}

impl TrainConfig {
    /// Reads a `train.toml`. Paths in it are relative to its folder.
    ///
    /// # Errors
    /// Names the invalid key, and the nearest valid one if it is misspelt.
    pub fn load(path: &Path) -> Result<TrainConfig, Error> {
        let text = String::from_utf8(read(path, CONFIG_LIMIT)?)
            .map_err(|error| Error::content(path, format_args!("not UTF-8: {}", error.utf8_error())))?;
        let mut config =
            TrainConfig::parse(&text).map_err(|problem| Error::Config { path: path.to_path_buf(), problem })?;
        let base = path.parent().unwrap_or(Path::new("."));
        config.data = base.join(&config.data);
        config.out = base.join(&config.out);
        config.start = config.start.map(|start| base.join(start));
        if let Some(distill) = &mut config.distill {
            distill.teacher = base.join(&distill.teacher);
        }
        Ok(config)
    }

    /// Parses a configuration.
    ///
    /// # Errors
    /// As [`load`](TrainConfig::load), without the file.
    pub fn parse(text: &str) -> Result<TrainConfig, String> {
        let config: TrainConfig = toml::from_str(text).map_err(|error| explain(&error.to_string()))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        let BatchConfig { sequences, seq_len, accumulate } = self.batch;
        for (name, size) in [("sequences", sequences), ("seq_len", seq_len), ("accumulate", accumulate)] {
            if size == 0 {
                return Err(format!("batch.{name} must be above 0"));
            }
        }
        if self.steps == 0 {
            return Err("steps must be above 0".into());
        }
        if self.watch.validate_windows == 0 {
            return Err("watch.validate_windows must be above 0; `validate = 0` looks at no held-out text".into());
        }
        curriculum::check(&self.curriculum)?;
        if let Some(AnswersConfig { after }) = &self.answers {
            if after.is_empty() {
                return Err("answers.after must not be empty: it is the text between prompt and answer".into());
            }
            if !self.curriculum.is_empty() {
                return Err("with `answers` a sequence is one whole text: leave `curriculum` out".into());
            }
        }
        for from in std::iter::once(1).chain(self.curriculum.iter().map(|stage| stage.from_step)) {
            let BatchConfig { sequences, seq_len, .. } = self.batch_at(from);
            if sequences.checked_mul(seq_len).is_none_or(|tokens| tokens > MOST_TOKENS) {
                return Err(format!(
                    "{sequences} sequences of {seq_len} tokens are more than {MOST_TOKENS} tokens in one pass; \
                     `batch.accumulate` makes a step of many passes"
                ));
            }
        }
        self.model.shapes(self.model.vocab_size.unwrap_or(256), self.longest()).map_err(|error| error.to_string())?;
        let OptimizerConfig { lr, final_share, weight_decay, betas, clip, .. } = self.optimizer;
        let ranges = [
            ("optimizer.lr", lr, 1e-9, 1.0),
            ("optimizer.final_share", final_share, 0.0, 1.0),
            ("optimizer.weight_decay", weight_decay, 0.0, 10.0),
            ("optimizer.betas[0]", betas[0], 0.0, 0.9999),
            ("optimizer.betas[1]", betas[1], 0.0, 0.99999),
            ("optimizer.clip", clip, 1e-6, 1e6),
            ("model.dropout", self.model.dropout, 0.0, 0.9),
            ("model.log_decay[0]", self.model.log_decay.map_or(0.0, |[first, _]| first), -12.0, 2.0),
            ("model.log_decay[1]", self.model.log_decay.map_or(0.0, |[_, last]| last), -12.0, 2.0),
            ("distill.alpha", self.distill.as_ref().map_or(0.0, |d| d.alpha), 0.0, 1.0),
            ("distill.temperature", self.distill.as_ref().map_or(1.0, |d| d.temperature), 0.01, 100.0),
        ];
        for (name, value, low, high) in ranges {
            if !(low..=high).contains(&value) {
                return Err(format!("{name} is {value}, and must be from {low} to {high}"));
            }
        }
        Ok(())
    }
}

impl ModelConfig {
    /// Shapes of the model for a tokenizer of `tokens` tokens.
    ///
    /// # Errors
    /// If the preset does not exist, the heads do not divide the width, or the tokenizer has more tokens than the
    /// model.
    pub fn shapes(&self, tokens: usize, seq_len: usize) -> Result<Config, Error> {
        let preset = Preset::by_name(&self.preset).map_err(|error| Error::Refused(format!("model.preset: {error}")))?;
        let mut config = preset.config();
        config.vocab_size = self.vocab_size.unwrap_or(tokens);
        config.n_layer = self.n_layer.unwrap_or(config.n_layer);
        config.n_embd = self.n_embd.unwrap_or(config.n_embd);
        config.n_head = self.n_head.unwrap_or(config.n_head);
        config.ff_mult = self.ff_mult.unwrap_or(config.ff_mult);
        config.max_seq_len = seq_len;
        config.dropout = 0.0;
        if config.n_head == 0 || !config.n_embd.is_multiple_of(config.n_head) {
            let (d, h) = (config.n_embd, config.n_head);
            return Err(Error::Refused(format!("model.n_embd {d} is not a multiple of model.n_head {h}")));
        }
        config.head_size = config.n_embd / config.n_head;
        config.validate().map_err(|error| Error::Refused(format!("model: {error}")))?;
        if config.vocab_size < tokens {
            let v = config.vocab_size;
            return Err(Error::Refused(format!(
                "the tokenizer has {tokens} tokens and the model only {v}: leave model.vocab_size out, or prepare the \
                 data with a smaller tokenizer"
            )));
        }
        Ok(config)
    }
}

/// A parser's message, with the nearest valid key if it names an unknown one.
fn explain(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = message.contains("unknown field").then(|| quoted.next()).flatten();
    match unknown.and_then(|name| nearest(name, quoted)) {
        Some(near) => format!("{}; did you mean `{near}`?", message.trim_end()),
        None => message.trim_end().to_string(),
    }
}
