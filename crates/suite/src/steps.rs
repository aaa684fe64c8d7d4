//! Digests of the output of every step of a forward pass, by position, so that two targets can be compared regardless
//! of their batch sizes.

use bitstate_engine::{Observer, Step};
use bitstate_protocol::{Digest, Event};

/// Emits a digest of each row of each step's output.
pub(crate) struct Digests<'a, F> {
    case: &'a str,
    /// Values per row of the residual stream.
    width: usize,
    emit: F,
    /// Position of the first row of the current batch, and its number of rows.
    first: usize,
    rows: usize,
    /// The recurrence is observed row by row: the next row.
    wkv_row: usize,
}

impl<'a, F: FnMut(Event)> Digests<'a, F> {
    /// For a new session of a model with rows of `width` values.
    pub fn new(case: &'a str, width: usize, emit: F) -> Self {
        Digests { case, width, emit, first: 0, rows: 0, wkv_row: 0 }
    }

    fn row(&mut self, row: usize, layer: usize, step: Step, output: &[f32]) {
        (self.emit)(Event::Step {
            case: self.case.into(),
            position: (self.first + row) as u32,
            layer: layer as u32,
            step: step.name().into(),
            digest: Digest::of_f32s(output),
        });
    }
}

impl<F: FnMut(Event)> Observer for Digests<'_, F> {
    fn step(&mut self, layer: usize, step: Step, output: &[f32]) {
        match step {
            Step::Wkv => {
                self.row(self.wkv_row, layer, step, output);
                self.wkv_row += 1;
                return;
            }
            // For the last row only.
            Step::FinalNorm | Step::Head => return self.row(self.rows.saturating_sub(1), layer, step, output),
            // The first step of a batch.
            Step::Embedding => {
                self.first += self.rows;
                self.rows = output.len() / self.width;
            }
            _ => {}
        }
        self.wkv_row = 0;
        for (row, output) in output.chunks_exact(output.len() / self.rows).enumerate() {
            self.row(row, layer, step, output);
        }
    }
}
