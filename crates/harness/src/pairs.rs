//! Measuring two sides against each other: one after the other, in pairs, so that what slows the machine slows both.
//!
//! Every pair has its twin, the first side against itself: what those differ by is what this machine, in this session,
//! gives for no change at all. Where a round finds anything but noise, every contest (not only those that look bad) has
//! a second round.

use crate::comparison::{self, Comparison};
use crate::error::Error;
use crate::expected::{Cause, Skip};
use crate::golden::Case;
use crate::journal::Done;
use crate::measure::{Subject, What, pin};
use crate::probe::Computed;
use crate::process;
use crate::progress::Progress;
use crate::random::SplitMix;
use crate::records::Row;
use crate::stats::verdict::{FEWEST_PAIRS, TimeLimits, Verdict};
use crate::target::{Cell, Clock};
use crate::verify::Plan;
use std::time::Instant;

/// Most pairs of a round.
const MOST_PAIRS: u32 = 400;
/// Seconds that a full run gives each contest in each round: short runs scatter more, and get more pairs.
const SECONDS: f64 = 10.0;

/// How many pairs a round has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairs {
    /// The fewest that are judged.
    Fewest,
    /// As many as fit the time of a full run, by how long the unmeasured first runs took; never by what they say.
    ByTime,
    /// So many.
    Exactly(u32),
}

impl Pairs {
    /// Pairs of a round whose pairs, with their twins, take `seconds` each.
    fn of(self, seconds: f64) -> u32 {
        match self {
            Pairs::Fewest => FEWEST_PAIRS as u32,
            Pairs::ByTime => ((SECONDS / seconds) as u32).clamp(FEWEST_PAIRS as u32, MOST_PAIRS),
            Pairs::Exactly(pairs) => pairs,
        }
    }
}
/// Phases that are compared.
const PHASES: [&str; 2] = ["prefill", "decode"];

/// One of two things that are compared.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// What stands beside its variant in records, such as a commit; may be empty.
    pub label: &'a str,
    /// Where its runners, cases and models come from.
    pub plan: &'a Plan<'a>,
    /// What runs.
    pub cell: Cell,
}

/// How to measure.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Pairs of a round.
    pub pairs: Pairs,
    /// Seed of every order.
    pub seed: u64,
    /// What matters.
    pub limits: TimeLimits,
}

/// What measuring gave.
#[derive(Debug, Default)]
pub struct Paired {
    /// Pairs, failures, and what could not be compared.
    pub rows: Vec<Row>,
    /// The processor that runs were pinned to.
    pub pinned_to: Option<usize>,
}

/// Two sides on one workload.
struct Contest<'a> {
    names: [String; 2],
    sides: [(Subject<'a>, &'a Plan<'a>); 2],
    /// Pairs of a round.
    pairs: u32,
    failed: bool,
}

/// Compares pairs of sides on every timed case that both have.
///
/// # Errors
/// On Ctrl-C, where the two have no timed case, or if the journal of the first side cannot be written. Everything that goes wrong with a run is a row.
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
    // A thread of its own, so that only what is timed is pinned.
    let (measured, pinned_to) = std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let pinned_to = pin();
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

/// Adds the contests of two sides, and a row for every case that is not the same question on both.
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
            pairs: 0,
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
    // Once unmeasured: files are read for the first time, and what cannot run says so before others have waited.
    let progress = Progress::bar("warm up", 2 * contests.len() as u64);
    for contest in contests.iter_mut() {
        let started = Instant::now();
        for side in 0..2 {
            if !contest.failed {
                rows.extend(contest.times(side).err().map(|row| *row));
            }
            progress.step(&contest.names[side]);
        }
        // A pair and its twin are four runs, these were two.
        contest.pairs = settings.pairs.of(2.0 * started.elapsed().as_secs_f64());
        // Decided once: a run that is resumed has the pairs that it began with.
        let decided = contest.once("pairs", |contest| Done { decided: Some(contest.pairs), ..Done::default() })?;
        contest.pairs = decided.decided.unwrap_or(contest.pairs);
    }
    drop(progress);
    for round in 0..2 {
        rows.extend(one_round(contests, round, &mut random)?);
        let noise = |comparison: &Comparison| comparison.judge_round(0, settings.limits) == Some(Verdict::Noise);
        if round == 0 && comparison::of(&rows, settings.limits).iter().all(noise) {
            break;
        }
    }
    Ok(rows)
}

/// A round: every contest has its pairs and their twins, in a random order of contests within each.
fn one_round(contests: &mut [Contest], round: u32, random: &mut SplitMix) -> Result<Vec<Row>, Error> {
    let label = if round == 0 { "compare" } else { "compare once more, to confirm" };
    let pairs = |contests: &[Contest]| contests.iter().map(|contest| contest.pairs).collect::<Vec<u32>>();
    let progress = Progress::bar(label, pairs(contests).iter().map(|pairs| 2 * u64::from(*pairs)).sum());
    let most = pairs(contests).into_iter().max().unwrap_or(0);
    let mut rows = Vec::new();
    // For each contest which side is first in every pair, and whether the pair or its twin is first.
    let orders: Vec<[Vec<bool>; 3]> =
        contests.iter().map(|contest| [(); 3].map(|()| random.balanced(contest.pairs as usize))).collect();
    let mut turn: Vec<usize> = (0..contests.len()).collect();
    for pair in 0..most {
        random.shuffle(&mut turn);
        for &index in &turn {
            let contest = &mut contests[index];
            if pair >= contest.pairs {
                continue;
            }
            let [swaps, twin_swaps, twin_first] = orders[index].each_ref().map(|order| order[pair as usize]);
            for noise in [twin_first, !twin_first] {
                if !contest.failed {
                    let second_first = if noise { twin_swaps } else { swaps };
                    let name = format!("round {round}, {} {pair}", if noise { "twin" } else { "pair" });
                    let place = Place { round, pair, noise, second_first };
                    let done = contest.once(&name, |contest| Done { rows: contest.pair(place), ..Done::default() })?;
                    contest.failed |= !done.rows.iter().all(|row| matches!(row, Row::Pair { .. }));
                    rows.extend(done.rows);
                }
                progress.step(&contest.names[1]);
            }
        }
    }
    Ok(rows)
}

/// Which pair, and in which order.
#[derive(Clone, Copy)]
struct Place {
    round: u32,
    pair: u32,
    noise: bool,
    second_first: bool,
}

impl Contest<'_> {
    /// A piece: that of the journal, or one that is made now and then written down there.
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
        let reply = subject.sample(plan, false, &Computed::default()).inspect_err(|_| self.failed = true)?;
        // A sample without these is void, which `sample` found out.
        let time = |phase: &str| reply.metrics.iter().find(|m| m.phase.name() == phase && m.name == "time");
        Ok(PHASES.map(|phase| time(phase).map_or(0, |metric| metric.value)))
    }

    fn pair(&mut self, place: Place) -> Vec<Row> {
        let sides = if place.noise { [0, 0] } else { [0, 1] };
        let mut times = [[0; PHASES.len()]; 2];
        for position in if place.second_first { [1, 0] } else { [0, 1] } {
            match self.times(sides[position]) {
                Ok(found) => times[position] = found,
                Err(row) => return vec![*row],
            }
        }
        let (subject, _) = &self.sides[0];
        let row = |(phase, &name): (usize, &&str)| Row::Pair {
            target: subject.cell.target.name.into(),
            workload: subject.workload().into(),
            model: subject.model.digest.to_string(),
            sides: self.names.clone(),
            noise: place.noise,
            round: place.round,
            pair: place.pair,
            second_first: place.second_first,
            phase: name.into(),
            metric: "time".into(),
            unit: "ns".into(),
            values: [times[0][phase], times[1][phase]],
        };
        PHASES.iter().enumerate().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{FEWEST_PAIRS, MOST_PAIRS, Pairs};

    #[test]
    fn short_runs_get_more_pairs_and_none_gets_too_few() {
        assert_eq!(Pairs::ByTime.of(0.1), 100);
        assert_eq!(Pairs::ByTime.of(3.0), FEWEST_PAIRS as u32);
        assert_eq!(Pairs::ByTime.of(0.0), MOST_PAIRS);
        assert_eq!((Pairs::Fewest.of(0.1), Pairs::Exactly(31).of(0.1)), (FEWEST_PAIRS as u32, 31));
    }
}
