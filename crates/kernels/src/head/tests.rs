//! The properties that the two stages rely on.

use super::coarse::Input;
use super::{HeadRows, Int8Head, dispatch};
use crate::Kernels;
use crate::Variant;
use alloc::vec;
use alloc::vec::Vec;

/// A repeatable value of 16 bits.
fn noise(i: usize) -> u32 {
    (i as u32).wrapping_mul(2_654_435_761).rotate_left(13).wrapping_mul(0x9e37_79b1) >> 16
}

/// The basic property: no logit exceeds its bound, also where `Σ r·a` is as large as the Cauchy-Schwarz inequality
/// allows; and the bounds are the same bits on every variant.
#[test]
fn no_logit_exceeds_its_bound() {
    let (v, mut closest) = (70, f64::INFINITY);
    for d in [1, 5, 96, 101, 256, 1024] {
        for (kind, largest) in [(0, 16_383), (1, 16_383), (2, 16_383), (3, 63), (4, 16_383)] {
            let random = |i: usize| noise(i + 7 * d + kind) as i32 % (2 * largest + 1) - largest;
            let q: Vec<i16> = (0..d).map(|i| if kind == 4 { 127 * 128 } else { random(i) } as i16).collect();
            // Bytes of random codes, or of one code, whose low bits follow the signs of the activations.
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
                dispatch::bounds(kernels.isa, coarse, 0, &Input::new(&q), (&scales, 1e-3), &mut found);
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
                dispatch::bounds(kernels.isa, coarse, 2, &Input::new(&q), (&scales[64..], 1e-3), &mut of_part);
                assert_eq!(of_part, found[64..], "{:?} {d} {kind}", kernels.variant());
                // With the first digit of three sessions: the same activations, zeros, and activations of low digits.
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
            assert_eq!(
                expected.is_some(),
                cfg!(any(target_arch = "x86_64", target_arch = "aarch64", feature = "relaxed_simd"))
            );
        }
    }
    // Some rows leave the bound no slack except its rounding errors.
    assert!(
        closest < 1e-3 || cfg!(not(any(target_arch = "x86_64", target_arch = "aarch64", feature = "relaxed_simd"))),
        "{closest}"
    );
}
