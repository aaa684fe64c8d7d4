//! `cargo xtask bench`.

use crate::context::{self, Context, Ready, print_results};
use crate::flags::{Cli, Command, Flags};
use crate::resume::{self, Resumed};
use anyhow::bail;
use bitstate_harness::Exit;
use bitstate_harness::definitions::golden::{Case, Golden};
use bitstate_harness::definitions::thresholds::{Thresholds, TimeLimits};
use bitstate_harness::definitions::workloads;
use bitstate_harness::records::journal::Journal;
use bitstate_harness::records::provenance::Provenance;
use bitstate_harness::records::{Row, Tally};
use bitstate_harness::report::history::Published;
use bitstate_harness::report::kept::keep;
use bitstate_harness::report::shown::shown;
use bitstate_harness::report::{self, place};
use bitstate_harness::runs::pairs::{self, Pairs, Settings, Side};
use bitstate_harness::runs::peers::{self, Peer};
use bitstate_harness::runs::plan::Plan;
use bitstate_harness::runs::{measure, verify};
use bitstate_harness::targets::{Cell, Clock, tools};
use bitstate_harness::workspace::processor::Processor;
use bitstate_harness::workspace::time::now;
use bitstate_harness::workspace::{Workspace, git};
use clap::{Args, Parser};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Flags of `bench`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask bench                        all targets; the report goes to target/bitstate/reports/
  cargo xtask bench --quick                fewer samples, under three minutes after the builds
  cargo xtask bench --publish first-light  the report goes to reports/<date>-first-light/, to be committed
  cargo xtask bench --resume               resume the last interrupted run, with its flags
  cargo xtask bench --target native --metric time --dry-run
  cargo xtask bench --target native --variant '^(avx2|avx512_vnni)$'
  cargo xtask bench --target native --peers
  cargo xtask bench --target native --peer 'other=./other --model $MODEL -n $TOKENS'

A run does not replace another report: a second run on the same day goes to <date>-NAME-2, and --publish exits with 2,
before anything is measured, if its folder already exists.

If --variant selects exactly two variants of one target, they are also measured against each other, in pairs:
the ratio of their times, with its interval, is in the terminal output, the JSON and the report. The result does not
affect the exit code: `cargo xtask ab` is the command that judges.

`cargo xtask bench --resume` resumes a run that Ctrl-C, a crash or a full disk interrupted: every finished
run of a runner is in a journal in target/bitstate/unfinished/. It exits with 3 if commit, changes, tools, machine,
models or flags differ from those at the start of the run.")]
pub struct BenchFlags {
    /// What to measure.
    #[command(flatten)]
    pub flags: Flags,
    /// Name of the run, used for its folder and title
    #[arg(long, value_name = "NAME", default_value = DEFAULT_NAME)]
    pub name: String,
    /// Write the report into reports/ under this name, to be committed
    #[arg(long, value_name = "NAME", conflicts_with = "name")]
    pub publish: Option<String>,
    /// Pin timed runs to processor N; by default the last free one of the fastest kind
    #[arg(long, value_name = "N")]
    pub cpu: Option<usize>,
    /// Also measure llama.cpp and candle on the same shapes, interleaved with the fastest variant. They are built first (needs
    /// cmake, a C++ compiler and libclang); once they are built, a full run always measures them
    #[arg(long)]
    pub peers: bool,
    /// Also measure another program: a shell command with the model in $MODEL, the number of prompt tokens in $PROMPT and of
    /// tokens to decode in $TOKENS, which prints `N tokens/s`
    #[arg(long, value_name = "NAME=COMMAND", value_parser = Peer::parse)]
    pub peer: Vec<Peer>,
    /// Resume the last interrupted run: finished tasks are not measured again
    #[arg(long)]
    pub resume: bool,
}

impl BenchFlags {
    /// The flags that define what is measured and where the report goes, in canonical order: those of a resumed run
    /// must be the same.
    pub fn canonical(&self) -> Vec<String> {
        let mut flags = self.flags.canonical();
        if self.name != DEFAULT_NAME {
            flags.push(format!("--name={}", self.name));
        }
        flags.extend(self.cpu.map(|cpu| format!("--cpu={cpu}")));
        if self.peers {
            flags.push("--peers".into());
        }
        flags.extend(self.peer.iter().map(|peer| format!("--peer={}={}", peer.name, peer.command)));
        flags.extend(self.publish.iter().map(|name| format!("--publish={name}")));
        flags
    }
}

/// Default name of a run.
const DEFAULT_NAME: &str = "local";

/// Seed of the order of samples: fixed and recorded, so that an order can be reproduced.
const SHUFFLE_SEED: u64 = 0x0b17_57a7;

pub fn run(given: &BenchFlags) -> anyhow::Result<Exit> {
    if !given.resume {
        return bench(given, None);
    }
    let Resumed { journal, flags } = resume::find("bench", &given.canonical())?;
    let cli = ["cargo xtask".to_string(), "bench".to_string()].into_iter().chain(flags);
    let Command::Bench(mut flags) = Cli::try_parse_from(cli)?.command else {
        bail!("the journal belongs to another command")
    };
    (flags.flags.json, flags.flags.dry_run) = (given.flags.json, given.flags.dry_run);
    bench(&flags, Some(journal))
}

fn bench(bench: &BenchFlags, journal: Option<Journal>) -> anyhow::Result<Exit> {
    let flags = &bench.flags;
    let name = bench.publish.as_ref().unwrap_or(&bench.name);
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
        bail!("`{name}` cannot name a run: use letters, digits, `-`, `_` and `.`");
    }
    Processor::check(bench.cpu)?;
    if git::is_leftover(name) {
        bail!("`{name}` cannot name a run: it is the name of a hidden file or of a backup, which `report` ignores");
    }
    let context = Context::to_measure(flags)?;
    let golden = Golden::load(&context.workspace)?;
    let timed: Vec<&Case> = context.cases(&golden)?.into_iter().filter(|case| case.bench).collect();
    if timed.is_empty() {
        bail!("no chosen workload is timed: `cargo xtask list` shows which are");
    }
    if flags.dry_run {
        return Ok(dry_run(&context, &timed));
    }
    let limits = Thresholds::load(&context.workspace)?.time;
    // Checked before building. The report includes the baselines, too.
    let published = Published::load(&context.workspace)?;
    match &journal {
        Some(journal) => resume::require_same_ground(journal, &context.workspace)?,
        None => require_free(bench, &context.workspace, &named(name))?,
    }
    if bench.peers {
        require_peers_tools(&context)?;
    }
    let mut ready = context.prepare()?;
    let provenance = describe(&ready, name);
    let journal = resume::begin("bench", bench.canonical(), journal, &ready.context.workspace, provenance)?;
    ready.journal = Some(journal);
    // The date may have changed since, or the run may have been resumed.
    let free = require_free(bench, &ready.context.workspace, &resume::provenance(&ready));
    let ended = free.and_then(|()| measure_and_report(bench, &ready, limits, &published));
    resume::end("bench", ready.journal.take(), ended)
}

/// The provenance of a run of this name that starts now, sufficient for its folder's name.
fn named(name: &str) -> Provenance {
    Provenance { name: name.into(), started: now(), ..Provenance::default() }
}

/// The parent folder of the run's report.
fn parent(bench: &BenchFlags, workspace: &Workspace) -> PathBuf {
    if bench.publish.is_some() { workspace.reports() } else { workspace.scratch().join("reports") }
}

/// Refuses to publish a run into the folder of another.
fn require_free(bench: &BenchFlags, workspace: &Workspace, of: &Provenance) -> anyhow::Result<()> {
    if bench.publish.is_some() {
        place::require_free(&workspace.reports().join(place::name(of)), of)?;
    }
    Ok(())
}

/// Everything after the builds.
fn measure_and_report(
    bench: &BenchFlags,
    ready: &Ready,
    limits: TimeLimits,
    published: &Published,
) -> anyhow::Result<Exit> {
    let flags = &bench.flags;
    let mut plan = ready.plan()?;
    let mut provenance = resume::provenance(ready);

    // Correctness first: a wrong cell is not worth timing, but the others still are.
    let mut rows = verify::verify(&plan)?;
    let processor = context::processor(&plan, bench.cpu)?;
    plan.processor = processor.as_ref();
    let measured = measure::survey(&plan, &ready.context.selection.metric, SHUFFLE_SEED)?;
    // Both verifying and measuring skip a cell that cannot run; it is reported once.
    let met = |row: &Row| matches!(row, Row::Skipped { .. }) && rows.contains(row);
    let new: Vec<Row> = measured.rows.into_iter().filter(|row| !met(row)).collect();
    rows.extend(new);
    rows.extend(measure::artifacts(&plan)?);
    if let Some(cells) = two_variants(bench, &plan) {
        provenance.time_limits = Some(limits);
        rows.extend(compare(&plan, cells, limits)?);
    }
    let peers = peers_of(bench, &plan, &ready.context.workspace)?;
    if !peers.is_empty() {
        let measured = peers::measure(&plan, &rows, &peers, SHUFFLE_SEED)?;
        rows.extend(measured);
    }
    provenance.pinned_to = measured.pinned_to;
    [provenance.seconds, provenance.steal] = ready.journal.as_ref().map_or([0; 2], Journal::spent);
    let workspace = &ready.context.workspace;
    let folder = place::write_into_free(&parent(bench, workspace), &provenance, &rows, published)?;

    let made = report::read(&folder)?;
    if bench.publish.is_some() {
        keep_less(workspace);
    }
    let tally = Tally::of(&rows);
    if flags.json {
        println!(
            "{:#}",
            json!({"report": folder, "passed": tally.passed, "failed": tally.failed,
                                "skipped": tally.skipped, "exit": tally.exit.code(),
                                "comparisons": made.comparisons, "peers": made.peers})
        );
        return Ok(tally.exit);
    }
    print!("{}", report::markdown::plain(&report::overview::table(&made)));
    if !made.comparisons.is_empty() {
        println!();
        print!("{}", report::markdown::plain(&report::tables::comparisons(&made)));
    }
    if !made.peers.is_empty() {
        println!();
        print!("{}", report::markdown::plain(&report::tables::peers(&made)));
    }
    let exit = print_results(&rows);
    print_folder(workspace, &folder, &provenance);
    if bench.publish.is_some() {
        println!("report: {}/report.html (also report.md, records.jsonl.gz, charts/)", workspace.show(&folder));
        print_readme_hint(workspace, &folder);
    } else {
        println!(
            "report: {}/report.html (also report.md, report.json, records.jsonl, charts/)",
            workspace.show(&folder)
        );
    }
    Ok(exit)
}

/// Prints where the report is, if its folder does not have the default name.
pub fn print_folder(workspace: &Workspace, folder: &Path, of: &Provenance) {
    let name = place::name(of);
    if !folder.ends_with(&name) {
        let first = workspace.show(&folder.with_file_name(&name));
        println!("{first} has the report of an earlier run, which is kept");
    }
}

/// Compresses the run that was just published, and removes the pages of earlier runs, which can be regenerated.
fn keep_less(workspace: &Workspace) {
    let kept = Published::load(workspace).and_then(|published| keep(workspace, &published));
    // Another run's records may be malformed: this run is published nevertheless.
    if let Err(error) = kept {
        eprintln!("all pages of this run stay in reports/: {error}; `cargo xtask report` tries again");
    }
}

/// Prints whether the README may show a run that was just published.
fn print_readme_hint(workspace: &Workspace, folder: &Path) {
    let others = shown(workspace).map(|shown| shown.others);
    match others.as_ref().map(|others| others.iter().find(|(other, _)| other == folder)) {
        Ok(Some((_, why))) => println!("README.md does not show this run: {why}"),
        Ok(None) => println!("`cargo xtask report --readme` writes these results into README.md"),
        // Another run's records are malformed: this run is published nevertheless.
        Err(error) => println!("cannot determine whether README.md shows this run: {error}"),
    }
}

/// Installs the tools that build the peers, or says how to.
fn require_peers_tools(context: &Context) -> anyhow::Result<()> {
    let tools: Vec<_> = tools().iter().copied().filter(|tool| ["cmake", "clang"].contains(&tool.name)).collect();
    let setup = context.set_up_with(&tools)?;
    if let Some((tool, advice)) = setup.missing.iter().find(|(tool, _)| tools.contains(tool)) {
        bail!("--peers needs {}: {advice}", tool.title);
    }
    Ok(())
}

/// The other engines to measure: those of `--peer`, and the built-in ones if requested or already built.
fn peers_of(bench: &BenchFlags, plan: &Plan, workspace: &Workspace) -> anyhow::Result<Vec<Peer>> {
    let timed = plan.built.runnable(plan.cells).iter().any(|cell| cell.target.clock == Clock::Wall);
    let unasked = !plan.quick && timed && peers::are_built(workspace);
    let known = if bench.peers || unasked { peers::build(workspace)? } else { Vec::new() };
    Ok([known, bench.peer.clone()].concat())
}

/// The two cells to compare, if `--variant` selects exactly two variants of one target with a wall clock.
fn two_variants(bench: &BenchFlags, plan: &Plan) -> Option<[Cell; 2]> {
    let cells: [Cell; 2] = plan.built.runnable(plan.cells).try_into().ok()?;
    let comparable = cells[0].target == cells[1].target && cells[0].target.clock == Clock::Wall;
    (comparable && !bench.flags.choice.variant.is_empty()).then_some(cells)
}

/// Compares the second of two cells with the first. The result is informational, not a verdict: two variants are
/// expected to differ.
fn compare(plan: &Plan, cells: [Cell; 2], limits: TimeLimits) -> anyhow::Result<Vec<Row>> {
    let pairs = if plan.quick { Pairs::Fewest } else { Pairs::Steady };
    let sides = cells.map(|cell| Side { label: "", plan, cell });
    Ok(pairs::compare(&[sides], &Settings { pairs, seed: SHUFFLE_SEED, limits })?.rows)
}

fn describe(ready: &Ready, name: &str) -> Provenance {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let digests = ready.models.iter().map(|model| (model.name.clone(), model.digest.to_string()));
    Provenance {
        name: name.to_string(),
        command: format!("cargo xtask {}", arguments.join(" ")),
        quick: ready.context.quick,
        shuffle_seed: SHUFFLE_SEED,
        golden: ready.golden.digest.to_string(),
        models: digests.collect(),
        ..Provenance::collect(&ready.context.workspace)
    }
}

fn dry_run(context: &Context, timed: &[&Case]) -> Exit {
    let settings = workloads::settings();
    let samples = settings.samples.of(context.quick);
    for case in timed {
        for cell in context.cells.iter().filter(|cell| case.is_measured_with(cell.variant.name)) {
            let times = match cell.target.clock {
                Clock::Wall => samples,
                Clock::Instructions => 2,
            };
            println!("would measure {cell} {} {times} times", case.name());
        }
    }
    let rounds = settings.probe_samples.of(context.quick);
    for cell in &context.cells {
        let times = if cell.target.clock == Clock::Wall { rounds } else { 2 };
        println!("would measure {cell} kernels by shape and the parts of a token {times} times");
    }
    Exit::Pass
}
