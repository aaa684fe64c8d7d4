//! The state as a picture: the matrix of every head, one byte per value.

use bitstate::{Error, Session};

/// L × H × S × S bytes, head by head and row by row: 128 is 0, and 1 and 255 are the largest magnitude in that head's
/// matrix, so that every head shows its own pattern.
pub(crate) fn picture(session: &mut Session) -> Result<Vec<u8>, Error> {
    let config = *session.model().config();
    let matrix = config.head_size * config.head_size;
    let mut picture = Vec::with_capacity(config.n_layer * config.n_embd * config.head_size);
    for layer in 0..config.n_layer {
        for head in session.wkv(layer)?.unwrap_or(&[]).chunks_exact(matrix) {
            let largest = head.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
            let scale = if largest > 0.0 { 127.0 / largest } else { 0.0 };
            picture.extend(head.iter().map(|value| (128.5 + value * scale) as u8));
        }
    }
    Ok(picture)
}
