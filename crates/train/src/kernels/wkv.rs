//! The WKV recurrence in chunks: all pairs of tokens inside a chunk, the matrix state between chunks.
//!
//! The definition, for a head with `w = exp(-exp(log_decay))` and `b = exp(u)` (both S wide):
//! `y_t = Σ_i r_i·(A_ij + b_i·k_i·v_j)`, then `A_ij ← w_i·A_ij + k_i·v_j`.
//!
//! With `A` the state before a chunk of C tokens, `t` and `i` tokens in it, `c` a channel of k and `P[d] = w^d`:
//!
//! | term | forward |
//! |---|---|
//! | pairs | `a_ti = Σ_c r_tc·k_ic·P[t-1-i]_c` for `i < t`; `y_t += Σ_i a_ti·v_i` |
//! | the token itself | `y_t += (Σ_c r_tc·b_c·k_tc)·v_t` |
//! | before the chunk | `y_t += Σ_c r_tc·P[t]_c·A_c` |
//! | state after it | `A_c ← P[C]_c·A_c + Σ_i P[C-1-i]_c·k_ic·v_i` |
//!
//! The powers are of the distance between two tokens. Separate factors `w^t` and `w^-i`, which need no table of pairs,
//! overflow as soon as a decay becomes fast.
//!
//! Only the state before each chunk is kept for the backward pass: T/C of them instead of T, and both directions are
//! products of small matrices instead of one long chain of rank-one steps. Sequences and heads run in parallel.

use super::{Real, axpy, dot};
use rayon::prelude::*;

/// Tokens per chunk: pairs cost C·S per token, states S²·2, and the tables of 16 tokens stay in the L1 cache.
pub const CHUNK: usize = 16;

/// Layout of r, k, v: `batch` sequences of `seq_len` rows, a row `heads · size` wide.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the words of the definition")]
pub struct Shape {
    pub batch: usize,
    pub seq_len: usize,
    pub heads: usize,
    pub size: usize,
}

/// Saved by the forward pass for the backward pass: the state before every chunk, for every sequence and head.
#[derive(Debug, Clone)]
pub struct States<T>(Vec<Vec<T>>);

/// Gradients of r, k, v (in the layout of r) and of `log_decay` and `u` (heads × size).
#[derive(Debug)]
#[allow(missing_docs, reason = "the words of the definition")]
pub struct Gradients<T> {
    pub r: Vec<T>,
    pub k: Vec<T>,
    pub v: Vec<T>,
    pub log_decay: Vec<T>,
    pub u: Vec<T>,
}

impl Shape {
    fn width(self) -> usize {
        self.heads * self.size
    }

    /// Columns of `head` in the rows `from..to` of sequence `sequence`, consecutively.
    fn take<T: Real>(self, x: &[T], [sequence, head]: [usize; 2], from: usize, to: usize, out: &mut Vec<T>) {
        out.clear();
        for row in from..to {
            let at = (sequence * self.seq_len + row) * self.width() + head * self.size;
            out.extend_from_slice(&x[at..at + self.size]);
        }
    }

    /// The inverse: the results of each sequence and head as rows.
    fn gather<T: Real>(self, parts: &[&[T]]) -> Vec<T> {
        let mut out = vec![T::zero(); self.batch * self.seq_len * self.width()];
        out.par_chunks_mut(self.seq_len * self.width()).enumerate().for_each(|(sequence, rows)| {
            for (row, values) in rows.chunks_mut(self.width()).enumerate() {
                for (head, out) in values.chunks_mut(self.size).enumerate() {
                    out.copy_from_slice(&parts[sequence * self.heads + head][row * self.size..][..self.size]);
                }
            }
        });
        out
    }

    /// All sequences and heads.
    fn tasks(self) -> impl IndexedParallelIterator<Item = [usize; 2]> {
        (0..self.batch * self.heads).into_par_iter().map(move |task| [task / self.heads, task % self.heads])
    }

    fn chunks(self) -> impl DoubleEndedIterator<Item = (usize, usize)> {
        let n = self.seq_len;
        (0..n.div_ceil(CHUNK)).map(move |chunk| (chunk * CHUNK, ((chunk + 1) * CHUNK).min(n)))
    }
}

/// `P[0] … P[CHUNK]`, S values each.
fn powers<T: Real>(log_decay: &[T]) -> Vec<T> {
    let decay: Vec<T> = log_decay.iter().map(|l| (-l.exp()).exp()).collect();
    let mut powers = vec![T::one(); decay.len()];
    for d in 0..CHUNK {
        for c in 0..decay.len() {
            powers.push(powers[d * decay.len() + c] * decay[c]);
        }
    }
    powers
}

/// One head of one sequence, a chunk at a time.
struct Head<T> {
    size: usize,
    /// `P`.
    powers: Vec<T>,
    /// `b`.
    bonus: Vec<T>,
    r: Vec<T>,
    k: Vec<T>,
    v: Vec<T>,
    /// S values of scratch space.
    room: Vec<T>,
}

impl<T: Real> Head<T> {
    fn new(size: usize, log_decay: &[T], u: &[T]) -> Self {
        let bonus = u.iter().map(|u| u.exp()).collect();
        let [r, k, v] = [(); 3].map(|()| Vec::with_capacity(CHUNK * size));
        Head { size, powers: powers(log_decay), bonus, r, k, v, room: vec![T::zero(); size] }
    }

    fn load(&mut self, shape: Shape, [r, k, v]: [&[T]; 3], task: [usize; 2], (from, to): (usize, usize)) {
        shape.take(r, task, from, to, &mut self.r);
        shape.take(k, task, from, to, &mut self.k);
        shape.take(v, task, from, to, &mut self.v);
    }

    /// Adds the chunk's output to `y` and moves `state` (S × S) past it.
    fn forward(&mut self, state: &mut [T], y: &mut [T]) {
        let Head { size: s, powers, bonus, r, k, v, room } = self;
        let s = *s;
        let tokens = r.len() / s;
        for t in 0..tokens {
            let (y, r) = (&mut y[t * s..][..s], &r[t * s..][..s]);
            for i in 0..t {
                product(room, &k[i * s..][..s], &powers[(t - 1 - i) * s..][..s]);
                axpy(y, dot(r, room), &v[i * s..][..s]);
            }
            product(room, &k[t * s..][..s], bonus);
            axpy(y, dot(r, room), &v[t * s..][..s]);
            for c in 0..s {
                axpy(y, r[c] * powers[t * s + c], &state[c * s..][..s]);
            }
        }
        for (c, state) in state.chunks_mut(s).enumerate() {
            let decay = powers[tokens * s + c];
            state.iter_mut().for_each(|a| *a *= decay);
            for i in 0..tokens {
                axpy(state, powers[(tokens - 1 - i) * s + c] * k[i * s + c], &v[i * s..][..s]);
            }
        }
    }
}

/// `out = x · y`, element by element.
#[inline(always)]
fn product<T: Real>(out: &mut [T], x: &[T], y: &[T]) {
    for (out, (&x, &y)) in out.iter_mut().zip(x.iter().zip(y)) {
        *out = x * y;
    }
}

/// `y`, and the values saved for its backward pass. `log_decay` and `u` are heads × size.
pub fn forward<T: Real>(shape: Shape, rkv: [&[T]; 3], log_decay: &[T], u: &[T]) -> (Vec<T>, States<T>) {
    let s = shape.size;
    let done: Vec<(Vec<T>, Vec<T>)> = shape
        .tasks()
        .map(|task @ [_, head]| {
            let mut worker = Head::new(s, &log_decay[head * s..][..s], &u[head * s..][..s]);
            let mut y = vec![T::zero(); shape.seq_len * s];
            let mut state = vec![T::zero(); s * s];
            let mut states = Vec::with_capacity(shape.seq_len.div_ceil(CHUNK) * s * s);
            for (from, to) in shape.chunks() {
                states.extend_from_slice(&state);
                worker.load(shape, rkv, task, (from, to));
                worker.forward(&mut state, &mut y[from * s..to * s]);
            }
            (y, states)
        })
        .collect();
    let y = shape.gather(&done.iter().map(|(y, _)| y.as_slice()).collect::<Vec<_>>());
    (y, States(done.into_iter().map(|(_, states)| states).collect()))
}

/// The gradients, from the gradient `dy` of `y`.
pub fn backward<T: Real>(
    shape: Shape,
    rkv: [&[T]; 3],
    log_decay: &[T],
    u: &[T],
    states: &States<T>,
    dy: &[T],
) -> Gradients<T> {
    let s = shape.size;
    let done: Vec<HeadGradients<T>> = shape
        .tasks()
        .zip(&states.0)
        .map(|(task @ [_, head], states)| {
            let mut worker = Head::new(s, &log_decay[head * s..][..s], &u[head * s..][..s]);
            let mut grads = HeadGradients::new(shape.seq_len, s);
            let mut dchunk = Vec::with_capacity(CHUNK * s);
            for ((from, to), state) in shape.chunks().zip(states.chunks(s * s)).collect::<Vec<_>>().into_iter().rev() {
                worker.load(shape, rkv, task, (from, to));
                shape.take(dy, task, from, to, &mut dchunk);
                grads.chunk(&mut worker, state, &dchunk, from);
            }
            grads
        })
        .collect();
    let gather = |part: fn(&HeadGradients<T>) -> &[T]| shape.gather(&done.iter().map(part).collect::<Vec<_>>());
    let (r, k, v) = (gather(|g| &g.r), gather(|g| &g.k), gather(|g| &g.v));
    let mut dlog_decay = vec![T::zero(); shape.width()];
    let mut du = vec![T::zero(); shape.width()];
    for (task, grads) in done.iter().enumerate() {
        let at = task % shape.heads * s;
        for c in 0..s {
            // P[d] = exp(d · log w) and log w = -exp(log_decay).
            let log_w = -log_decay[at + c].exp();
            let w = log_w.exp();
            let mut power = T::one();
            let mut d_log_w = T::zero();
            for d in 0..=CHUNK {
                d_log_w += T::of(d as f64) * power * grads.powers[d * s + c];
                power *= w;
            }
            dlog_decay[at + c] += d_log_w * log_w;
            du[at + c] += grads.bonus[c] * u[at + c].exp();
        }
    }
    Gradients { r, k, v, log_decay: dlog_decay, u: du }
}

/// Gradients of one head of one sequence.
struct HeadGradients<T> {
    r: Vec<T>,
    k: Vec<T>,
    v: Vec<T>,
    powers: Vec<T>,
    bonus: Vec<T>,
    /// The gradient of the state after the next chunk.
    state: Vec<T>,
}

impl<T: Real> HeadGradients<T> {
    fn new(seq_len: usize, s: usize) -> Self {
        let zeros = |n| vec![T::zero(); n];
        let [r, k, v] = [(); 3].map(|()| zeros(seq_len * s));
        HeadGradients { r, k, v, powers: zeros((CHUNK + 1) * s), bonus: zeros(s), state: zeros(s * s) }
    }

    /// The chunk starting at token `from`: `state` is the one before it, `dy` the gradient of its output.
    fn chunk(&mut self, head: &mut Head<T>, state: &[T], dy: &[T], from: usize) {
        let s = head.size;
        let of_chunk = from * s..from * s + dy.len();
        let (dr, dk, dv) = (&mut self.r[of_chunk.clone()], &mut self.k[of_chunk.clone()], &mut self.v[of_chunk]);
        pairs(head, dy, [dr, dk, dv], &mut self.powers, &mut self.bonus);
        before(head, state, dy, dr, &mut self.powers);
        after(head, state, &mut self.state, [dk, dv], &mut self.powers);
        // The tokens read the state before the chunk too, so only now may its gradient replace that of the state after
        // it.
        for (t, dy) in dy.chunks(s).enumerate() {
            for c in 0..s {
                axpy(&mut self.state[c * s..][..s], head.r[t * s + c] * head.powers[t * s + c], dy);
            }
        }
    }
}

/// Contributions of pairs of tokens in a chunk, and of each token to itself.
fn pairs<T: Real>(head: &mut Head<T>, dy: &[T], [dr, dk, dv]: [&mut [T]; 3], dpowers: &mut [T], dbonus: &mut [T]) {
    let Head { size: s, powers, bonus, r, k, v, room } = head;
    let s = *s;
    for (t, dy) in dy.chunks(s).enumerate() {
        let (r, dr) = (&r[t * s..][..s], &mut dr[t * s..][..s]);
        for i in 0..=t {
            // For the token itself, the bonus replaces the power of the decay.
            let (factor, dfactor) = match t - i {
                0 => (&bonus[..], &mut *dbonus),
                d => (&powers[(d - 1) * s..][..s], &mut dpowers[(d - 1) * s..][..s]),
            };
            let (k, dk) = (&k[i * s..][..s], &mut dk[i * s..][..s]);
            let da = dot(dy, &v[i * s..][..s]);
            product(room, k, factor);
            axpy(&mut dv[i * s..][..s], dot(r, room), dy);
            for c in 0..s {
                dr[c] += da * room[c];
                let rd = da * r[c];
                dk[c] += rd * factor[c];
                dfactor[c] += rd * k[c];
            }
        }
    }
}

/// Contributions of the state before the chunk to its tokens: r and the powers.
fn before<T: Real>(head: &Head<T>, state: &[T], dy: &[T], dr: &mut [T], dpowers: &mut [T]) {
    let s = head.size;
    for (t, dy) in dy.chunks(s).enumerate() {
        for c in 0..s {
            let d = dot(dy, &state[c * s..][..s]);
            dr[t * s + c] += d * head.powers[t * s + c];
            dpowers[t * s + c] += d * head.r[t * s + c];
        }
    }
}

/// The state after the chunk: changes `dstate` from its gradient to that of the state before, as far as decay carries
/// it.
fn after<T: Real>(head: &Head<T>, state: &[T], dstate: &mut [T], [dk, dv]: [&mut [T]; 2], dpowers: &mut [T]) {
    let s = head.size;
    let tokens = head.k.len() / s;
    for (c, (dstate, state)) in dstate.chunks_mut(s).zip(state.chunks(s)).enumerate() {
        for i in 0..tokens {
            let at = (tokens - 1 - i) * s + c;
            let k = head.k[i * s + c];
            let d = dot(dstate, &head.v[i * s..][..s]);
            axpy(&mut dv[i * s..][..s], head.powers[at] * k, dstate);
            dk[i * s + c] += d * head.powers[at];
            dpowers[at] += d * k;
        }
        dpowers[tokens * s + c] += dot(dstate, state);
        let decay = head.powers[tokens * s + c];
        dstate.iter_mut().for_each(|d| *d *= decay);
    }
}
