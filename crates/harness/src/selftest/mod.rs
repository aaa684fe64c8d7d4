//! Tests the harness with planted faults: each must give its own exit code, and no fault must give 0.
//!
//! In: a runner of this build, golden files and a baseline, with a fault planted in one of them. Out: for each fault,
//! the actual and the expected exit code. The code that judges a fault is the code that judges a real run.
//!
//! It uses runs, verdicts, records, definitions, targets and workspace.

pub mod plant;

use crate::definitions::golden::{Case, Golden, stream_path};
use crate::definitions::metrics::{PARTS, SESSIONS};
use crate::definitions::thresholds::Thresholds;
use crate::records::counter::Counter;
use crate::records::provenance::Provenance;
use crate::records::{Row, Tally};
use crate::runs::count::{self, Counts, parts};
use crate::runs::pairs::{self, Pairs, Settings, Side};
use crate::runs::plan::Plan;
use crate::runs::verify::diagnose::{self, Difference};
use crate::runs::verify::verify;
use crate::targets::Cell;
use crate::targets::build::Built;
use crate::targets::runner::Runner;
use crate::verdicts::comparison::{self, Comparison};
use crate::verdicts::gate::{self, Scope};
use crate::verdicts::stats::paired::Ratio;
use crate::verdicts::stats::verdict::Verdict;
use crate::workspace::error::Error;
use crate::workspace::exit::Exit;
use crate::workspace::{Workspace, read_text, write_atomic};
use plant::{Plant, STEPS, Spot, planted};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The result of a planted fault.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The fault, and the check that must find it.
    pub name: String,
    /// The expected exit code.
    pub expected: Exit,
    /// The actual exit code.
    pub found: Exit,
    /// The message.
    pub said: String,
}

impl Outcome {
    /// Whether the exit code is the expected one.
    pub fn right(&self) -> bool {
        self.found == self.expected
    }

    /// Whether this machine is too noisy now for a comparison of time: not a fault of the harness, but not a pass
    /// either.
    pub fn not_measurable(&self) -> bool {
        !self.right() && self.found == Exit::NotMeasurable && self.said.starts_with(TIME)
    }
}

const TIME: &str = "time: ";

/// The inputs that faults are planted into.
pub struct Bench<'a> {
    /// The plan of a real run, with one cell and one timed case.
    pub plan: &'a Plan<'a>,
    /// The workspace of the plan.
    pub workspace: &'a Workspace,
    /// The thresholds.
    pub thresholds: &'a Thresholds,
    /// Where the numbers come from.
    pub provenance: &'a Provenance,
    /// The program that plants: this one, whose command `plant` is [`plant::run`].
    pub planter: PathBuf,
    /// Pairs in a round.
    pub pairs: Pairs,
}

/// Runs every fault.
///
/// # Errors
/// If the harness cannot start: nothing built, no folder to write into, or interrupted.
pub fn run(bench: &Bench) -> Result<Vec<Outcome>, Error> {
    let mut outcomes = on_counters(bench)?;
    outcomes.extend(on_answers(bench)?);
    outcomes.push(on_sessions(bench)?);
    outcomes.extend(on_steps(bench)?);
    outcomes.push(on_golden(bench)?);
    outcomes.push(on_time(bench, "no change against itself: ab", None, Exit::Pass, 1)?);
    outcomes.push(on_time(bench, "time +10 %: ab", Some(Plant::Slower(1.1)), Exit::Regression, 2)?);
    Ok(outcomes)
}

/// One session of [`sessions`].
#[derive(Debug, Clone, Serialize)]
pub struct Session {
    /// Whether a slowdown of 5 % was planted.
    pub planted: bool,
    /// The verdict on decode.
    pub verdict: Option<Verdict>,
    /// The change as text.
    pub change: String,
    /// The change and the noise of each round, as ratios with their intervals.
    pub rounds: Vec<(Option<Ratio>, Option<Ratio>)>,
    /// Elapsed seconds.
    pub seconds: f64,
}

impl Session {
    /// Whether the verdict is correct: a slowdown is found, and no change is not called one.
    pub fn right(&self) -> bool {
        let called = matches!(self.verdict, Some(Verdict::Regression | Verdict::Improvement));
        if self.planted { self.verdict == Some(Verdict::Regression) } else { !called }
    }
}

/// Sessions with a planted slowdown of 5 % and sessions without a change alternately, this many of each; `report` is
/// called after each.
///
/// # Errors
/// As [`run`].
pub fn sessions(
    bench: &Bench,
    sessions: u32,
    seed: u64,
    mut report: impl FnMut(&Session),
) -> Result<Vec<Session>, Error> {
    let mut all = Vec::new();
    for session in 0..u64::from(sessions) {
        for planted in [true, false] {
            let plant = Plant::Slower(if planted { 1.05 } else { 1.0 });
            let started = Instant::now();
            let (_, decode) = compare(bench, Some(plant), seed.wrapping_add(session))?;
            let seconds = started.elapsed().as_secs_f64();
            let verdict = decode.as_ref().map(|decode| decode.verdict);
            let (change, rounds) = decode.map(|decode| (decode.in_words(), decode.rounds)).unwrap_or_default();
            all.push(Session { planted, verdict, change, rounds, seconds });
            all.last().into_iter().for_each(&mut report);
        }
    }
    Ok(all)
}

/// The error of the first failed row.
fn first_failure(rows: &[Row]) -> Option<&str> {
    rows.iter().find_map(|row| match row {
        Row::Failed { error, .. } => Some(error.as_str()),
        _ => None,
    })
}

/// The error of the failed row of a case or a check.
fn failure_of<'a>(rows: &'a [Row], name: &str) -> Option<&'a str> {
    rows.iter().find_map(|row| match row {
        Row::Failed { error, workload: Some(workload), .. } if workload == name => Some(error.as_str()),
        _ => None,
    })
}

fn one_cell(bench: &Bench) -> Result<(Cell, PathBuf), Error> {
    let cell = bench.plan.built.runnable(bench.plan.cells).first().copied();
    match cell.and_then(|cell| Some((cell, bench.plan.built.runners.get(cell.target.name)?.program()?))) {
        Some((cell, program)) => Ok((cell, program.to_path_buf())),
        None => Err(Error::Refused("the self-test needs the native runner, which was not built".into())),
    }
}

/// What was built, if this was all.
fn built_of(cell: Cell, runner: Runner) -> Built {
    Built { runners: [(cell.target.name, runner)].into(), ..Built::default() }
}

/// The gate on counters of this build, unchanged and with faults.
fn on_counters(bench: &Bench) -> Result<Vec<Outcome>, Error> {
    let scratch = bench.workspace.temporary();
    let count = || -> Result<Counts, Error> {
        let mut counts = count::count(bench.plan, &scratch, bench.provenance)?;
        let rows = parts::attach(bench.plan, &scratch, &mut counts.counters, &|_| true)?;
        counts.rows.extend(rows);
        Ok(counts)
    };
    let accepted = count()?;
    let again = count()?;
    let gated = |name: &str, expected, accepted: &[Counter], counts: &Counts| {
        let stale = |row: &Counter| row.workload.starts_with("gone/").then(|| "there is no such workload".to_string());
        let scope = Scope { selected: &|_| true, excused: &|_| false, stale: &stale };
        let findings = gate::judge(bench.thresholds, accepted, &counts.counters, &scope);
        let first = findings
            .iter()
            .find(|finding| !finding.sentence.is_empty())
            .map(|f| format!("{}: {}", f.status.name(), f.sentence));
        let found = Tally::of(&counts.rows).exit.worst(gate::exit(&findings));
        Outcome { name: name.into(), expected, found, said: first.unwrap_or_default() }
    };
    let instructions = |counter: &Counter| counter.metric == "instructions" && counter.phase == "decode";
    let Some(place) = again.counters.iter().position(instructions) else {
        let why = first_failure(&again.rows).unwrap_or("`cargo xtask setup` installs valgrind");
        return Err(Error::Refused(format!("no decode instructions were counted: {why}")));
    };
    let changed = |change: &dyn Fn(&mut Vec<Counter>)| {
        let mut counts = Counts { counters: again.counters.clone(), rows: again.rows.clone() };
        change(&mut counts.counters);
        counts
    };
    let accepted = &accepted.counters;
    let with_row = |change: &dyn Fn(&mut Counter)| {
        let mut rows = accepted.clone();
        let mut row = rows[place].clone();
        change(&mut row);
        rows.retain(|other| other.name() != row.name());
        rows.push(row);
        rows
    };
    let more = |share: u64| changed(&move |rows| rows[place].value += rows[place].value * share / 100);
    // A change planted into a step must be reported first, for that step.
    let step = |part: &str, share: u64| {
        let grown = changed(&|rows| {
            let more = rows[place].value * share / 100;
            rows[place].value += more;
            *rows[place].parts.entry(part.into()).or_default() += more;
        });
        let name = format!("instructions +{share} % in {part}: gate names the step");
        let mut outcome = gated(&name, Exit::Regression, accepted, &grown);
        let scope = Scope { selected: &|_| true, excused: &|_| false, stale: &|_| None };
        let first = gate::judge(bench.thresholds, accepted, &grown.counters, &scope).into_iter().next();
        outcome.said = first.map(|finding| finding.parts_in_words()).unwrap_or_default();
        if !outcome.said.starts_with(&format!("{part} +")) {
            outcome.found = Exit::Harness;
        }
        outcome
    };
    let stale = with_row(&|row| row.workload = "gone/greedy".into());
    let other = with_row(&|row| drop(row.key.insert("model".into(), "0000000000000000".into())));
    let mut outcomes: Vec<Outcome> = PARTS
        .iter()
        .filter(|(name, _)| *name != "sampling")
        .flat_map(|(name, _)| [step(name, 1), step(name, 2)])
        .collect();
    outcomes.extend([
        gated("no change, counted twice: gate", Exit::Pass, accepted, &again),
        gated("instructions +2 %: gate", Exit::Regression, accepted, &more(2)),
        gated("instructions +1 %: gate", Exit::Regression, accepted, &more(1)),
        gated(
            "one row deleted from the run: gate",
            Exit::Harness,
            accepted,
            &changed(&|rows| drop(rows.remove(place))),
        ),
        gated("one row deleted from the baseline: gate", Exit::Harness, &with_row_gone(accepted, place), &again),
        gated("a baseline of a workload that is gone: gate", Exit::Harness, &stale, &again),
        gated("a baseline of another model: gate", Exit::NotMeasurable, &other, &again),
    ]);
    Ok(outcomes)
}

fn with_row_gone(rows: &[Counter], place: usize) -> Vec<Counter> {
    rows.iter().enumerate().filter(|(i, _)| *i != place).map(|(_, row)| row.clone()).collect()
}

/// Verifying and counting with a runner that gives wrong answers.
fn on_answers(bench: &Bench) -> Result<Vec<Outcome>, Error> {
    let (cell, program) = one_cell(bench)?;
    let mut outcomes = Vec::new();
    for (name, plant, expected) in [
        ("one token flipped", Plant::FlippedToken, Exit::WrongAnswer),
        ("another kernel than the requested one", Plant::FallBack, Exit::Harness),
        ("an answer cut short", Plant::Cut, Exit::Harness),
    ] {
        let (_folder, runner) = planted(bench, plant, &program)?;
        let built = built_of(cell, runner);
        let plan = bench.plan_with(&built);
        let counts = count::count(&plan, &bench.workspace.temporary(), bench.provenance)?;
        for (what, rows) in [("verify", verify(&plan)?), ("gate", counts.rows)] {
            outcomes.push(Outcome {
                name: format!("{name}: {what}"),
                expected,
                found: Tally::of(&rows).exit,
                said: first_failure(&rows).unwrap_or_default().into(),
            });
        }
    }
    Ok(outcomes)
}

/// Verifying with a runner that loses one bit of a session: the check of sessions must find it, and only that one.
fn on_sessions(bench: &Bench) -> Result<Outcome, Error> {
    let (cell, program) = one_cell(bench)?;
    let (_folder, runner) = planted(bench, Plant::LostBit, &program)?;
    let built = built_of(cell, runner);
    let rows = verify(&bench.plan_with(&built))?;
    let said = failure_of(&rows, SESSIONS).unwrap_or_default().to_string();
    let found = Tally::of(&rows).exit;
    let found = if said.contains("after 0 tokens") { found } else { Exit::Harness };
    Ok(Outcome { name: "one bit of a session is lost: verify".into(), expected: Exit::WrongAnswer, found, said })
}

/// Verifying with a runner in which one step computes something else: that step must be named. The same runner's plain
/// variant is correct, and is the reference.
fn on_steps(bench: &Bench) -> Result<Vec<Outcome>, Error> {
    let (cell, program) = one_cell(bench)?;
    let Some(case) = bench.plan.cases.first().filter(|_| cell.variant.name != "generic") else {
        return Ok(Vec::new());
    };
    let prompt = case.workload.prompt.len() as u32;
    let mut outcomes = Vec::new();
    for (i, step) in STEPS.into_iter().enumerate() {
        // Some in the prompt, where no logits are compared, and some in the generated tokens.
        let position = if i % 2 == 0 && !matches!(step, "ln_f" | "head") { prompt - 2 } else { prompt + 3 };
        let layer = match step {
            "embedding" => 0,
            "ln_f" | "head" => layers(bench, cell, case)?,
            _ => 1,
        };
        let (_folder, runner) = planted(bench, Plant::WrongStep(Spot { position, layer, step }), &program)?;
        let built = built_of(cell, runner);
        let rows = verify(&bench.plan_with(&built))?;
        let said = failure_of(&rows, case.name()).unwrap_or_default().to_string();
        let place = Difference { position, prompt, layer, step: step.into() }.to_string();
        let found = Tally::of(&rows).exit;
        outcomes.push(Outcome {
            name: format!("step {step} is wrong: verify names it"),
            expected: Exit::WrongAnswer,
            found: if found == Exit::WrongAnswer && !said.contains(&place) { Exit::Harness } else { found },
            said,
        });
    }
    Ok(outcomes)
}

/// The index after the last layer, as steps count it.
fn layers(bench: &Bench, cell: Cell, case: &Case) -> Result<u32, Error> {
    let refused = |error: String| Error::Refused(format!("the steps of {cell} cannot be taken: {error}"));
    let runner = bench.plan.built.runners.get(cell.target.name);
    let (Some(runner), Some(model)) = (runner, bench.plan.model(case)) else {
        return Err(refused("it was not built".into()));
    };
    let steps = diagnose::steps(cell, runner, model, &diagnose::question(case, 0));
    let steps = steps.map_err(|error| refused(error.to_string()))?;
    Ok(steps.iter().map(|(_, _, layer, ..)| *layer).max().unwrap_or(0))
}

/// Reading golden files, one of them truncated.
fn on_golden(bench: &Bench) -> Result<Outcome, Error> {
    let folder = bench.workspace.temporary_folder()?;
    let copy = Workspace { root: folder.path().into(), target: folder.path().join("target") };
    let golden = bench.workspace.root.join("golden");
    copy_file(&golden.join("cases.toml"), &copy.root.join("golden/cases.toml"))?;
    copy_file(&golden.join("kernels.json"), &copy.root.join("golden/kernels.json"))?;
    let all = Golden::load(bench.workspace)?;
    for case in &all.cases {
        let name = |workspace: &Workspace| stream_path(&workspace.streams(), case.name());
        copy_file(&name(bench.workspace), &name(&copy))?;
    }
    let cut = all.cases.first().map(|case| stream_path(&copy.streams(), case.name())).unwrap_or_default();
    let text = read_text(&cut)?;
    write_atomic(&cut, &text.as_bytes()[..text.len() / 2])?;
    let (found, said) = match Golden::load(&copy) {
        Ok(_) => (Exit::Pass, "it was read".to_string()),
        Err(error) => (error.exit(), error.to_string()),
    };
    Ok(Outcome { name: "a truncated golden file: every command".into(), expected: Exit::Harness, found, said })
}

fn copy_file(from: &Path, to: &Path) -> Result<(), Error> {
    write_atomic(to, &std::fs::read(from).map_err(Error::io("read", from))?)
}

fn on_time(bench: &Bench, name: &str, plant: Option<Plant>, expected: Exit, seed: u64) -> Result<Outcome, Error> {
    // The other side runs through the planter too, so that both start the same way.
    let (found, decode) = compare(bench, Some(plant.unwrap_or(Plant::Slower(1.0))), seed)?;
    let verdict = decode.as_ref().map_or("nothing compared", |decode| decode.verdict.name());
    let change = decode.map(|decode| decode.in_words()).unwrap_or_default();
    Ok(Outcome { name: name.into(), expected, found, said: format!("{TIME}decode {verdict}, {change}") })
}

/// Compares a planted runner with the same one without the fault. The exit code and the comparison are those of decode.
fn compare(bench: &Bench, plant: Option<Plant>, seed: u64) -> Result<(Exit, Option<Comparison>), Error> {
    let (cell, program) = one_cell(bench)?;
    let (_plain_folder, plain) = planted(bench, Plant::Slower(1.0), &program)?;
    let (_folder, slower) = planted(bench, plant.unwrap_or(Plant::Slower(1.0)), &program)?;
    let (built_plain, built_slower) = (built_of(cell, plain), built_of(cell, slower));
    let plans = [bench.plan_with(&built_plain), bench.plan_with(&built_slower)];
    let sides = [Side { label: "as it is", plan: &plans[0], cell }, Side { label: "planted", plan: &plans[1], cell }];
    let settings = Settings { pairs: bench.pairs, seed, limits: bench.thresholds.time };
    let rows = pairs::compare(&[sides], &settings)?.rows;
    let comparisons = comparison::of(&rows, bench.thresholds.time);
    let decode = comparisons.into_iter().find(|comparison| comparison.phase == "decode");
    let exit = decode.as_ref().map_or(Exit::Harness, |decode| decode.verdict.exit());
    Ok((Tally::of(&rows).exit.worst(exit), decode))
}

impl<'a> Bench<'a> {
    /// The same plan with other runners.
    fn plan_with(&self, built: &'a Built) -> Plan<'a> {
        let plan = self.plan;
        let cases: Vec<&'a Case> = plan.cases.clone();
        Plan { cases, built, ..*plan }
    }
}
