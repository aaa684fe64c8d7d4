//! Distribution of a token's large operations over the threads given to the engine.
//!
//! The result of a row does not depend on the others, so the bits do not depend on how the rows are divided.

use crate::engine::Engine;
use crate::weights::{BitLinear, Embedding};
use crate::workers::Workers;
#[cfg(doc)]
use bitstate_kernels::Kernels;
use bitstate_kernels::{HeadPath, Int8Head, MatmulScratch, QuantisedRows, ReadOrder, TernaryMatrix, TopLogit};

/// Size of a head in bytes from which it is divided. At half of this two threads save a fifth, at a quarter nothing
/// (the head of `byte` is an eighth).
const HEAD_BYTES: usize = 256 << 10;
/// Size of a ternary matrix in bytes from which it is divided: those of `large`, which are read from main memory. With
/// half of this `default` would gain nothing, with a quarter it would lose a tenth.
const TERNARY_BYTES: usize = 64 << 10;
/// Number of chunks of a matrix: enough that a thread that starts late or is slow takes fewer, and no thread waits long
/// for the last one; few enough that the overhead of starting one, around 0.2 µs, is negligible.
const CHUNKS: usize = 16;
/// Minimum chunk size, for the same reason: about a microsecond of work.
const HEAD_CHUNK: usize = 64 << 10;
const TERNARY_CHUNK: usize = 16 << 10;
/// The rows of a chunk are a multiple of this, so that every kernel gets whole groups.
const CHUNK_ROWS: usize = if Int8Head::SPLIT > TernaryMatrix::SPLIT { Int8Head::SPLIT } else { TernaryMatrix::SPLIT };
const _: () = assert!(CHUNK_ROWS.is_multiple_of(Int8Head::SPLIT) && CHUNK_ROWS.is_multiple_of(TernaryMatrix::SPLIT));

/// Rows per chunk of a matrix with `rows` rows of `row_bytes` bytes; a chunk has at least `least` bytes.
fn chunk_rows(rows: usize, row_bytes: usize, least: usize) -> usize {
    rows.div_ceil(CHUNKS).max(least / row_bytes).next_multiple_of(CHUNK_ROWS)
}

impl<'m> Engine<'m> {
    /// From now on, divides operations that are large enough to gain from it among `workers`; the logits keep their
    /// bits. With `None`, the initial value, the caller does all the work.
    pub fn set_workers(&mut self, workers: Option<&'m dyn Workers>) {
        self.workers = workers;
    }

    /// Whether any operation of this model is large enough to be divided; if not, workers would have nothing to do.
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

    /// `y = (W · input) · scale`, for every row of `input`; divided if there is one row, as in decoding.
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
    pub(crate) fn head_f32(&self, rows: &[u8], z: &[f32], logits: &mut [f32], order: ReadOrder) {
        let row_bytes = 4 * z.len();
        self.by_rows(row_bytes, logits, order, &|first, logits| {
            self.kernels.head_f32(&rows[first * row_bytes..][..logits.len() * row_bytes], z, logits);
        });
    }

    /// [`Int8Head::logits`], divided.
    pub(crate) fn head_int8(&self, head: &Int8Head<'_>, q: &[i16], scale: f32, logits: &mut [f32], order: ReadOrder) {
        self.by_rows(head.row_bytes(), logits, order, &|first, logits| head.logits_from(first, q, scale, logits));
    }

    /// [`Int8Head::top`], divided.
    pub(crate) fn top_int8(
        &self,
        head: &Int8Head<'_>,
        q: &[i16],
        scale: f32,
        top: &mut [TopLogit],
        room: &mut [f32],
        order: ReadOrder,
    ) -> HeadPath {
        head.top_by(&|room, task| self.by_rows(head.row_bytes(), room, order, task), q, scale, top, room)
    }

    /// Calls `task(first, logits)` for ranges of rows that together cover `logits`; `first` is the first row of the
    /// range, and a row's weights take `row_bytes`.
    fn by_rows(
        &self,
        row_bytes: usize,
        logits: &mut [f32],
        order: ReadOrder,
        task: &(dyn Fn(usize, &mut [f32]) + Sync),
    ) {
        if logits.len() * row_bytes < HEAD_BYTES {
            return task(0, logits);
        }
        let rows = chunk_rows(logits.len(), row_bytes, HEAD_CHUNK);
        match (self.workers, order) {
            (Some(workers), _) => workers.divide(logits, rows, &|i, logits| task(i * rows, logits)),
            (None, ReadOrder::FirstToLast) => task(0, logits),
            (None, ReadOrder::LastToFirst) => {
                for (i, logits) in logits.chunks_mut(rows).enumerate().rev() {
                    task(i * rows, logits);
                }
            }
        }
    }
}
