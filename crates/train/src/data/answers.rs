//! Texts that are a prompt and its answer: one text a sequence, and only the answer counts in the loss.

use super::shards::Shard;
use super::tokens::TokenFile;
use crate::error::Error;
use crate::kernels::loss::IGNORED;
use crate::workers::shard_sequences;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;

/// The texts of a token file, each once per epoch, in a different order each epoch.
///
/// The next text depends only on the seed, the epoch and the position, so a resumed run reads the same texts.
#[derive(Debug, Clone)]
pub struct Answers {
    texts: Vec<Text>,
    /// The token that ends a text, with which a sequence begins and is padded.
    end: u32,
    seed: u64,
    epoch: u64,
    next: usize,
    order: Vec<u32>,
}

/// A text in the token file, as positions in it.
#[derive(Debug, Clone, Copy)]
struct Text {
    /// Its first token.
    start: usize,
    /// The first token of its answer.
    answer: usize,
    /// The end-of-text token after it.
    end: usize,
}

impl Answers {
    /// The texts of `tokens`, whose answers begin after the first `separator` in each, starting at `position` of
    /// `epoch`.
    ///
    /// # Errors
    /// If a text has no separator or is longer than `seq_len` with the end before it, or there is none.
    pub fn new(
        tokens: &TokenFile,
        separator: &[u32],
        seq_len: usize,
        seed: u64,
        [epoch, position]: [u64; 2],
    ) -> Result<Answers, Error> {
        let wrong = |problem: String| Error::content(tokens.path(), problem);
        if tokens.is_empty() {
            return Err(wrong("there is no text in it".into()));
        }
        let all: Vec<u32> = (0..tokens.len()).map(|i| tokens.get(i)).collect();
        let end = all[0];
        let mut texts = Vec::new();
        let mut start = 1;
        for (at, _) in all.iter().enumerate().skip(1).filter(|&(_, &token)| token == end) {
            let number = texts.len() + 1;
            let length = at - start + 1;
            if length > seq_len {
                return Err(wrong(format!(
                    "text {number} has {length} tokens with its end: a sequence is one whole text, so batch.seq_len \
                     must be {length} or more"
                )));
            }
            let found = all[start..at].windows(separator.len()).position(|window| window == separator);
            let found = found.ok_or_else(|| {
                wrong(format!("text {number} has no answers.after: every text must be a prompt, that, and the answer"))
            })?;
            texts.push(Text { start, answer: start + found + separator.len(), end: at });
            start = at + 1;
        }
        if texts.is_empty() {
            return Err(wrong("there is no text in it".into()));
        }
        let mut answers = Answers { texts, end, seed, epoch, next: position as usize, order: Vec::new() };
        answers.shuffle();
        Ok(answers)
    }

    /// Epoch and position of the next text.
    pub fn position(&self) -> [u64; 2] {
        [self.epoch, self.next as u64]
    }

    /// The next `count` texts.
    pub fn next(&mut self, tokens: &TokenFile, count: usize) -> Vec<Shard> {
        let mut texts = Vec::with_capacity(count);
        for _ in 0..count {
            if self.next >= self.order.len() {
                self.epoch += 1;
                self.next = 0;
                self.shuffle();
            }
            texts.push(self.texts[self.order[self.next] as usize]);
            self.next += 1;
        }
        self.shards(tokens, texts)
    }

    /// The first `count` texts in the order of the file, or all.
    pub fn first(&self, tokens: &TokenFile, count: usize) -> Vec<Shard> {
        self.shards(tokens, self.texts[..count.min(self.texts.len())].to_vec())
    }

    /// Texts of about equal length share a shard, so that little of it is padding; a batch has the same texts in any
    /// case.
    fn shards(&self, tokens: &TokenFile, mut texts: Vec<Text>) -> Vec<Shard> {
        texts.sort_by_key(|text| std::cmp::Reverse(text.end - text.start));
        let mut shards = Vec::new();
        let mut rest = &texts[..];
        while let Some(longest) = rest.first() {
            let seq_len = longest.end - longest.start + 1;
            let (some, others) = rest.split_at(shard_sequences(seq_len).min(rest.len()));
            let mut shard = Shard { seq_len, ..Shard::default() };
            some.iter().for_each(|text| self.push(&mut shard, tokens, *text));
            shards.push(shard);
            rest = others;
        }
        shards
    }

    /// Appends a sequence: the end of the text before, the text, and padding.
    fn push(&self, shard: &mut Shard, tokens: &TokenFile, Text { start, answer, end }: Text) {
        let padding = shard.seq_len - (end - start + 1);
        shard.inputs.push(self.end);
        shard.inputs.extend((start..end).map(|i| tokens.get(i)));
        shard.inputs.extend(std::iter::repeat_n(self.end, padding));
        shard.targets.extend((start..=end).map(|i| if i < answer { IGNORED } else { tokens.get(i) }));
        shard.targets.extend(std::iter::repeat_n(IGNORED, padding));
    }

    fn shuffle(&mut self) {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(self.epoch + 1);
        self.order = (0..self.texts.len() as u32).collect();
        self.order.shuffle(&mut rng);
    }
}
