//! One text in progress.

use crate::chances::{Alternative, Chances};
use crate::checkpoints::{History, Past, Place, Places};
use crate::error::Error;
use crate::model::Model;
use crate::stop::{Ended, Stop};
use crate::tokens::{Text, Tokens};
use alloc::string::String;
use alloc::vec::Vec;
use bitstate_engine::ForwardError;
use bitstate_generate::{Progress, Sampler, SamplerMemory, Sampling};
use bitstate_tokenizer::DecoderMemory;

/// Number of last tokens that a session keeps by default.
const HISTORY: usize = 1024;

/// One text in progress: the model's state, the sampler that chooses the next token, and the last tokens. Its memory
/// does not depend on the length of the text. A clone continues independently: a fork.
#[derive(Clone)]
pub struct Session {
    pub(crate) model: Model,
    pub(crate) progress: Progress,
    /// For the text chosen since the last prompt; none if tokens have no text.
    pub(crate) decoder: Option<DecoderMemory>,
    pub(crate) history: History,
    places: Places,
    /// The last token, if it was chosen here and the model has not processed it yet.
    pub(crate) pending: Option<u32>,
    pub(crate) ended: Option<Ended>,
}

impl Session {
    pub(crate) fn new(model: Model, sampling: Sampling) -> Result<Self, Error> {
        let window = sampling.window as usize;
        let progress = Progress::new(model.engine(), sampling)?;
        let decoder = model.tokenizer().map(|tokenizer| tokenizer.decoder_memory());
        let (history, places) = (History::new(HISTORY.max(window), 0), Places::default());
        Ok(Session { model, progress, decoder, history, places, pending: None, ended: None })
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Processes tokens. The text after them starts from scratch: an incomplete character is lost.
    ///
    /// # Errors
    /// If there is none or one is not the model's; then the session is unchanged.
    pub fn feed(&mut self, tokens: &[u32]) -> Result<(), Error> {
        self.take_in_pending()?;
        self.place(1);
        let model = &self.model;
        let done = self.progress.take_in(model.engine(), tokens, &mut ());
        done.map_err(|error| model.named(error))?;
        let generator = self.progress.sampler().generator();
        tokens.iter().for_each(|&token| self.history.push(Past { token, generator, chosen: false }));
        self.decoder = model.tokenizer().map(|tokenizer| tokenizer.decoder_memory());
        self.ended = None;
        self.place(self.places.every);
        Ok(())
    }

    /// Processes text; an empty one is the token that begins a text.
    ///
    /// # Errors
    /// If the model's tokens have no text, or the tokenizer rejects this one; then the session is unchanged.
    pub fn feed_text(&mut self, text: &str) -> Result<(), Error> {
        let tokens = {
            let tokenizer = self.model.text()?;
            if text.is_empty() { [tokenizer.end()?].into() } else { tokenizer.encode(text)? }
        };
        self.feed(&tokens)
    }

    /// Chooses the next token. It is part of the text at once; the model processes it when the next one is requested.
    ///
    /// # Errors
    /// If the session has had no token to predict from, or a logit is NaN or infinite.
    pub fn next_token(&mut self) -> Result<u32, Error> {
        let (token, generator) = self.choose()?;
        self.accept(token, generator);
        Ok(token)
    }

    /// Makes `token` the next of the text as if it had been chosen here, and returns the text that it completes. The generator
    /// stays where it is: what is drawn next is what would have been drawn in its place.
    ///
    /// # Errors
    /// Where the model does not have the token; the session is as before then.
    pub fn push(&mut self, token: u32) -> Result<String, Error> {
        let vocab_size = self.model.config().vocab_size;
        if token as usize >= vocab_size {
            return Err(self.model.named(ForwardError::Token { token, vocab_size }));
        }
        self.take_in_pending()?;
        let generator = self.progress.sampler().generator();
        self.ended = None;
        Ok(self.accept(token, generator))
    }

    /// Chooses a token, and returns the generator's state before it.
    pub(crate) fn choose(&mut self) -> Result<(u32, u64), Error> {
        self.take_in_pending()?;
        let generator = self.progress.sampler().generator();
        let model = &self.model;
        let token = self.progress.choose(model.engine(), &mut ()).map_err(|error| model.named(error))?;
        Ok((token, generator))
    }

    /// Makes the token part of the text, and returns the text that it completes.
    pub(crate) fn accept(&mut self, token: u32, generator: u64) -> String {
        self.pending = Some(token);
        self.history.push(Past { token, generator, chosen: true });
        match (self.model.tokenizer(), &mut self.decoder) {
            (Some(tokenizer), Some(memory)) => tokenizer.push(memory, token),
            _ => String::new(),
        }
    }

    /// Processes the token chosen last.
    pub(crate) fn take_in_pending(&mut self) -> Result<(), Error> {
        if let Some(token) = self.pending {
            let model = &self.model;
            let done = self.progress.take_in(model.engine(), &[token], &mut ());
            done.map_err(|error| model.named(error))?;
            self.has_taken_in_pending();
        }
        Ok(())
    }

    /// The model has read the token that was chosen last.
    pub(crate) fn has_taken_in_pending(&mut self) {
        self.pending = None;
        self.place(self.places.every);
    }

    /// Yields tokens as they are chosen, until `stop`.
    pub fn tokens(&mut self, stop: Stop) -> Tokens<'_> {
        Tokens::new(self, stop)
    }

    /// Yields text as it is chosen, until `stop`, in pieces of whole characters.
    pub fn text(&mut self, stop: Stop) -> Text<'_> {
        Text::new(self, stop)
    }

    /// The rest of the text when no more is requested: an incomplete character, as `U+FFFD`.
    pub fn finish_text(&mut self) -> String {
        match (self.model.tokenizer(), &mut self.decoder) {
            (Some(tokenizer), Some(memory)) => tokenizer.finish(memory),
            _ => String::new(),
        }
    }

    /// Why the last text ended; `None` if it can continue.
    pub fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    /// The logits of the next token.
    ///
    /// # Errors
    /// If the session has had no token to predict from, or a logit is NaN or infinite.
    pub fn logits(&mut self) -> Result<&[f32], Error> {
        self.take_in_pending()?;
        let model = &self.model;
        self.progress.logits(model.engine()).map_err(|error| model.named(error))
    }

    /// The `n` most probable next tokens, the most probable first.
    ///
    /// # Errors
    /// As [`logits`](Session::logits).
    pub fn alternatives(&mut self, n: usize) -> Result<Vec<Alternative>, Error> {
        let kernels = self.model.engine().kernels();
        Ok(Chances::new(self.logits()?, kernels).likeliest(n, kernels))
    }

    /// How likely a token is to come next, and the `n` likeliest.
    pub(crate) fn chances(&mut self, token: u32, n: usize) -> Result<(Option<f32>, Vec<Alternative>), Error> {
        let kernels = self.model.engine().kernels();
        let chances = Chances::new(self.logits()?, kernels);
        Ok((Some(chances.of(token)), chances.likeliest(n, kernels)))
    }

    /// What a layer remembers of the text, H × S × S: for every head a matrix, row by row. `None` of a layer that the model
    /// does not have.
    ///
    /// # Errors
    /// If the token chosen last is not of this model, which does not happen.
    pub fn wkv(&mut self, layer: usize) -> Result<Option<&[f32]>, Error> {
        self.take_in_pending()?;
        Ok(self.progress.state().wkv(layer))
    }

    /// The oldest position that [`undo_to`](Session::undo_to) can go back to; the end of the text where no checkpoints are
    /// kept.
    pub fn oldest_checkpoint(&self) -> u64 {
        self.places.oldest().unwrap_or(self.position())
    }

    /// Number of tokens of the text, including prompts.
    pub fn position(&self) -> u64 {
        self.progress.position() + u64::from(self.pending.is_some())
    }

    /// The last tokens of the text, the oldest first: all of a short one, 1,024 of a long one, or as many as undo
    /// needs.
    pub fn last_tokens(&self) -> impl DoubleEndedIterator<Item = u32> + ExactSizeIterator {
        self.history.tokens()
    }

    /// Keeps at least so many [last tokens](Session::last_tokens) from now on, 4 bytes each and some more.
    pub fn keep_last_tokens(&mut self, tokens: usize) {
        self.history.keep(tokens);
    }

    /// The text of the [last tokens](Session::last_tokens); none if tokens have no text.
    pub fn last_text(&self) -> Option<String> {
        let tokens: Vec<u32> = self.last_tokens().collect();
        Some(self.model.tokenizer()?.decode(&tokens))
    }

    /// The sampling parameters.
    pub fn sampling(&self) -> &Sampling {
        self.progress.sampler().sampling()
    }

    /// Changes the sampling parameters from now on. The generator restarts with the new seed; token counts include the
    /// tokens that are still known: [`last_tokens`](Session::last_tokens). Earlier checkpoints are dropped.
    ///
    /// # Errors
    /// If a parameter is out of range; then the session is unchanged.
    pub fn set_sampling(&mut self, sampling: Sampling) -> Result<(), Error> {
        let engine = self.model.engine();
        let (window, vocab_size) = (sampling.window as usize, engine.config().vocab_size);
        let mut sampler = Sampler::new(sampling, vocab_size, engine.kernels())?;
        self.take_in_pending()?;
        self.history.tokens().for_each(|token| sampler.observe(token));
        self.history.keep(window);
        *self.progress.sampler_mut() = sampler;
        let (every, most) = (self.places.every, self.places.most());
        self.keep_checkpoints(every, most)
    }

    /// `n` sessions that continue from here, each with its own seed: that of this session's sampling, the next number,
    /// and so on. The first produces what this session would have produced at the beginning of its answer.
    pub fn answers(&self, n: usize) -> Vec<Session> {
        let seed = self.sampling().seed;
        let answer = |i: u64| {
            let mut session = self.clone();
            session.progress.sampler_mut().set_generator(seed.wrapping_add(i));
            session
        };
        (0..n as u64).map(answer).collect()
    }

    /// Keeps places to return to from now on: here, before every prompt, and then every `every` tokens, the newest
    /// `most` of them. Each takes as much memory as the model's state. 0 keeps none.
    ///
    /// # Errors
    /// Only if [`next_token`](Session::next_token) chose a token that the model rejects, which cannot happen.
    pub fn keep_checkpoints(&mut self, every: u64, most: usize) -> Result<(), Error> {
        self.take_in_pending()?;
        self.places = Places::new(every, most);
        let span = usize::try_from(every).unwrap_or(usize::MAX).saturating_mul(most.saturating_add(1));
        // Tokens are small compared with the states; this bounds a caller who requests an unlimited number.
        self.history.keep(span.min(1 << 20));
        self.place(0);
        Ok(())
    }

    /// Keeps this place, if the last one is at least `least` tokens earlier.
    pub(crate) fn place(&mut self, least: u64) {
        if self.pending.is_none() && self.places.is_due(self.progress.position(), least) {
            self.places.push(Place {
                position: self.progress.position(),
                state: self.progress.state().checkpoint(),
                sampler: self.progress.sampler().memory(),
                decoder: self.decoder.clone(),
            });
        }
    }

    /// Undoes the last `n` tokens: the session continues as it did before them, bit for bit.
    ///
    /// # Errors
    /// If no [checkpoint](Session::keep_checkpoints) is that far back; then the session is unchanged.
    pub fn undo(&mut self, n: u64) -> Result<(), Error> {
        let Some(position) = self.position().checked_sub(n) else {
            let oldest = self.places.oldest().unwrap_or(self.position());
            return Err(Error::Undo { asked: 0, oldest });
        };
        self.undo_to(position)
    }

    /// Undoes all tokens from `position` on.
    ///
    /// # Errors
    /// As [`undo`](Session::undo).
    pub fn undo_to(&mut self, position: u64) -> Result<(), Error> {
        if position >= self.position() {
            return Ok(());
        }
        let oldest = self.places.oldest().unwrap_or(self.position());
        let refused = Error::Undo { asked: position, oldest };
        let Some(place) = self.places.before(position) else { return Err(refused) };
        let Some(past) = self.history.since(place.position) else { return Err(refused) };
        let past: Vec<Past> = past.collect();
        let (again, undone) = past.split_at((position - place.position) as usize);
        let generator = undone.first().map(|past| past.generator);
        self.restore(&place);
        for &Past { token, chosen, .. } in again {
            match (self.model.tokenizer(), &mut self.decoder) {
                (Some(tokenizer), Some(memory)) if chosen => drop(tokenizer.push(memory, token)),
                (Some(tokenizer), Some(memory)) => *memory = tokenizer.decoder_memory(),
                _ => {}
            }
        }
        let tokens: Vec<u32> = again.iter().map(|past| past.token).collect();
        if !tokens.is_empty() {
            let done = self.progress.take_in(self.model.engine(), &tokens, &mut ());
            done.map_err(|error| self.model.named(error))?;
        }
        if let Some(generator) = generator {
            self.progress.sampler_mut().set_generator(generator);
        }
        self.history.cut(position);
        self.places.cut(position);
        Ok(())
    }

    fn restore(&mut self, place: &Place) {
        let Place { position, state, sampler, decoder } = place;
        let back = |own: &mut bitstate_engine::State| {
            // A place of this session belongs to this model.
            let _ = own.return_to(state);
        };
        self.progress.change_state(back, *position);
        self.progress.sampler_mut().restore(sampler);
        self.decoder.clone_from(decoder);
        (self.pending, self.ended) = (None, None);
    }

    /// The sampler's memory.
    pub(crate) fn sampler_memory(&self) -> SamplerMemory {
        self.progress.sampler().memory()
    }
}

impl core::fmt::Debug for Session {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut shown = f.debug_struct("Session");
        shown.field("model", &self.model).field("position", &self.position()).finish_non_exhaustive()
    }
}
