//! Batches of sessions.

use crate::continuation::{Continuation, Piece};
use crate::error::Error;
use crate::model::Model;
use crate::session::Session;
use alloc::vec;
use alloc::vec::Vec;
use bitstate_generate::Progress;

/// Sessions whose logits are worked out at once: the room is V values for each.
const AT_ONCE: usize = 16;

/// Steps many continuations of one model in one pass over the weights. Each gets the same bits as when it runs alone,
/// regardless of the other members of the batch; continuations may join and leave between steps.
///
/// ```
/// use bitstate::{Batch, Continuation, Model, Sampling, Stop};
/// # use bitstate::bits::{Preset, Version, synthetic};
/// # let bytes = synthetic(&Preset::by_name("small")?.config(), 1, Version::V1_2);
///
/// let model = Model::from_bytes(&bytes)?;
/// let mut batch = Batch::new(&model);
/// let mut texts = Vec::new();
/// for seed in 0..4 {
///     let mut session = model.session(Sampling::seeded(seed))?;
///     session.feed(&[1, 2, 3])?;
///     texts.push(Continuation::new(session, Stop::new().max_tokens(8)));
/// }
/// while batch.step(&mut texts).iter().any(|step| matches!(step, Ok(Some(_)))) {}
/// assert!(texts.iter().all(|text| text.tokens() == 8));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Batch {
    model: Model,
    room: Vec<f32>,
}

impl Batch {
    /// For sessions of `model`.
    pub fn new(model: &Model) -> Self {
        Batch { model: model.clone(), room: vec![0.0; model.config().vocab_size * AT_ONCE] }
    }

    /// One [step](Continuation::step) of each, in the same order. An error in one does not affect the others; a continuation
    /// of another model is stepped by itself.
    pub fn step(&mut self, continuations: &mut [Continuation]) -> Vec<Result<Option<Piece>, Error>> {
        self.step_each(&mut continuations.iter_mut().collect::<Vec<_>>())
    }

    /// [`step`](Batch::step) for references.
    pub fn step_each(&mut self, continuations: &mut [&mut Continuation]) -> Vec<Result<Option<Piece>, Error>> {
        let largest = self.prepare(continuations);
        let steps = continuations.iter_mut().zip(largest);
        steps
            .map(|(one, largest)| match largest {
                Some(token) => {
                    let generator = one.session().progress.sampler().generator();
                    one.take(token, generator)
                }
                None => one.step(),
            })
            .collect()
    }

    /// Does together what can be done together. Returns the largest logit's token for those that take it as it is; the
    /// others' logits are there when they choose. Where anything fails, each does for itself what was not done, and so
    /// finds its own error.
    fn prepare(&mut self, continuations: &mut [&mut Continuation]) -> Vec<Option<u32>> {
        let engine = self.model.engine();
        let mut largest = vec![None; continuations.len()];
        let mut going: Vec<(usize, &mut Continuation)> = Vec::with_capacity(continuations.len());
        for (i, one) in continuations.iter_mut().enumerate() {
            if one.session().model.engine().model_digest() == engine.model_digest() && one.goes_on() {
                going.push((i, &mut **one));
            }
        }
        if going.len() < 2 {
            return largest;
        }
        let mut tokens = Vec::with_capacity(going.len());
        let mut sessions: Vec<&mut Session> = Vec::with_capacity(going.len());
        for (_, one) in &mut going {
            let session = one.session_mut();
            if let Some(token) = session.pending {
                tokens.push(token);
                sessions.push(session);
            }
        }
        let mut all: Vec<&mut Progress> = sessions.iter_mut().map(|session| &mut session.progress).collect();
        if Progress::take_in_many(engine, &tokens, &mut all).is_ok() {
            sessions.iter_mut().for_each(|session| session.has_taken_in_pending());
        }
        // Those that are still behind work alone.
        going.retain(|(_, one)| one.session().pending.is_none());
        let (mut full, mut greedy): (Vec<_>, Vec<_>) = going.into_iter().partition(|(_, one)| one.needs_logits());
        let mut all: Vec<&mut Progress> = full.iter_mut().map(|(_, one)| &mut one.session_mut().progress).collect();
        let _ = Progress::work_out_many(engine, &mut all, &mut self.room);
        let mut all: Vec<&mut Progress> = greedy.iter_mut().map(|(_, one)| &mut one.session_mut().progress).collect();
        if let Ok(tokens) = Progress::likeliest_many(engine, &mut all, &mut self.room) {
            greedy.iter().zip(tokens).for_each(|((i, _), token)| largest[*i] = Some(token));
        }
        largest
    }
}
