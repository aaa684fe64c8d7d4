//! Sessions of the library `bitstate`: begun, saved to session files, and resumed from files of other targets.

use crate::jobs::{Failure, sampling};
use alloc::string::ToString;
use alloc::vec::Vec;
use bitstate::{Error, Model, Session};
use bitstate_kernels::Variant;
use bitstate_protocol::{Begin, Digest, Event, Resume, SessionAnswer, StreamAnswer};

/// The library's own copy of the model, loaded by the first job that needs it: memory is small on some targets.
pub(crate) struct Library<'b> {
    bytes: &'b [u8],
    variant: Variant,
    model: Option<Model>,
}

impl<'b> Library<'b> {
    /// For the bytes of a model file.
    pub fn new(bytes: &'b [u8], variant: Variant) -> Self {
        Library { bytes, variant, model: None }
    }

    fn model(&mut self) -> Result<&Model, Error> {
        let model = match self.model.take() {
            Some(model) => model,
            None => Model::builder().variant(self.variant).from_bytes(self.bytes)?,
        };
        Ok(self.model.insert(model))
    }

    /// A new session.
    pub fn begin(&mut self, asked: &Begin, emit: &mut dyn FnMut(Event)) -> Result<(), Failure> {
        let Begin { workload, save } = asked;
        let begun = self.model().and_then(|model| {
            let mut session = model.session(sampling(&workload.sampling))?;
            session.feed(&workload.prompt)?;
            Ok(session)
        });
        let run = Run { case: &workload.case, max_tokens: workload.max_tokens, save };
        run.generate(begun, emit)
    }

    /// A session from its file.
    pub fn resume(&mut self, asked: &Resume, emit: &mut dyn FnMut(Event)) -> Result<(), Failure> {
        let resumed = self.model().and_then(|model| model.resume(&asked.file));
        Run { case: &asked.case, max_tokens: asked.max_tokens, save: &asked.save }.generate(resumed, emit)
    }
}

/// What to do with a session.
struct Run<'a> {
    case: &'a str,
    max_tokens: u32,
    /// Numbers of generated tokens after which the session is saved.
    save: &'a [u32],
}

impl Run<'_> {
    /// Generates, and answers with the saved sessions and the stream.
    fn generate(&self, session: Result<Session, Error>, emit: &mut dyn FnMut(Event)) -> Result<(), Failure> {
        session.and_then(|session| self.steps(session, emit)).map_err(|error| (self.case.into(), error.to_string()))
    }

    fn steps(&self, mut session: Session, emit: &mut dyn FnMut(Event)) -> Result<(), Error> {
        let (mut tokens, mut digests) = (Vec::new(), Vec::new());
        for done in 0..=self.max_tokens {
            if self.save.contains(&done) {
                let file = session.to_bytes();
                emit(Event::Session(SessionAnswer { case: self.case.into(), tokens: done, file }));
            }
            if done < self.max_tokens {
                digests.push(Digest::of_f32s(session.logits()?));
                tokens.push(session.next_token()?);
            }
        }
        emit(Event::Stream(StreamAnswer { case: self.case.into(), tokens, digests }));
        Ok(())
    }
}
