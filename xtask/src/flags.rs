//! The command line.

use bitstate_harness::Error;
use bitstate_harness::select::Selection;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

const EXIT_CODES: &str = "\
Exit codes:
  0  everything asked for ran and is right (skips that ci/expected.toml lists included)
  1  a regression
  2  the harness or a measurement failed, the selection is empty, a golden file is stale or cannot be read
  3  something could not be measured here and ci/expected.toml does not list that
  4  a wrong answer; the first divergent step is named
  When several apply: 4 outranks 2, 2 outranks 3, 3 outranks 1.

A missing tool: as root on Debian it is installed first, and if it is still missing the command ends with 3.
Without root, or elsewhere, what to install is printed, its target is skipped by name, and that alone costs nothing.

Examples:
  cargo xtask bench                                  set up, build, verify, measure, report
  cargo xtask bench --quick --target native --target wasm
  cargo xtask verify --variant '!generic' --workload byte128
  cargo xtask list";

/// Builds, proves, measures and reports every target of BitState.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", after_help = EXIT_CODES, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Install what is missing (root on Debian), or say exactly what to install and what will be skipped
    Setup(Flags),
    /// Show what is here, with versions, and what will be skipped and why
    Doctor(Flags),
    /// Show targets, variants and workloads
    List(Flags),
    /// Build every chosen target
    Build(Flags),
    /// Check every chosen target against the golden streams, bit for bit; nothing is timed
    Verify(Flags),
    /// Set up, build, verify, measure, and write a report
    Bench(BenchFlags),
    /// Make reports again from their records, or check that they and the README are current
    Report(ReportFlags),
    /// Make the golden streams anew from the reference, or check that they are what it gives
    Golden(GoldenFlags),
    /// Everything that must hold: set-up, format, lints, tests, builds, verify, report; ends with a count
    Test(TestFlags),
    /// Train a tiny model on made-up stories and run it: the loss must fall
    TrainSmoke,
}

/// What a command is about.
#[derive(Debug, Args, Default)]
pub struct Flags {
    /// Only targets that match this regular expression; `!` in front leaves out; may be given again
    #[arg(long, value_name = "REGEX")]
    pub target: Vec<String>,
    /// Only variants that match
    #[arg(long, value_name = "REGEX")]
    pub variant: Vec<String>,
    /// Only workloads that match
    #[arg(long, value_name = "REGEX")]
    pub workload: Vec<String>,
    /// Only metrics that match, such as `time`, `instructions`, `memory`
    #[arg(long, value_name = "REGEX")]
    pub metric: Vec<String>,
    /// Fewer steps when verifying, fewer samples when measuring
    #[arg(long)]
    pub quick: bool,
    /// Say what would be done and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Answer on standard output in JSON
    #[arg(long)]
    pub json: bool,
}

impl Flags {
    /// The selection that the flags make.
    pub fn selection(&self) -> Result<Selection, Error> {
        Selection::parse(&self.target, &self.variant, &self.workload, &self.metric)
    }
}

/// Flags of `bench`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask bench                        all targets; the report goes to target/bitstate/reports/
  cargo xtask bench --quick                fewer samples, under three minutes after the builds
  cargo xtask bench --publish first-light  the report goes to reports/<date>-first-light/, to be committed
  cargo xtask bench --target native --metric time --dry-run")]
pub struct BenchFlags {
    /// What to measure.
    #[command(flatten)]
    pub flags: Flags,
    /// Name of the run, for its folder and title
    #[arg(long, value_name = "NAME", default_value = "local")]
    pub name: String,
    /// Write the report into reports/ under this name, to be committed
    #[arg(long, value_name = "NAME", conflicts_with = "name")]
    pub publish: Option<String>,
}

/// Flags of `report`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask report                    make every published report again from its records
  cargo xtask report reports/2026-01-31-first-light
  cargo xtask report --readme           and write the newest one's table into README.md
  cargo xtask report --check            is everything what the records give?")]
pub struct ReportFlags {
    /// Folders of runs; all in reports/ by default
    pub folders: Vec<PathBuf>,
    /// Write the newest published report's table and charts into README.md
    #[arg(long)]
    pub readme: bool,
    /// Change nothing; end with 2 if something is not current
    #[arg(long)]
    pub check: bool,
}

/// Flags of `test`.
#[derive(Debug, Args)]
pub struct TestFlags {
    /// The trainer instead: its lints and tests, and `train-smoke`. Apart, because it builds a training framework
    #[arg(long)]
    pub trainer: bool,
}

/// Flags of `golden`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask golden --bless            make golden/streams/ from golden/cases.toml with the reference
  cargo xtask golden --bless --check    change nothing; are the streams what the reference gives?")]
pub struct GoldenFlags {
    /// Compute the golden streams with the reference, never with a kernel under test
    #[arg(long, required = true)]
    pub bless: bool,
    /// Change nothing; only compare
    #[arg(long)]
    pub check: bool,
}
