//! The library `bitstate` for C and languages that call C: `include/bitstate.h`, a dynamic and a static library.
//!
//! Models and sessions are numbers in a table, never reused, so that using a freed one is an error. Panics do not leave this
//! crate. `unsafe` is needed for the caller's memory only, and is confined to `memory`.

mod error;
mod handles;
mod memory;
mod model;
mod sampling;
mod session;

pub use error::{BitstateStatus, bitstate_last_error, bitstate_status_text};
pub use model::{
    bitstate_decode, bitstate_encode, bitstate_model_free, bitstate_model_from_bytes, bitstate_model_open,
    bitstate_model_vocab_size,
};
pub use sampling::{BitstateSampling, bitstate_sampling_default};
pub use session::{
    bitstate_session_clone, bitstate_session_feed, bitstate_session_feed_text, bitstate_session_free,
    bitstate_session_logits, bitstate_session_new, bitstate_session_next, bitstate_session_position,
    bitstate_session_resume, bitstate_session_save, bitstate_session_text,
};

/// Handle of a model; 0 is never valid.
pub type BitstateModel = u64;

/// Handle of a session, a text being generated; 0 is never valid.
pub type BitstateSession = u64;

/// Version of this interface: programs built for another version must be rebuilt.
pub const BITSTATE_ABI_VERSION: u32 = 1;

/// The interface version of the library; compare it with `BITSTATE_ABI_VERSION`.
#[unsafe(no_mangle)]
pub extern "C" fn bitstate_abi_version() -> u32 {
    BITSTATE_ABI_VERSION
}
