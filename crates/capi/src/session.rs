//! Sessions: texts in the making.

use crate::error::{BitstateStatus, Failure, call, give};
use crate::memory::{self, Out};
use crate::sampling::{BitstateSampling, given};
use crate::{BitstateModel, BitstateSession, handles};
use bitstate::{Ended, Stop};
use std::ffi::c_char;

/// A session that has seen nothing yet. `sampling` may be null: the model's own, with seed 0.
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
        // SAFETY: the caller's word.
        let (sampling, session) = unsafe { (given(sampling, &model)?, Out::new(session, 1)?) };
        session.write(0)?;
        session.write(handles::add_session(model.session(sampling)?, String::new()))?;
        Ok(BitstateStatus::Ok)
    })
}

/// A copy of the session that continues from here independently.
///
/// # Safety
/// `clone` is room for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitstate_session_clone(session: BitstateSession, clone: *mut BitstateSession) -> i32 {
    call(|| {
        // SAFETY: the caller's word.
        let clone = unsafe { Out::new(clone, 1) }?;
        clone.write(0)?;
        let (own, text) = handles::with_session(session, |open| Ok((open.session.clone(), open.text.clone())))?;
        clone.write(handles::add_session(own, text))?;
        Ok(BitstateStatus::Ok)
    })
}

/// Frees a session; a call of another thread that uses it ends first.
#[unsafe(no_mangle)]
pub extern "C" fn bitstate_session_free(session: BitstateSession) -> i32 {
    call(|| handles::free_session(session).map(|()| BitstateStatus::Ok))
}

/// Takes in text; an empty one begins a text.
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
        // SAFETY: the caller's word.
        let text = unsafe { memory::text(text, length) }?;
        handles::with_session(session, |open| Ok(open.session.feed_text(text)?))?;
        Ok(BitstateStatus::Ok)
    })
}

/// Takes in tokens, at least one.
///
/// # Safety
/// `tokens` has `count`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitstate_session_feed(session: BitstateSession, tokens: *const u32, count: usize) -> i32 {
    call(|| {
        // SAFETY: the caller's word.
        let tokens = unsafe { memory::read(tokens, count) }?;
        handles::with_session(session, |open| Ok(open.session.feed(tokens)?))?;
        Ok(BitstateStatus::Ok)
    })
}

/// Chooses the next token. Its text waits for `bitstate_session_text`. `BITSTATE_STATUS_END`, and no token, where the model
/// ends the text.
///
/// # Safety
/// `token` is room for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitstate_session_next(session: BitstateSession, token: *mut u32) -> i32 {
    call(|| {
        // SAFETY: the caller's word.
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

/// The text of the tokens that were chosen since the last call, in whole characters; the beginning of one waits for its
/// end. `length` is how many bytes it has; where `room` is too small for them nothing is taken.
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
        // SAFETY: the caller's word.
        let (text, length) = unsafe { (Out::new(text.cast::<u8>(), room)?, Out::new(length, 1)?) };
        handles::with_session(session, |open| {
            let given = give(open.text.as_bytes(), text, length)?;
            open.text.clear();
            Ok(given)
        })
    })
}

/// The logits of the next token, one for each token of the model: `count` must be their number.
///
/// # Safety
/// `logits` has room for `count`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitstate_session_logits(session: BitstateSession, logits: *mut f32, count: usize) -> i32 {
    call(|| {
        // SAFETY: the caller's word.
        let out = unsafe { Out::new(logits, count) }?;
        handles::with_session(session, |open| {
            let logits = open.session.logits()?;
            if logits.len() != out.len() {
                let message = format!("there is room for {} logits, and the model has {}", out.len(), logits.len());
                return Err(Failure::new(BitstateStatus::Size, message));
            }
            out.copy(logits)?;
            Ok(BitstateStatus::Ok)
        })
    })
}

/// Number of tokens of the text, prompts included.
///
/// # Safety
/// `position` is room for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitstate_session_position(session: BitstateSession, position: *mut u64) -> i32 {
    call(|| {
        // SAFETY: the caller's word.
        let out = unsafe { Out::new(position, 1) }?;
        handles::with_session(session, |open| out.write(open.session.position()))?;
        Ok(BitstateStatus::Ok)
    })
}

/// The bytes of a session file. `length` is how many there are, also where `room` is too small for them.
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
        // SAFETY: the caller's word.
        let (bytes, length) = unsafe { (Out::new(bytes, room)?, Out::new(length, 1)?) };
        handles::with_session(session, |open| give(&open.session.to_bytes(), bytes, length))
    })
}

/// Resumes a session that was saved, on this machine or any other, with the same bits as without the interruption.
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
        // SAFETY: the caller's word.
        let (bytes, session) = unsafe { (memory::read(bytes, length)?, Out::new(session, 1)?) };
        session.write(0)?;
        session.write(handles::add_session(model.resume(bytes)?, String::new()))?;
        Ok(BitstateStatus::Ok)
    })
}
