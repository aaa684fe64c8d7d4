//! Every kernel of every variant, bit for bit: over edge-case shapes, at every alignment, at the edge of a page.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use bitstate_kernels::{
    HeadRows, Kernels, MAX_N_EMBD, MatmulScratch, QuantisedRows, TernaryMatrix, TopLogit, UnknownVariant, Variant,
};
use bitstate_model::{Matrix, MatrixData};
use support::call::{Call, head_calls, head_many_call, ternary_call, vector_calls, wkv_call};
use support::data::{Kind, LENGTHS, ROWS, Source};
use support::memory::Place;
use support::{bits, generic, variants};

/// Calls of every kernel over every edge-case shape with values of every kind.
fn awkward_calls(mut check: impl FnMut(Kind, Call)) {
    for (seed, kind) in (1..).zip(Kind::ALL) {
        let from = &mut Source::new(kind, seed);
        for n in LENGTHS {
            vector_calls(from, n).into_iter().for_each(|call| check(kind, call));
            for v in [1, 3, 4, 9] {
                head_calls(from, v, n).into_iter().for_each(|call| check(kind, call));
            }
        }
        for d in [1, 7, 33, 96, 101, 160, 255, 256, MAX_N_EMBD] {
            for v in [1, 3, 5, 15, 16, 17, 33, 101] {
                check(kind, head_many_call(from, v, d, 1 + (v + d) % 5));
            }
        }
        for sessions in 1..=19 {
            check(kind, head_many_call(from, 37, 96, sessions));
        }
        for s in [1, 2, 5, 15, 16, 17, 31, 32, 33, 64, 96, 101] {
            check(kind, wkv_call(from, s));
        }
        for cols in LENGTHS {
            for rows in ROWS {
                check(kind, ternary_call(from, rows, cols));
            }
        }
        // Many times more columns than 16-bit sums can hold, and more tables than `lut` has.
        check(kind, ternary_call(from, 33, 4100));
    }
}

/// The largest possible sums, over more columns than the combined sums of several planes can hold.
#[test]
fn sums_of_very_wide_matrices_do_not_wrap() {
    let (rows, cols) = (64, (1 << 17) + 70);
    for (weight, q) in [(1, 127), (1, -127), (-1, 127)] {
        let weights = vec![weight; rows * cols];
        let call = Call::Ternary { weights, packed: false, q: vec![q; cols], scales: [1.0, 1.0] };
        for kernels in variants() {
            assert_eq!(call.run(kernels, Place::Offset(0)), call.canonical(), "{:?} {weight} {q}", kernels.variant());
        }
    }
}

/// A call of every kernel that takes a slice of `n` values.
fn calls_of_length(from: &mut Source, n: usize) -> Vec<Call> {
    let mut calls = vector_calls(from, n);
    calls.extend(head_calls(from, 5, n));
    if n <= MAX_N_EMBD {
        calls.extend([1, 2, 3].map(|sessions| head_many_call(from, 35, n, sessions)));
    }
    calls.push(wkv_call(from, n));
    for rows in [1, 16, 33, 65] {
        // Both forms of a matrix, independent of the source.
        let Call::Ternary { weights, q, scales, .. } = ternary_call(from, rows, n) else { unreachable!() };
        calls.extend([false, true].map(|packed| {
            let (weights, q) = (weights.clone(), q.clone());
            Call::Ternary { weights, packed, q, scales }
        }));
    }
    calls
}

#[test]
fn generic_is_the_canonical_arithmetic() {
    awkward_calls(|kind, call| {
        assert_eq!(call.run(generic(), Place::Offset(0)), call.canonical(), "{kind:?} {}", call.name());
    });
}

#[test]
fn every_variant_equals_generic_on_awkward_shapes() {
    let variants = variants();
    let mut offset = 0;
    awkward_calls(|kind, call| {
        let expected = call.run(generic(), Place::Offset(0));
        for kernels in &variants {
            offset = (offset + 1) % 64;
            let name = (kernels.variant(), kind, call.name(), offset);
            assert_eq!(call.run(*kernels, Place::Offset(offset)), expected, "{name:?}");
        }
    });
}

#[test]
fn the_alignment_changes_nothing() {
    for n in [7, 33, 101] {
        for call in calls_of_length(&mut Source::new(Kind::Special, 77), n) {
            let expected = call.run(generic(), Place::Offset(0));
            for kernels in variants() {
                for offset in 0..64 {
                    let name = (kernels.variant(), call.name(), offset);
                    assert_eq!(call.run(kernels, Place::Offset(offset)), expected, "{name:?}");
                }
            }
        }
    }
}

/// A read or a write past an end is a segmentation fault here.
#[cfg(target_os = "linux")]
#[test]
fn nothing_is_touched_outside_the_slices() {
    for n in [1, 2, 3, 4, 5, 8, 13, 15, 16, 17, 31, 32, 33, 63, 64, 65, 101, 160, 255, 257, 1030] {
        let calls = calls_of_length(&mut Source::new(Kind::Random, n as u64), n);
        for call in calls.iter().filter(|call| n <= 160 || !matches!(call, Call::Wkv { .. })) {
            let expected = call.run(generic(), Place::Offset(0));
            for kernels in variants() {
                for place in [Place::BeforeGuard, Place::AfterGuard] {
                    assert_eq!(call.run(kernels, place), expected, "{:?} {} {place:?}", kernels.variant(), call.name());
                }
            }
        }
    }
}

/// Rows processed in parts equal the rows of the whole, in every variant that supports parts.
#[test]
fn a_matrix_in_parts_is_the_whole() {
    let mut parts = 0;
    for (rows, cols) in [(1, 16), (63, 5), (65, 101), (192, 64), (200, 257), (321, 40)] {
        let from = &mut Source::new(Kind::Random, (rows * cols) as u64);
        let Call::Ternary { weights, q, .. } = ternary_call(from, rows, cols) else { unreachable!() };
        for kernels in variants() {
            let matrix = TernaryMatrix::new(kernels, Matrix { rows, cols, data: MatrixData::Int8(&weights) });
            if matrix.divisible_bytes().is_none() {
                assert!(matches!(kernels.variant(), Variant::Generic | Variant::Lut));
                continue;
            }
            let mut x = QuantisedRows::new(kernels, cols, 1);
            x.clear(cols);
            x.push_int8(&q[..cols], 0.75);
            let mut whole = vec![0.0; rows];
            matrix.matmul(&x, 0.3, &mut MatmulScratch::new(kernels, rows), &mut whole);
            for step in [1, 2, 3, 5].map(|n| n * TernaryMatrix::SPLIT) {
                let mut y = vec![f32::NAN; rows];
                for (i, y) in y.chunks_mut(step).enumerate() {
                    matrix.matvec_part(i * step, &x, 0.3, y);
                    parts += 1;
                }
                assert_eq!(bits(&y), bits(&whole), "{:?} {rows}x{cols} {step}", kernels.variant());
            }
        }
    }
    assert!(parts > 0 || variants().len() == 2, "a SIMD variant that this machine has can be taken in parts");
}

/// The widest head with the largest values: the largest sum that must fit 32 bits.
#[test]
fn the_widest_head_does_not_overflow() {
    for (e, q) in [(127, 16_383), (-128, 16_383), (-128, -16_383), (127, -16_383)] {
        let call = Call::HeadInt8 { rows: vec![e; 5 * 1024], row_scales: vec![1.0; 5], q: vec![q; 1024], scale: 1.0 };
        let (row_scales, scales) = (vec![1.0; 17], vec![1.0; 3]);
        let many = Call::HeadMany { rows: vec![e; 17 * 1024], row_scales, q: vec![q; 3 * 1024], scales };
        let expected = (i32::from(e) * i32::from(q) * 1024) as f32;
        for kernels in variants() {
            let variant = kernels.variant();
            assert_eq!(call.run(kernels, Place::Offset(0)), bits(&[expected; 5]), "{variant:?} {e} {q}");
            assert_eq!(many.run(kernels, Place::Offset(0)), bits(&[expected; 51]), "{variant:?} {e} {q}, many");
        }
    }
}

/// A row far wider than any model's, with the largest values: no variant's partial sums may overflow if the result
/// fits.
#[test]
fn the_widest_rows_do_not_overflow() {
    let cols = 1 << 20;
    for (weight, q) in [(1, 127), (1, -127), (-1, 127), (0, -127)] {
        let call = Call::Ternary { weights: vec![weight; cols], packed: true, q: vec![q; cols], scales: [1.0, 1.0] };
        let expected = [(i32::from(weight) * i32::from(q) * (1 << 20)) as f32];
        for kernels in variants() {
            assert_eq!(call.run(kernels, Place::Offset(0)), bits(&expected), "{:?} {weight} {q}", kernels.variant());
        }
    }
}

#[test]
fn ties_round_to_even() {
    for kernels in variants() {
        let variant = kernels.variant();
        // A mean magnitude of 254 / 5 makes the INT8 step exactly 1; a largest value of 16383 does so for 15 bits.
        let mut rows = QuantisedRows::new(kernels, 5, 1);
        for (y, q) in [
            ([0.5, 1.5, -2.5, -3.5, 246.0], [0, 2, -2, -4, 127]),
            ([-0.5, 63.5, 64.5, -125.5, 0.0], [0, 64, 64, -126, 0]),
        ] {
            rows.clear(5);
            rows.push(&y);
            assert_eq!((rows.scale(0), rows.q(0)), (1.0, &q[..]), "{variant:?}");
        }
        let z = [16_383.0, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 8190.5, -8191.5, 16_382.5];
        let mut q = [0; 10];
        assert_eq!(kernels.quantise_15bit(&z, &mut q), 1.0, "{variant:?}");
        assert_eq!(q, [16_383, 0, 2, 2, 0, -2, -2, 8190, -8192, 16_382], "{variant:?}");
    }
}

#[test]
fn many_rows_at_once_are_each_alone() {
    let mut source = Source::new(Kind::ALL[0], 8);
    for kernels in variants() {
        for (rows, cols) in [(1, 1), (16, 16), (65, 33), (130, 100), (192, 257), (260, 160)] {
            let weights = source.ternary(rows * cols);
            let matrix = TernaryMatrix::new(kernels, Matrix { rows, cols, data: MatrixData::Int8(&weights) });
            let mut scratch = MatmulScratch::new(kernels, rows);
            for tokens in [1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 19] {
                let (mut many, mut alone) =
                    (QuantisedRows::new(kernels, cols, tokens), QuantisedRows::new(kernels, cols, 1));
                let q: Vec<_> = (0..tokens).map(|_| (source.int8s(cols), source.float())).collect();
                many.clear(cols);
                q.iter().for_each(|(q, scale)| many.push_int8(q, *scale));
                let mut y = vec![0.0; tokens * rows];
                matrix.matmul(&many, 0.5, &mut scratch, &mut y);
                for (t, (q, scale)) in q.iter().enumerate() {
                    let mut expected = vec![0.0; rows];
                    alone.clear(cols);
                    alone.push_int8(q, *scale);
                    matrix.matmul(&alone, 0.5, &mut scratch, &mut expected);
                    let found = &y[t * rows..][..rows];
                    let context = format!("{:?}, {rows} × {cols}, row {t} of {tokens}", kernels.variant());
                    assert_eq!(bits(found), bits(&expected), "{context}");
                }
            }
        }
    }
}

#[test]
fn variants_are_found_by_their_names() {
    for variant in Variant::ALL {
        assert_eq!(Variant::by_name(variant.name()), Ok(variant));
    }
    for name in ["", "AVX2", "avx", "avx2 ", "sse"] {
        assert_eq!(Variant::by_name(name), Err(UnknownVariant), "{name}");
    }
    let named = UnknownVariant.to_string();
    assert!(Variant::ALL.iter().all(|variant| named.contains(variant.name())), "{named}");
}

#[test]
fn a_variant_that_cannot_run_says_what_it_needs() {
    let missing: Vec<_> = Variant::ALL.into_iter().filter_map(|variant| Kernels::new(variant).err()).collect();
    assert_eq!(missing.len() + variants().len(), Variant::ALL.len());
    // No target has the SIMD of both families.
    assert!(!missing.is_empty());
    for missing in missing {
        let text = missing.to_string();
        assert!(text.contains(missing.variant.name()) && text.contains("it needs "), "{text}");
        assert!(text.contains(&format!(", and this is {}", missing.missing)), "{text}");
    }
    assert!(Kernels::new(Variant::best()).is_ok());
}

/// Compared with a sort by the documented order, with ties, both zeros, infinities and NaNs of both signs.
#[test]
fn the_largest_logits_come_in_order() {
    for (seed, kind) in (1..).zip(Kind::ALL) {
        for n in [1, 2, 15, 16, 17, 101, 1030] {
            let logits = Source::new(kind, seed).floats(n);
            let mut expected: Vec<_> = (0..).zip(&logits).map(|(token, &logit)| TopLogit { token, logit }).collect();
            expected.sort_by(TopLogit::order);
            let sorted = expected.windows(2).all(|pair| {
                let (a, b) = (pair[0].logit, pair[1].logit);
                let equal = a == b || a.is_nan() && b.is_nan();
                if equal { pair[0].token < pair[1].token } else { a > b || b.is_nan() }
            });
            assert!(sorted, "{kind:?} {n}: the order is not as documented");
            let bits = |top: &[TopLogit]| top.iter().map(|top| (top.token, top.logit.to_bits())).collect::<Vec<_>>();
            for kernels in variants() {
                for k in [0, 1, 2, 15, 50, n] {
                    let k = k.min(n);
                    let mut top = vec![TopLogit::default(); k];
                    kernels.top(&logits, &mut top);
                    assert_eq!(bits(&top), bits(&expected[..k]), "{:?} {kind:?} {k} of {n}", kernels.variant());
                }
            }
        }
    }
}

/// The named feature is one that the CPU lacks, checked again with the standard library.
#[cfg(target_arch = "x86_64")]
#[test]
fn the_missing_feature_is_named() {
    use std::is_x86_feature_detected as has;
    let avx2 = ("avx2", has!("avx2"));
    let cpu = [
        (Variant::Ssse3, vec![("ssse3", has!("ssse3"))]),
        (Variant::Avx2, vec![avx2]),
        (Variant::AvxVnni, vec![avx2, ("avx_vnni", has!("avxvnni"))]),
        (
            Variant::Avx512Vnni,
            vec![
                avx2,
                ("avx512f", has!("avx512f")),
                ("avx512bw", has!("avx512bw")),
                ("avx512vl", has!("avx512vl")),
                ("avx512_vnni", has!("avx512vnni")),
            ],
        ),
    ];
    for (variant, features) in cpu {
        let first = features.iter().find(|(_, there)| !there).map(|(name, _)| format!("an x86-64 CPU without {name}"));
        let said = Kernels::new(variant).err().map(|error| error.missing.to_string());
        assert_eq!(said, first, "{variant:?}");
    }
    let simd128 = Kernels::new(Variant::Simd128).unwrap_err();
    assert_eq!(simd128.missing, "an x86-64 build");
}

/// Errors of the caller are detected before any kernel runs.
#[test]
fn wrong_shapes_panic() {
    for kernels in variants() {
        let rows = HeadRows::new(kernels, &[0; 17 * 16], 16);
        let wrong: [(&str, &dyn Fn()); 15] = [
            ("top", &|| kernels.top(&[0.0; 3], &mut [TopLogit::default(); 4])),
            ("layer_norm", &|| kernels.layer_norm(&[0.0; 17], &[0.0; 17], &[0.0; 16], &mut [0.0; 17])),
            ("add", &|| kernels.add(&mut [0.0; 32], &[0.0; 31])),
            ("strided_maxima without groups", &|| kernels.strided_maxima(&[0.0; 16], 1.0, 1, &mut [])),
            ("strided_maxima without rows", &|| kernels.strided_maxima(&[0.0; 16], 1.0, 0, &mut [0.0])),
            ("not_below", &|| _ = kernels.not_below(&[0.0; 16], 1.0, 0.0, &mut [0; 15])),
            ("quantise_15bit", &|| _ = kernels.quantise_15bit(&[0.0; 16], &mut [0; 15])),
            ("head_int8", &|| kernels.head_int8(&[0; 63], &[0.0; 4], &[0; 16], 1.0, &mut [0.0; 4])),
            ("head_int8 too wide", &|| kernels.head_int8(&[0; 1025], &[0.0], &[0; 1025], 1.0, &mut [0.0])),
            ("HeadRows of no rows", &|| _ = HeadRows::new(kernels, &[0; 63], 16)),
            ("HeadRows too wide", &|| _ = HeadRows::new(kernels, &[0; 1025], 1025)),
            ("HeadRows, q", &|| rows.logits(&[0.0; 17], &[0; 31], &[1.0; 2], &mut [0.0; 34])),
            ("HeadRows, row_scales", &|| rows.logits(&[0.0; 16], &[0; 32], &[1.0; 2], &mut [0.0; 34])),
            ("HeadRows, logits", &|| rows.logits(&[0.0; 17], &[0; 32], &[1.0; 2], &mut [0.0; 33])),
            ("head_f32", &|| kernels.head_f32(&[0; 64 * 4 - 4], &[0.0; 16], &mut [0.0; 4])),
        ];
        for (name, call) in wrong {
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call));
            assert!(caught.is_err(), "{:?} {name}", kernels.variant());
        }
    }
}
