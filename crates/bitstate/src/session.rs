//! One text in the making.

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

/// Last tokens that a session keeps by default.
const HISTORY: usize = 1024;

/// One text in the making: what the model remembers of it, the sampler that chooses its next token, and the last tokens.
/// It takes the same memory however long the text is. A clone goes on by itself from here: a fork.
#[derive(Clone)]
pub struct Session {
    pub(crate) model: Model,
    pub(crate) progress: Progress,
    /// Of the text that was chosen since the last prompt; none where tokens have no text.
    pub(crate) decoder: Option<DecoderMemory>,
    pub(crate) history: History,
    places: Places,
    /// The last token, where it was chosen and the model has not read it yet.
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

    /// Takes in tokens. Text that comes after them begins anew: a character that was not finished is lost.
    ///
    /// # Errors
    /// Where there is none or one is not the model's; the session is as before then.
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

    /// Takes in text; an empty one is the token that begins a text.
    ///
    /// # Errors
    /// Where the model's tokens have no text, or the tokenizer does not take this one; the session is as before then.
    pub fn feed_text(&mut self, text: &str) -> Result<(), Error> {
        let tokens = {
            let tokenizer = self.model.text()?;
            if text.is_empty() { [tokenizer.end()?].into() } else { tokenizer.encode(text)? }
        };
        self.feed(&tokens)
    }

    /// Chooses the next token. It is part of the text at once; the model reads it when the next one is wanted.
    ///
    /// # Errors
    /// Where the session has seen nothing to predict from, or a logit is NaN or infinite.
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

    /// Chooses a token, and says where the generator was before.
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

    /// The model reads the token that was chosen last.
    fn take_in_pending(&mut self) -> Result<(), Error> {
        if let Some(token) = self.pending {
            let model = &self.model;
            let done = self.progress.take_in(model.engine(), &[token], &mut ());
            done.map_err(|error| model.named(error))?;
            self.pending = None;
            self.place(self.places.every);
        }
        Ok(())
    }

    /// Tokens as they are chosen, until `stop`.
    pub fn tokens(&mut self, stop: Stop) -> Tokens<'_> {
        Tokens::new(self, stop)
    }

    /// Text as it is chosen, until `stop`: in pieces that are whole characters.
    pub fn text(&mut self, stop: Stop) -> Text<'_> {
        Text::new(self, stop)
    }

    /// What is left of the text that came out when no more is wanted of it: the beginning of a character, as `U+FFFD`.
    pub fn finish_text(&mut self) -> String {
        match (self.model.tokenizer(), &mut self.decoder) {
            (Some(tokenizer), Some(memory)) => tokenizer.finish(memory),
            _ => String::new(),
        }
    }

    /// Why the last text ended; `None` where it can go on by itself.
    pub fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    /// The logits of the next token.
    ///
    /// # Errors
    /// Where the session has seen nothing to predict from, or a logit is NaN or infinite.
    pub fn logits(&mut self) -> Result<&[f32], Error> {
        self.take_in_pending()?;
        let model = &self.model;
        self.progress.logits(model.engine()).map_err(|error| model.named(error))
    }

    /// The `n` likeliest next tokens, the likeliest first.
    ///
    /// # Errors
    /// As [`logits`](Session::logits).
    pub fn alternatives(&mut self, n: usize) -> Result<Vec<Alternative>, Error> {
        let kernels = self.model.engine().kernels();
        Ok(Chances::new(self.logits()?, kernels).likeliest(n, kernels))
    }

    /// What a layer remembers of the text, H × S × S: for every head a matrix, row by row. `None` of a layer that the model
    /// does not have.
    ///
    /// # Errors
    /// None but where [`next_token`](Session::next_token) chose what the model does not take, which it does not.
    pub fn wkv(&mut self, layer: usize) -> Result<Option<&[f32]>, Error> {
        self.take_in_pending()?;
        Ok(self.progress.state().wkv(layer))
    }

    /// The oldest position that [`undo_to`](Session::undo_to) can go back to; the end of the text where no checkpoints are
    /// kept.
    pub fn oldest_checkpoint(&self) -> u64 {
        self.places.oldest().unwrap_or(self.position())
    }

    /// Number of tokens of the text, prompts included.
    pub fn position(&self) -> u64 {
        self.progress.position() + u64::from(self.pending.is_some())
    }

    /// The last tokens of the text, the oldest first: all of a short one, 1,024 or as many as undo needs of a long one.
    pub fn last_tokens(&self) -> impl DoubleEndedIterator<Item = u32> + ExactSizeIterator {
        self.history.tokens()
    }

    /// The text of the [last tokens](Session::last_tokens); none where tokens have no text.
    pub fn last_text(&self) -> Option<String> {
        let tokens: Vec<u32> = self.last_tokens().collect();
        Some(self.model.tokenizer()?.decode(&tokens))
    }

    /// How the next token is chosen.
    pub fn sampling(&self) -> &Sampling {
        self.progress.sampler().sampling()
    }

    /// Chooses otherwise from now on. The generator starts at the new seed; what counts tokens counts those that are
    /// still known: [`last_tokens`](Session::last_tokens). Checkpoints from before are gone.
    ///
    /// # Errors
    /// Where a parameter is out of its range; the session is as before then.
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

    /// `n` sessions that go on from here, each with a seed of its own: the one of this session's sampling, the next one,
    /// and so on. The first gives what this session would have given at the beginning of its answer.
    pub fn answers(&self, n: usize) -> Vec<Session> {
        let seed = self.sampling().seed;
        let answer = |i: u64| {
            let mut session = self.clone();
            session.progress.sampler_mut().set_generator(seed.wrapping_add(i));
            session
        };
        (0..n as u64).map(answer).collect()
    }

    /// Keeps places to go back to from now on: here, before every prompt, and then every `every` tokens, the newest `most`
    /// of them. Each takes as much memory as the model's state. 0 keeps none.
    ///
    /// # Errors
    /// None but where [`next_token`](Session::next_token) chose what the model does not take, which it does not.
    pub fn keep_checkpoints(&mut self, every: u64, most: usize) -> Result<(), Error> {
        self.take_in_pending()?;
        self.places = Places::new(every, most);
        let span = usize::try_from(every).unwrap_or(usize::MAX).saturating_mul(most.saturating_add(1));
        // Tokens are small beside the states; a bound for a caller who asks for no end.
        self.history.keep(span.min(1 << 20));
        self.place(0);
        Ok(())
    }

    /// Keeps this place, where the last one is `least` tokens behind.
    fn place(&mut self, least: u64) {
        if self.pending.is_none() && self.places.is_due(self.progress.position(), least) {
            self.places.push(Place {
                position: self.progress.position(),
                state: self.progress.state().checkpoint(),
                sampler: self.progress.sampler().memory(),
                decoder: self.decoder.clone(),
            });
        }
    }

    /// Takes the last `n` tokens back: what comes next is what came before, bit for bit.
    ///
    /// # Errors
    /// Where no [checkpoint](Session::keep_checkpoints) lies so far back; the session is as before then.
    pub fn undo(&mut self, n: u64) -> Result<(), Error> {
        let Some(position) = self.position().checked_sub(n) else {
            let oldest = self.places.oldest().unwrap_or(self.position());
            return Err(Error::Undo { asked: 0, oldest });
        };
        self.undo_to(position)
    }

    /// Takes back all tokens from `position` on.
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
            // A place of this session is of this model.
            let _ = own.return_to(state);
        };
        self.progress.change_state(back, *position);
        self.progress.sampler_mut().restore(sampler);
        self.decoder.clone_from(decoder);
        (self.pending, self.ended) = (None, None);
    }

    /// What the sampler remembers.
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
