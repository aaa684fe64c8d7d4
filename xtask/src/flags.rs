//! The command line: the commands, and the flags that most of them share. Flags of a single command are in its file.

use crate::ab::AbFlags;
use crate::bench::BenchFlags;
use crate::ci::{CiFlags, CiPart};
use crate::compare::CompareFlags;
use crate::eval::EvalFlags;
use crate::fuzz::FuzzFlags;
use crate::gate::{self, BaselineCommand};
use crate::golden::GoldenFlags;
use crate::image::ImageFlags;
use crate::report::ReportFlags;
use crate::selftest::{PlantFlags, SelftestFlags};
use crate::test::TestFlags;
use crate::verify::VerifyFlags;
use crate::web::WebFlags;
use bitstate_harness::Error;
use bitstate_harness::definitions::select::Selection;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

const EXIT_CODES: &str = "\
Exit codes:
  0  everything ran and is correct (skips listed in ci/expected.toml are allowed)
  1  a regression
  2  the harness or a measurement failed, the selection is empty, a golden file is stale or cannot be read
  3  something could not be measured here and is not listed in ci/expected.toml, or nothing could
  4  a wrong answer; the first divergent step is named
  If several apply: 4 takes precedence over 2, 2 over 3, 3 over 1.

As root on Debian, missing tools are installed first; if one is still missing, the exit code is 3. Without root, or
elsewhere, the required packages are printed and the target is skipped by name, which does not affect the exit code as
long as something else runs.

Examples:
  cargo xtask bench                                  set up, build, verify, measure, report
  cargo xtask bench --quick --target native --target wasm
  cargo xtask verify --variant '!generic' --workload stories-byte
  cargo xtask list";

/// Builds, verifies, measures and reports every target of BitState.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", after_help = EXIT_CODES, arg_required_else_help = true)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
    /// If another run uses the target folder or the processor, exit with 2 instead of waiting
    #[arg(long, global = true)]
    pub no_wait: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Install missing tools (as root on Debian), or print what to install and what will be skipped
    Setup(Flags),
    /// Show installed tools with their versions, and what will be skipped and why
    Doctor(Flags),
    /// Show targets, variants and workloads
    List(Flags),
    /// Build every chosen target
    Build(Flags),
    /// Check every chosen target bit for bit against the golden streams; nothing is timed
    Verify(VerifyFlags),
    /// Compute the loss of a model on a text, and check that it is equal on every chosen target, bit for bit
    Eval(EvalFlags),
    /// Set up, build, verify, measure, and write a report
    Bench(BenchFlags),
    /// Count instructions, fuel, memory and sizes, and compare them with the baselines in ci/baselines/
    #[command(after_help = gate::HELP)]
    Gate(Flags),
    /// Show the baselines, or accept the counters of this build
    Baseline {
        /// The action.
        #[command(subcommand)]
        command: BaselineCommand,
    },
    /// Compare the counters of two stored runs
    Compare(CompareFlags),
    /// Build two commits and measure them against each other, with a verdict for every case
    Ab(AbFlags),
    /// Plant faults and check the exit code of each
    Selftest(SelftestFlags),
    /// Run a runner with a planted fault; part of `selftest`
    #[command(hide = true)]
    Plant(PlantFlags),
    /// Kill the remaining processes of a killed run; part of every run that starts programs
    #[command(hide = true)]
    Guard {
        /// The identity of the run.
        owner: String,
        /// The folder of its temporary files.
        scratch: PathBuf,
    },
    /// Regenerate reports from their records, or check that they and the README are current
    Report(ReportFlags),
    /// Regenerate the golden streams with the reference, or check that they match it
    Golden(GoldenFlags),
    /// Run the jobs of continuous integration: measure and gate every target, merge, summarise
    Ci(CiFlags),
    /// Run all checks: set-up, format, lints, tests, builds, verify, report; prints the totals
    Test(TestFlags),
    /// Train a tiny model on generated stories and run it: the loss must fall
    TrainSmoke,
    /// Fuzz every parser and the sampler, guided by coverage; each failing input is a finding
    Fuzz(FuzzFlags),
    /// Build the page and the npm package: a folder for any static file server
    Web(WebFlags),
    /// Build the release archive: the command, man pages, completions, licences and a model
    Dist,
    /// Build an image for an ESP32-S3 or Cortex-M4 board, with a model, and run its own bytes under QEMU
    Image(ImageFlags),
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
            Command::Test(_)
            | Command::TrainSmoke
            | Command::Fuzz(_)
            | Command::Web(_)
            | Command::Dist
            | Command::Image(_) => true,
            Command::Doctor(_) | Command::List(_) | Command::Compare(_) => false,
            Command::Baseline { command: BaselineCommand::Show(_) } => false,
            Command::Plant(_) | Command::Guard { .. } => false,
        }
    }
}

/// The selected targets, variants, workloads and metrics.
#[derive(Debug, Args, Default)]
pub struct Choice {
    /// Only targets that match this regular expression; a leading `!` excludes; may be repeated
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
    /// Parses the flags.
    pub fn selection(&self) -> Result<Selection, Error> {
        Selection::parse(&self.target, &self.variant, &self.workload, &self.metric)
    }
}

/// Flags of most commands.
#[derive(Debug, Args, Default)]
pub struct Flags {
    /// The selection.
    #[command(flatten)]
    pub choice: Choice,
    /// Fewer steps when verifying, fewer samples when measuring
    #[arg(long)]
    pub quick: bool,
    /// Print what would be done without doing it
    #[arg(long)]
    pub dry_run: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

impl Flags {
    /// The flags that define what is done, in canonical order.
    pub fn canonical(&self) -> Vec<String> {
        let Choice { target, variant, workload, metric } = &self.choice;
        let lists = [("target", target), ("variant", variant), ("workload", workload), ("metric", metric)];
        let given = lists.iter().flat_map(|(name, list)| list.iter().map(move |pattern| format!("--{name}={pattern}")));
        given.chain(self.quick.then(|| "--quick".to_string())).collect()
    }
}
