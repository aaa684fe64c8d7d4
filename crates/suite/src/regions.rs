//! The measured parts of a run, each a function of its own, so that a tool which counts instructions by function finds
//! exactly them by name (`bitstate_suite::regions::prefill`). What they return is checked by their callers, outside.

use bitstate_engine::{Engine, EngineError, ForwardError};
use bitstate_generate::Session;
use bitstate_kernels::Variant;
use bitstate_model::{Model, ParseError};

/// Load, first half: the bytes become a model.
#[inline(never)]
pub(crate) fn load_parse(bytes: &[u8]) -> Result<Model<'_>, ParseError> {
    let model = Model::parse(bytes);
    end_here();
    model
}

/// Load, second half: the model becomes an engine.
#[inline(never)]
pub(crate) fn load_prepare<'m>(model: &Model<'m>, variant: Variant) -> Result<Engine<'m>, EngineError> {
    let engine = Engine::new(model, variant);
    end_here();
    engine
}

/// The whole prompt.
#[inline(never)]
pub(crate) fn prefill(session: &mut Session<'_, '_>, prompt: &[u32]) -> Result<(), ForwardError> {
    let fed = session.feed(prompt);
    end_here();
    fed
}

/// One token, first half: it is chosen.
#[inline(never)]
pub(crate) fn decode_choose(session: &mut Session<'_, '_>) -> Result<u32, ForwardError> {
    let token = session.choose();
    end_here();
    token
}

/// One token, second half: it is taken in.
#[inline(never)]
pub(crate) fn decode_advance(session: &mut Session<'_, '_>, token: u32) -> Result<(), ForwardError> {
    let taken = session.advance(token);
    end_here();
    taken
}

/// Keeps what was called last a call: a jump would end the region by another function's return.
#[inline(always)]
fn end_here() {
    core::hint::black_box(());
}
