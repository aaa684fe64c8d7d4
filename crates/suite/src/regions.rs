//! The measured parts of a run, each in its own function, so that a tool which counts instructions by function finds
//! exactly them by name (`bitstate_suite::regions::prefill`). Their callers check the results, outside.

use bitstate_engine::{Engine, EngineError, Part};
use bitstate_generate::{Session, SessionError};
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
pub(crate) fn prefill(session: &mut Session<'_, '_>, prompt: &[u32]) -> Result<(), SessionError> {
    let fed = session.feed(prompt);
    end_here();
    fed
}

/// One token, first half: choosing it.
#[inline(never)]
pub(crate) fn decode_choose(session: &mut Session<'_, '_>) -> Result<u32, SessionError> {
    let token = session.choose();
    end_here();
    token
}

/// One token, second half: processing it.
#[inline(never)]
pub(crate) fn decode_advance(session: &mut Session<'_, '_>, token: u32) -> Result<(), SessionError> {
    let taken = session.advance(token);
    end_here();
    taken
}

/// The following work, up to the next mark, belongs to the prompt.
#[inline(never)]
pub(crate) fn mark_prefill() {
    core::hint::black_box(0);
}

/// The following work, up to the next mark, belongs to the generated tokens.
#[inline(never)]
pub(crate) fn mark_decode() {
    core::hint::black_box(1);
}

/// Calls a function named after the following work: `mark_ternary`, or `mark_nothing`. A tool that counts by function
/// uses the calls as boundaries. Each has a different body, so that the compiler does not merge them.
pub(crate) fn mark(part: Option<Part>) {
    macro_rules! marks {
        ($($part:pat => $name:ident, $number:literal;)*) => {{
            $(#[inline(never)]
            fn $name() {
                core::hint::black_box($number);
            })*
            match part {
                $($part => $name(),)*
            }
        }};
    }
    marks! {
        None => mark_nothing, 2;
        Some(Part::Ternary) => mark_ternary, 3;
        Some(Part::Head) => mark_head, 4;
        Some(Part::Wkv) => mark_wkv, 5;
        Some(Part::Norms) => mark_norms, 6;
        Some(Part::Steps) => mark_steps, 7;
        Some(Part::Sampling) => mark_sampling, 8;
    }
}

/// Prevents a tail call: a jump would end the region by another function's return.
#[inline(always)]
fn end_here() {
    core::hint::black_box(());
}
