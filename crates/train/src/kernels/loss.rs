//! Cross entropy, optionally blended with the divergence from a teacher's distribution.

use super::{Real, sum_of};
use rayon::prelude::*;

/// The weight of a teacher, and its temperature.
#[derive(Debug, Clone, Copy)]
pub struct Distill {
    /// Weight of the divergence in the loss, 0 to 1.
    pub alpha: f64,
    /// Both distributions are computed from logits divided by this.
    pub temperature: f64,
}

/// In place of a target: the row does not count, in the means or in the gradient.
pub const IGNORED: u32 = u32::MAX;

/// Number of targets that count.
pub fn counted(targets: &[u32]) -> usize {
    targets.iter().filter(|&&target| target != IGNORED).count()
}

/// Loss of a batch: means over its rows, without those whose target is [`IGNORED`]; zero if there are no others.
#[derive(Debug, Clone)]
pub struct Loss<T> {
    /// The training loss: `α·KL(teacher‖student)·T² + (1-α)·CE`, or `CE` without a teacher.
    pub value: T,
    /// Cross entropy in nats.
    pub cross_entropy: T,
    /// The gradient of `value` by the logits.
    pub gradient: Vec<T>,
}

/// The loss of `logits`, rows of `vocab`, for `targets` and, if there is one, the teacher's logits.
pub fn loss<T: Real>(vocab: usize, logits: &[T], targets: &[u32], teacher: Option<(&[T], Distill)>) -> Loss<T> {
    let mut gradient = vec![T::zero(); logits.len()];
    let rows = T::of(counted(targets).max(1) as f64);
    let sums: Vec<[T; 2]> = gradient
        .par_chunks_mut(vocab)
        .zip(logits.par_chunks(vocab).zip(targets))
        .enumerate()
        .map(|(row, (gradient, (logits, &target)))| {
            if target == IGNORED {
                return [T::zero(); 2];
            }
            // Cross entropy: its gradient is the softmax, less one at the target.
            let total = softmax(logits, T::one(), gradient);
            let cross_entropy = total - logits[target as usize];
            gradient[target as usize] += -T::one();
            let Some((teacher, distill)) = teacher else {
                gradient.iter_mut().for_each(|g| *g = *g / rows);
                return [cross_entropy, cross_entropy];
            };
            // The divergence at temperature T: its gradient is (student - teacher) / T, times T² is T.
            let (alpha, t) = (T::of(distill.alpha), T::of(distill.temperature));
            let [mut student, mut wanted] = [(); 2].map(|()| vec![T::zero(); vocab]);
            let teacher = &teacher[row * vocab..][..vocab];
            let student_total = softmax(logits, t, &mut student);
            let teacher_total = softmax(teacher, t, &mut wanted);
            let mut divergence = T::zero();
            for i in 0..vocab {
                let log_ratio = (teacher[i] - logits[i]) / t - teacher_total + student_total;
                divergence += wanted[i] * log_ratio;
                let ce = gradient[i];
                gradient[i] = (alpha * t * (student[i] - wanted[i]) + (T::one() - alpha) * ce) / rows;
            }
            [alpha * divergence * t * t + (T::one() - alpha) * cross_entropy, cross_entropy]
        })
        .collect();
    let [value, cross_entropy] = [0, 1].map(|i| sums.iter().map(|sums| sums[i]).sum::<T>() / rows);
    Loss { value, cross_entropy, gradient }
}

/// Writes the softmax of `logits / t` and returns the logarithm of its denominator.
fn softmax<T: Real>(logits: &[T], t: T, out: &mut [T]) -> T {
    let inverse = T::one() / t;
    let max = logits.iter().fold(T::neg_infinity(), |max, &l| max.max(l)) * inverse;
    for (out, &l) in out.iter_mut().zip(logits) {
        *out = (l * inverse - max).exp();
    }
    let total = sum_of(out, |e| e);
    let scale = T::one() / total;
    out.iter_mut().for_each(|e| *e *= scale);
    max + total.ln()
}
