//! The length curriculum: short sequences first, because their steps are cheap, longer ones later, for long-range
//! dependencies.

use crate::config::{BatchConfig, TrainConfig};
use serde::{Deserialize, Serialize};

/// The data of each step from a given step on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// The first step of the stage; steps are counted from 1.
    pub from_step: u64,
    /// Tokens per sequence.
    pub seq_len: usize,
    /// Sequences per forward pass; by default those of `batch`.
    pub sequences: Option<usize>,
}

impl TrainConfig {
    /// The batch of step `step`, counted from 1.
    pub fn batch_at(&self, step: u64) -> BatchConfig {
        match self.curriculum.iter().rev().find(|stage| stage.from_step <= step) {
            None => self.batch,
            Some(&Stage { seq_len, sequences, .. }) => {
                BatchConfig { seq_len, sequences: sequences.unwrap_or(self.batch.sequences), ..self.batch }
            }
        }
    }

    /// All sequence lengths, in the order of the run.
    pub fn seq_lens(&self) -> impl Iterator<Item = usize> {
        [self.batch.seq_len].into_iter().chain(self.curriculum.iter().map(|stage| stage.seq_len))
    }

    /// The longest one, which validation always uses so that its results are comparable.
    pub fn longest(&self) -> usize {
        self.seq_lens().fold(0, usize::max)
    }
}

/// Checks that stages are in order and not empty.
pub(crate) fn check(stages: &[Stage]) -> Result<(), String> {
    let mut before = 1;
    for (i, stage) in stages.iter().enumerate() {
        let Stage { from_step, seq_len, sequences } = *stage;
        if from_step <= before {
            return Err(format!("curriculum[{i}].from_step is {from_step}, and must be above {before}"));
        }
        if seq_len == 0 || sequences == Some(0) {
            return Err(format!("curriculum[{i}].seq_len and sequences must be above 0"));
        }
        before = from_step;
    }
    Ok(())
}
