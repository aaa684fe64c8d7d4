//! Measures two sides against each other, in pairs of consecutive runs, so that a slow machine slows both.
//!
//! Every pair has an A/A pair, the first side against itself: its difference is the noise of this machine in this
//! session. The two share a run of the first side, so three runs in random order make both; if that run was a slow one,
//! the noise shows it too. If a round finds anything but noise, every contest (not only those that look bad) has a
//! second round.
//!
//! A short run is repeated several times in its process, and the fastest take counts: disturbances only make a take
//! slower, and milliseconds are easily disturbed.

use crate::definitions::golden::Case;
use crate::definitions::thresholds::TimeLimits;
use crate::records::Row;
use crate::records::journal::Done;
use crate::runs::measure::{Subject, What};
use crate::runs::plan::Plan;
use crate::targets::skip::{Cause, Skip};
use crate::targets::{Cell, Clock};
use crate::verdicts::comparison::{self, Comparison};
use crate::verdicts::stats::paired::Ratio;
use crate::verdicts::stats::random::SplitMix;
use crate::verdicts::stats::verdict::{FEWEST_PAIRS, Verdict};
use crate::workspace::error::Error;
use crate::workspace::process;
use crate::workspace::processor::Processor;
use crate::workspace::progress::Progress;
use std::time::Instant;

/// Most pairs in a round.
const MOST_PAIRS: u32 = 600;
/// Most seconds that a full run gives a contest in a round.
const MOST_SECONDS: f64 = 25.0;
/// A full run has enough pairs when the interval of the noise is at most this wide on each side, as a fraction of the
/// ceiling: a change of the ceiling's size then exceeds both intervals.
const STEADY: f64 = 0.24;
/// All orders of three runs, each once: a round ends only where its orders are balanced.
const BLOCK: u32 = 6;
/// Takes of a run in one process, if one take is shorter than this many seconds.
const TAKES: (u32, f64) = (3, 0.15);

/// Number of pairs in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairs {
    /// The fewest that a verdict needs.
    Fewest,
    /// Until the noise is known well enough to detect a change of the ceiling's size, or time is up. The change itself
    /// has no influence.
    Steady,
    /// This many.
    Exactly(u32),
}

impl Pairs {
    /// The most in a round, for any measurement.
    fn most(self) -> u32 {
        match self {
            Pairs::Fewest => FEWEST_PAIRS as u32,
            Pairs::Steady => MOST_PAIRS,
            Pairs::Exactly(pairs) => pairs,
        }
    }

    /// Whether a contest has enough pairs, given its noise by phase and the seconds spent in a round.
    fn enough(self, noise: &[Vec<(f64, f64)>], seconds: f64, limits: TimeLimits) -> bool {
        let pairs = noise.iter().map(Vec::len).min().unwrap_or(0) as u32;
        if self != Pairs::Steady || pairs < FEWEST_PAIRS as u32 || !pairs.is_multiple_of(BLOCK) {
            return false;
        }
        let width =
            |pairs: &Vec<(f64, f64)>| Ratio::of(pairs, 0).map_or(f64::INFINITY, |r| (r.high / r.low).ln() / 2.0);
        seconds >= MOST_SECONDS || noise.iter().all(|pairs| width(pairs) <= STEADY * limits.ceiling.ln_1p())
    }
}

/// The compared phases.
const PHASES: [&str; 2] = ["prefill", "decode"];

/// One of two sides that are compared.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// A label after its variant in records, such as a commit; may be empty.
    pub label: &'a str,
    /// The plan with its runners, cases and models.
    pub plan: &'a Plan<'a>,
    /// The cell that runs.
    pub cell: Cell,
}

/// How to measure.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Pairs of a round.
    pub pairs: Pairs,
    /// Seed of all orders.
    pub seed: u64,
    /// Limits of a relevant change.
    pub limits: TimeLimits,
}

/// The result of measuring.
#[derive(Debug, Default)]
pub struct Paired {
    /// Pairs, failures, and cases that are not comparable.
    pub rows: Vec<Row>,
    /// The processor that runs were pinned to.
    pub pinned_to: Option<usize>,
}

/// Two sides on one workload.
struct Contest<'a> {
    names: [String; 2],
    sides: [(Subject<'a>, &'a Plan<'a>); 2],
    /// Takes of a run in its process.
    takes: u32,
    failed: bool,
}

/// Compares pairs of sides on every timed case that both have.
///
/// # Errors
/// If interrupted, if the two have no timed case in common, or if the journal of the first side cannot be written. A
/// failure of a run is a row.
pub fn compare<'a>(sides: &[[Side<'a>; 2]], settings: &Settings) -> Result<Paired, Error> {
    let mut rows = Vec::new();
    let mut contests = Vec::new();
    for pair in sides {
        enter(pair, &mut contests, &mut rows);
    }
    if contests.is_empty() && rows.is_empty() {
        let text =
            "no chosen workload is a timed one that both sides can run: `cargo xtask list` shows which are timed";
        return Err(Error::Refused(text.into()));
    }
    // A separate thread, so that only timed runs are pinned.
    let (measured, pinned_to) = std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let processor = sides.first().and_then(|[first, _]| first.plan.processor);
            let pinned_to = processor.and_then(Processor::pin);
            (rounds(&mut contests, settings), pinned_to)
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    rows.extend(measured?);
    if process::interrupted() {
        return Err(Error::Interrupted);
    }
    Ok(Paired { rows, pinned_to })
}

/// Adds the contests of two sides, and a row for every case that differs between them.
fn enter<'a>(sides: &[Side<'a>; 2], contests: &mut Vec<Contest<'a>>, rows: &mut Vec<Row>) {
    let [a, b] = sides;
    if a.cell.target.clock != Clock::Wall {
        return;
    }
    let runner = |side: &Side<'a>| {
        let runs = side.plan.built.runnable(&[side.cell]).len() == 1;
        side.plan.built.runners.get(side.cell.target.name).filter(|_| runs)
    };
    let (Some(a_runner), Some(b_runner)) = (runner(a), runner(b)) else { return };
    for &a_case in a.plan.cases.iter().filter(|case| case.bench) {
        let other = b.plan.cases.iter().copied().find(|case| case.name() == a_case.name());
        let models = a.plan.model(a_case).zip(other.and_then(|case| b.plan.model(case)));
        let Some((b_case, (a_model, b_model))) = other.zip(models) else {
            rows.push(not_comparable(b.cell, a_case, format!("`{}` has no such workload", b.label)));
            continue;
        };
        let differs = [
            (a_model.digest != b_model.digest, "the model file"),
            (a_case.workload != b_case.workload, "the prompt, the length or the sampler"),
            (a_case.golden.digests != b_case.golden.digests, "the golden answer"),
        ];
        if let Some((_, what)) = differs.iter().find(|(differs, _)| *differs) {
            let reason = format!("{what} of `{}` is not that of `{}`", b.label, a.label);
            rows.push(not_comparable(b.cell, a_case, reason));
            continue;
        }
        let subject = |side: &Side<'a>, runner, case, model| {
            (Subject { cell: side.cell, runner, what: What::Workload(case), model, most_tokens: u32::MAX }, side.plan)
        };
        contests.push(Contest {
            names: sides.each_ref().map(|side| format!("{} {}", side.cell, side.label).trim_end().to_string()),
            sides: [subject(a, a_runner, a_case, a_model), subject(b, b_runner, b_case, b_model)],
            takes: 1,
            failed: false,
        });
    }
}

fn not_comparable(cell: Cell, case: &Case, reason: String) -> Row {
    Row::skipped(cell, Some(case.name()), &Skip { cause: Cause::NotComparable, reason }, false)
}

fn rounds(contests: &mut [Contest], settings: &Settings) -> Result<Vec<Row>, Error> {
    let mut random = SplitMix::new(settings.seed);
    let mut rows = Vec::new();
    // One unmeasured run: it reads files for the first time, and reports a side that cannot run early.
    let progress = Progress::bar("warm up", 2 * contests.len() as u64);
    for contest in contests.iter_mut() {
        let started = Instant::now();
        for side in 0..2 {
            if !contest.failed {
                rows.extend(contest.times(side).err().map(|row| *row));
            }
            progress.step(&contest.names[side]);
        }
        let run = started.elapsed().as_secs_f64() / 2.0;
        let takes = if run < TAKES.1 { TAKES.0 } else { 1 };
        // Decided once: a resumed run keeps the number.
        let decided = contest.once("takes", |_| Done { decided: Some(takes), ..Done::default() })?;
        contest.takes = decided.decided.unwrap_or(takes);
    }
    drop(progress);
    for round in 0..2 {
        rows.extend(one_round(contests, round, settings, &mut random)?);
        let noise = |comparison: &Comparison| comparison.judge_round(0, settings.limits) == Some(Verdict::Noise);
        if round == 0 && comparison::of(&rows, settings.limits).iter().all(noise) {
            break;
        }
    }
    Ok(rows)
}

/// A round: every contest runs its pairs and A/A pairs, with the contests in random order for each pair.
fn one_round(
    contests: &mut [Contest],
    round: u32,
    settings: &Settings,
    random: &mut SplitMix,
) -> Result<Vec<Row>, Error> {
    let label = if round == 0 { "compare" } else { "compare once more, to confirm" };
    let most = settings.pairs.most();
    let progress = Progress::bar(label, u64::from(most) * contests.len() as u64);
    let mut rows = Vec::new();
    let orders: Vec<Vec<Order>> = contests.iter().map(|_| orders(most as usize, random)).collect();
    // Noise of each contest so far, by phase, and the seconds spent; `None` once it has enough.
    let mut open: Vec<Option<(Noise, f64)>> = contests.iter().map(|_| Some(Default::default())).collect();
    let mut turn: Vec<usize> = (0..contests.len()).collect();
    for pair in 0..most {
        random.shuffle(&mut turn);
        for &index in &turn {
            let contest = &mut contests[index];
            if let Some((noise, seconds)) = &mut open[index]
                && !contest.failed
                && !process::interrupted()
            {
                let order = orders[index][pair as usize];
                let done = contest.once(&format!("round {round}, pair {pair}"), |contest| {
                    let started = Instant::now();
                    let rows = contest.pair(round, pair, order);
                    Done { rows, decided: Some(started.elapsed().as_millis() as u32), ..Done::default() }
                })?;
                contest.failed |= !done.rows.iter().all(|row| matches!(row, Row::Pair { .. }));
                *seconds += f64::from(done.decided.unwrap_or(0)) / 1000.0;
                for row in &done.rows {
                    if let Row::Pair { noise: true, phase, values, .. } = row
                        && let Some(at) = PHASES.iter().position(|name| name == phase)
                    {
                        noise[at].push((values[0] as f64, values[1] as f64));
                    }
                }
                rows.extend(done.rows);
                if settings.pairs.enough(noise, *seconds, settings.limits) {
                    open[index] = None;
                }
            }
            progress.step(&contest.names[1]);
        }
        if open.iter().all(Option::is_none) {
            break;
        }
    }
    Ok(rows)
}

/// Noise of a contest in a round, by phase.
type Noise = [Vec<(f64, f64)>; PHASES.len()];
/// Order of a pair and its A/A pair: 0 is the first side, 1 the second, 2 the first side again.
type Order = [usize; 3];

/// Orders for this many pairs: each order once per block, shuffled; in the rest each with its reverse (except one, if
/// the number is odd).
fn orders(pairs: usize, random: &mut SplitMix) -> Vec<Order> {
    let mut half: [Order; BLOCK as usize / 2] = [[0, 1, 2], [1, 2, 0], [2, 0, 1]];
    let mut orders = Vec::with_capacity(pairs + BLOCK as usize);
    while orders.len() < pairs {
        random.shuffle(&mut half);
        let both = half.iter().flat_map(|&[a, b, c]| [[a, b, c], [c, b, a]]);
        let mut block: Vec<Order> = both.take(pairs - orders.len()).collect();
        random.shuffle(&mut block);
        orders.extend(block);
    }
    orders
}

impl Contest<'_> {
    /// A task's result: from the journal, or made now and then recorded there.
    fn once(&mut self, what: &str, make: impl FnOnce(&mut Self) -> Done) -> Result<Done, Error> {
        let (subject, plan) = self.sides[0];
        let name = format!("{} against {}, {}, {what}", self.names[1], self.names[0], subject.workload());
        if let Some(done) = plan.journal.and_then(|journal| journal.done(&name)) {
            return Ok(done.clone());
        }
        let done = make(self);
        if process::interrupted() {
            return Err(Error::Interrupted);
        }
        if let Some(journal) = plan.journal {
            journal.record(&name, &done)?;
        }
        Ok(done)
    }

    /// Runs a side and returns the time of each phase, or the row that says why there is none.
    fn times(&mut self, side: usize) -> Result<[u64; PHASES.len()], Box<Row>> {
        let (subject, plan) = &self.sides[side];
        let What::Workload(case) = subject.what else { return Ok([0; PHASES.len()]) };
        subject.least_times(plan, case, self.takes, &PHASES).inspect_err(|_| self.failed = true)
    }

    /// A pair and its A/A pair.
    fn pair(&mut self, round: u32, pair: u32, order: Order) -> Vec<Row> {
        let mut times = [[0; PHASES.len()]; 3];
        for run in order {
            match self.times([0, 1, 0][run]) {
                Ok(found) => times[run] = found,
                Err(row) => return vec![*row],
            }
        }
        let before =
            |a: usize, b: usize| order.iter().position(|run| *run == a) < order.iter().position(|run| *run == b);
        let (subject, _) = &self.sides[0];
        let row = |noise: bool, phase: usize| Row::Pair {
            target: subject.cell.target.name.into(),
            workload: subject.workload().into(),
            model: subject.model.digest.to_string(),
            sides: self.names.clone(),
            noise,
            round,
            pair,
            second_first: before(if noise { 2 } else { 1 }, 0),
            phase: PHASES[phase].into(),
            metric: "time".into(),
            unit: "ns".into(),
            values: [times[0][phase], times[if noise { 2 } else { 1 }][phase]],
        };
        [false, true]
            .into_iter()
            .flat_map(|noise| (0..PHASES.len()).map(move |phase| (noise, phase)))
            .map(|(noise, phase)| row(noise, phase))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{FEWEST_PAIRS, Pairs, TimeLimits, orders};
    use crate::verdicts::stats::random::SplitMix;

    #[test]
    fn every_order_is_as_frequent_as_its_reverse() {
        for pairs in [20, 21, 60] {
            let orders = orders(pairs, &mut SplitMix::new(3));
            assert_eq!(orders.len(), pairs);
            let count = |order: [usize; 3]| orders.iter().filter(|other| **other == order).count();
            for [a, b, c] in [[0, 1, 2], [1, 2, 0], [2, 0, 1]] {
                let (there, back) = (count([a, b, c]), count([c, b, a]));
                assert!(there.abs_diff(back) <= pairs % 2, "{pairs}: {there} and {back}");
                assert!(there.abs_diff(pairs / 6) <= 1, "{pairs}: {there}");
            }
        }
    }

    #[test]
    fn a_round_ends_when_the_noise_is_known_and_never_by_the_change() {
        let limits = TimeLimits { floor: 0.01, ceiling: 0.05 };
        let pairs = |n: usize, spread: f64| -> Vec<(f64, f64)> {
            (0..n).map(|i| (1.0, 1.0 + spread * ((i * 7 % 11) as f64 - 5.0))).collect()
        };
        let enough = |noise: [Vec<(f64, f64)>; 2], seconds| Pairs::Steady.enough(&noise, seconds, limits);
        let (calm, wild) = (|n| pairs(n, 0.001), |n| pairs(n, 0.05));
        assert!(enough([calm(24), calm(24)], 1.0));
        assert!(!enough([calm(24), wild(24)], 1.0), "every phase");
        assert!(enough([calm(24), wild(24)], 25.0), "time is up");
        assert!(!enough([calm(18), calm(18)], 99.0), "the fewest that are judged");
        assert!(!enough([calm(25), calm(25)], 99.0), "orders are balanced");
        // A shift of the noise does not change its width.
        assert!(enough([calm(24), pairs(24, 0.001).iter().map(|(a, b)| (*a, 1.5 * b)).collect()], 1.0));
        assert!(!Pairs::Exactly(31).enough(&[calm(24)], 99.0, limits));
        assert_eq!([Pairs::Fewest.most(), Pairs::Exactly(31).most()], [FEWEST_PAIRS as u32, 31]);
    }
}
