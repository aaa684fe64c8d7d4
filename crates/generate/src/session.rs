//! Continues a prompt token by token.

use crate::{Sampler, Sampling, SamplingError, SessionError};
use alloc::vec;
use alloc::vec::Vec;
use bitstate_engine::{Engine, ForwardError, Observer, Part, State, TopLogit};

/// A session without its engine, which is passed to every call: for owners who store the engine elsewhere. [`Session`]
/// combines the two.
///
/// After [`new`](Progress::new) nothing is allocated.
#[derive(Clone)]
pub struct Progress {
    state: State,
    /// V values: the logits of the next token if `has_logits`, else a work buffer.
    logits: Vec<f32>,
    has_logits: bool,
    sampler: Sampler,
    /// Number of tokens processed.
    position: u64,
}

impl Progress {
    /// A new session of `engine`.
    ///
    /// # Errors
    /// If a sampling parameter is out of its range.
    pub fn new(engine: &Engine<'_>, sampling: Sampling) -> Result<Self, SamplingError> {
        let vocab_size = engine.config().vocab_size;
        let sampler = Sampler::new(sampling, vocab_size, engine.kernels())?;
        let logits = vec![0.0; vocab_size];
        Ok(Progress { state: engine.new_state(), logits, has_logits: false, sampler, position: 0 })
    }

    /// Processes tokens, either given or chosen here, in order.
    ///
    /// # Errors
    /// If there is none or one is not the model's; then the session is unchanged.
    pub fn take_in(
        &mut self,
        engine: &Engine<'_>,
        tokens: &[u32],
        observer: &mut impl Observer,
    ) -> Result<(), SessionError> {
        engine.advance_observed(tokens, &mut self.state, observer)?;
        self.has_logits = false;
        self.position += tokens.len() as u64;
        for &token in tokens {
            self.sampler.observe(token);
        }
        Ok(())
    }

    /// The logits of the next token, computed if [`choose`](Progress::choose) did not need all of them.
    ///
    /// # Errors
    /// If the session has had no token to predict from, or a logit is NaN or infinite.
    pub fn logits(&mut self, engine: &Engine<'_>) -> Result<&[f32], SessionError> {
        self.work_out_logits(engine, &mut ())?;
        Ok(&self.logits)
    }

    fn work_out_logits(&mut self, engine: &Engine<'_>, observer: &mut impl Observer) -> Result<(), SessionError> {
        if !self.has_logits {
            let done = engine.logits_observed(&mut self.state, &mut self.logits, observer);
            done.map_err(|error| self.placed(error))?;
            self.has_logits = true;
        }
        Ok(())
    }

    /// Adds the position in the text to an error.
    fn placed(&self, error: ForwardError) -> SessionError {
        match error {
            ForwardError::NotFinite(not_finite) => SessionError::NotFinite { position: self.position, not_finite },
            error => error.into(),
        }
    }

    /// Chooses the next token, which counts once it is processed. A greedy choice only requests the largest logit from
    /// the engine, unless all are already available or some are changed before.
    ///
    /// # Errors
    /// If the session has had no token to predict from, or a logit is NaN or infinite.
    pub fn choose(&mut self, engine: &Engine<'_>, observer: &mut impl Observer) -> Result<u32, SessionError> {
        if self.sampler.sampling().is_plain_greedy() && !self.has_logits {
            let mut largest = [TopLogit::default()];
            let found = engine.top_logits_observed(&mut self.state, &mut largest, &mut self.logits, observer);
            found.map_err(|error| self.placed(error))?;
            return Ok(largest[0].token);
        }
        self.work_out_logits(engine, observer)?;
        observer.part(Part::Sampling);
        // The engine only returns finite ones.
        Ok(self.sampler.choose_finite(&self.logits))
    }

    /// [`take_in`](Progress::take_in) of one token in each of many sessions, `tokens[i]` in `sessions[i]`: one pass over
    /// the weights serves many of them, and each gets the bits that it gets alone.
    ///
    /// # Errors
    /// Where there are not as many tokens as sessions, or any token or session is not the model's; all sessions are as
    /// before then.
    pub fn take_in_many(
        engine: &Engine<'_>,
        tokens: &[u32],
        sessions: &mut [&mut Progress],
    ) -> Result<(), SessionError> {
        let mut states: Vec<&mut State> = sessions.iter_mut().map(|session| &mut session.state).collect();
        engine.advance_many(tokens, &mut states)?;
        for (&token, session) in tokens.iter().zip(sessions) {
            session.has_logits = false;
            session.position += 1;
            session.sampler.observe(token);
        }
        Ok(())
    }

    /// Makes the next [`choose`](Progress::choose) of many sessions cheap: one pass over the head for all that need their
    /// logits. `room` is V values for each session that is worked out at once, at least one; with more than one
    /// session it may be less than all of them.
    ///
    /// # Errors
    /// Where a session has seen nothing to predict from, or a logit is NaN or infinite; `choose` says of each session
    /// whether it is the one.
    pub fn work_out_many(
        engine: &Engine<'_>,
        sessions: &mut [&mut Progress],
        room: &mut [f32],
    ) -> Result<(), SessionError> {
        let vocab_size = engine.config().vocab_size;
        let at_once = (room.len() / vocab_size).max(1);
        let mut waiting: Vec<&mut Progress> =
            sessions.iter_mut().filter(|session| !session.has_logits).map(|session| &mut **session).collect();
        for sessions in waiting.chunks_mut(at_once) {
            let Some(room) = room.get_mut(..sessions.len() * vocab_size) else { return Ok(()) };
            let mut states: Vec<&mut State> = sessions.iter_mut().map(|session| &mut session.state).collect();
            engine.logits_many(&mut states, room)?;
            for (session, logits) in sessions.iter_mut().zip(room.chunks_exact(vocab_size)) {
                session.logits.copy_from_slice(logits);
                session.has_logits = true;
            }
        }
        Ok(())
    }

    /// The largest logit of each of many sessions that always take it as it is: what [`choose`](Progress::choose) of each
    /// gives, in one pass over the head. `room` is V values.
    ///
    /// # Errors
    /// As [`work_out_many`](Progress::work_out_many).
    pub fn likeliest_many(
        engine: &Engine<'_>,
        sessions: &mut [&mut Progress],
        room: &mut [f32],
    ) -> Result<Vec<u32>, SessionError> {
        let mut top = vec![TopLogit::default(); sessions.len()];
        let mut states: Vec<&mut State> = sessions.iter_mut().map(|session| &mut session.state).collect();
        let room = room.get_mut(..engine.config().vocab_size).unwrap_or_default();
        engine.top_logits_many(&mut states, &mut top, room)?;
        Ok(top.iter().map(|top| top.token).collect())
    }

    /// Whether the next choice needs no more of the logits than the largest.
    pub fn takes_the_largest(&self) -> bool {
        self.sampler.sampling().is_plain_greedy() && !self.has_logits
    }

    /// Number of tokens processed.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The session's state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The sampler.
    pub fn sampler(&self) -> &Sampler {
        &self.sampler
    }

    /// The sampler, to be changed or replaced by one for the same vocabulary.
    pub fn sampler_mut(&mut self) -> &mut Sampler {
        &mut self.sampler
    }

    /// Continues from a state of the same engine after `position` tokens; a state restored without its residual must be
    /// fed first. The sampler's memory of tokens is unchanged.
    pub fn set_state(&mut self, state: State, position: u64) {
        self.state = state;
        self.has_logits = false;
        self.position = position;
    }

    /// Changes the state in place; `position` is its number of tokens afterwards.
    pub fn change_state(&mut self, change: impl FnOnce(&mut State), position: u64) {
        change(&mut self.state);
        self.has_logits = false;
        self.position = position;
    }
}

/// A text in progress: an engine, its state and the sampler that chooses the next token.
/// After [`new`](Session::new) nothing is allocated.
pub struct Session<'e, 'm> {
    engine: &'e Engine<'m>,
    progress: Progress,
}

impl<'e, 'm> Session<'e, 'm> {
    /// A new session.
    ///
    /// # Errors
    /// If a sampling parameter is out of its range.
    pub fn new(engine: &'e Engine<'m>, sampling: Sampling) -> Result<Self, SamplingError> {
        Ok(Session { engine, progress: Progress::new(engine, sampling)? })
    }

    /// Processes a prompt; several may follow each other.
    ///
    /// # Errors
    /// If the prompt is empty or a token of it is not the model's; then the session is unchanged.
    pub fn feed(&mut self, prompt: &[u32]) -> Result<(), SessionError> {
        self.feed_observed(prompt, &mut ())
    }

    /// [`feed`](Session::feed), reporting its work to `observer`.
    ///
    /// # Errors
    /// As `feed`.
    pub fn feed_observed(&mut self, prompt: &[u32], observer: &mut impl Observer) -> Result<(), SessionError> {
        self.progress.take_in(self.engine, prompt, observer)
    }

    /// The logits of the next token, computed if [`choose`](Session::choose) did not need all of them.
    ///
    /// # Errors
    /// If the session has had no token to predict from, or a logit is NaN or infinite.
    pub fn logits(&mut self) -> Result<&[f32], SessionError> {
        self.progress.logits(self.engine)
    }

    /// Chooses the next token, without processing it: see [`advance`](Session::advance). A greedy choice only requests
    /// the largest logit from the engine, unless all are already available.
    ///
    /// # Errors
    /// If the session has had no token to predict from, or a logit is NaN or infinite.
    pub fn choose(&mut self) -> Result<u32, SessionError> {
        self.choose_observed(&mut ())
    }

    /// [`choose`](Session::choose), reporting its work to `observer`.
    ///
    /// # Errors
    /// As `choose`.
    pub fn choose_observed(&mut self, observer: &mut impl Observer) -> Result<u32, SessionError> {
        self.progress.choose(self.engine, observer)
    }

    /// Processes the chosen token, or another in its place.
    ///
    /// # Errors
    /// If the token is not the model's; then the session is unchanged.
    pub fn advance(&mut self, token: u32) -> Result<(), SessionError> {
        self.advance_observed(token, &mut ())
    }

    /// [`advance`](Session::advance), reporting its work to `observer`.
    ///
    /// # Errors
    /// As `advance`.
    pub fn advance_observed(&mut self, token: u32, observer: &mut impl Observer) -> Result<(), SessionError> {
        self.progress.take_in(self.engine, &[token], observer)
    }

    /// Number of tokens that the session itself has processed.
    pub fn position(&self) -> u64 {
        self.progress.position()
    }

    /// The session's state.
    pub fn state(&self) -> &State {
        self.progress.state()
    }

    /// Continues from a state of this engine; a restored one must be fed first. The sampler's memory of tokens is
    /// unchanged.
    pub fn set_state(&mut self, state: State) {
        let position = self.position();
        self.progress.set_state(state, position);
    }
}
