//! The WKV recurrence over a vector of 16 lanes.

use super::constants::LANES;
use super::lanes::{Lanes, load_tail, split};
use super::operands::WkvInput;

#[inline(always)]
pub(crate) fn wkv<L: Lanes>(isa: L::Isa, head_size: usize, input: WkvInput<'_>, state: &mut [f32], y: &mut [f32]) {
    let states = state.chunks_exact_mut(head_size * head_size);
    for (h, (state, y)) in states.zip(y.chunks_exact_mut(head_size)).enumerate() {
        wkv_head::<L>(isa, input.head(h * head_size, head_size), state, y);
    }
}

/// Processes some columns of the state at a time, so that their sums stay in registers while `i` iterates over the
/// rows: enough that the additions do not wait for each other, and no more than there are registers for.
#[inline(always)]
fn wkv_head<L: Lanes>(isa: L::Isa, input: WkvInput<'_>, state: &mut [f32], y: &mut [f32]) {
    let s = y.len();
    let now = bonus_sum::<L>(isa, input.r, input.k, input.bonus);
    let mut from = 0;
    if L::REGISTERS == 1 {
        from = wkv_columns::<L, 4>(isa, input, now, from, state, y);
    }
    if L::REGISTERS <= 2 {
        from = wkv_columns::<L, 2>(isa, input, now, from, state, y);
    }
    let WkvInput { r, k, v, decay, .. } = input;
    for j in wkv_columns::<L, 1>(isa, input, now, from, state, y)..s {
        let mut sum = 0.0;
        for (((row, &r), &k), &w) in state.chunks_exact_mut(s).zip(r).zip(k).zip(decay) {
            sum += r * row[j];
            row[j] = w * row[j] + k * v[j];
        }
        y[j] = sum + now * v[j];
    }
}

/// `Σ_i (r_i · b_i) · k_i`: the weight of `v` for the current token.
#[inline(always)]
fn bonus_sum<L: Lanes>(isa: L::Isa, r: &[f32], k: &[f32], bonus: &[f32]) -> f32 {
    let ((r, r_tail), (k, k_tail), (bonus, bonus_tail)) = (split(r), split(k), split(bonus));
    let mut sums = L::splat(isa, 0.0);
    for ((r, k), bonus) in r.iter().zip(k).zip(bonus) {
        sums = sums.add(L::load(isa, r).mul(L::load(isa, bonus)).mul(L::load(isa, k)));
    }
    if !r_tail.is_empty() {
        let product = load_tail::<L>(isa, r_tail).mul(load_tail(isa, bonus_tail)).mul(load_tail(isa, k_tail));
        sums = sums.add(product);
    }
    sums.sum()
}

/// Processes as many groups of `16 · N` columns as there are, starting at column `from`; returns the first remaining
/// column.
#[inline(always)]
fn wkv_columns<L: Lanes, const N: usize>(
    isa: L::Isa,
    input: WkvInput<'_>,
    now: f32,
    mut from: usize,
    state: &mut [f32],
    y: &mut [f32],
) -> usize {
    let (WkvInput { r, k, v, decay, .. }, s) = (input, y.len());
    while from + N * LANES <= s {
        let mut v_j = [L::splat(isa, 0.0); N];
        for (c, v_j) in v_j.iter_mut().enumerate() {
            *v_j = L::load(isa, column(&v[from + c * LANES..]));
        }
        let mut sums = [L::splat(isa, 0.0); N];
        for (((row, &r), &k), &w) in state.chunks_exact_mut(s).zip(r).zip(k).zip(decay) {
            let (r, k, w) = (L::splat(isa, r), L::splat(isa, k), L::splat(isa, w));
            let (columns, _) = row[from..].as_chunks_mut::<LANES>();
            let columns: &mut [_; N] = columns.first_chunk_mut().expect("the loop is over whole columns");
            for c in 0..N {
                let a = L::load(isa, &columns[c]);
                sums[c] = sums[c].add(r.mul(a));
                w.mul(a).add(k.mul(v_j[c])).store(&mut columns[c]);
            }
        }
        let now = L::splat(isa, now);
        for c in 0..N {
            sums[c].add(now.mul(v_j[c])).store(column_mut(&mut y[from + c * LANES..]));
        }
        from += N * LANES;
    }
    from
}

#[inline(always)]
fn column(x: &[f32]) -> &[f32; LANES] {
    x.first_chunk().expect("the caller steps in whole vectors")
}

#[inline(always)]
fn column_mut(x: &mut [f32]) -> &mut [f32; LANES] {
    x.first_chunk_mut().expect("the caller steps in whole vectors")
}
