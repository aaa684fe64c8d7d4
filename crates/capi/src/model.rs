//! Models: files, text to tokens and back.

use crate::BitstateModel;
use crate::error::{BitstateStatus, Failure, call, give};
use crate::handles;
use crate::memory::{self, Out};
use bitstate::Model;
use std::ffi::c_char;

/// Opens the model file at `path`, with the description and the tokenizer next to it.
///
/// # Safety
/// `path` has `length` bytes, `model` is room for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitstate_model_open(path: *const c_char, length: usize, model: *mut BitstateModel) -> i32 {
    call(|| {
        // SAFETY: guaranteed by the caller.
        let (path, model) = unsafe { (memory::text(path, length)?, Out::new(model, 1)?) };
        model.write(0)?;
        model.write(handles::add_model(Model::open(path)?))?;
        Ok(BitstateStatus::Ok)
    })
}

/// Loads a model from the bytes of a file, which are copied. 256 tokens are assumed to be bytes; other models have no text.
///
/// # Safety
/// `bytes` has `length` bytes, `model` is room for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitstate_model_from_bytes(bytes: *const u8, length: usize, model: *mut BitstateModel) -> i32 {
    call(|| {
        // SAFETY: guaranteed by the caller.
        let (bytes, model) = unsafe { (memory::read(bytes, length)?, Out::new(model, 1)?) };
        model.write(0)?;
        model.write(handles::add_model(Model::from_bytes(bytes)?))?;
        Ok(BitstateStatus::Ok)
    })
}

/// Frees a model. Its sessions stay usable; its memory is freed with the last of them.
#[unsafe(no_mangle)]
pub extern "C" fn bitstate_model_free(model: BitstateModel) -> i32 {
    call(|| handles::free_model(model).map(|()| BitstateStatus::Ok))
}

/// Writes the vocabulary size of a model, which is also the number of logits.
///
/// # Safety
/// `vocab_size` is room for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitstate_model_vocab_size(model: BitstateModel, vocab_size: *mut usize) -> i32 {
    call(|| {
        let model = handles::model(model)?;
        // SAFETY: guaranteed by the caller.
        unsafe { Out::new(vocab_size, 1) }?.write(model.config().vocab_size)?;
        Ok(BitstateStatus::Ok)
    })
}

/// Encodes a text. Writes the number of tokens to `count`, even if `room` is too small for them.
///
/// # Safety
/// `text` has `length` bytes, `tokens` room for `room`, `count` for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitstate_encode(
    model: BitstateModel,
    text: *const c_char,
    length: usize,
    tokens: *mut u32,
    room: usize,
    count: *mut usize,
) -> i32 {
    call(|| {
        let model = handles::model(model)?;
        // SAFETY: guaranteed by the caller.
        let (text, tokens, count) =
            unsafe { (memory::text(text, length)?, Out::new(tokens, room)?, Out::new(count, 1)?) };
        let encoded = tokenizer(&model)?.encode(text);
        let encoded = encoded.map_err(|error| Failure::new(BitstateStatus::Refused, error.to_string()))?;
        give(&encoded, tokens, count)
    })
}

/// Decodes tokens. Writes the number of bytes to `length`, even if `room` is too small for them.
///
/// # Safety
/// `tokens` has `count`, `text` room for `room` bytes, `length` for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitstate_decode(
    model: BitstateModel,
    tokens: *const u32,
    count: usize,
    text: *mut c_char,
    room: usize,
    length: *mut usize,
) -> i32 {
    call(|| {
        let model = handles::model(model)?;
        // SAFETY: guaranteed by the caller.
        let (tokens, text, length) =
            unsafe { (memory::read(tokens, count)?, Out::new(text.cast::<u8>(), room)?, Out::new(length, 1)?) };
        let decoded = tokenizer(&model)?.decode(tokens);
        give(decoded.as_bytes(), text, length)
    })
}

fn tokenizer(model: &Model) -> Result<&bitstate::tokenizer::Tokenizer, Failure> {
    let message = "the model's tokens have no text: open it from a file with its tokenizer.json next to it";
    model.tokenizer().ok_or_else(|| Failure::new(BitstateStatus::Refused, message))
}
