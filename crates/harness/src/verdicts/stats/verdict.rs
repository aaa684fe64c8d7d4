//! When a comparison may say "slower": the interval must lie beyond the smallest relevant change and beyond the noise
//! of the machine, in two independent rounds.

use super::paired::Ratio;
use crate::definitions::thresholds::TimeLimits;
use crate::workspace::exit::Exit;
use serde::{Deserialize, Serialize};

/// Fewest pairs that a round is judged by.
pub const FEWEST_PAIRS: usize = 20;

/// The verdict of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Slower or larger, and confirmed.
    Regression,
    /// Faster or smaller, and confirmed.
    Improvement,
    /// The rounds disagree, or a relevant change can be neither shown nor ruled out.
    Inconclusive,
    /// The noise of the machine exceeds the change to be found, or there are too few pairs.
    NotMeasurable,
    /// The two sides ran different requests.
    NotComparable,
    /// No relevant change.
    Noise,
}

impl Verdict {
    /// The resulting exit code of a command.
    pub fn exit(self) -> Exit {
        match self {
            Verdict::Regression => Exit::Regression,
            Verdict::Improvement | Verdict::Noise => Exit::Pass,
            Verdict::Inconclusive | Verdict::NotMeasurable | Verdict::NotComparable => Exit::NotMeasurable,
        }
    }

    /// Its name in records.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Regression => "regression",
            Verdict::Improvement => "improvement",
            Verdict::Inconclusive => "inconclusive",
            Verdict::NotMeasurable => "not_measurable",
            Verdict::NotComparable => "not_comparable",
            Verdict::Noise => "noise",
        }
    }
}

/// A comparison of both sides over some pairs, and of the first side with itself in the same session.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    /// The second side over the first.
    pub change: Ratio,
    /// The first side over itself.
    pub noise: Ratio,
}

impl Evidence {
    /// How far the interval must be from no difference, as a logarithm.
    pub fn margin(&self, limits: TimeLimits) -> f64 {
        limits.floor.ln_1p().max(self.noise.reach())
    }

    /// The verdict of these pairs alone.
    pub fn judge(&self, limits: TimeLimits) -> Verdict {
        let (low, high) = (self.change.low.ln(), self.change.high.ln());
        let margin = self.margin(limits);
        let ceiling = limits.ceiling.ln_1p();
        if self.change.pairs.min(self.noise.pairs) < FEWEST_PAIRS {
            Verdict::NotMeasurable
        } else if low > margin {
            Verdict::Regression
        } else if high < -margin {
            Verdict::Improvement
        } else if self.noise.reach() >= ceiling {
            Verdict::NotMeasurable
        } else if high >= ceiling || low <= -ceiling {
            Verdict::Inconclusive
        } else {
            Verdict::Noise
        }
    }
}

/// The verdict over one round, or over two and their pairs taken together.
///
/// A change is reported only if both rounds show it. `pooled` decides everything else; a change that only all pairs
/// together show is not confirmed.
pub fn settle(rounds: &[Evidence], pooled: &Evidence, limits: TimeLimits) -> Verdict {
    let changed = |verdict: &Verdict| matches!(verdict, Verdict::Regression | Verdict::Improvement);
    let verdicts: Vec<Verdict> = rounds.iter().map(|round| round.judge(limits)).collect();
    match verdicts[..] {
        [first, second] if first == second && changed(&first) => first,
        [first, second] if changed(&first) || changed(&second) => Verdict::Inconclusive,
        _ => Some(pooled.judge(limits)).filter(|verdict| !changed(verdict)).unwrap_or(Verdict::Inconclusive),
    }
}

#[cfg(test)]
mod tests {
    use super::super::paired::Ratio;
    use super::{Evidence, TimeLimits, Verdict, settle};
    use crate::verdicts::stats::random::SplitMix;

    const LIMITS: TimeLimits = TimeLimits { floor: 0.01, ceiling: 0.05 };

    fn ratio(low: f64, high: f64) -> Ratio {
        Ratio { pairs: 20, low, middle: (low * high).sqrt(), high }
    }

    fn judge(change: (f64, f64), noise: (f64, f64)) -> Verdict {
        Evidence { change: ratio(change.0, change.1), noise: ratio(noise.0, noise.1) }.judge(LIMITS)
    }

    #[test]
    fn a_change_must_lie_beyond_the_floor_and_the_noise() {
        let calm = (0.998, 1.003);
        assert_eq!(judge((1.02, 1.04), calm), Verdict::Regression);
        assert_eq!(judge((0.96, 0.98), calm), Verdict::Improvement);
        assert_eq!(judge((1.005, 1.02), calm), Verdict::Noise, "part of it is below the floor");
        assert_eq!(judge((0.99, 1.02), calm), Verdict::Noise);
        assert_eq!(judge((0.99, 1.08), calm), Verdict::Inconclusive, "8 % slower is not ruled out");
        assert_eq!(judge((1.02, 1.04), (0.97, 1.01)), Verdict::Noise, "the machine differs from itself as much");
        assert_eq!(judge((1.02, 1.04), (0.93, 1.01)), Verdict::NotMeasurable);
        assert_eq!(judge((2.0, 2.1), (0.93, 1.01)), Verdict::Regression, "far beyond even that noise");
        let few = Evidence { change: Ratio { pairs: 19, ..ratio(1.2, 1.3) }, noise: ratio(1.0, 1.0) };
        assert_eq!(few.judge(LIMITS), Verdict::NotMeasurable);
    }

    #[test]
    fn two_rounds_must_agree() {
        let evidence = |low, high| Evidence { change: ratio(low, high), noise: ratio(0.999, 1.001) };
        let (slower, faster, same) = (evidence(1.03, 1.05), evidence(0.94, 0.96), evidence(0.99, 1.005));
        assert_eq!(settle(&[slower, slower], &slower, LIMITS), Verdict::Regression);
        assert_eq!(settle(&[faster, faster], &faster, LIMITS), Verdict::Improvement);
        for rounds in [[slower, same], [same, slower], [slower, faster], [faster, same]] {
            assert_eq!(settle(&rounds, &same, LIMITS), Verdict::Inconclusive);
        }
        assert_eq!(settle(&[slower], &slower, LIMITS), Verdict::Inconclusive, "not confirmed");
        assert_eq!(settle(&[same], &same, LIMITS), Verdict::Noise);
        assert_eq!(settle(&[same, same], &slower, LIMITS), Verdict::Inconclusive);
    }

    #[test]
    fn a_regression_is_the_only_verdict_that_ends_with_1() {
        let codes = [
            (Verdict::Regression, 1),
            (Verdict::Improvement, 0),
            (Verdict::Noise, 0),
            (Verdict::Inconclusive, 3),
            (Verdict::NotMeasurable, 3),
            (Verdict::NotComparable, 3),
        ];
        for (verdict, code) in codes {
            assert_eq!(verdict.exit().code(), code, "{}", verdict.name());
            assert_eq!(serde_json::to_value(verdict).unwrap(), verdict.name());
        }
    }

    /// Number of regressions found in sessions of two rounds of 30 pairs whose second side takes `truth` times as long.
    fn called(truth: f64, sessions: usize) -> usize {
        let mut random = SplitMix::new(21);
        let uniform = |random: &mut SplitMix| (random.bits() >> 11) as f64 / (1_u64 << 53) as f64;
        let time = |random: &mut SplitMix| {
            let interrupted = if uniform(random) < 0.05 { 0.5 } else { 0.0 };
            1.0 - (1.0 - uniform(random)).ln() * 0.02 + interrupted
        };
        let mut pairs = |ratio: f64| -> Vec<(f64, f64)> {
            (0..30).map(|_| (time(&mut random), ratio * time(&mut random))).collect()
        };
        let mut changed = 0;
        for session in 0..sessions {
            let rounds = [(pairs(truth), pairs(1.0)), (pairs(truth), pairs(1.0))];
            let evidence = |change: &[(f64, f64)], noise: &[(f64, f64)]| Evidence {
                change: Ratio::of(change, session as u64).unwrap(),
                noise: Ratio::of(noise, session as u64).unwrap(),
            };
            let judged = rounds.each_ref().map(|(change, noise)| evidence(change, noise));
            let [(change, noise), (more_change, more_noise)] = rounds;
            let pooled = evidence(&[change, more_change].concat(), &[noise, more_noise].concat());
            let verdict = settle(&judged, &pooled, LIMITS);
            changed += usize::from(matches!(verdict, Verdict::Regression | Verdict::Improvement));
        }
        changed
    }

    #[test]
    fn a_planted_slowdown_of_5_percent_is_found_and_no_change_is_not_called_one() {
        let (found, of) = (called(1.05, 60), 60);
        assert!(found >= 57, "{found} of {of} planted slowdowns");
        let (found, of) = (called(1.0, 100), 100);
        assert!(found <= 1, "{found} of {of} sessions without a change");
    }
}
