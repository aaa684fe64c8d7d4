//! The complete INT8 head: all logits, or only the largest.
//!
//! The largest logits take two stages. The first reads half of the bytes and gives every row an upper bound of its
//! logit (see `coarse`). The rows with the largest bounds are computed exactly; the least of those logits is the
//! threshold, and rows with a lower bound need not be read at all. The remaining candidates are computed exactly too,
//! from the rows of the file, and the result equals a search over all logits: the same tokens in the same order, and
//! the same bits.
//!
//! The number of candidates depends on how far the winners stand out. Over a greedy text of the default model the
//! bounds leave 388 of 32,011 rows for the largest logit and 1,600 for the ten largest (`cargo run --release -p
//! bitstate-engine --example winners`). A single row costs about as much as sixteen in sequence, so beyond a sixteenth
//! of them (a quarter, if all fit a near cache) the full head is faster and is used; for the fifty largest it always
//! was, which is why two stages are not tried for so many.

use super::coarse::{self, CoarseRows, GROUP, Input};
use super::coarse_many;
use super::dispatch;
use super::order::ReadOrder;
use super::outcome::{HeadPath, WhyFull};
use super::rows::HeadRows;
use super::search::{Part, Search};
use super::shape::{PIECE, SESSIONS};
use crate::isa::Isa;
use crate::kernels::{Kernels, same_length};
use crate::path::Path;
use crate::top::TopLogit;
use alloc::vec::Vec;
use core::ops::Range;

/// Bytes of rows from which the first stage is prepared: below, all rows fit a near cache, and reading half of them
/// saves nothing.
const LEAST_BYTES: usize = 1 << 20;

/// Sessions from which one pass over the codes is faster than one pass each. On a Xeon with AVX-512, two get 1.26 times
/// the tokens per second; with AVX2, whose multiplications take as long as reading, 0.97 times, and four 1.12 times.
fn worth_a_pass(kernels: Kernels) -> usize {
    match kernels.isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2(_) => 4,
        _ => 2,
    }
}
/// Sessions from which reading twice the bytes, for tighter bounds, pays off: with two, 0.88 of the speed of one by
/// one.
const WORTH_WHOLE_BYTES: usize = 4;

/// Calls a task with ranges of a slice that together cover all of it, each with its start: a multiple of
/// [`SPLIT`](Int8Head::SPLIT). Returns when all calls have returned; they may run concurrently on many threads.
pub type Divide<'a> = &'a dyn Fn(&mut [f32], &(dyn Fn(usize, &mut [f32]) + Sync));

/// An INT8 matrix, V × D, with a scale per row, prepared for the head.
#[derive(Debug, Clone)]
pub struct Int8Head<'m> {
    kernels: Kernels,
    rows: &'m [i8],
    scales: Vec<f32>,
    largest_scale: f32,
    /// The largest magnitude of the scales; NaN if any of them is.
    largest_factor: f32,
    pub(super) coarse: Result<CoarseRows, WhyFull>,
    /// Whether the rows fit a near cache: then the sums across lanes are the bottleneck, and the layout for many
    /// sessions is faster for a single one too.
    few: bool,
    many: Option<HeadRows<'m>>,
}

impl<'m> Int8Head<'m> {
    /// Where the head is split, for [`top_in`](Int8Head::top_in) or by a [`Divide`], each part starts at a multiple of
    /// this many rows.
    pub const SPLIT: usize = GROUP;
    /// The largest number of winners found in two stages: for more, the bounds leave so many rows that the first stage
    /// is wasted.
    pub const MOST_WINNERS: usize = 16;

    /// Lays out `rows`, V × D, for `kernels`; `scales` has V values. The first stage needs a little more than half the
    /// size of the rows; it is only prepared where it saves time.
    pub fn new(kernels: Kernels, rows: &'m [i8], scales: Vec<f32>) -> Self {
        Self::two_stage_from(LEAST_BYTES, kernels, rows, scales)
    }

    /// [`new`](Int8Head::new) with a first stage for rows of at least `least_bytes` bytes.
    ///
    /// # Panics
    /// If there is no row, or the rows do not all have the same number of bytes, or more than
    /// [`MAX_N_EMBD`](crate::MAX_N_EMBD).
    pub fn two_stage_from(least_bytes: usize, kernels: Kernels, rows: &'m [i8], scales: Vec<f32>) -> Self {
        assert!(!scales.is_empty() && rows.len().is_multiple_of(scales.len()), "V × D values and V scales");
        let d = rows.len() / scales.len();
        assert!((1..=crate::MAX_N_EMBD).contains(&d), "the sums of a head this wide do not fit i32");
        let not_a_factor = scales.iter().position(|scale| !(*scale >= 0.0 && scale.is_finite()));
        let coarse = if !dispatch::bounds_rows(kernels.isa) {
            Err(WhyFull::Variant)
        } else if rows.len() < least_bytes {
            Err(WhyFull::Small)
        } else if let Some(token) = not_a_factor {
            Err(WhyFull::RowScale { token: token as u32 })
        } else {
            Ok(CoarseRows::new(rows, d))
        };
        let few = rows.len() < least_bytes;
        let largest_scale = scales.iter().copied().fold(0.0, f32::max);
        let largest_factor = kernels.largest_magnitude(&scales);
        let many = few.then(|| HeadRows::new(kernels, rows, d)).filter(HeadRows::are_laid_out);
        Int8Head { kernels, rows, scales, largest_scale, largest_factor, coarse, few, many }
    }

    /// The row of a token, D values, and its scale.
    ///
    /// # Panics
    /// If there is no such token.
    pub fn row(&self, token: usize) -> (&'m [i8], f32) {
        let d = self.rows.len() / self.scales.len();
        (&self.rows[token * d..][..d], self.scales[token])
    }

    /// Number of bytes of a row, D.
    pub fn row_bytes(&self) -> usize {
        self.rows.len() / self.scales.len()
    }

    /// The path to the largest logits, if the activations give bounds: see [`HeadPath`].
    pub fn top_path(&self) -> Path {
        let (rows, cols) = (self.scales.len(), self.rows.len() / self.scales.len());
        match self.coarse {
            Ok(_) => coarse::path(rows, cols),
            Err(why) => {
                let kernel = match why {
                    WhyFull::Small => "all logits: the rows are few",
                    WhyFull::RowScale { .. } => "all logits: a row's scale gives no bound",
                    _ => "all logits: no first stage in this variant",
                };
                Path { kernel, ..self.kernels.head_int8_path(rows, cols) }
            }
        }
    }

    /// Whether activations of this scale keep every logit finite, for any rows: then none has to be checked. `false`
    /// means that some may not be.
    pub fn keeps_finite(&self, scale: f32) -> bool {
        // Above every |row · q|; f32 multiplication rounds monotonically.
        const LARGEST_DOT: f32 = (1u32 << 31) as f32;
        (LARGEST_DOT * (self.largest_factor * scale)).is_finite()
    }

    /// All logits, `(rows · q) · (row_scales · scale)`: `q` has D 15-bit values, `logits` V.
    pub fn logits(&self, q: &[i16], scale: f32, logits: &mut [f32]) {
        match &self.many {
            Some(many) if self.few => many.logits(&self.scales, q, &[scale], logits),
            _ => self.kernels.head_int8(self.rows, &self.scales, q, scale, logits),
        }
    }

    /// Makes a second copy of the rows, V × D bytes, so that [`logits_many`](Int8Head::logits_many) passes over them
    /// once for many sessions instead of once for each.
    pub fn lay_out_for_many(&mut self) {
        if self.many.is_none() {
            self.many = Some(HeadRows::new(self.kernels, self.rows, self.row_bytes()));
        }
    }

    /// The [`logits`](Int8Head::logits) of `scales.len()` sessions, to the bit: `q` has D values of each session, one
    /// session after the other, and `logits` V of each.
    ///
    /// # Panics
    /// If the lengths differ from these.
    pub fn logits_many(&self, q: &[i16], scales: &[f32], logits: &mut [f32]) {
        if let Some(many) = &self.many {
            return many.logits(&self.scales, q, scales, logits);
        }
        let (d, v) = (self.row_bytes(), self.scales.len());
        same_length(scales.len() * d, &[q.len()]);
        same_length(scales.len() * v, &[logits.len()]);
        for ((q, &scale), logits) in q.chunks_exact(d).zip(scales).zip(logits.chunks_exact_mut(v)) {
            self.logits(q, scale, logits);
        }
    }

    /// [`logits`](Int8Head::logits) of `logits.len()` rows starting at `first`.
    ///
    /// # Panics
    /// If `q` has another length, or there are fewer rows.
    pub fn logits_from(&self, first: usize, q: &[i16], scale: f32, logits: &mut [f32]) {
        if logits.len() == self.scales.len() {
            return self.logits(q, scale, logits);
        }
        self.part(first..first + logits.len(), q, scale).logits(0, logits);
    }

    /// The `top.len()` largest of the [`logits`](Int8Head::logits), in their [order](TopLogit::order), and how they
    /// were found. `room` is a work buffer of V values.
    ///
    /// # Panics
    /// If `q` or `room` has another length, or more logits are requested than there are.
    pub fn top(&self, q: &[i16], scale: f32, top: &mut [TopLogit], room: &mut [f32]) -> HeadPath {
        self.top_in(0..self.scales.len(), q, scale, top, room)
    }

    /// [`top`](Int8Head::top) with the work on every row distributed by `divide`: the result does not depend on how it
    /// divides.
    ///
    /// # Panics
    /// As `top`, and if `divide` violates its contract.
    pub fn top_by(
        &self,
        divide: Divide<'_>,
        q: &[i16],
        scale: f32,
        top: &mut [TopLogit],
        room: &mut [f32],
    ) -> HeadPath {
        self.top_of(0..self.scales.len(), divide, q, scale, top, room)
    }

    /// The `top.len()` largest logits of the tokens in `range`, whose start is a multiple of
    /// [`SPLIT`](Int8Head::SPLIT); `room` has a value for each of them. The overall largest logits are among those of
    /// the parts.
    ///
    /// # Panics
    /// As [`top`](Int8Head::top), and if `range` is not such a range.
    pub fn top_in(
        &self,
        range: Range<usize>,
        q: &[i16],
        scale: f32,
        top: &mut [TopLogit],
        room: &mut [f32],
    ) -> HeadPath {
        assert!(range.start.is_multiple_of(Self::SPLIT), "{range:?} is not a valid part");
        self.top_of(range, &|room, task| task(0, room), q, scale, top, room)
    }

    fn top_of(
        &self,
        range: Range<usize>,
        divide: Divide<'_>,
        q: &[i16],
        scale: f32,
        top: &mut [TopLogit],
        room: &mut [f32],
    ) -> HeadPath {
        same_length(range.len(), &[room.len()]);
        same_length(q.len() * self.scales.len(), &[self.rows.len()]);
        assert!(top.len() <= room.len(), "the {} largest of {} logits", top.len(), room.len());
        let part = self.part(range.clone(), q, scale);
        let path = match self.two_stage(range.start / GROUP, &part, divide, top, room) {
            Ok(exact) => HeadPath::TwoStage { exact },
            Err(why) => {
                divide(room, &|first, room| self.logits_from(range.start + first, q, scale, room));
                self.kernels.top(room, top);
                HeadPath::Full(why)
            }
        };
        for top in top {
            top.token += range.start as u32;
        }
        path
    }

    fn part<'a>(&'a self, range: Range<usize>, q: &'a [i16], scale: f32) -> Part<'a> {
        assert!(range.end <= self.scales.len(), "{range:?} is not part of {} rows", self.scales.len());
        let rows = &self.rows[range.start * q.len()..range.end * q.len()];
        Part { kernels: self.kernels, rows, row_scales: &self.scales[range], q, scale }
    }

    /// Whether [`top_many`](Int8Head::top_many) of this many sessions passes over the rows once, and not once for each
    /// session, because that is faster.
    pub fn shares_a_pass(&self, sessions: usize) -> bool {
        self.coarse.is_ok() && sessions >= worth_a_pass(self.kernels)
    }

    /// The largest logits of `scales.len()` sessions, the same number for each: as [`top`](Int8Head::top) returns for
    /// each session alone. `q` has D values of each session, `top` their winners, one session after the other; `room`
    /// is a work buffer of V values. One pass serves all sessions, if that is [faster](Int8Head::shares_a_pass): over
    /// half of the bytes, or, for four sessions and more, over rows [laid out for it](Int8Head::lay_out_for_many), if
    /// the variant multiplies bytes by bytes. The former is in this `order`.
    ///
    /// # Panics
    /// If the lengths differ from these.
    pub fn top_many(&self, q: &[i16], scales: &[f32], top: &mut [TopLogit], room: &mut [f32], order: ReadOrder) {
        let (d, n) = (self.row_bytes(), scales.len());
        same_length(n * d, &[q.len()]);
        same_length(self.scales.len(), &[room.len()]);
        if n == 0 || top.is_empty() {
            return;
        }
        assert!(top.len().is_multiple_of(n), "{} winners are not the same number for {n} sessions", top.len());
        let k = top.len() / n;
        let sessions = q.chunks(SESSIONS * d).zip(scales.chunks(SESSIONS)).zip(top.chunks_mut(SESSIONS * k));
        for ((q, scales), top) in sessions {
            self.top_of_sessions(q, scales, top, room, order);
        }
    }

    /// [`top_many`](Int8Head::top_many) of up to [`SESSIONS`].
    fn top_of_sessions(&self, q: &[i16], scales: &[f32], top: &mut [TopLogit], room: &mut [f32], order: ReadOrder) {
        let (d, v, k) = (self.row_bytes(), self.scales.len(), top.len() / scales.len());
        let mut found = [false; SESSIONS];
        // Rows without factors, or few rows, have no first stage; a search starts with the first piece.
        if let Ok(coarse) = &self.coarse
            && self.shares_a_pass(scales.len())
            && k <= v.min(PIECE)
        {
            let mut searches = [const { None }; SESSIONS];
            let sessions = q.chunks_exact(d).zip(scales).zip(top.chunks_exact_mut(k));
            for (search, ((q, &scale), top)) in searches.iter_mut().zip(sessions) {
                let part = self.part(0..v, q, scale);
                *search = self.check_scale(&part).ok().map(|()| (part, Search::new(part, top)));
            }
            let bounded = self.bounds_of_sessions(coarse, k, q, scales, order, &mut |t, first, bounds| {
                if let Some((_, search)) = &mut searches[t] {
                    search.look(first, bounds);
                }
            });
            if bounded > 0 {
                for (found, (part, mut search)) in found.iter_mut().zip(searches).filter_map(|(f, s)| Some((f, s?))) {
                    // A logit is its own bound.
                    let rest = &mut room[bounded..];
                    part.logits(bounded, rest);
                    search.look(bounded, rest);
                    *found = search.finish().is_ok();
                }
            }
        }
        let sessions = q.chunks_exact(d).zip(scales).zip(top.chunks_exact_mut(k));
        for (((q, &scale), top), _) in sessions.zip(found).filter(|(_, found)| !found) {
            self.top(q, scale, top, room);
        }
    }

    /// Calls `each(t, first, bounds)` with the bounds of the logits of session `t` for the rows starting at `first`,
    /// piece by piece; returns the number of rows covered. Whole bytes in a layout for many sessions give the tighter
    /// bounds, if there is one; the codes serve up to [`MOST_WINNERS`](Int8Head::MOST_WINNERS).
    fn bounds_of_sessions(
        &self,
        coarse: &CoarseRows,
        k: usize,
        q: &[i16],
        scales: &[f32],
        order: ReadOrder,
        each: coarse_many::Each<'_>,
    ) -> usize {
        if let Some(many) = &self.many
            && let Some(bounded) = many.bounded_rows()
            && scales.len() >= WORTH_WHOLE_BYTES
            && k <= bounded
        {
            many.bounds(&self.scales, q, scales, each);
            return bounded;
        }
        if k > Self::MOST_WINNERS {
            return 0;
        }
        let d = self.row_bytes();
        let inputs: [Input; SESSIONS] = core::array::from_fn(|t| Input::new(q.chunks(d).nth(t).unwrap_or(&[])));
        let (row_scales, sessions) = (&self.scales, &inputs[..scales.len()]);
        dispatch::bounds_together(
            self.kernels.isa,
            coarse_many::Input { rows: coarse, row_scales, sessions, scales, order },
            each,
        );
        self.scales.len()
    }

    /// Whether every row's factor, including the activations' scale, is finite and not negative: then bounds hold, and
    /// none is a NaN.
    fn check_scale(&self, part: &Part<'_>) -> Result<(), WhyFull> {
        let is_factor = part.scale >= 0.0 && (self.largest_scale * part.scale).is_finite();
        if is_factor { Ok(()) } else { Err(WhyFull::Scale) }
    }

    /// Finds the largest logits of a part in two stages; returns the number of logits computed.
    fn two_stage(
        &self,
        first_group: usize,
        part: &Part<'_>,
        divide: Divide<'_>,
        top: &mut [TopLogit],
        room: &mut [f32],
    ) -> Result<usize, WhyFull> {
        let coarse = self.coarse.as_ref().map_err(|&why| why)?;
        if top.is_empty() {
            return Ok(0);
        }
        self.check_scale(part)?;
        if top.len() > Self::MOST_WINNERS {
            return Err(WhyFull::Winners { asked: top.len() });
        }
        let input = Input::new(part.q);
        divide(room, &|first, room| {
            let scales = (&part.row_scales[first..][..room.len()], part.scale);
            dispatch::bounds(self.kernels.isa, coarse, first_group + first / GROUP, &input, scales, room);
        });
        let mut search = Search::new(*part, top);
        search.look(0, room);
        search.finish()
    }
}
