//! What a session keeps of its past: the last tokens, and places to go back to.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use bitstate_engine::Checkpoint;
use bitstate_generate::SamplerMemory;
use bitstate_tokenizer::DecoderMemory;

/// A token of the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Past {
    pub token: u32,
    /// Where the generator was before the token was chosen or fed.
    pub generator: u64,
    /// Whether it was chosen here, and so is part of the text that came out.
    pub chosen: bool,
}

/// The last tokens of a text, of bounded number.
#[derive(Debug, Clone)]
pub(crate) struct History {
    tokens: VecDeque<Past>,
    most: usize,
    /// Number of tokens of the text that are no longer here.
    gone: u64,
}

impl History {
    /// Of a text that has `gone` tokens before.
    pub fn new(most: usize, gone: u64) -> Self {
        History { tokens: VecDeque::new(), most: most.max(1), gone }
    }

    pub fn push(&mut self, past: Past) {
        if self.tokens.len() >= self.most {
            self.tokens.pop_front();
            self.gone += 1;
        }
        self.tokens.push_back(past);
    }

    /// Keeps more from now on, never fewer.
    pub fn keep(&mut self, most: usize) {
        self.most = self.most.max(most);
    }

    /// Those from the position `from` on; `None` where some of them are gone.
    pub fn since(&self, from: u64) -> Option<impl Iterator<Item = Past>> {
        let skip = usize::try_from(from.checked_sub(self.gone)?).ok()?;
        Some(self.tokens.iter().skip(skip).copied())
    }

    pub fn tokens(&self) -> impl DoubleEndedIterator<Item = u32> + ExactSizeIterator {
        self.tokens.iter().map(|past| past.token)
    }

    /// Forgets the tokens from `position` on.
    pub fn cut(&mut self, position: u64) {
        let keep = position.saturating_sub(self.gone);
        self.tokens.truncate(usize::try_from(keep).unwrap_or(usize::MAX));
    }
}

/// A place to go back to.
pub(crate) struct Place {
    pub position: u64,
    pub state: Checkpoint,
    pub sampler: SamplerMemory,
    pub decoder: Option<DecoderMemory>,
}

/// The newest places, of bounded number. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Places {
    /// Tokens between two; 0 keeps none.
    pub every: u64,
    most: usize,
    places: VecDeque<Arc<Place>>,
}

impl Places {
    pub fn new(every: u64, most: usize) -> Self {
        Places { every, most: if every == 0 { 0 } else { most.max(1) }, places: VecDeque::new() }
    }

    /// Whether the text at `position` is due for one, `least` tokens after the last.
    pub fn is_due(&self, position: u64, least: u64) -> bool {
        self.every > 0 && self.places.back().is_none_or(|last| position >= last.position + least)
    }

    /// How many are kept.
    pub fn most(&self) -> usize {
        self.most
    }

    pub fn push(&mut self, place: Place) {
        if self.places.len() >= self.most {
            self.places.pop_front();
        }
        self.places.push_back(Arc::new(place));
    }

    /// The newest that is not behind `position`.
    pub fn before(&self, position: u64) -> Option<Arc<Place>> {
        self.places.iter().rev().find(|place| place.position <= position).cloned()
    }

    pub fn oldest(&self) -> Option<u64> {
        self.places.front().map(|place| place.position)
    }

    /// Forgets those behind `position`.
    pub fn cut(&mut self, position: u64) {
        self.places.retain(|place| place.position <= position);
    }
}
