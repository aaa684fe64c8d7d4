//! Threads, as far as the engine knows of them: it has none of its own, and divides what is large in a token among
//! those it is given.
//!
//! A row's logit does not depend on the others, so the bits are the same however the rows are divided.

use crate::Engine;
use crate::weights::Embedding;
#[cfg(doc)]
use bitstate_kernels::Kernels;

/// Bytes of a matrix from which on it is divided. Two threads gain a fifth at half of this, and nothing at a quarter
/// (the head of `byte` is an eighth).
const DIVIDED_BYTES: usize = 256 << 10;
/// Chunks that a matrix is divided in: enough that whoever begins late or is slow does less and nobody waits long for
/// the last one; few enough that beginning one, around 0.2 µs, does not show.
const CHUNKS: usize = 16;
/// The least that is a chunk, for the same reason: a microsecond's work.
const CHUNK_BYTES: usize = 64 << 10;
/// A chunk has a multiple of as many rows as a kernel takes at once.
const CHUNK_ROWS: usize = 16;

/// Who helps with a token.
pub trait Workers: Sync {
    /// Calls `task(i, chunk)` once for each chunk of `chunk` values of `out`, the last of what is left, on any thread
    /// and in any order; returns when all calls have.
    fn divide(&self, out: &mut [f32], chunk: usize, task: &(dyn Fn(usize, &mut [f32]) + Sync));
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
            Embedding::Int8 { .. } => 1,
        };
        self.config.vocab_size * self.config.n_embd * value_bytes >= DIVIDED_BYTES
    }

    /// [`Kernels::head_f32`], divided.
    pub(crate) fn head_f32(&self, rows: &[u8], z: &[f32], logits: &mut [f32]) {
        let row_bytes = 4 * z.len();
        self.by_rows(row_bytes, logits, |first, logits| {
            self.kernels.head_f32(&rows[first * row_bytes..][..logits.len() * row_bytes], z, logits);
        });
    }

    /// [`Kernels::head_int8`], divided.
    pub(crate) fn head_int8(&self, rows: &[i8], scales: &[f32], q: &[i16], scale: f32, logits: &mut [f32]) {
        let d = q.len();
        self.by_rows(d, logits, |first, logits| {
            let (rows, scales) = (&rows[first * d..][..logits.len() * d], &scales[first..][..logits.len()]);
            self.kernels.head_int8(rows, scales, q, scale, logits);
        });
    }

    /// Calls `task(first, logits)` for ranges of rows that together are all of `logits`, `first` being the first row
    /// of the range; a row's weights are `row_bytes`.
    fn by_rows(&self, row_bytes: usize, logits: &mut [f32], task: impl Fn(usize, &mut [f32]) + Sync) {
        match self.workers {
            Some(workers) if logits.len() * row_bytes >= DIVIDED_BYTES => {
                let rows = logits.len().div_ceil(CHUNKS).max(CHUNK_BYTES / row_bytes);
                let rows = rows.next_multiple_of(CHUNK_ROWS);
                workers.divide(logits, rows, &|i, logits| task(i * rows, logits));
            }
            _ => task(0, logits),
        }
    }
}
