//! `cargo xtask ab`.

use crate::bench::print_folder;
use crate::context::{self, Context, Ready};
use crate::flags::{Cli, Command, Flags};
use crate::resume::{self, Resumed};
use anyhow::{Context as _, bail};
use bitstate_harness::Exit;
use bitstate_harness::definitions::thresholds::Thresholds;
use bitstate_harness::records::counter::Counter;
use bitstate_harness::records::journal::Journal;
use bitstate_harness::records::provenance::Provenance;
use bitstate_harness::records::{Row, Tally};
use bitstate_harness::report::history::Published;
use bitstate_harness::report::{self, place};
use bitstate_harness::runs::count::{self, parts};
use bitstate_harness::runs::pairs::{self, Pairs, Settings, Side};
use bitstate_harness::runs::plan::Plan;
use bitstate_harness::targets::{Cell, Clock};
use bitstate_harness::verdicts::comparison::Comparison;
use bitstate_harness::verdicts::gate::{self, Finding, Scope};
use bitstate_harness::workspace::checkout::{self, Checkout};
use bitstate_harness::workspace::processor::Processor;
use clap::{Args, Parser};
use serde_json::json;

/// Flags of `ab`.
#[derive(Debug, Args)]
#[command(after_help = "\
Both commits are built first, each in its own folder under target/bitstate/ab/. Then their runs alternate: pairs
in random, balanced order, a fresh process for every run, all pinned to one processor. Every pair has an A/A pair, the
first commit against itself, which measures the noise of this session. A run of less than 0.15 seconds is repeated three
times in its process, and the fastest take counts.

Verdicts, with their exit codes:
  regression      1  slower: the 95 % interval lies beyond the floor and the noise, in two rounds
  improvement     0  faster, likewise
  noise           0  no change above the floor was found, and a change of the ceiling's size is ruled out
  inconclusive    3  the rounds disagree, or a change of the ceiling's size is neither shown nor ruled out
  not_measurable  3  the noise of the machine exceeds the ceiling
  not_comparable  3  the commits run different requests: another model, prompt or golden answer
An emulated target has no wall clock: its instructions, memory and sizes are counted on both sides and compared with the
thresholds of the gate.
If a side fails, the exit code is 2; for a wrong answer, 4. Floor and ceiling: ci/thresholds.toml.

Examples:
  cargo xtask ab main . --target native     the working tree, with local changes, against main
  cargo xtask ab HEAD~1 HEAD --workload default --variant avx2
  cargo xtask ab HEAD HEAD --target native  how small a change can this machine detect?")]
pub struct AbFlags {
    /// Baseline commit, branch or tag; `.` is the working tree
    #[arg(value_name = "OLD", required_unless_present = "resume")]
    pub old: Option<String>,
    /// Commit, branch or tag to judge; `.` is the working tree
    #[arg(value_name = "NEW", required_unless_present = "resume")]
    pub new: Option<String>,
    /// What to compare.
    #[command(flatten)]
    pub flags: Flags,
    /// Pairs in a round; by default 20 with --quick, else until the noise is known to 1.2 %, at least 20, at most 25
    /// seconds a case
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(20..=1000))]
    pub pairs: Option<u32>,
    /// Pin timed runs to processor N; by default the last free one of the fastest kind
    #[arg(long, value_name = "N")]
    pub cpu: Option<usize>,
    /// Resume the last interrupted comparison: finished pairs are not measured again
    #[arg(long)]
    pub resume: bool,
}

impl AbFlags {
    /// The commits and flags that define the comparison, in canonical order.
    pub fn canonical(&self) -> Vec<String> {
        let commits = self.old.iter().chain(&self.new).cloned();
        let pairs = self.pairs.map(|pairs| format!("--pairs={pairs}"));
        let cpu = self.cpu.map(|cpu| format!("--cpu={cpu}"));
        commits.chain(self.flags.canonical()).chain(pairs).chain(cpu).collect()
    }
}

/// Seed of the order of pairs: fixed and recorded, so that an order can be reproduced.
const SEED: u64 = 0x0ab0_0ab0;

pub fn run(given: &AbFlags) -> anyhow::Result<Exit> {
    if !given.resume {
        return ab(given, None);
    }
    let Resumed { journal, flags } = resume::find("ab", &given.canonical())?;
    let cli = ["cargo xtask".to_string(), "ab".to_string()].into_iter().chain(flags);
    let Command::Ab(mut flags) = Cli::try_parse_from(cli)?.command else {
        bail!("the journal belongs to another command")
    };
    (flags.flags.json, flags.flags.dry_run) = (given.flags.json, given.flags.dry_run);
    ab(&flags, Some(journal))
}

fn ab(ab: &AbFlags, journal: Option<Journal>) -> anyhow::Result<Exit> {
    let [Some(old), Some(new)] = [&ab.old, &ab.new] else { bail!("ab needs two commits") };
    Processor::check(ab.cpu)?;
    let here = Context::to_measure(&ab.flags)?;
    let thresholds = Thresholds::load(&here.workspace)?;
    if ab.flags.dry_run {
        for cell in &here.cells {
            println!("would compare {new} with {old} on {cell}");
        }
        return Ok(Exit::Pass);
    }
    // The report includes the baselines: an error in their files is reported before anything is built.
    let published = Published::load(&here.workspace)?;
    if let Some(journal) = &journal {
        resume::require_same_ground(journal, &here.workspace)?;
    }
    let checkouts = [old, new].map(|reference| checkout::check_out(&here.workspace, reference));
    let [old, new] = checkouts;
    let (old, new) = (old?, new?);
    // Both are built before anything is timed.
    let mut sides = [prepare(ab, &old)?, prepare(ab, &new)?];
    let provenance = describe(&sides[1], &old, &new);
    let journal = resume::begin("ab", ab.canonical(), journal, &here.workspace, provenance)?;
    sides[0].journal = Some(journal);
    let ended = measure_and_report(ab, &here, [&old, &new], &sides, (&thresholds, &published));
    resume::end("ab", sides[0].journal.take(), ended)
}

/// Everything after the builds.
fn measure_and_report(
    ab: &AbFlags,
    here: &Context,
    [old, new]: [&Checkout; 2],
    sides: &[Ready; 2],
    (thresholds, published): (&Thresholds, &Published),
) -> anyhow::Result<Exit> {
    let default = if here.quick { Pairs::Fewest } else { Pairs::Steady };
    let count = ab.pairs.map_or(default, Pairs::Exactly);
    let mut plans = [sides[0].plan()?, sides[1].plan()?];
    let processor = context::processor(&plans[0], ab.cpu)?;
    plans.iter_mut().for_each(|plan| plan.processor = processor.as_ref());
    // Times for targets with a wall clock; counters for the others.
    let of = |clock| here.cells.iter().copied().filter(move |cell: &Cell| cell.target.clock == clock);
    let pair = |cell: Cell| {
        [(old, &plans[0]), (new, &plans[1])].map(|(checkout, plan)| Side { label: &checkout.label, plan, cell })
    };
    let pairs: Vec<[Side; 2]> = of(Clock::Wall).map(pair).collect();
    let emulated: Vec<Cell> = of(Clock::Instructions).collect();

    let mut rows = plans[1].obstacles();
    rows.extend(plans[0].obstacles().into_iter().filter(|row| matches!(row, Row::Failed { .. })));
    let mut provenance = resume::provenance(&sides[0]);
    if !pairs.is_empty() {
        let paired = pairs::compare(&pairs, &Settings { pairs: count, seed: SEED, limits: thresholds.time })?;
        rows.extend(paired.rows);
        provenance.pinned_to = paired.pinned_to;
    }
    let findings = count_both(sides, &plans, &emulated, thresholds, &mut rows)?;
    provenance.time_limits = Some(thresholds.time);
    [provenance.seconds, provenance.steal] = sides[0].journal.as_ref().map_or([0; 2], Journal::spent);
    let reports = here.workspace.scratch().join("reports");
    let folder = place::write_into_free(&reports, &provenance, &rows, published)?;

    let made = report::read(&folder)?;
    let exit = exit(&rows, &made.comparisons, &findings);
    if ab.flags.json {
        let answer =
            json!({"report": folder, "comparisons": made.comparisons, "counters": findings, "exit": exit.code()});
        println!("{answer:#}");
        return Ok(exit);
    }
    if !made.comparisons.is_empty() {
        print!("{}", report::markdown::plain(&report::tables::comparisons(&made)));
    }
    crate::gate::print_changes(&findings);
    if !findings.is_empty() {
        let changed = findings.iter().filter(|finding| finding.changed()).count();
        println!("{} counters of emulated targets compared, {changed} changed", findings.len());
    }
    context::print_gaps(&rows);
    let tally = Tally::of(&rows);
    let compared = made.comparisons.len();
    println!("{compared} cases compared in time, {} runs failed, {} skipped", tally.failed, tally.skipped);
    print_folder(&here.workspace, &folder, &provenance);
    println!("report: {}/report.html", here.workspace.show(&folder));
    Ok(exit)
}

/// The exit code of verdicts, counters and rows together. Comparing nothing is not a pass.
fn exit(rows: &[Row], comparisons: &[Comparison], findings: &[Finding]) -> Exit {
    let nothing = comparisons.is_empty() && findings.is_empty();
    let none = if nothing { Exit::NotMeasurable } else { Exit::Pass };
    let verdicts = comparisons.iter().map(|comparison| comparison.verdict.exit());
    verdicts.fold(Tally::of(rows).exit.worst(none).worst(gate::exit(findings)), Exit::worst)
}

/// Counts the cells without a wall clock on both sides; failures and skips are added to the rows.
fn count_both(
    sides: &[Ready; 2],
    plans: &[Plan; 2],
    cells: &[Cell],
    thresholds: &Thresholds,
    rows: &mut Vec<Row>,
) -> anyhow::Result<Vec<Finding>> {
    if cells.is_empty() {
        return Ok(Vec::new());
    }
    let mut counted = Vec::new();
    for (side, plan) in sides.iter().zip(plans) {
        let plan = Plan { cells, cases: plan.cases.clone(), ..*plan };
        let workspace = &side.context.workspace;
        let counts = count::count(&plan, &workspace.temporary(), &Provenance::collect(workspace))?;
        rows.extend(counts.rows.into_iter().filter(|row| !rows.contains(row)).collect::<Vec<_>>());
        let of_cells = |counter: &Counter| cells.iter().any(|cell| cell.target.name == counter.target);
        counted.push(counts.counters.into_iter().filter(of_cells).collect::<Vec<Counter>>());
    }
    let scope = Scope { selected: &|_| true, excused: &|_| false, stale: &|_| None };
    let findings = gate::judge(thresholds, &counted[0], &counted[1], &scope);
    if !findings.iter().any(Finding::wants_parts) {
        return Ok(findings);
    }
    let wanted = |counter: &Counter| findings.iter().any(|finding| finding.wants_parts() && finding.is_of(counter));
    for ((side, plan), counters) in sides.iter().zip(plans).zip(&mut counted) {
        let plan = Plan { cells, cases: plan.cases.clone(), ..*plan };
        let workspace = &side.context.workspace;
        let failed = parts::attach(&plan, &workspace.temporary(), counters, &wanted)?;
        // A commit may be older than the counting of steps; then only the total is known.
        for row in failed {
            if let Row::Failed { target, variant, workload, error, .. } = row {
                let workload = workload.unwrap_or_default();
                eprintln!("the steps of {target}/{variant} {workload} are not known: {error}");
            }
        }
    }
    Ok(gate::judge(thresholds, &counted[0], &counted[1], &scope))
}

fn prepare(ab: &AbFlags, checkout: &Checkout) -> anyhow::Result<Ready> {
    eprintln!("{}: {}", checkout.label, checkout.workspace.root.display());
    let context = Context { workspace: checkout.workspace.clone(), ..Context::to_measure(&ab.flags)? };
    context.prepare().with_context(|| format!("{} cannot be prepared", checkout.label))
}

fn describe(new: &Ready, old_checkout: &Checkout, new_checkout: &Checkout) -> Provenance {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let digests = new.models.iter().map(|model| (model.name.clone(), model.digest.to_string()));
    let short = |checkout: &Checkout| {
        checkout.commit.as_ref().map_or("tree".into(), |c| c.chars().take(10).collect::<String>())
    };
    Provenance {
        name: format!("ab-{}-{}", short(old_checkout), short(new_checkout)),
        command: format!("cargo xtask {}", arguments.join(" ")),
        quick: new.context.quick,
        shuffle_seed: SEED,
        golden: new.golden.digest.to_string(),
        models: digests.collect(),
        ..Provenance::collect(&new.context.workspace)
    }
}
