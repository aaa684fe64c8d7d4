//! What a step trains on, in shards: windows of continuous text, or prompts with their answers.

use super::answers::Answers;
use super::tokens::TokenFile;
use super::windows::Windows;
use crate::config::{BatchConfig, TrainConfig};
use crate::error::Error;
use crate::kernels::loss::counted;
use crate::workers::shard_sequences;
use bitstate_tokenizer::Tokenizer;

/// Sequences that one thread computes at once.
#[derive(Debug, Clone, Default)]
pub struct Shard {
    /// Tokens per sequence.
    pub seq_len: usize,
    /// The tokens, sequence after sequence.
    pub inputs: Vec<u32>,
    /// The token after each, or [`IGNORED`](crate::kernels::loss::IGNORED).
    pub targets: Vec<u32>,
}

impl Shard {
    /// Number of targets that count in the loss.
    pub fn counted(&self) -> usize {
        counted(&self.targets)
    }
}

/// Where a run reads its text.
#[derive(Debug, Clone)]
pub enum Source {
    /// Windows of continuous text.
    Windows(Windows),
    /// One text a sequence.
    Answers(Answers),
}

impl Source {
    /// The text of `file` as `config` reads it, from `position` on, in sequences of at most `seq_len` tokens.
    ///
    /// # Errors
    /// If it is too short for one sequence, or a text does not fit `answers`.
    pub fn new(
        config: &TrainConfig,
        tokenizer: &Tokenizer,
        file: &TokenFile,
        seq_len: usize,
        position: [u64; 2],
    ) -> Result<Source, Error> {
        let Some(answers) = &config.answers else {
            let short = || Error::content(file.path(), format_args!("too short for a window of {seq_len} tokens"));
            return Windows::new(file.len(), seq_len, config.seed, position).map(Source::Windows).ok_or_else(short);
        };
        if !tokenizer.is_byte() {
            return Err(Error::Refused(
                "answers.after requires tokens that are bytes: other tokenizers may merge it with the text around it; \
                 prepare the data with --tokenizer byte"
                    .into(),
            ));
        }
        let separator = tokenizer.encode(&answers.after)?;
        Answers::new(file, &separator, seq_len, config.seed, position).map(Source::Answers)
    }

    /// Epoch, and position of the next window or text.
    pub fn position(&self) -> [u64; 2] {
        match self {
            Source::Windows(windows) => windows.position(),
            Source::Answers(answers) => answers.position(),
        }
    }

    /// The next sequences. How they are divided into shards depends on the text and `batch` alone.
    pub fn next(&mut self, file: &TokenFile, batch: BatchConfig) -> Vec<Shard> {
        match self {
            Source::Answers(answers) => answers.next(file, batch.sequences),
            Source::Windows(windows) => {
                let (mut inputs, mut targets) = (Vec::new(), Vec::new());
                (0..batch.sequences).for_each(|_| windows.next(file, &mut inputs, &mut targets));
                split(batch.seq_len, &inputs, &targets)
            }
        }
    }

    /// The first `count` sequences in the order of the file, or as many as there are, for validation.
    pub fn first(&self, file: &TokenFile, seq_len: usize, count: usize) -> Vec<Shard> {
        match self {
            Source::Answers(answers) => answers.first(file, count),
            Source::Windows(_) => {
                let count = ((file.len() - 1) / seq_len).min(count);
                let tokens =
                    |behind: usize| (behind..behind + count * seq_len).map(|i| file.get(i)).collect::<Vec<_>>();
                split(seq_len, &tokens(0), &tokens(1))
            }
        }
    }
}

/// Sequences of equal length in shards.
fn split(seq_len: usize, inputs: &[u32], targets: &[u32]) -> Vec<Shard> {
    let size = shard_sequences(seq_len) * seq_len;
    let shards = inputs.chunks(size).zip(targets.chunks(size));
    shards.map(|(inputs, targets)| Shard { seq_len, inputs: inputs.into(), targets: targets.into() }).collect()
}
