//! What is large in a token is divided among the threads that the engine is given.
//!
//! A row's result does not depend on the others, so the bits are the same however the rows are divided.

use crate::engine::Engine;
use crate::weights::{BitLinear, Embedding};
use crate::workers::Workers;
#[cfg(doc)]
use bitstate_kernels::Kernels;
use bitstate_kernels::{HeadPath, Int8Head, MatmulScratch, QuantisedRows, TernaryMatrix, TopLogit};

/// Bytes of a head from which on it is divided. Two threads gain a fifth at half of this, and nothing at a quarter (the
/// head of `byte` is an eighth).
const HEAD_BYTES: usize = 256 << 10;
/// Bytes of a ternary matrix from which on it is divided: those of `large`, which come out of the main memory. With half
/// of this `default` would gain nothing, with a quarter it would lose a tenth.
const TERNARY_BYTES: usize = 64 << 10;
/// Chunks that a matrix is divided in: enough that a thread that starts late or is slow takes fewer, and no thread waits long for
/// the last one; few enough that beginning one, around 0.2 µs, does not show.
const CHUNKS: usize = 16;
/// The least that is a chunk, for the same reason: about a microsecond's work.
const HEAD_CHUNK: usize = 64 << 10;
const TERNARY_CHUNK: usize = 16 << 10;
/// A chunk has a multiple of as many rows as any kernel takes at once.
const CHUNK_ROWS: usize = if Int8Head::SPLIT > TernaryMatrix::SPLIT { Int8Head::SPLIT } else { TernaryMatrix::SPLIT };
const _: () = assert!(CHUNK_ROWS.is_multiple_of(Int8Head::SPLIT) && CHUNK_ROWS.is_multiple_of(TernaryMatrix::SPLIT));

/// Rows in a chunk of a matrix of `rows` rows of `row_bytes` bytes, where a chunk has at least `least` bytes.
fn chunk_rows(rows: usize, row_bytes: usize, least: usize) -> usize {
    rows.div_ceil(CHUNKS).max(least / row_bytes).next_multiple_of(CHUNK_ROWS)
}

impl<'m> Engine<'m> {
    /// Divides among `workers`, from now on, what is large enough to gain by it; the logits keep their bits. With
    /// `None`, as at first, the caller does all the work.
    pub fn set_workers(&mut self, workers: Option<&'m dyn Workers>) {
        self.workers = workers;
    }

    /// Whether anything of this model is large enough to be divided; if not, workers would have nothing to do.
    pub fn is_divisible(&self) -> bool {
        let value_bytes = match self.embedding {
            Embedding::F32(_) => 4,
            Embedding::Int8(_) => 1,
        };
        let head = self.config.vocab_size * self.config.n_embd * value_bytes;
        // The channel mix has the largest matrices.
        let ternary = self.layers.first().and_then(|layer| layer.channel_mix.k.weight.divisible_bytes());
        head >= HEAD_BYTES || ternary.is_some_and(|bytes| bytes >= TERNARY_BYTES)
    }

    /// `y = (W · input) · scale`, for every row of `input`; divided where there is one, as in decoding.
    pub(crate) fn apply(
        &self,
        linear: &BitLinear<'_>,
        input: &QuantisedRows,
        scratch: &mut MatmulScratch,
        y: &mut [f32],
    ) {
        let BitLinear { weight, scale, .. } = linear;
        match (self.workers, weight.divisible_bytes()) {
            (Some(workers), Some(bytes)) if bytes >= TERNARY_BYTES && input.rows() == 1 => {
                let rows = chunk_rows(weight.rows(), bytes / weight.rows(), TERNARY_CHUNK);
                workers.divide(y, rows, &|i, y| weight.matvec_part(i * rows, input, *scale, y));
            }
            _ => weight.matmul(input, *scale, scratch, y),
        }
    }

    /// [`Kernels::head_f32`], divided.
    pub(crate) fn head_f32(&self, rows: &[u8], z: &[f32], logits: &mut [f32]) {
        let row_bytes = 4 * z.len();
        self.by_rows(row_bytes, logits, &|first, logits| {
            self.kernels.head_f32(&rows[first * row_bytes..][..logits.len() * row_bytes], z, logits);
        });
    }

    /// [`Int8Head::logits`], divided.
    pub(crate) fn head_int8(&self, head: &Int8Head<'_>, q: &[i16], scale: f32, logits: &mut [f32]) {
        self.by_rows(head.row_bytes(), logits, &|first, logits| head.logits_from(first, q, scale, logits));
    }

    /// [`Int8Head::top`], divided.
    pub(crate) fn top_int8(
        &self,
        head: &Int8Head<'_>,
        q: &[i16],
        scale: f32,
        top: &mut [TopLogit],
        room: &mut [f32],
    ) -> HeadPath {
        head.top_by(&|room, task| self.by_rows(head.row_bytes(), room, task), q, scale, top, room)
    }

    /// Calls `task(first, logits)` for ranges of rows that together are all of `logits`, `first` being the first row
    /// of the range; a row's weights are `row_bytes`.
    fn by_rows(&self, row_bytes: usize, logits: &mut [f32], task: &(dyn Fn(usize, &mut [f32]) + Sync)) {
        match self.workers {
            Some(workers) if logits.len() * row_bytes >= HEAD_BYTES => {
                let rows = chunk_rows(logits.len(), row_bytes, HEAD_CHUNK);
                workers.divide(logits, rows, &|i, logits| task(i * rows, logits));
            }
            _ => task(0, logits),
        }
    }
}
