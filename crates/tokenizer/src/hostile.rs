//! Checks that the `tokenizers` library lacks: without them a hostile file makes it over-allocate or panic.

use crate::TokenizeError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokenizers::normalizers::Precompiled;

/// Base64 characters that contain the length prefix of a character map.
const HEAD: usize = 8;

/// Checks the character maps of a `tokenizer.json`, which SentencePiece's normalizers have: the library allocates the
/// length that one claims, and panics if it is malformed.
///
/// # Errors
/// If a character map is malformed.
pub(crate) fn check_character_maps(value: &Value) -> Result<(), TokenizeError> {
    match value {
        Value::Array(values) => values.iter().try_for_each(check_character_maps),
        Value::Object(fields) if value["type"] == "Precompiled" => {
            let map = fields.get("precompiled_charsmap").and_then(Value::as_str).unwrap_or_default();
            let head = map.as_bytes().get(..HEAD).and_then(|head| STANDARD.decode(head).ok()).unwrap_or_default();
            let claimed = head.first_chunk().map_or(0, |length| u32::from_le_bytes(*length) as usize);
            if claimed > map.len() {
                let message = format!("its precompiled_charsmap claims {claimed} bytes and has less");
                return Err(TokenizeError::NotJson(message.into()));
            }
            let read = serde_json::from_str::<Precompiled>(&value.to_string());
            read.map(|_| ())
                .map_err(|error| TokenizeError::NotJson(format!("its precompiled_charsmap: {error}").into()))
        }
        Value::Object(fields) => fields.values().try_for_each(check_character_maps),
        _ => Ok(()),
    }
}

/// Calls the library, which panics if parts of a file contradict each other, and converts the panic to an error.
///
/// # Errors
/// As `call`, and if it panics.
pub(crate) fn guarded<T>(call: impl FnOnce() -> Result<T, TokenizeError>) -> Result<T, TokenizeError> {
    // `call` only reads what it borrows, so a panic leaves nothing half-changed.
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        let message = format!("the parts of the file contradict each other: {}", said.unwrap_or("no reason given"));
        Err(TokenizeError::Fails(message.into()))
    })
}
