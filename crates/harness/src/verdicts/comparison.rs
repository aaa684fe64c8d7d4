//! Comparisons from the pairs of a run: for two sides on one workload, a ratio with its interval, the noise, and a
//! verdict.

use crate::definitions::thresholds::TimeLimits;
use crate::records::Row;
use crate::verdicts::stats::Summary;
use crate::verdicts::stats::paired::Ratio;
use crate::verdicts::stats::verdict::{Evidence, Verdict, settle};
use serde::{Deserialize, Serialize};

/// Seed of every bootstrap: the same rows give the same interval.
const SEED: u64 = 0x0b00_7575;

/// Two sides on one phase of one workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// Target of both.
    pub target: String,
    /// The two sides: the second is compared with the first.
    pub sides: [String; 2],
    /// Case.
    pub workload: String,
    /// `prefill` or `decode`.
    pub phase: String,
    /// Quantity.
    pub metric: String,
    /// Its unit.
    pub unit: String,
    /// Median of each side.
    pub medians: [f64; 2],
    /// The second over the first, from the pairs of all rounds; none if a value is not above zero.
    pub change: Option<Ratio>,
    /// The first over itself in the same session.
    pub noise: Option<Ratio>,
    /// The ratios that `noise` is computed from, to a millionth.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub noise_pairs: Vec<f64>,
    /// Change and noise of each round.
    pub rounds: Vec<(Option<Ratio>, Option<Ratio>)>,
    /// The verdict.
    pub verdict: Verdict,
}

impl Comparison {
    /// The verdict of a single round.
    pub fn judge_round(&self, round: usize, limits: TimeLimits) -> Option<Verdict> {
        let (change, noise) = *self.rounds.get(round)?;
        Some(Evidence { change: change?, noise: noise? }.judge(limits))
    }

    /// The change as text: `+5.1 % (+4.2 to +6.0)`.
    pub fn in_words(&self) -> String {
        self.change.map_or("no ratio: a value is zero".into(), |ratio| {
            format!("{} ({} to {})", percent(ratio.middle), percent(ratio.low), percent(ratio.high))
        })
    }
}

/// A ratio as a percentage change.
pub fn percent(ratio: f64) -> String {
    // Rounded before formatting, and never a negative zero.
    let change = ((ratio - 1.0) * 1000.0).round() / 10.0 + 0.0;
    if change.abs() < 100.0 { format!("{change:+.1} %") } else { format!("{change:+.0} %") }
}

/// The comparisons in rows, in order of first appearance, judged by `limits`.
pub fn of(rows: &[Row], limits: TimeLimits) -> Vec<Comparison> {
    let mut found: Vec<(Comparison, Vec<Pairs>)> = Vec::new();
    for row in rows {
        let Row::Pair { target, workload, sides, noise, round, phase, metric, unit, values, .. } = row else {
            continue;
        };
        let key = (target, workload, sides, phase, metric);
        let same = |c: &Comparison| (&c.target, &c.workload, &c.sides, &c.phase, &c.metric) == key;
        let at = match found.iter().position(|(comparison, _)| same(comparison)) {
            Some(at) => at,
            None => {
                let comparison = Comparison {
                    target: target.clone(),
                    sides: sides.clone(),
                    workload: workload.clone(),
                    phase: phase.clone(),
                    metric: metric.clone(),
                    unit: unit.clone(),
                    medians: [f64::NAN; 2],
                    change: None,
                    noise: None,
                    noise_pairs: Vec::new(),
                    rounds: Vec::new(),
                    verdict: Verdict::NotMeasurable,
                };
                found.push((comparison, Vec::new()));
                found.len() - 1
            }
        };
        let rounds = &mut found[at].1;
        let round = *round as usize;
        if rounds.len() <= round {
            rounds.resize_with(round + 1, Pairs::default);
        }
        let list = if *noise { &mut rounds[round].noise } else { &mut rounds[round].change };
        list.push((values[0] as f64, values[1] as f64));
    }
    found.into_iter().map(|(comparison, rounds)| conclude(comparison, &rounds, limits)).collect()
}

#[derive(Default)]
struct Pairs {
    change: Vec<(f64, f64)>,
    noise: Vec<(f64, f64)>,
}

fn conclude(mut comparison: Comparison, rounds: &[Pairs], limits: TimeLimits) -> Comparison {
    let all = |pick: fn(&Pairs) -> &Vec<(f64, f64)>| rounds.iter().flat_map(pick).copied().collect::<Vec<_>>();
    let (changes, noises) = (all(|pairs| &pairs.change), all(|pairs| &pairs.noise));
    let median = |pick: fn(&(f64, f64)) -> f64| {
        Summary::of(&changes.iter().map(pick).collect::<Vec<_>>()).map_or(0.0, |summary| summary.median)
    };
    comparison.medians = [median(|pair| pair.0), median(|pair| pair.1)];
    comparison.change = Ratio::of(&changes, SEED);
    comparison.noise = Ratio::of(&noises, SEED);
    let ratio = |(a, b): &(f64, f64)| (a.min(*b) > 0.0).then(|| (b / a * 1e6).round() / 1e6);
    comparison.noise_pairs = noises.iter().filter_map(ratio).collect();
    comparison.rounds =
        rounds.iter().map(|pairs| (Ratio::of(&pairs.change, SEED), Ratio::of(&pairs.noise, SEED))).collect();
    let evidence = |(change, noise): (Option<Ratio>, Option<Ratio>)| {
        change.zip(noise).map(|(change, noise)| Evidence { change, noise })
    };
    let judged: Option<Vec<Evidence>> = comparison.rounds.iter().map(|round| evidence(*round)).collect();
    comparison.verdict = match judged.zip(evidence((comparison.change, comparison.noise))) {
        Some((rounds, pooled)) => settle(&rounds, &pooled, limits),
        None => Verdict::NotMeasurable,
    };
    comparison
}

#[cfg(test)]
mod tests {
    use super::{of, percent};
    use crate::definitions::thresholds::TimeLimits;
    use crate::records::Row;
    use crate::verdicts::stats::verdict::Verdict;

    const LIMITS: TimeLimits = TimeLimits { floor: 0.01, ceiling: 0.05 };

    /// Two rounds of 20 pairs with their A/A pairs; the second side takes `ratio` times as long.
    fn rows(ratio: [f64; 2]) -> Vec<Row> {
        let mut rows = Vec::new();
        for (round, ratio) in ratio.into_iter().enumerate() {
            for pair in 0..20_u32 {
                for noise in [false, true] {
                    let wobble = 1.0 + 0.002 * f64::from(pair % 5) - 0.004;
                    let second = if noise { 1e6 * wobble } else { 1e6 * wobble * ratio };
                    rows.push(Row::Pair {
                        target: "native".into(),
                        workload: "a".into(),
                        model: "00000000000000aa".into(),
                        sides: ["native/avx2 x".into(), "native/avx2 y".into()],
                        noise,
                        round: round as u32,
                        pair,
                        second_first: pair % 2 == 0,
                        phase: "decode".into(),
                        metric: "time".into(),
                        unit: "ns".into(),
                        values: [1_000_000, second as u64],
                    });
                }
            }
        }
        rows
    }

    #[test]
    fn two_rounds_that_agree_are_a_verdict_and_two_that_do_not_are_none() {
        let verdict = |ratio| {
            let comparisons = of(&rows(ratio), LIMITS);
            assert_eq!(comparisons.len(), 1);
            assert_eq!(comparisons[0].rounds.len(), 2);
            comparisons[0].verdict
        };
        assert_eq!(verdict([1.1, 1.1]), Verdict::Regression);
        assert_eq!(verdict([0.9, 0.9]), Verdict::Improvement);
        assert_eq!(verdict([1.0, 1.0]), Verdict::Noise);
        assert_eq!(verdict([1.1, 1.0]), Verdict::Inconclusive);
        assert_eq!(verdict([1.0, 0.9]), Verdict::Inconclusive);
    }

    #[test]
    fn the_change_is_shown_with_its_interval() {
        let comparison = &of(&rows([1.1, 1.1]), LIMITS)[0];
        assert!(comparison.in_words().starts_with("+10.0 % (+"), "{}", comparison.in_words());
        assert_eq!(comparison.medians[0], 1e6);
        assert_eq!([0.5, 3.0, 1.0, 0.9999].map(percent), ["-50.0 %", "+200 %", "+0.0 %", "+0.0 %"]);
    }

    #[test]
    fn a_zero_is_not_a_time() {
        let mut rows = rows([1.0, 1.0]);
        if let Some(Row::Pair { values, .. }) = rows.get_mut(0) {
            values[1] = 0;
        }
        let comparison = &of(&rows, LIMITS)[0];
        assert_eq!((comparison.verdict, comparison.change), (Verdict::NotMeasurable, None));
    }

    #[test]
    fn rows_without_their_twins_say_nothing() {
        let mut rows = rows([1.2, 1.2]);
        rows.retain(|row| !matches!(row, Row::Pair { noise: true, .. }));
        assert_eq!(of(&rows, LIMITS)[0].verdict, Verdict::NotMeasurable);
    }
}
