//! The INT8 head as a whole: all logits, or the largest alone.
//!
//! The largest of them take two stages. The first reads half of the bytes and gives every row a bound that its logit
//! cannot exceed (see `coarse`). The rows with the largest bounds are computed exactly; the least of those logits is
//! the mark that any other has to reach, so that rows with a lower bound need not be read at all. What is left is
//! computed exactly too, from the rows of the file, and what comes out is what a look at all logits gives: the same
//! tokens in the same order, and the same bits.
//!
//! How many rows are left depends on how far the winners stand out. Over a greedy text of the default model the bounds
//! leave 388 of 32,011 rows for the largest logit and 1,600 for the ten largest
//! (`cargo run --release -p bitstate-engine --example winners`). A row by itself costs about as much as sixteen in
//! order, so beyond a sixteenth of them the whole head is the shorter way and is taken; for the fifty largest it always
//! was, which is why so many are not tried.

use crate::isa::Isa;
use crate::kernels::same_length;
use crate::{Kernels, Path, TopLogit};
use alloc::vec::Vec;
use core::ops::Range;

use super::coarse::{self, CoarseRows, GROUP, Input};
use super::rows::{HeadRows, PIECE, SESSIONS};
use super::search::{Part, Search};

/// Bytes of rows from which on the first stage is laid out: below, all rows sit in a near cache, and reading half of
/// them gains nothing.
const LEAST_BYTES: usize = 1 << 20;

/// Sessions from which on one pass for all is faster than one for each: two measured 0.88 of it, four 1.2 and more.
const WORTH_A_PASS: usize = 3;

/// How the largest logits were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadPath {
    /// By bounds for all rows; that many were then computed.
    TwoStage {
        /// Number of exact logits.
        exact: usize,
    },
    /// By all logits.
    Full(WhyFull),
}

/// Why all logits were computed where the largest were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyFull {
    /// The rows are not INT8.
    NotInt8,
    /// This variant has no first stage: there it gains nothing.
    Variant,
    /// The rows are so few that it gains nothing.
    Small,
    /// A row's scale is negative, infinite or a NaN: its bound would be none.
    RowScale {
        /// The row's token.
        token: u32,
    },
    /// The scale of the activations is, or makes one of a row's; or it takes even a winner's logit to -∞.
    Scale,
    /// The bounds left too many rows in the running.
    Candidates {
        /// How many.
        rows: usize,
    },
    /// So many were asked for that bounds would leave too many rows.
    Winners {
        /// How many.
        asked: usize,
    },
}

/// Calls a task with ranges of a slice that together are all of it, each with the place that it starts at: a multiple
/// of [`SPLIT`](Int8Head::SPLIT). Returns when all calls have; they may be made at once, on many threads.
pub type Divide<'a> = &'a dyn Fn(&mut [f32], &(dyn Fn(usize, &mut [f32]) + Sync));

/// An INT8 matrix, V × D, with a scale for each row, as the head reads it.
#[derive(Debug, Clone)]
pub struct Int8Head<'m> {
    kernels: Kernels,
    rows: &'m [i8],
    scales: Vec<f32>,
    largest_scale: f32,
    /// The largest magnitude among the scales; NaN if any of them is.
    largest_factor: f32,
    coarse: Result<CoarseRows, WhyFull>,
    many: Option<HeadRows<'m>>,
}

impl<'m> Int8Head<'m> {
    /// Where the head is split, for [`top_in`](Int8Head::top_in) or by a [`Divide`], each part starts at a multiple of so
    /// many rows.
    pub const SPLIT: usize = GROUP;
    /// The most that are looked for in two stages: for more, the bounds leave so many rows that the first is in vain.
    pub const MOST_WINNERS: usize = 16;

    /// Lays out `rows`, V × D, for `kernels`; `scales` has V values. What the first stage needs is a little more than
    /// half the size of the rows; it is made where it gains something.
    pub fn new(kernels: Kernels, rows: &'m [i8], scales: Vec<f32>) -> Self {
        Self::two_stage_from(LEAST_BYTES, kernels, rows, scales)
    }

    /// [`new`](Int8Head::new) with a first stage for rows of at least so many bytes.
    ///
    /// # Panics
    /// Where there is no row, or not the same number of bytes for each, or more than
    /// [`MAX_N_EMBD`](crate::MAX_N_EMBD).
    pub fn two_stage_from(least_bytes: usize, kernels: Kernels, rows: &'m [i8], scales: Vec<f32>) -> Self {
        assert!(!scales.is_empty() && rows.len().is_multiple_of(scales.len()), "V × D values and V scales");
        let d = rows.len() / scales.len();
        assert!((1..=crate::MAX_N_EMBD).contains(&d), "the sums of a head this wide do not fit i32");
        let not_a_factor = scales.iter().position(|scale| !(*scale >= 0.0 && scale.is_finite()));
        let coarse = if !bounds_rows(kernels.isa) {
            Err(WhyFull::Variant)
        } else if rows.len() < least_bytes {
            Err(WhyFull::Small)
        } else if let Some(token) = not_a_factor {
            Err(WhyFull::RowScale { token: token as u32 })
        } else {
            Ok(CoarseRows::new(rows, d))
        };
        let largest_scale = scales.iter().copied().fold(0.0, f32::max);
        let largest_factor = kernels.largest_magnitude(&scales);
        Int8Head { kernels, rows, scales, largest_scale, largest_factor, coarse, many: None }
    }

    /// The row of a token, D values, and its scale.
    ///
    /// # Panics
    /// Where there is no such token.
    pub fn row(&self, token: usize) -> (&'m [i8], f32) {
        let d = self.rows.len() / self.scales.len();
        (&self.rows[token * d..][..d], self.scales[token])
    }

    /// Number of bytes of a row, D.
    pub fn row_bytes(&self) -> usize {
        self.rows.len() / self.scales.len()
    }

    /// How the largest logits are found, as long as the activations give bounds: see [`HeadPath`].
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

    /// Whether activations of this scale leave every logit finite, whatever the rows: then none has to be looked at.
    /// `false` says that some may not be.
    pub fn keeps_finite(&self, scale: f32) -> bool {
        // Above every |row · q|; f32 multiplication rounds monotonically.
        const LARGEST_DOT: f32 = (1u32 << 31) as f32;
        (LARGEST_DOT * (self.largest_factor * scale)).is_finite()
    }

    /// All logits, `(rows · q) · (row_scales · scale)`: `q` has D 15-bit values, `logits` V.
    pub fn logits(&self, q: &[i16], scale: f32, logits: &mut [f32]) {
        self.kernels.head_int8(self.rows, &self.scales, q, scale, logits);
    }

    /// Lays the rows out once more, V × D bytes, so that [`logits_many`](Int8Head::logits_many) passes over them once for
    /// many sessions instead of once for each.
    pub fn lay_out_for_many(&mut self) {
        self.many = Some(HeadRows::new(self.kernels, self.rows, self.row_bytes()));
    }

    /// The [`logits`](Int8Head::logits) of as many sessions as there are `scales`, to the bit: `q` has D values of each,
    /// one after the other, `logits` room for V of each.
    ///
    /// # Panics
    /// Where the lengths are not these.
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

    /// [`logits`](Int8Head::logits) of the rows from `first` on, as many as `logits` has room for.
    ///
    /// # Panics
    /// Where `q` has another length, or there are not so many rows.
    pub fn logits_from(&self, first: usize, q: &[i16], scale: f32, logits: &mut [f32]) {
        self.part(first..first + logits.len(), q, scale).logits(0, logits);
    }

    /// The `top.len()` largest of the [`logits`](Int8Head::logits), in their [order](TopLogit::order), and how they were
    /// found. `room` is V values of working room.
    ///
    /// # Panics
    /// Where `q` or `room` have another length, or more are asked for than there are.
    pub fn top(&self, q: &[i16], scale: f32, top: &mut [TopLogit], room: &mut [f32]) -> HeadPath {
        self.top_in(0..self.scales.len(), q, scale, top, room)
    }

    /// [`top`](Int8Head::top) with what is done for every row left to `divide`: the same, however it divides.
    ///
    /// # Panics
    /// As `top`, and where `divide` does not keep its contract.
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
    /// [`SPLIT`](Int8Head::SPLIT); `room` has a value for each of them. The largest of all are among those of the parts.
    ///
    /// # Panics
    /// As [`top`](Int8Head::top), and where `range` is not such a range.
    pub fn top_in(
        &self,
        range: Range<usize>,
        q: &[i16],
        scale: f32,
        top: &mut [TopLogit],
        room: &mut [f32],
    ) -> HeadPath {
        assert!(range.start.is_multiple_of(Self::SPLIT), "{range:?} is no part");
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
                divide(room, &|first, room| part.logits(first, room));
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
        assert!(range.end <= self.scales.len(), "{range:?} is no part of {} rows", self.scales.len());
        let rows = &self.rows[range.start * q.len()..range.end * q.len()];
        Part { kernels: self.kernels, rows, row_scales: &self.scales[range], q, scale }
    }

    /// The largest logits of as many sessions as there are `scales`, the same number of each: what [`top`](Int8Head::top)
    /// gives for each alone. `q` has D values of each, `top` has their winners, one session after the other; `room` is V
    /// values of working room. One pass serves all, where they are three and more, the rows are
    /// [laid out for it](Int8Head::lay_out_for_many) and the variant multiplies bytes by bytes.
    ///
    /// # Panics
    /// Where the lengths are not these.
    pub fn top_many(&self, q: &[i16], scales: &[f32], top: &mut [TopLogit], room: &mut [f32]) {
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
            self.top_of_sessions(q, scales, top, room);
        }
    }

    /// [`top_many`](Int8Head::top_many) of up to [`SESSIONS`].
    fn top_of_sessions(&self, q: &[i16], scales: &[f32], top: &mut [TopLogit], room: &mut [f32]) {
        let (d, v, k) = (self.row_bytes(), self.scales.len(), top.len() / scales.len());
        let mut found = [false; SESSIONS];
        // Where rows have no factors, or are few, they have no first stage; a search begins with the first piece.
        if let (Some(many), Ok(_)) = (&self.many, &self.coarse)
            && scales.len() >= WORTH_A_PASS
            && let Some(bounded) = many.bounded_rows()
            && k <= bounded.min(PIECE)
        {
            let mut searches = [const { None }; SESSIONS];
            let sessions = q.chunks_exact(d).zip(scales).zip(top.chunks_exact_mut(k));
            for (search, ((q, &scale), top)) in searches.iter_mut().zip(sessions) {
                let part = self.part(0..v, q, scale);
                *search = self.check_scale(&part).ok().map(|()| (part, Search::new(part, top)));
            }
            many.bounds(&self.scales, q, scales, &mut |t, first, bounds| {
                if let Some((_, search)) = &mut searches[t] {
                    search.look(first, bounds);
                }
            });
            for (found, search) in found.iter_mut().zip(searches) {
                if let Some((part, mut search)) = search {
                    // No logit exceeds itself.
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

    /// Whether the activations' scale, too, leaves every row a factor that is not negative, infinite or a NaN: then
    /// bounds stay bounds, and are no NaNs.
    fn check_scale(&self, part: &Part<'_>) -> Result<(), WhyFull> {
        let is_factor = part.scale >= 0.0 && (self.largest_scale * part.scale).is_finite();
        if is_factor { Ok(()) } else { Err(WhyFull::Scale) }
    }

    /// Finds the largest logits of a part in two stages; returns how many logits were computed.
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
            bounds(self.kernels.isa, coarse, first_group + first / GROUP, &input, scales, room);
        });
        let mut search = Search::new(*part, top);
        search.look(0, room);
        search.finish()
    }
}

/// Whether rows get bounds from this instruction set. Without SIMD it gains nothing, and neither where products of
/// bytes have to be widened first, as with WebAssembly's plain SIMD: there the first stage is as much work as the whole.
fn bounds_rows(isa: Isa) -> bool {
    match isa {
        Isa::Generic | Isa::Lut => false,
        #[cfg(target_arch = "wasm32")]
        Isa::Simd128(_) => false,
        #[cfg(any(target_arch = "x86_64", all(target_arch = "wasm32", feature = "relaxed_simd")))]
        _ => true,
    }
}

/// Runs `$name` of the instruction sets that bound rows.
macro_rules! dispatch {
    ($isa:expr, $name:ident ( $($arg:expr),* )) => {
        match $isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Ssse3(isa) => super::ssse3::$name(isa, $($arg),*),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2(isa) => super::avx2::$name(isa, $($arg),*),
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni(isa) => super::avx_vnni::$name(isa, $($arg),*),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Vnni(isa) => super::avx512_vnni::$name(isa, $($arg),*),
            #[cfg(all(target_arch = "wasm32", feature = "relaxed_simd"))]
            Isa::RelaxedSimd(isa) => super::relaxed_simd::$name(isa, $($arg),*),
            _ => {
                // Used, where no instruction set bounds rows.
                let _ = ($(&$arg),*);
                unreachable!("no first stage was laid out")
            }
        }
    };
}

/// A bound for the logit of each row of a part, from its first group on.
fn bounds(isa: Isa, coarse: &CoarseRows, first_group: usize, input: &Input, scales: (&[f32], f32), bounds: &mut [f32]) {
    dispatch!(isa, bounds(coarse, first_group, input, scales, bounds));
}

/// `rows · q` of the rows that `tokens` name.
pub(super) fn exact(kernels: Kernels, rows: &[i8], tokens: &[u32], q: &[i16], dots: &mut [i32]) {
    dispatch!(kernels.isa, exact(rows, tokens, q, dots));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Variant;
    use alloc::vec;

    /// A repeatable value of 16 bits.
    fn noise(i: usize) -> u32 {
        (i as u32).wrapping_mul(2_654_435_761).rotate_left(13).wrapping_mul(0x9e37_79b1) >> 16
    }

    /// What the whole rests on: no logit exceeds its bound, also where `Σ r·a` is as large as Cauchy and Schwarz allow;
    /// and the bounds are the same bits everywhere.
    #[test]
    fn no_logit_exceeds_its_bound() {
        let (v, mut closest) = (70, f64::INFINITY);
        for d in [1, 5, 96, 101, 256, 1024] {
            for (kind, largest) in [(0, 16_383), (1, 16_383), (2, 16_383), (3, 63), (4, 16_383)] {
                let random = |i: usize| noise(i + 7 * d + kind) as i32 % (2 * largest + 1) - largest;
                let q: Vec<i16> = (0..d).map(|i| if kind == 4 { 127 * 128 } else { random(i) } as i16).collect();
                // Bytes of any codes, or of one, whose low bits go with the signs of the activations.
                let e = |i: usize| match (kind, q[i % d] > 0) {
                    (1 | 4, true) => (noise(i / d) as i32 & 0xf0 | 15) as u8 as i8,
                    (1 | 4, false) => (noise(i / d) as i32 & 0xf0) as u8 as i8,
                    (2, positive) => [-128, 127][usize::from(positive)],
                    _ => noise(i) as i8,
                };
                let rows: Vec<i8> = (0..v * d).map(e).collect();
                let scales: Vec<f32> = (0..v).map(|r| noise(r) as f32 * 1e-6).collect();
                let mut expected: Option<Vec<f32>> = None;
                for kernels in Variant::ALL.into_iter().filter_map(|variant| Kernels::new(variant).ok()) {
                    let head = Int8Head::two_stage_from(0, kernels, &rows, scales.clone());
                    let Ok(coarse) = &head.coarse else { continue };
                    let (mut found, mut logits) = (vec![0.0; v], vec![0.0; v]);
                    bounds(kernels.isa, coarse, 0, &Input::new(&q), (&scales, 1e-3), &mut found);
                    head.logits(&q, 1e-3, &mut logits);
                    for (r, (&bound, &logit)) in found.iter().zip(&logits).enumerate() {
                        assert!(bound >= logit, "{:?} {d} {kind}, row {r}: {bound} < {logit}", kernels.variant());
                        if logit > 0.0 {
                            closest = closest.min(f64::from(bound) / f64::from(logit) - 1.0);
                        }
                    }
                    assert_eq!(&found, expected.get_or_insert(found.clone()), "{:?} {d} {kind}", kernels.variant());
                    // A part's bounds are those of the whole.
                    let mut of_part = vec![0.0; v - 64];
                    bounds(kernels.isa, coarse, 2, &Input::new(&q), (&scales[64..], 1e-3), &mut of_part);
                    assert_eq!(of_part, found[64..], "{:?} {d} {kind}", kernels.variant());
                    // By the first digit of three sessions: the same activations, none, and activations of low digits.
                    let low = q.iter().map(|q| q % 100);
                    let (q, units) = (q.iter().copied().chain(vec![0; d]).chain(low).collect::<Vec<_>>(), [1e-3; 3]);
                    let mut logits = vec![0.0; 3 * v];
                    let rows = HeadRows::new(kernels, &rows, d);
                    rows.logits(&scales, &q, &units, &mut logits);
                    if let Some(bounded) = rows.bounded_rows() {
                        let mut seen = 0;
                        rows.bounds(&scales, &q, &units, &mut |t, first, bounds| {
                            for (r, (bound, logit)) in bounds.iter().zip(&logits[t * v + first..]).enumerate() {
                                assert!(bound >= logit, "{:?} {d} {kind}, {t}, {r}: {bound}", kernels.variant());
                                seen += 1;
                            }
                        });
                        assert_eq!(seen, 3 * bounded);
                    }
                }
                assert_eq!(expected.is_some(), cfg!(any(target_arch = "x86_64", feature = "relaxed_simd")));
            }
        }
        // Rows are among them that leave the bound no room but for its roundings.
        assert!(closest < 1e-3 || cfg!(not(any(target_arch = "x86_64", feature = "relaxed_simd"))), "{closest}");
    }
}
