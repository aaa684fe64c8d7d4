//! The inputs of the BitLinear layers in a forward pass.

/// The quantised input of one BitLinear layer at one token.
#[derive(Debug, Clone, PartialEq)]
pub struct BitLinearCall {
    /// Layer of the model, from 0.
    pub layer: usize,
    /// Which of the layer's matrices: `time_mix.r`, `channel_mix.k`, …
    pub matrix: &'static str,
    /// The INT8 vector; as wide as the matrix has columns.
    pub q: Vec<i8>,
    /// Smallest distance, in quantisation steps, of any value to a rounding boundary.
    pub closest_tie: f64,
}

/// Every BitLinear call since the trace was created, in the order of the definition: per token, per layer
/// `time_mix.{r, k, v, g, o}`, `channel_mix.{k, r, v}`.
///
/// Both oracles write the same kind of trace, so that they can be compared.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trace {
    /// The calls in order.
    pub calls: Vec<BitLinearCall>,
}

impl Trace {
    /// Smallest distance of any quantised value to a rounding boundary, in steps; infinite for an empty trace.
    ///
    /// An arithmetic whose values before rounding are everywhere closer than this to those of the traced one gives the
    /// same INT8 vectors.
    pub fn closest_tie(&self) -> f64 {
        self.calls.iter().map(|call| call.closest_tie).fold(f64::INFINITY, f64::min)
    }

    /// How many INT8 values differ from those of `other`, a trace of the same model over the same tokens.
    ///
    /// # Panics
    /// If the two did not make the same calls.
    pub fn flips(&self, other: &Trace) -> usize {
        assert_eq!(self.calls.len(), other.calls.len(), "traces of different runs");
        let pairs = self.calls.iter().zip(&other.calls);
        pairs
            .map(|(a, b)| {
                assert_eq!(
                    (a.layer, a.matrix, a.q.len()),
                    (b.layer, b.matrix, b.q.len()),
                    "traces of different models"
                );
                a.q.iter().zip(&b.q).filter(|(a, b)| a != b).count()
            })
            .sum()
    }

    /// Records a call: `scaled` are the values in steps, before rounding.
    pub(crate) fn note(&mut self, layer: usize, matrix: &'static str, scaled: impl Iterator<Item = f64>, q: &[i8]) {
        let closest_tie = scaled.map(distance_to_tie).fold(f64::INFINITY, f64::min);
        self.calls.push(BitLinearCall { layer, matrix, q: q.to_vec(), closest_tie });
    }
}

/// Distance of `x` to the nearest of ±0.5, ±1.5, … ±126.5; beyond, the clamp leaves no boundary.
fn distance_to_tie(x: f64) -> f64 {
    (x.abs() - (x.abs().floor() + 0.5).min(126.5)).abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_are_at_the_half_integers_within_the_clamp() {
        for (x, distance) in
            [(0.0, 0.5), (0.25, 0.25), (-1.5, 0.0), (2.75, 0.25), (126.0, 0.5), (-127.0, 0.5), (200.5, 74.0)]
        {
            assert_eq!(distance_to_tie(x), distance, "{x}");
        }
    }

    #[test]
    fn flips_are_counted_over_all_calls() {
        let trace = |q: [[i8; 2]; 2]| {
            let mut trace = Trace::default();
            trace.note(0, "time_mix.r", [0.25, 3.0].into_iter(), &q[0]);
            trace.note(0, "time_mix.k", [1.4].into_iter(), &q[1]);
            trace
        };
        let a = trace([[1, 2], [3, 4]]);
        assert_eq!(a.flips(&a), 0);
        assert_eq!(a.flips(&trace([[1, 3], [2, 5]])), 3);
        assert!((a.closest_tie() - 0.1).abs() < 1e-12);
        assert_eq!(Trace::default().closest_tie(), f64::INFINITY);
    }
}
