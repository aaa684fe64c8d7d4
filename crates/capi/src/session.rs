//! Sessions: texts being generated.

use crate::error::{BitstateStatus, Failure, call, give};
use crate::memory::{self, Out};
use crate::sampling::{BitstateSampling, given};
use crate::{BitstateModel, BitstateSession, handles};
use bitstate::{Ended, Stop};
use std::ffi::c_char;

/// Creates an empty session. `sampling` may be null for the model's defaults with seed 0.
///
/// # Safety
/// `sampling` is one or null, `session` is room for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitstate_session_new(
    model: BitstateModel,
    sampling: *const BitstateSampling,
    session: *mut BitstateSession,
) -> i32 {
    call(|| {
        let model = handles::model(model)?;
        // SAFETY: guaranteed by the caller.
        let (sampling, session) = unsafe { (given(sampling, &model)?, Out::new(session, 1)?) };
        session.write(0)?;
        session.write(handles::add_session(model.session(sampling)?, String::new()))?;
        Ok(BitstateStatus::Ok)
    })
}

/// Creates an independent copy of the session.
///
/// # Safety
/// `clone` is room for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitstate_session_clone(session: BitstateSession, clone: *mut BitstateSession) -> i32 {
    call(|| {
        // SAFETY: guaranteed by the caller.
        let clone = unsafe { Out::new(clone, 1) }?;
        clone.write(0)?;
        let (own, text) = handles::with_session(session, |open| Ok((open.session.clone(), open.text.clone())))?;
        clone.write(handles::add_session(own, text))?;
        Ok(BitstateStatus::Ok)
    })
}

/// Frees a session, after any call of another thread that is using it.
#[unsafe(no_mangle)]
pub extern "C" fn bitstate_session_free(session: BitstateSession) -> i32 {
    call(|| handles::free_session(session).map(|()| BitstateStatus::Ok))
}

/// Feeds text; an empty one starts a new text.
///
/// # Safety
/// `text` has `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitstate_session_feed_text(
    session: BitstateSession,
    text: *const c_char,
    length: usize,
) -> i32 {
    call(|| {
        // SAFETY: guaranteed by the caller.
        let text = unsafe { memory::text(text, length) }?;
        handles::with_session(session, |open| Ok(open.session.feed_text(text)?))?;
        Ok(BitstateStatus::Ok)
    })
}

/// Feeds tokens, at least one.
///
/// # Safety
/// `tokens` has `count`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitstate_session_feed(session: BitstateSession, tokens: *const u32, count: usize) -> i32 {
    call(|| {
        // SAFETY: guaranteed by the caller.
        let tokens = unsafe { memory::read(tokens, count) }?;
        handles::with_session(session, |open| Ok(open.session.feed(tokens)?))?;
        Ok(BitstateStatus::Ok)
    })
}

/// Generates the next token; `bitstate_session_text` returns its text. Returns `BITSTATE_STATUS_END`, and no token, if the model
/// ends the text.
///
/// # Safety
/// `token` is room for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitstate_session_next(session: BitstateSession, token: *mut u32) -> i32 {
    call(|| {
        // SAFETY: guaranteed by the caller.
        let out = unsafe { Out::new(token, 1) }?;
        handles::with_session(session, |open| {
            let next = open.session.tokens(Stop::new().max_tokens(1)).next().transpose()?;
            if let Some(token) = next {
                open.text.push_str(&token.piece);
                out.write(token.id)?;
                return Ok(BitstateStatus::Ok);
            }
            if !matches!(open.session.ended(), Some(Ended::Token(_))) {
                return Err(Failure::new(BitstateStatus::Panic, "a text ended without a reason"));
            }
            let rest = open.session.finish_text();
            open.text.push_str(&rest);
            Ok(BitstateStatus::End)
        })
    })
}

/// Writes the text of the tokens generated since the last call. An incomplete character is kept for the next call. Writes the
/// number of bytes to `length`; if `room` is too small for them, nothing is consumed.
///
/// # Safety
/// `text` has `room` bytes, `length` is room for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitstate_session_text(
    session: BitstateSession,
    text: *mut c_char,
    room: usize,
    length: *mut usize,
) -> i32 {
    call(|| {
        // SAFETY: guaranteed by the caller.
        let (text, length) = unsafe { (Out::new(text.cast::<u8>(), room)?, Out::new(length, 1)?) };
        handles::with_session(session, |open| {
            let given = give(open.text.as_bytes(), text, length)?;
            open.text.clear();
            Ok(given)
        })
    })
}

/// Writes the logits of the next token; `count` must be the vocabulary size.
///
/// # Safety
/// `logits` has room for `count`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitstate_session_logits(session: BitstateSession, logits: *mut f32, count: usize) -> i32 {
    call(|| {
        // SAFETY: guaranteed by the caller.
        let out = unsafe { Out::new(logits, count) }?;
        handles::with_session(session, |open| {
            let logits = open.session.logits()?;
            if logits.len() != out.len() {
                let message =
                    format!("the buffer has room for {} logits, but the model has {}", out.len(), logits.len());
                return Err(Failure::new(BitstateStatus::Size, message));
            }
            out.copy(logits)?;
            Ok(BitstateStatus::Ok)
        })
    })
}

/// Writes the number of tokens of the text, including prompts.
///
/// # Safety
/// `position` is room for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitstate_session_position(session: BitstateSession, position: *mut u64) -> i32 {
    call(|| {
        // SAFETY: guaranteed by the caller.
        let out = unsafe { Out::new(position, 1) }?;
        handles::with_session(session, |open| out.write(open.session.position()))?;
        Ok(BitstateStatus::Ok)
    })
}

/// Writes a session file. Writes its number of bytes to `length`, even if `room` is too small for them.
///
/// # Safety
/// `bytes` has room for `room`, `length` for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitstate_session_save(
    session: BitstateSession,
    bytes: *mut u8,
    room: usize,
    length: *mut usize,
) -> i32 {
    call(|| {
        // SAFETY: guaranteed by the caller.
        let (bytes, length) = unsafe { (Out::new(bytes, room)?, Out::new(length, 1)?) };
        handles::with_session(session, |open| give(&open.session.to_bytes(), bytes, length))
    })
}

/// Resumes a saved session, on any machine, with the same bits as without the interruption.
///
/// # Safety
/// `bytes` has `length`, `session` is room for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitstate_session_resume(
    model: BitstateModel,
    bytes: *const u8,
    length: usize,
    session: *mut BitstateSession,
) -> i32 {
    call(|| {
        let model = handles::model(model)?;
        // SAFETY: guaranteed by the caller.
        let (bytes, session) = unsafe { (memory::read(bytes, length)?, Out::new(session, 1)?) };
        session.write(0)?;
        session.write(handles::add_session(model.resume(bytes)?, String::new()))?;
        Ok(BitstateStatus::Ok)
    })
}
