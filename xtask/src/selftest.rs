//! `cargo xtask selftest`, and `plant`, which runs a runner with a fault.

use crate::context::{self, Context, Ready, this_program};
use crate::flags::{Choice, Flags};
use anyhow::{Context as _, anyhow, bail};
use bitstate_harness::definitions::thresholds::Thresholds;
use bitstate_harness::records::provenance::{self, Provenance};
use bitstate_harness::runs::pairs::Pairs;
use bitstate_harness::runs::plan::Plan;
use bitstate_harness::selftest::plant::{self, Plant};
use bitstate_harness::selftest::{self, Bench, Outcome, Session};
use bitstate_harness::verdicts::comparison::percent;
use bitstate_harness::verdicts::stats::paired::Ratio;
use bitstate_harness::verdicts::stats::verdict::Verdict;
use bitstate_harness::workspace::Workspace;
use bitstate_harness::workspace::processor::Processor;
use bitstate_harness::{Error, Exit};
use clap::Args;
use serde_json::json;
use std::io::{Read, Write};

/// Flags of `selftest`.
#[derive(Debug, Args)]
#[command(after_help = "\
Planted: instructions +1 % and +2 %, in total and in each step, which must be named; time +10 %; a flipped token; each
step of a forward pass wrong, which must be named with its token and layer; a bit of a session lost; a deleted row; a stale
baseline; a kernel that silently falls back; a truncated answer and golden file; and no fault at all, which must exit with 0.

Exit codes:
  0  every fault gave its exit code
  2  one did not: the harness cannot be trusted
  3  a comparison of time was inconclusive, because the machine is too noisy now")]
pub struct SelftestFlags {
    /// Fewer pairs in comparisons of time
    #[arg(long)]
    pub quick: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
    /// Pin timed runs to processor N; by default the last free one of the fastest kind
    #[arg(long, value_name = "N")]
    pub cpu: Option<usize>,
    /// Instead, measure how many of N planted slowdowns of 5 % are found, and how many of N sessions without a change
    /// are reported as one; exits with 2 if more than 1 in 20 of either is wrong
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub sessions: Option<u32>,
}

/// Flags of `plant`.
#[derive(Debug, Args)]
pub struct PlantFlags {
    /// The fault.
    pub fault: String,
    /// The real runner.
    pub program: String,
    /// Its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<String>,
}

/// Runs every planted fault on the fastest kernels that valgrind supports and the smallest timed workload.
pub fn run(flags: &SelftestFlags) -> anyhow::Result<Exit> {
    if let Some(sessions) = flags.sessions {
        let seed = provenance::steal() ^ u64::from(std::process::id());
        let all = with_bench(flags.quick, flags.cpu, |bench| selftest::sessions(bench, sessions, seed, print_session))?;
        let right = |planted| all.iter().filter(|s| s.planted == planted && s.right()).count() as u32;
        let (found, called) = (right(true), sessions - right(false));
        // At least 95 and at most 5 in 100; of a few sessions none may be wrong.
        let enough = found >= sessions - sessions / 20 && called <= sessions / 20;
        let exit = if enough { Exit::Pass } else { Exit::Harness };
        if flags.json {
            println!("{:#}", json!({"sessions": all, "found": found, "called": called, "exit": exit.code()}));
            return Ok(exit);
        }
        println!("of {sessions} planted slowdowns of 5 % on decode, {found} were found");
        println!("of {sessions} sessions without a change, {called} were reported as one");
        return Ok(exit);
    }
    let outcomes = outcomes(flags.quick, flags.cpu)?;
    if flags.json {
        let rows = outcomes.iter().map(|outcome| {
            json!({"fault": outcome.name, "expected": outcome.expected.code(), "found": outcome.found.code(),
                   "right": outcome.right(), "said": outcome.said})
        });
        println!("{:#}", json!(rows.collect::<Vec<_>>()));
    } else {
        outcomes.iter().for_each(print_outcome);
    }
    let count = |is: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| is(outcome)).count();
    let (right, unclear) = (count(Outcome::right), count(Outcome::not_measurable));
    let wrong = outcomes.len() - right - unclear;
    if !flags.json {
        println!("{right} right, {wrong} wrong, {unclear} not measurable on this machine now");
    }
    Ok(match (wrong, unclear) {
        (0, 0) => Exit::Pass,
        (0, _) => Exit::NotMeasurable,
        _ => Exit::Harness,
    })
}

/// Prints the result of a session, while the next is measured.
fn print_session(session: &Session) {
    let mark = if session.right() { "ok    " } else { "WRONG " };
    let what = if session.planted { "+5 % planted" } else { "no change" };
    let verdict = session.verdict.map_or("nothing compared", Verdict::name);
    eprintln!("{mark}  {what}: {verdict}, {} in {:.0} s", session.change, session.seconds);
    for (round, (change, noise)) in session.rounds.iter().enumerate().filter(|_| !session.right()) {
        let show = |ratio: &Option<Ratio>| {
            ratio.map_or("nothing".into(), |r| format!("{} to {} of {}", percent(r.low), percent(r.high), r.pairs))
        };
        eprintln!("          round {}: change {}, noise {}", round + 1, show(change), show(noise));
    }
}

/// The outcomes of all planted faults.
pub fn outcomes(quick: bool, cpu: Option<usize>) -> anyhow::Result<Vec<Outcome>> {
    with_bench(quick, cpu, selftest::run)
}

/// Sets up and builds the inputs of planted faults.
fn with_bench<T>(quick: bool, cpu: Option<usize>, act: impl FnOnce(&Bench) -> Result<T, Error>) -> anyhow::Result<T> {
    Processor::check(cpu)?;
    let thresholds = Thresholds::load(&Workspace::find()?)?;
    let ready = prepare()?;
    let provenance = Provenance::collect(&ready.context.workspace);
    let mut plan = plan(&ready)?;
    let processor = context::processor(&plan, cpu)?;
    plan.processor = processor.as_ref();
    let pairs = if quick { Pairs::Fewest } else { Pairs::Steady };
    let planter = this_program()?;
    let workspace = &ready.context.workspace;
    let bench = Bench { plan: &plan, workspace, thresholds: &thresholds, provenance: &provenance, planter, pairs };
    Ok(act(&bench)?)
}

/// Prints the outcome of a fault.
pub fn print_outcome(outcome: &Outcome) {
    let mark = match (outcome.right(), outcome.not_measurable()) {
        (true, _) => "ok    ",
        (_, true) => "noisy ",
        _ => "FAILED",
    };
    let (expected, found) = (outcome.expected.code(), outcome.found.code());
    println!("{mark}  exit {found}, must be {expected}  {}", outcome.name);
    if !outcome.said.is_empty() {
        println!("          {}", outcome.said.lines().next().unwrap_or(""));
    }
}

fn prepare() -> anyhow::Result<Ready> {
    let avx2 = provenance::cpu_features().split_whitespace().any(|feature| feature == "avx2");
    let variant = if avx2 { "^avx2$" } else { "^generic$" };
    let choice = Choice { target: vec!["^native$".into()], variant: vec![variant.into()], ..Choice::default() };
    let flags = Flags { choice, ..Flags::default() };
    Ok(Context::new(&flags)?.prepare_to_count()?)
}

/// The plan of the timed case with the smallest model.
fn plan(ready: &Ready) -> anyhow::Result<Plan<'_>> {
    let mut plan = ready.plan()?;
    let timed = plan.cases.iter().copied().filter(|case| case.bench);
    let smallest = timed.min_by_key(|case| plan.model(case).map_or(u64::MAX, |model| model.bytes));
    plan.cases = vec![smallest.ok_or_else(|| anyhow!("no workload is timed"))?];
    Ok(plan)
}

pub fn plant(flags: &PlantFlags) -> anyhow::Result<u8> {
    let Some(fault) = Plant::parse(&flags.fault) else { bail!("there is no fault `{}`", flags.fault) };
    let mut request = String::new();
    std::io::stdin().read_to_string(&mut request).context("cannot read the request")?;
    let (answer, status) =
        plant::run(fault, &flags.program, &flags.arguments, &request).map_err(|error| anyhow!(error))?;
    std::io::stdout().write_all(answer.as_bytes()).context("cannot write the answer")?;
    Ok(u8::try_from(status).unwrap_or(2))
}
