//! The command line: the verbs, and the flags that most of them share. Those of one verb alone are in its file.

use crate::ab::AbFlags;
use crate::bench::BenchFlags;
use crate::ci::{CiFlags, CiPart};
use crate::compare::CompareFlags;
use crate::eval::EvalFlags;
use crate::fuzz::FuzzFlags;
use crate::gate::{self, BaselineCommand};
use crate::golden::GoldenFlags;
use crate::report::ReportFlags;
use crate::selftest::{PlantFlags, SelftestFlags};
use crate::test::TestFlags;
use crate::verify::VerifyFlags;
use bitstate_harness::Error;
use bitstate_harness::definitions::select::Selection;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

const EXIT_CODES: &str = "\
Exit codes:
  0  everything asked for ran and is right (skips that ci/expected.toml lists included)
  1  a regression
  2  the harness or a measurement failed, the selection is empty, a golden file is stale or cannot be read
  3  something could not be measured here and ci/expected.toml does not list that, or nothing at all could
  4  a wrong answer; the first divergent step is named
  When several apply: 4 outranks 2, 2 outranks 3, 3 outranks 1.

A missing tool: as root on Debian it is installed first, and if it is still missing the command ends with 3.
Without root, or elsewhere, what to install is printed, its target is skipped by name, and that alone costs nothing
while something else runs.

Examples:
  cargo xtask bench                                  set up, build, verify, measure, report
  cargo xtask bench --quick --target native --target wasm
  cargo xtask verify --variant '!generic' --workload stories-byte
  cargo xtask list";

/// Builds, proves, measures and reports every target of BitState.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", after_help = EXIT_CODES, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// If another run uses the target folder or the processor, end with 2 instead of waiting
    #[arg(long, global = true)]
    pub no_wait: bool,
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
    Verify(VerifyFlags),
    /// What a text costs a model, and that it costs the same on every chosen target, to the last bit
    Eval(EvalFlags),
    /// Set up, build, verify, measure, and write a report
    Bench(BenchFlags),
    /// Count instructions, fuel, memory and sizes, and hold them against the accepted ones in ci/baselines/
    #[command(after_help = gate::HELP)]
    Gate(Flags),
    /// Show the accepted counters, or accept those of this build
    Baseline {
        /// What to do.
        #[command(subcommand)]
        command: BaselineCommand,
    },
    /// Compare the counters of two stored runs
    Compare(CompareFlags),
    /// Build two commits and measure them against each other; a verdict for every case
    Ab(AbFlags),
    /// Plant faults and check that each ends with its exit code
    Selftest(SelftestFlags),
    /// Run a runner with a planted fault; part of `selftest`
    #[command(hide = true)]
    Plant(PlantFlags),
    /// End what a killed run leaves running; part of every run that starts programs
    #[command(hide = true)]
    Guard {
        /// The run.
        owner: String,
        /// Where its temporary files are.
        scratch: PathBuf,
    },
    /// Make reports again from their records, or check that they and the README are current
    Report(ReportFlags),
    /// Make the golden streams anew from the reference, or check that they are what it gives
    Golden(GoldenFlags),
    /// What continuous integration runs: measure and gate every target, merge, summarise
    Ci(CiFlags),
    /// Everything that must hold: set-up, format, lints, tests, builds, verify, report; ends with a count
    Test(TestFlags),
    /// Train a tiny model on made-up stories and run it: the loss must fall
    TrainSmoke,
    /// Make up inputs for every parser and for the sampler, guided by coverage: each that fails is a finding
    Fuzz(FuzzFlags),
}

impl Command {
    /// Whether it builds, measures or writes, so that no other run may do so in the same target folder.
    pub fn writes(&self) -> bool {
        match self {
            Command::Setup(flags) | Command::Build(flags) | Command::Gate(flags) => !flags.dry_run,
            Command::Verify(flags) => !flags.flags.dry_run,
            Command::Bench(flags) => !flags.flags.dry_run,
            Command::Ab(flags) => !flags.flags.dry_run,
            Command::Baseline { command: BaselineCommand::Accept(flags) } => !flags.flags.dry_run,
            Command::Report(flags) => !flags.check,
            Command::Ci(flags) => !flags.dry_run && !matches!(flags.part, Some(CiPart::Matrix)),
            Command::Eval(_) | Command::Selftest(_) | Command::Golden(_) => true,
            Command::Test(_) | Command::TrainSmoke | Command::Fuzz(_) => true,
            Command::Doctor(_) | Command::List(_) | Command::Compare(_) => false,
            Command::Baseline { command: BaselineCommand::Show(_) } => false,
            Command::Plant(_) | Command::Guard { .. } => false,
        }
    }
}

/// Which targets, variants, workloads and metrics.
#[derive(Debug, Args, Default)]
pub struct Choice {
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
}

impl Choice {
    /// The selection that the flags make.
    pub fn selection(&self) -> Result<Selection, Error> {
        Selection::parse(&self.target, &self.variant, &self.workload, &self.metric)
    }
}

/// What a command is about.
#[derive(Debug, Args, Default)]
pub struct Flags {
    /// Where, and what.
    #[command(flatten)]
    pub choice: Choice,
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
    /// The flags that say what is done, in one order.
    pub fn canonical(&self) -> Vec<String> {
        let Choice { target, variant, workload, metric } = &self.choice;
        let lists = [("target", target), ("variant", variant), ("workload", workload), ("metric", metric)];
        let given = lists.iter().flat_map(|(name, list)| list.iter().map(move |pattern| format!("--{name}={pattern}")));
        given.chain(self.quick.then(|| "--quick".to_string())).collect()
    }
}
