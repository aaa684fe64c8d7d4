//! The largest logits found with bounds equal those of a search over all logits, for any rows: the same tokens in the
//! same order with the same bits, by the expected path.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use bitstate_kernels::{Divide, HeadPath, Int8Head, Kernels, ReadOrder, TopLogit, Variant, WhyFull};
use proptest::collection::vec;
use proptest::prelude::*;
use support::data::{Kind, Source};
use support::memory::{Buffer, Place};
use support::{generic, variants};

/// A head and its activations.
#[derive(Debug, Clone)]
struct Case {
    rows: Vec<i8>,
    row_scales: Vec<f32>,
    q: Vec<i16>,
    scale: f32,
}

/// The compared values: tokens and bits.
fn bits(top: &[TopLogit]) -> Vec<(u32, u32)> {
    let bits = |logit: f32| if logit.is_nan() { 0x7fc0_0000 } else { logit.to_bits() };
    top.iter().map(|top| (top.token, bits(top.logit))).collect()
}

impl Case {
    /// All logits in order, from plain Rust.
    fn ranked(&self) -> Vec<TopLogit> {
        let mut logits = vec![0.0; self.row_scales.len()];
        generic().head_int8(&self.rows, &self.row_scales, &self.q, self.scale, &mut logits);
        let mut ranked: Vec<_> = (0..).zip(logits).map(|(token, logit)| TopLogit { token, logit }).collect();
        ranked.sort_by(TopLogit::order);
        ranked
    }

    fn head(&self, kernels: Kernels) -> Int8Head<'_> {
        Int8Head::two_stage_from(0, kernels, &self.rows, self.row_scales.clone())
    }

    /// Computes the largest logits of several sessions together with every variant: this one, one with negated
    /// activations, one reversed with a negative scale, and one with halved activations.
    fn check_many(&self, name: &str) {
        let (d, v) = (self.q.len(), self.row_scales.len());
        let others = [
            Case { q: self.q.iter().map(|q| -q).collect(), ..self.clone() },
            Case { q: self.q.iter().rev().copied().collect(), scale: -self.scale, ..self.clone() },
            Case { q: self.q.iter().map(|q| q / 2).collect(), ..self.clone() },
        ];
        let mut sessions: Vec<_> = std::iter::once(self).chain(&others).collect();
        // Six, which no variant takes at once.
        sessions.extend_from_within(..2);
        let (q, scales) = (sessions.iter().flat_map(|s| s.q.clone()), sessions.iter().map(|s| s.scale));
        let (q, scales) = (q.collect::<Vec<_>>(), scales.collect::<Vec<_>>());
        let ranked: Vec<_> = sessions.iter().map(|session| session.ranked()).collect();
        for kernels in variants() {
            let mut head = self.head(kernels);
            for laid_out in [false, true] {
                for (n, k) in [(1, 1), (2, 1), (4, 1), (3, 2), (5, 2), (6, 1), (4, 50)] {
                    let k = k.min(v);
                    for order in [ReadOrder::FirstToLast, ReadOrder::LastToFirst] {
                        let (mut top, mut room) = (vec![TopLogit::default(); n * k], vec![f32::NAN; v]);
                        head.top_many(&q[..n * d], &scales[..n], &mut top, &mut room, order);
                        for (ranked, top) in ranked.iter().zip(top.chunks(k)) {
                            let name = format!("{name} {:?} {k} of {v}, {n} sessions", kernels.variant());
                            assert_eq!(bits(top), bits(&ranked[..k]), "{name}, {laid_out}, {order:?}");
                        }
                    }
                }
                head.lay_out_for_many();
            }
        }
    }

    /// Computes the 1, 2, 16, 50 and all largest logits with every variant, of the whole and of two parts; returns the
    /// paths of the whole in variants with a first stage, where it may be tried for that many.
    fn check(&self, name: &str) -> Vec<HeadPath> {
        let (v, ranked) = (self.row_scales.len(), self.ranked());
        let mut paths = Vec::new();
        for kernels in variants() {
            let (head, variant) = (self.head(kernels), kernels.variant());
            for k in [1, 2, Int8Head::MOST_WINNERS, 50, v] {
                let k = k.min(v);
                let (mut top, mut room) = (vec![TopLogit::default(); k], vec![f32::NAN; v]);
                let path = head.top(&self.q, self.scale, &mut top, &mut room);
                assert_eq!(bits(&top), bits(&ranked[..k]), "{name} {variant:?} {k} of {v}, {path:?}");
                if matches!(variant, Variant::Generic | Variant::Lut | Variant::Mve | Variant::Simd128 | Variant::Rvv) {
                    assert_eq!(path, HeadPath::Full(WhyFull::Variant), "{name} {variant:?}");
                } else if k <= Int8Head::MOST_WINNERS {
                    paths.push(path);
                } else {
                    let why = [WhyFull::Winners { asked: k }, WhyFull::Scale].map(HeadPath::Full);
                    let of_row = matches!(path, HeadPath::Full(WhyFull::RowScale { .. }));
                    assert!(of_row || why.contains(&path), "{name} {variant:?} {k} of {v}: {path:?}");
                }
                if let HeadPath::TwoStage { exact } = path {
                    assert!((k..=v).contains(&exact), "{name} {variant:?} {k} of {v}: {exact} exact logits");
                }
                for chunk in [Int8Head::SPLIT, (v / 3).max(1).next_multiple_of(Int8Head::SPLIT), v] {
                    let (mut top, mut room) = (vec![TopLogit::default(); k], vec![f32::NAN; v]);
                    let divide: Divide<'_> = &|room, task| {
                        // From the last to the first, an order that no single thread would use.
                        for (i, room) in room.chunks_mut(chunk).enumerate().rev() {
                            task(i * chunk, room);
                        }
                    };
                    let path = head.top_by(divide, &self.q, self.scale, &mut top, &mut room);
                    let name = format!("{name} {variant:?} {k} of {v}, divided by {chunk}: {path:?}");
                    assert_eq!(bits(&top), bits(&ranked[..k]), "{name}");
                    if let HeadPath::TwoStage { exact } = path {
                        assert!((k..=v).contains(&exact), "{name}");
                    }
                }
            }
            let cut = v / 2 / Int8Head::SPLIT * Int8Head::SPLIT;
            let mut parts = Vec::new();
            for range in [0..cut, cut..v] {
                let k = range.len().min(3);
                let (mut top, mut room) = (vec![TopLogit::default(); k], vec![f32::NAN; range.len()]);
                head.top_in(range, &self.q, self.scale, &mut top, &mut room);
                parts.extend(top);
            }
            parts.sort_by(TopLogit::order);
            let k = v.min(3);
            assert_eq!(bits(&parts[..k]), bits(&ranked[..k]), "{name} {variant:?} in parts of {cut}");
        }
        paths
    }
}

/// A value within ±`max`.
fn within(from: &mut Source, max: i32) -> i32 {
    (from.next() >> 33) as i32 % (2 * max + 1) - max
}

/// Rows that make bounds useless, nearly useless, or as tight as possible.
const ROWS: [&str; 10] = [
    "normal",
    "one unit apart",
    "few distinct rows",
    "the low bits decide",
    "saturated",
    "an outlier column",
    "zeros",
    "as far from its codes as can be",
    "every row the same",
    "the activations themselves",
];

fn rows(kind: &str, from: &mut Source, v: usize, q: &[i16]) -> Vec<i8> {
    let d = q.len();
    let base = from.int8s(d);
    let mut e = |r: usize, c: usize| -> i32 {
        let base = i32::from(base[c]);
        match kind {
            "normal" => (0..4).map(|_| within(from, 31)).sum(),
            "one unit apart" => base + i32::from(from.next().is_multiple_of(64)),
            "few distinct rows" => base ^ (r as i32 % 3 * 5),
            "the low bits decide" => (base & !15) + within(from, 7) + 8,
            "saturated" => [127, -128][(from.next() >> 40) as usize % 2],
            "an outlier column" if c == 0 => within(from, 127),
            "an outlier column" => within(from, 3),
            "zeros" => 0,
            // The codes say the higher the better, the low bits reverse it: by the sign of the activation they are 15
            // or 0, in rows of lower and lower codes.
            "as far from its codes as can be" => {
                let up = i32::from(q[c] > 0);
                16 * (((r % 8) as i32 - 4) * (2 * up - 1)) + 15 * (up ^ i32::from(r.is_multiple_of(2)))
            }
            "every row the same" => base,
            _ => (i32::from(q[c]) >> 7) - (r % 5) as i32,
        }
    };
    (0..v * d).map(|i| e(i / d, i % d).clamp(-128, 127) as i8).collect()
}

/// Activations that could break the digits and the bound.
fn activations(kind: &str, from: &mut Source, d: usize) -> Vec<i16> {
    let q = |i: usize| match kind {
        "random" => within(from, 16_383),
        "zero" => 0,
        "largest" => [16_383, -16_383][i % 2],
        "one outlier" if i == d / 2 => 16_383,
        "one outlier" => within(from, 60),
        "low digits only" => within(from, 64),
        _ => 64 + 128 * within(from, 126),
    };
    (0..d).map(q).map(|q| q as i16).collect()
}

#[test]
fn winners_are_exact_for_any_rows() {
    let mut two_stage = 0;
    for (seed, d) in (1..).zip([1, 7, 96, 101, 160, 256, 1024]) {
        // An emulator takes a minute for all of the widest.
        let few = d > 160 && !cfg!(target_arch = "x86_64");
        let counts: &[usize] = if few { &[17] } else { &[1, 15, 16, 17, 101] };
        let from = &mut Source::new(Kind::Random, seed);
        for of_q in ["random", "zero", "largest", "one outlier", "low digits only", "between digits"] {
            let q = activations(of_q, from, d);
            for kind in ROWS {
                for &v in counts {
                    let rows = rows(kind, from, v, &q);
                    let row_scales = (0..v).map(|_| 0.001 + from.float().abs()).collect();
                    let equal = vec![1.0; v];
                    for row_scales in [row_scales, equal] {
                        let case = Case { rows: rows.clone(), row_scales, q: q.clone(), scale: 2e-4 };
                        case.check_many(&format!("{kind}, {of_q}, {v} × {d}"));
                        let paths = case.check(&format!("{kind}, {of_q}, {v} × {d}"));
                        two_stage += paths.iter().filter(|path| matches!(path, HeadPath::TwoStage { .. })).count();
                    }
                }
            }
        }
    }
    let none_has_it = cfg!(target_arch = "riscv64");
    assert!(
        two_stage > if cfg!(target_arch = "x86_64") { 10_000 } else { 4_000 } || none_has_it,
        "{two_stage}: the first stage is there to be used"
    );
}

/// The default model's head: bounds leave some hundreds of the rows, or are abandoned.
#[test]
fn winners_of_a_large_vocabulary_are_exact() {
    let (v, d) = (32_011, 256);
    let from = &mut Source::new(Kind::Random, 5);
    let q = activations("random", from, d);
    for (kind, fewest, most) in [("normal", 51, 2100), ("the low bits decide", 51, 2100), ("few distinct rows", 0, 0)] {
        let rows = rows(kind, from, v, &q);
        let case = Case { rows, row_scales: vec![1.0; v], q: q.clone(), scale: 1e-4 };
        case.check_many(kind);
        for path in case.check(kind) {
            match path {
                HeadPath::TwoStage { exact } => assert!((1..most).contains(&exact), "{kind}: {exact}"),
                HeadPath::Full(WhyFull::Candidates { rows }) => assert!(rows > fewest, "{kind}: {rows}"),
                path => panic!("{kind}: {path:?}"),
            }
        }
    }
}

#[test]
fn a_scale_that_is_no_factor_takes_the_full_head() {
    let from = &mut Source::new(Kind::Random, 3);
    let q = activations("random", from, 96);
    let case = |row_scale: f32, scale: f32| {
        let mut row_scales = vec![1.0; 101];
        row_scales[70] = row_scale;
        let rows = rows("normal", &mut Source::new(Kind::Random, 4), 101, &q);
        Case { rows, row_scales, q: q.clone(), scale }
    };
    let row_scale = HeadPath::Full(WhyFull::RowScale { token: 70 });
    let scale = HeadPath::Full(WhyFull::Scale);
    for (of_row, of_q, expected) in [
        (-1.0, 1.0, row_scale),
        (-f32::from_bits(1), 1.0, row_scale),
        (f32::NAN, 1.0, row_scale),
        (f32::INFINITY, 1.0, row_scale),
        (f32::NEG_INFINITY, 1.0, row_scale),
        (1.0, -1.0, scale),
        (1.0, f32::NAN, scale),
        (1.0, f32::INFINITY, scale),
        (1e20, 1e20, scale),
        // The largest bound is +∞, and its logit -∞: no threshold.
        (1e30, 3e8, scale),
    ] {
        let name = format!("{of_row} {of_q}");
        let paths = case(of_row, of_q).check(&name);
        assert!(paths.iter().all(|&path| path == expected), "{name}: {paths:?}");
    }
    // Factors that take every logit to 0 or to the subnormals, or one close to infinity, are still valid.
    for (of_row, of_q) in [(0.0, 1.0), (-0.0, 1.0), (1.0, 0.0), (1e-44, 1.0), (1.0, 1e-44), (1.0, -0.0), (1e22, 3e8)] {
        let name = format!("{of_row} {of_q}");
        let paths = case(of_row, of_q).check(&name);
        let about_scales = |path: &HeadPath| matches!(path, HeadPath::Full(WhyFull::Scale | WhyFull::RowScale { .. }));
        assert!(!paths.iter().any(about_scales), "{name}: {paths:?}");
    }
}

/// A bound may equal the threshold and its row still win: a token before the one with the threshold, whose scale takes
/// its logit and its bound to 0.
#[test]
fn a_bound_that_equals_the_mark_is_in_the_running() {
    for (v, first) in [(2, 0), (40, 0), (60, 33)] {
        let mut row_scales = vec![1.0; v];
        row_scales[first] = 0.0;
        let mut rows = vec![0; v * 96];
        // Those before it lose.
        rows[..first * 96].fill(-1);
        let paths = Case { rows, row_scales, q: vec![100; 96], scale: 1.0 }.check("a bound of 0");
        assert!(paths.iter().all(|path| matches!(path, HeadPath::TwoStage { .. })), "{paths:?}");
    }
}

#[test]
fn a_small_head_is_read_whole() {
    for kernels in variants() {
        let (rows, q) = (vec![1; 64 * 96], vec![1; 96]);
        let head = Int8Head::new(kernels, &rows, vec![1.0; 64]);
        let (mut top, mut room) = ([TopLogit::default()], [0.0; 64]);
        let path = head.top(&q, 1.0, &mut top, &mut room);
        let why = [WhyFull::Variant, WhyFull::Small].map(HeadPath::Full);
        assert!(why.contains(&path), "{:?}: {path:?}", kernels.variant());
        assert_eq!(top, [TopLogit { token: 0, logit: 96.0 }]);
    }
}

/// Nothing is read or written outside the slices, at any position.
#[test]
fn nothing_is_touched_outside_the_slices() {
    let from = &mut Source::new(Kind::Random, 9);
    let mut places: Vec<_> = (0..64).step_by(7).map(Place::Offset).collect();
    #[cfg(target_os = "linux")]
    places.extend([Place::BeforeGuard, Place::AfterGuard]);
    for (v, d) in [(1, 1), (17, 5), (33, 63), (64, 64), (65, 65), (101, 96), (130, 160), (300, 257)] {
        let q = activations("random", from, d);
        let rows = rows("normal", from, v, &q);
        let case = Case { rows, row_scales: vec![0.5; v], q, scale: 1e-3 };
        let ranked = case.ranked();
        for kernels in variants() {
            for &place in &places {
                let (rows, q) = (Buffer::new(place, &case.rows), Buffer::new(place, &case.q));
                let mut room = Buffer::<f32>::output(place, v);
                let head = Int8Head::two_stage_from(0, kernels, &rows, case.row_scales.clone());
                let k = v.min(5);
                let stranger = TopLogit { token: 77, logit: 0.5 };
                let mut top = vec![stranger; k + 2];
                head.top(&q, case.scale, &mut top[1..=k], &mut room);
                assert_eq!(bits(&top[1..=k]), bits(&ranked[..k]), "{:?} {place:?} {v} × {d}", kernels.variant());
                assert!(top[0] == stranger && top[k + 1] == stranger);
                room.finish();
                assert_eq!(q.finish(), case.q);
                assert_eq!(rows.finish(), case.rows);
            }
        }
    }
}

#[test]
fn wrong_calls_panic() {
    let rows = vec![1; 64 * 16];
    for kernels in variants() {
        let head = Int8Head::two_stage_from(0, kernels, &rows, vec![1.0; 64]);
        let top = |range, q: usize, k: usize, room: usize| {
            let (mut top, mut room) = (vec![TopLogit::default(); k], vec![0.0; room]);
            head.top_in(range, &vec![1; q], 1.0, &mut top, &mut room);
        };
        let wrong: [(&str, &dyn Fn()); 8] = [
            ("no rows", &|| drop(Int8Head::new(kernels, &[], vec![]))),
            ("rows of different lengths", &|| drop(Int8Head::new(kernels, &rows, vec![1.0; 63]))),
            ("too wide", &|| drop(Int8Head::new(kernels, &[0; 1025], vec![1.0]))),
            ("q", &|| top(0..64, 15, 1, 64)),
            ("room", &|| top(0..64, 16, 1, 63)),
            ("more than there are", &|| top(32..64, 16, 33, 32)),
            ("past the end", &|| top(32..65, 16, 1, 33)),
            ("between two groups", &|| top(1..64, 16, 1, 63)),
        ];
        top(32..64, 16, 32, 32);
        for (name, call) in wrong {
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call));
            assert!(caught.is_err(), "{:?} {name}", kernels.variant());
        }
    }
}

/// Random heads.
fn case() -> impl Strategy<Value = Case> {
    (1..140usize, 1..150usize).prop_flat_map(|(v, d)| {
        let e = prop_oneof![3 => any::<i8>(), 1 => prop::sample::select(vec![-128i8, 127, 0, -1, 15, 16, -16])];
        let scale = || prop_oneof![8 => 1e-6f32..1.0, 1 => any::<u32>().prop_map(f32::from_bits)];
        let row_scales = prop_oneof![4 => vec(1e-3f32..1.0, v), 1 => vec(scale(), v)];
        (vec(e, v * d), row_scales, vec(-16_383..=16_383i16, d), scale())
            .prop_map(|(rows, row_scales, q, scale)| Case { rows, row_scales, q, scale })
    })
}

fn random(cases: u32) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(case in case())| { case.check("random"); case.check_many("random"); });
}

#[test]
fn winners_are_exact_on_random_heads() {
    random(128);
}

#[test]
#[ignore = "minutes of random heads: run it with --release --ignored"]
fn winners_are_exact_on_many_random_heads() {
    random(50_000);
}
