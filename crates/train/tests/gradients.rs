//! Every step's gradient against finite differences in f64, and BitLinear's against its defining rule.

mod support;

use bitstate_train::kernels::loss::{Distill, IGNORED};
use bitstate_train::ops::{self, BitLinear, Dropout, Mode, Norm, Tensor, Wanted};
use support::{check_gradients, numbers};

fn norm(weight: &Tensor, bias: &Tensor) -> Norm {
    Norm { weight: weight.clone(), bias: bias.clone() }
}

#[test]
fn layer_norm() {
    let shapes: [&[usize]; 3] = [&[70, 12], &[12], &[12]];
    check_gradients(&shapes, 1, |t| ops::layer_norm(t[0].clone(), &norm(&t[1], &t[2])));
}

#[test]
fn linear_behind_a_norm_with_and_without_token_shift() {
    // Three sequences of 5 rows: the first row of each has no previous row.
    let mode = Mode { seq_len: 5, quantise: false };
    let shapes: [&[usize]; 5] = [&[15, 8], &[6, 8], &[8], &[8], &[8]];
    check_gradients(&shapes, 2, |t| {
        let linear = BitLinear { weight: t[1].clone(), norm: norm(&t[2], &t[3]) };
        ops::bit_linear(mode, t[0].clone(), Some(&t[4]), &linear)
    });
    check_gradients(&shapes[..4], 3, |t| {
        let linear = BitLinear { weight: t[1].clone(), norm: norm(&t[2], &t[3]) };
        ops::bit_linear(mode, t[0].clone(), None, &linear)
    });
}

#[test]
fn wkv_over_several_chunks_and_a_part_of_one() {
    // 2 sequences of 37 tokens: two chunks of 16 and 5 more. 2 heads of 3 channels.
    let shapes: [&[usize]; 5] = [&[74, 6], &[74, 6], &[74, 6], &[2, 3], &[2, 3]];
    check_gradients(&shapes, 4, |t| ops::wkv(37, [t[0].clone(), t[1].clone(), t[2].clone()], &t[3], &t[4]));
}

#[test]
fn norm_and_gate() {
    let shapes: [&[usize]; 4] = [&[9, 12], &[9, 12], &[12], &[12]];
    check_gradients(&shapes, 5, |t| ops::norm_gate(3, t[0].clone(), t[1].clone(), &norm(&t[2], &t[3])));
}

#[test]
fn elementwise_steps_and_embedding() {
    check_gradients(&[&[7, 5]], 6, |t| ops::squared_relu(t[0].clone()));
    check_gradients(&[&[7, 5], &[7, 5]], 7, |t| ops::gate(t[0].clone(), t[1].clone()));
    check_gradients(&[&[7, 5], &[7, 5]], 8, |t| ops::add(t[0].clone(), t[1].clone()));
    check_gradients(&[&[4, 5]], 9, |t| ops::embed(t[0].clone(), &[3, 1, 1, 0, 3]));
}

#[test]
fn loss_alone_and_with_a_teacher() {
    let targets = [2, 0, 4, 4, 1];
    let teacher = || ops::leaf(numbers(5 * 6, 99), &[5, 6], false);
    for distill in
        [None, Some(Distill { alpha: 0.7, temperature: 4.0 }), Some(Distill { alpha: 1.0, temperature: 1.0 })]
    {
        check_gradients(&[&[5, 6]], 10, |t| {
            let teacher = distill.map(|distill| (teacher(), distill));
            let loss = ops::loss(t[0].clone(), Wanted { targets: targets.into(), teacher });
            // The cross entropy after the loss has no gradient.
            ops::first(loss)
        });
    }
}

#[test]
fn an_ignored_target_is_as_if_its_row_were_not_there() {
    let targets = [2, IGNORED, 4, IGNORED, 1];
    let teacher = || ops::leaf(numbers(5 * 6, 99), &[5, 6], false);
    for distill in [None, Some(Distill { alpha: 0.7, temperature: 4.0 })] {
        let wanted = || Wanted { targets: targets.into(), teacher: distill.map(|distill| (teacher(), distill)) };
        let logits = ops::leaf(numbers(5 * 6, 10), &[5, 6], true);
        let gradient = ops::gradients_along::<f64>(
            ops::loss(logits.clone(), wanted()),
            &[1.0, 0.0],
            std::slice::from_ref(&logits),
        );
        check_gradients(&[&[5, 6]], 10, |t| ops::first(ops::loss(t[0].clone(), wanted())));
        for (row, gradient) in gradient[0].chunks(6).enumerate() {
            assert_eq!(gradient.iter().all(|&g| g == 0.0), targets[row] == IGNORED, "row {row}: {gradient:?}");
        }
        // The other rows alone.
        let rows = |values: &[f64]| [&values[..6], &values[12..18], &values[24..]].concat();
        let alone = ops::leaf(rows(&numbers(5 * 6, 10)), &[3, 6], false);
        let taught = distill.map(|distill| (ops::leaf(rows(&numbers(5 * 6, 99)), &[3, 6], false), distill));
        let alone = ops::loss(alone, Wanted { targets: [2, 4, 1].into(), teacher: taught });
        let [ours, theirs] = [ops::loss(logits, wanted()), alone].map(|loss| ops::values::<f64>(&loss));
        assert!(ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < 1e-12), "{ours:?}, {theirs:?}");
    }
    let none = ops::loss(ops::leaf(numbers(6, 1), &[1, 6], false), Wanted { targets: [IGNORED].into(), teacher: None });
    assert_eq!(ops::values::<f64>(&none), [0.0, 0.0]);
}

#[test]
fn a_teacher_that_is_the_student_adds_nothing() {
    let logits: Vec<f64> = numbers(5 * 6, 11);
    let leaf = || ops::leaf(logits.clone(), &[5, 6], false);
    let distill = Distill { alpha: 1.0, temperature: 4.0 };
    let wanted = Wanted { targets: [2, 0, 4, 4, 1].into(), teacher: Some((leaf(), distill)) };
    assert!(ops::values::<f64>(&ops::loss(leaf(), wanted))[0].abs() < 1e-12);
}

/// BitLinear with the roundings fixed at the point of the derivative: `x = clip(n, ±127·a) + ε`, `W = w + δ`, with `a`,
/// `ε` and `δ` constant. Its finite differences are the gradient of straight-through rounding with the true gradient of
/// the clip; it shares no code with the kernel.
struct Held {
    rows: usize,
    ins: usize,
    outs: usize,
    limits: Vec<f64>,
    epsilon: Vec<f64>,
    delta: Vec<f64>,
}

impl Held {
    fn normed(&self, t: &[Vec<f64>]) -> Vec<f64> {
        let [z, _, gamma, beta, mu] = t else { unreachable!("five inputs") };
        let n = self.ins;
        (0..self.rows)
            .flat_map(|row| {
                let before = |i: usize| if row % 4 == 0 { 0.0 } else { z[(row - 1) * n + i] };
                let m: Vec<f64> = (0..n).map(|i| z[row * n + i] + (before(i) - z[row * n + i]) * mu[i]).collect();
                let mean = m.iter().sum::<f64>() / n as f64;
                let variance = m.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / n as f64;
                (0..n).map(|i| (m[i] - mean) / (variance + 1e-5).sqrt() * gamma[i] + beta[i]).collect::<Vec<_>>()
            })
            .collect()
    }

    fn new(t: &[Vec<f64>], [rows, ins, outs]: [usize; 3]) -> Held {
        let mut held = Held { rows, ins, outs, limits: vec![], epsilon: vec![], delta: vec![] };
        for row in held.normed(t).chunks(ins) {
            let mean = row.iter().map(|n| n.abs()).sum::<f64>() / ins as f64;
            let a = (2.5 * mean).max(1e-8) / 127.0;
            held.limits.push(127.0 * a);
            let clipped = row.iter().map(|n| n.clamp(-127.0 * a, 127.0 * a));
            held.epsilon.extend(clipped.map(|c| (c / a).round_ties_even() * a - c));
        }
        let mean = t[1].iter().map(|w| w.abs()).sum::<f64>() / t[1].len() as f64;
        held.delta = t[1].iter().map(|w| (w / mean).clamp(-1.0, 1.0).round_ties_even() * mean - w).collect();
        held
    }

    fn forward(&self, t: &[Vec<f64>]) -> Vec<f64> {
        let normed = self.normed(t);
        let mut out = Vec::new();
        for row in 0..self.rows {
            let limit = self.limits[row];
            let at = |i: usize| normed[row * self.ins + i].clamp(-limit, limit) + self.epsilon[row * self.ins + i];
            for o in 0..self.outs {
                let w = |i: usize| t[1][o * self.ins + i] + self.delta[o * self.ins + i];
                out.push((0..self.ins).map(|i| at(i) * w(i)).sum());
            }
        }
        out
    }
}

#[test]
fn bit_linear_follows_its_straight_through_rule() {
    let shape = [8, 16, 6];
    let [rows, ins, outs] = shape;
    let sizes: [&[usize]; 5] = [&[rows, ins], &[outs, ins], &[ins], &[ins], &[ins]];
    let values: Vec<Vec<f64>> =
        sizes.iter().zip(20..).map(|(size, seed)| numbers(size.iter().product(), seed)).collect();
    let held = Held::new(&values, shape);
    let clipped = held
        .normed(&values)
        .chunks(ins)
        .zip(&held.limits)
        .flat_map(|(n, limit)| n.iter().map(move |n| n.abs() > *limit))
        .filter(|c| *c)
        .count();
    assert!(clipped > 0, "no activation is clipped: this would not test the clip");

    let leaves: Vec<Tensor> = values.iter().zip(sizes).map(|(v, size)| ops::leaf(v.clone(), size, true)).collect();
    let linear = BitLinear { weight: leaves[1].clone(), norm: norm(&leaves[2], &leaves[3]) };
    let y = ops::bit_linear(Mode { seq_len: 4, quantise: true }, leaves[0].clone(), Some(&leaves[4]), &linear);
    support::close(&ops::values(&y), &held.forward(&values), 1e-9, "y");
    support::compare(&leaves, y, &values, |t| held.forward(t));
}

#[test]
fn dropout_leaves_out_the_same_both_ways() {
    check_gradients(&[&[30, 8]], 12, |t| ops::dropout(t[0].clone(), Dropout { share: 0.3, seed: 5 }));
}
