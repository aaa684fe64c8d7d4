//! The past that a session keeps: the last tokens, and places to return to.

use crate::shared::Arc;
use alloc::collections::VecDeque;
use bitstate_engine::Checkpoint;
use bitstate_generate::SamplerMemory;
use bitstate_tokenizer::DecoderMemory;

/// A past token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Past {
    pub token: u32,
    /// The generator's state before the token was chosen or fed.
    pub generator: u64,
    /// Whether it was chosen here, and so is part of the output text.
    pub chosen: bool,
}

/// A bounded number of last tokens of a text.
#[derive(Debug, Clone)]
pub(crate) struct History {
    tokens: VecDeque<Past>,
    most: usize,
    /// Number of tokens of the text that are no longer kept.
    gone: u64,
}

impl History {
    /// For a text with `gone` earlier tokens.
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

    /// Increases the number of kept tokens; never decreases it.
    pub fn keep(&mut self, most: usize) {
        self.most = self.most.max(most);
    }

    /// The tokens from position `from` on; `None` if some of them are no longer kept.
    pub fn since(&self, from: u64) -> Option<impl Iterator<Item = Past>> {
        let skip = usize::try_from(from.checked_sub(self.gone)?).ok()?;
        Some(self.tokens.iter().skip(skip).copied())
    }

    pub fn tokens(&self) -> impl DoubleEndedIterator<Item = u32> + ExactSizeIterator {
        self.tokens.iter().map(|past| past.token)
    }

    /// Removes the tokens from `position` on.
    pub fn cut(&mut self, position: u64) {
        let keep = position.saturating_sub(self.gone);
        self.tokens.truncate(usize::try_from(keep).unwrap_or(usize::MAX));
    }
}

/// A place to return to.
pub(crate) struct Place {
    pub position: u64,
    pub state: Checkpoint,
    pub sampler: SamplerMemory,
    pub decoder: Option<DecoderMemory>,
}

/// A bounded number of the newest places. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Places {
    /// Tokens between two places; 0 keeps none.
    pub every: u64,
    most: usize,
    places: VecDeque<Arc<Place>>,
}

impl Places {
    pub fn new(every: u64, most: usize) -> Self {
        Places { every, most: if every == 0 { 0 } else { most.max(1) }, places: VecDeque::new() }
    }

    /// Whether a place is due at `position`, at least `least` tokens after the last one.
    pub fn is_due(&self, position: u64, least: u64) -> bool {
        self.every > 0 && self.places.back().is_none_or(|last| position >= last.position + least)
    }

    /// Maximum number of places.
    pub fn most(&self) -> usize {
        self.most
    }

    pub fn push(&mut self, place: Place) {
        if self.places.len() >= self.most {
            self.places.pop_front();
        }
        self.places.push_back(Arc::new(place));
    }

    /// The newest place that is not after `position`.
    pub fn before(&self, position: u64) -> Option<Arc<Place>> {
        self.places.iter().rev().find(|place| place.position <= position).cloned()
    }

    pub fn oldest(&self) -> Option<u64> {
        self.places.front().map(|place| place.position)
    }

    /// Removes the places after `position`.
    pub fn cut(&mut self, position: u64) {
        self.places.retain(|place| place.position <= position);
    }
}
