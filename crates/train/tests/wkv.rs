//! The chunked recurrence against the sequential one, as in the definition.

mod support;

use bitstate_train::kernels::wkv::{CHUNK, Shape, backward, forward};
use support::{close, numbers};

/// `y_j = Σ_i r_i·(A_ij + b_i·k_i·v_j)`, then `A_ij ← w_i·A_ij + k_i·v_j`, token by token.
fn sequential(shape: Shape, [r, k, v]: [&[f64]; 3], log_decay: &[f64], u: &[f64]) -> Vec<f64> {
    let Shape { batch, seq_len, heads, size: s } = shape;
    let width = heads * s;
    let mut y = vec![0.0; r.len()];
    for sequence in 0..batch {
        let mut a = vec![0.0; heads * s * s];
        for t in 0..seq_len {
            let row = (sequence * seq_len + t) * width;
            for c in 0..width {
                let (w, b) = ((-log_decay[c].exp()).exp(), u[c].exp());
                for j in 0..s {
                    let at = row + c / s * s + j;
                    let kv = k[row + c] * v[at];
                    y[at] += r[row + c] * (a[c * s + j] + b * kv);
                    a[c * s + j] = w * a[c * s + j] + kv;
                }
            }
        }
    }
    y
}

fn shapes() -> impl Iterator<Item = Shape> {
    [1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5]
        .map(|seq_len| Shape { batch: 2, seq_len, heads: 2, size: 5 })
        .into_iter()
}

/// Decays from none to immediate: `w` from 1 - 1e-4 to 1e-9, where `w^-i` would overflow.
fn decays(n: usize) -> Vec<f64> {
    (0..n).map(|i| -9.0 + 12.0 * i as f64 / (n - 1) as f64).collect()
}

#[test]
fn chunks_give_what_the_recurrence_gives() {
    for shape in shapes() {
        let n = shape.batch * shape.seq_len * shape.heads * shape.size;
        let [r, k, v] = [1, 2, 3].map(|seed| numbers(n, seed));
        let (log_decay, u) = (decays(10), numbers(10, 4));
        let y = forward(shape, [&r, &k, &v], &log_decay, &u).0;
        close(&y, &sequential(shape, [&r, &k, &v], &log_decay, &u), 1e-12, "y");
        // In f32, as in training.
        let f = |x: &[f64]| x.iter().map(|&x| x as f32).collect::<Vec<f32>>();
        let (rf, kf, vf) = (f(&r), f(&k), f(&v));
        let y32 = forward(shape, [&rf, &kf, &vf], &f(&log_decay), &f(&u)).0;
        close(&y32.iter().map(|&y| f64::from(y)).collect::<Vec<_>>(), &y, 1e-5, "y in f32");
    }
}

#[test]
fn gradients_are_those_of_the_recurrence() {
    for shape in shapes() {
        let n = shape.batch * shape.seq_len * shape.heads * shape.size;
        let inputs = [numbers(n, 1), numbers(n, 2), numbers(n, 3), decays(10), numbers(10, 4)];
        let dy = numbers(n, 5);
        let [r, k, v, log_decay, u] = &inputs;
        let states = forward(shape, [r, k, v], log_decay, u).1;
        let grads = backward(shape, [r, k, v], log_decay, u, &states, &dy);
        let along = |t: &[Vec<f64>; 5]| -> f64 {
            let y = sequential(shape, [&t[0], &t[1], &t[2]], &t[3], &t[4]);
            y.iter().zip(&dy).map(|(y, d)| y * d).sum()
        };
        let ours = [&grads.r, &grads.k, &grads.v, &grads.log_decay, &grads.u];
        for (which, ours) in ours.into_iter().enumerate() {
            let stride = (ours.len() / 20).max(1);
            let pairs: Vec<(f64, f64)> = (0..ours.len())
                .step_by(stride)
                .map(|at| {
                    let moved = |by: f64| {
                        let mut inputs = inputs.clone();
                        inputs[which][at] += by;
                        along(&inputs)
                    };
                    (ours[at], (moved(1e-5) - moved(-1e-5)) / 2e-5)
                })
                .collect();
            let (ours, theirs): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
            close(&ours, &theirs, 1e-6, &format!("gradient {which} of {shape:?}"));
        }
    }
}
