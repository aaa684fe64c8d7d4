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
  3  something could not be measured here and ci/expected.toml does not list that, or nothing at all could
  4  a wrong answer; the first divergent step is named
  When several apply: 4 outranks 2, 2 outranks 3, 3 outranks 1.

A missing tool: as root on Debian it is installed first, and if it is still missing the command ends with 3.
Without root, or elsewhere, what to install is printed, its target is skipped by name, and that alone costs nothing
while something else runs.

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
    Verify(VerifyFlags),
    /// What a text costs a model, and that it costs the same on every chosen target, to the last bit
    Eval(EvalFlags),
    /// Set up, build, verify, measure, and write a report
    Bench(BenchFlags),
    /// Count instructions, fuel, memory and sizes, and hold them against the accepted ones in ci/baselines/
    #[command(after_help = GATE)]
    Gate(Flags),
    /// Show the accepted counters, or accept those of this build
    Baseline {
        /// What to do.
        #[command(subcommand)]
        command: BaselineCommand,
    },
    /// Compare the counters of two stored runs
    #[command(after_help = COMPARE)]
    Compare(CompareFlags),
    /// Build two commits and measure them against each other; a verdict for every case
    Ab(AbFlags),
    /// Plant faults and check that each ends with its exit code
    #[command(after_help = SELFTEST)]
    Selftest(SelftestFlags),
    /// Run a runner with a planted fault; part of `selftest`
    #[command(hide = true)]
    Plant(PlantFlags),
    /// Make reports again from their records, or check that they and the README are current
    Report(ReportFlags),
    /// Make the golden streams anew from the reference, or check that they are what it gives
    Golden(GoldenFlags),
    /// What continuous integration runs: measure and gate every target, merge, summarise
    #[command(after_help = CI)]
    Ci(CiFlags),
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

    /// The flags that say what is done, in one order.
    pub fn canonical(&self) -> Vec<String> {
        let lists = [("target", &self.target), ("variant", &self.variant), ("workload", &self.workload)];
        let lists = lists.into_iter().chain([("metric", &self.metric)]);
        let given = lists.flat_map(|(name, list)| list.iter().map(move |pattern| format!("--{name}={pattern}")));
        given.chain(self.quick.then(|| "--quick".to_string())).collect()
    }
}

/// Flags of `verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
A wrong answer is told with its first divergent token, and with the layer and the step (time mix r, k, v, g, WKV, group
norm, output; channel mix k, r, v; final norm; head) whose output first differs from native/generic.
With --diff every step of two targets is held against each other, whatever the golden answer is: the prompt at once,
then the golden tokens one at a time. 0: every step agrees; 4: one differs, and the first is named.

Examples:
  cargo xtask verify
  cargo xtask verify --target wasm --workload byte128
  cargo xtask verify --diff native/avx2 wasm/simd128 --workload byte128-v1.2/300")]
pub struct VerifyFlags {
    /// What to check.
    #[command(flatten)]
    pub flags: Flags,
    /// Instead: hold every step of these two, such as native/avx2, against each other
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with_all = ["target", "variant", "metric"])]
    pub diff: Vec<String>,
}

/// Flags of `eval`.
#[derive(Debug, Args)]
#[command(after_help = "\
The loss is taken natively; every chosen cell is given the same tokens, and the digest of its logits behind each must be
that of the logits which the loss was made of. Stories begin from an empty state, and are cut short because an emulated
target takes a second for some tens of tokens.
Example:
  cargo xtask eval --model model.bits --text valid.txt --stories 2 --tokens 100")]
pub struct EvalFlags {
    /// Where.
    #[command(flatten)]
    pub flags: Flags,
    /// The BITS file
    #[arg(long, value_name = "FILE")]
    pub model: PathBuf,
    /// UTF-8 text, `<|endoftext|>` between two stories
    #[arg(long, value_name = "FILE")]
    pub text: PathBuf,
    /// `byte`, or the tokenizer.json that the model was trained with
    #[arg(long, value_name = "KIND", default_value = "byte")]
    pub tokenizer: String,
    /// Only the first N stories
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub stories: u32,
    /// Only the first N tokens of each story
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub tokens: u32,
}

impl EvalFlags {
    /// A model of bytes and a text, with all else as it is where no flag is given.
    pub fn new(model: PathBuf, text: PathBuf) -> Self {
        EvalFlags { flags: Flags::default(), model, text, tokenizer: "byte".into(), stories: 1, tokens: 64 }
    }
}

/// Flags of `bench`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask bench                        all targets; the report goes to target/bitstate/reports/
  cargo xtask bench --quick                fewer samples, under three minutes after the builds
  cargo xtask bench --publish first-light  the report goes to reports/<date>-first-light/, to be committed
  cargo xtask bench --resume               go on with the last run that was broken off, with its flags
  cargo xtask bench --target native --metric time --dry-run
  cargo xtask bench --target native --variant '^(avx2|avx512_vnni)$'

Where --variant leaves exactly two variants of one target, they are also measured against each other, in pairs:
the ratio of their times, with its interval, is in the terminal, the JSON and the report. That one is slower than
the other changes no exit code: `cargo xtask ab` is the command that judges.

A run that was broken off, by Ctrl-C, a crash or a full disk, goes on with `cargo xtask bench --resume`: every finished
run of a runner is in a journal in target/bitstate/unfinished/. It ends with 3 where commit, changes, tools, machine,
models or flags are not those that the run began with.")]
pub struct BenchFlags {
    /// What to measure.
    #[command(flatten)]
    pub flags: Flags,
    /// Name of the run, for its folder and title
    #[arg(long, value_name = "NAME", default_value = DEFAULT_NAME)]
    pub name: String,
    /// Write the report into reports/ under this name, to be committed
    #[arg(long, value_name = "NAME", conflicts_with = "name")]
    pub publish: Option<String>,
    /// Go on with the last run that was broken off: what it finished is not measured again
    #[arg(long)]
    pub resume: bool,
}

impl BenchFlags {
    /// The flags that say what is measured and where it goes, in one order: those of a run that is resumed must be the
    /// same.
    pub fn canonical(&self) -> Vec<String> {
        let mut flags = self.flags.canonical();
        if self.name != DEFAULT_NAME {
            flags.push(format!("--name={}", self.name));
        }
        flags.extend(self.publish.iter().map(|name| format!("--publish={name}")));
        flags
    }
}

/// Name of a run that was given none.
const DEFAULT_NAME: &str = "local";

const GATE: &str = "\
Every counter is taken twice and must agree: native instructions by callgrind around load, prefill and decode only,
fuel under wasmtime, instructions under QEMU, allocations, memory, sizes. No clock is read. What moved is printed first;
the whole verdict is in target/bitstate/gate/verdict.json. Thresholds and caps: ci/thresholds.toml.
Of instructions and fuel that left their threshold the steps are counted too, and held against the accepted ones: which
of ternary matrices, head, WKV, norms, other steps and sampling moved, and by how much.

Status of a counter, with the exit code that it means:
  over_cap, regression          1  above a cap, or above its accepted value by more than the threshold
  missing, no_baseline, stale   2  accepted but not counted, counted but not accepted, of a workload that is gone
  not_comparable                3  another model, compiler or counting tool than the accepted value's
  improvement, unchanged        0

Examples:
  cargo xtask gate
  cargo xtask gate --target native --workload byte128 --metric instructions
  cargo xtask baseline accept --reason 'the head reads both digits'";

/// What to do with the accepted counters.
#[derive(Debug, Subcommand)]
pub enum BaselineCommand {
    /// Print the accepted counters, and who accepted them when and why
    Show(Flags),
    /// Count as `gate` does and write the counters into ci/baselines/, with who, when, why and what changed
    Accept(AcceptFlags),
}

/// Flags of `baseline accept`.
#[derive(Debug, Args)]
pub struct AcceptFlags {
    /// What to accept.
    #[command(flatten)]
    pub flags: Flags,
    /// Why the change is right, for a later reader
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

const SELFTEST: &str = "\
Planted: instructions +1 % and +2 %, in all and in each step, which must be named; time +10 %, a flipped token, each
step of a forward pass wrong, which must be named with its token and layer; a deleted row, a stale baseline, a kernel
that silently falls back, an answer and a golden file cut short; and no fault at all, which must end with 0.

Exit codes:
  0  every fault ended with its code
  2  one did not: the harness cannot be trusted
  3  a comparison of time could say nothing, because the machine is too noisy now";

/// Flags of `selftest`.
#[derive(Debug, Args)]
pub struct SelftestFlags {
    /// Fewer pairs of time
    #[arg(long)]
    pub quick: bool,
    /// Answer on standard output in JSON
    #[arg(long)]
    pub json: bool,
    /// Instead: how many of N planted slowdowns of 5 % are found, and how many of N sessions without a change are
    /// called one; ends with 2 where more than 1 in 20 of either is wrong
    #[arg(long, value_name = "N")]
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

const COMPARE: &str = "\
Instructions, fuel, allocations, memory and sizes are compared by the thresholds of the gate, where model, tokens,
compiler and counting tool are the same. Times are not: two sessions differ by more than most changes.

Exit codes:
  0  no counter rose by more than its threshold      2  a counter is in one run only, or a file cannot be read
  1  one did                                         3  a counter was taken with another model, compiler or tool

Example:
  cargo xtask compare reports/2026-01-31-before reports/2026-02-01-after --target xtensa";

/// Flags of `compare`.
#[derive(Debug, Args)]
pub struct CompareFlags {
    /// Folder of the run that is compared with, or its records.jsonl
    #[arg(value_name = "OLD")]
    pub old: PathBuf,
    /// Folder of the run that is judged, or its records.jsonl
    #[arg(value_name = "NEW")]
    pub new: PathBuf,
    /// Only targets that match this regular expression; `!` in front leaves out; may be given again
    #[arg(long, value_name = "REGEX")]
    pub target: Vec<String>,
    /// Only variants that match
    #[arg(long, value_name = "REGEX")]
    pub variant: Vec<String>,
    /// Only workloads that match
    #[arg(long, value_name = "REGEX")]
    pub workload: Vec<String>,
    /// Only counters that match
    #[arg(long, value_name = "REGEX")]
    pub metric: Vec<String>,
    /// Answer on standard output in JSON
    #[arg(long)]
    pub json: bool,
}

impl CompareFlags {
    /// The selection that the flags make.
    pub fn selection(&self) -> Result<Selection, Error> {
        Selection::parse(&self.target, &self.variant, &self.workload, &self.metric)
    }
}

/// Flags of `ab`.
#[derive(Debug, Args)]
#[command(after_help = "\
Both commits are built first, each in a folder of its own under target/bitstate/ab/. Then their runs alternate: pairs
in random, balanced order, a fresh process for every run, all pinned to one processor. Beside every pair runs its twin,
the first commit against itself: the noise of this session. A run of less than 0.15 seconds is taken three times in its
process, and the fastest take counts.

Verdicts, with the exit code that each means:
  regression      1  slower: the 95 % interval lies beyond the floor and the noise, in two rounds
  improvement     0  faster, likewise
  noise           0  no change above the floor that the session could show, and none of the ceiling's size
  inconclusive    3  the rounds disagree, or a change of the ceiling's size is neither shown nor ruled out
  not_measurable  3  the machine differs from itself by more than the ceiling
  not_comparable  3  the commits do not answer the same question: another model, prompt or golden answer
An emulated target has no clock: its instructions, memory and sizes are counted on both sides and judged by the
thresholds of the gate.
A side that fails ends with 2, a wrong answer with 4. Floor and ceiling: ci/thresholds.toml.

Examples:
  cargo xtask ab main . --target native     the working tree, changes included, against main
  cargo xtask ab HEAD~1 HEAD --workload default --variant avx2
  cargo xtask ab HEAD HEAD --target native  how well can this machine tell?")]
pub struct AbFlags {
    /// Commit, branch or tag that is compared with; `.` is the working tree as it is
    #[arg(value_name = "OLD", required_unless_present = "resume")]
    pub old: Option<String>,
    /// Commit, branch or tag that is judged; `.` is the working tree as it is
    #[arg(value_name = "NEW", required_unless_present = "resume")]
    pub new: Option<String>,
    /// What to compare on.
    #[command(flatten)]
    pub flags: Flags,
    /// Pairs of a round; by default 20 with --quick, else until the noise is known to 1.2 %, at least 20,
    /// at most 25 seconds a case
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(20..=1000))]
    pub pairs: Option<u32>,
    /// Go on with the last comparison that was broken off: the pairs that it finished are not measured again
    #[arg(long)]
    pub resume: bool,
}

impl AbFlags {
    /// The commits and flags that say what is compared, in one order.
    pub fn canonical(&self) -> Vec<String> {
        let commits = self.old.iter().chain(&self.new).cloned();
        let pairs = self.pairs.map(|pairs| format!("--pairs={pairs}"));
        commits.chain(self.flags.canonical()).chain(pairs).collect()
    }
}

/// Flags of `report`.
#[derive(Debug, Args, Default)]
#[command(after_help = "\
Examples:
  cargo xtask report                    make every published report again from its records
  cargo xtask report reports/2026-01-31-first-light
  cargo xtask report --readme           and write the newest one's table into README.md
  cargo xtask report --check            is everything what the records give?
  cargo xtask report --merge native/ wasm.jsonl --out merged/
                                        one report of runs that several machines made of one commit

Exit codes:
  0  made, or current
  2  --check found something that is not current, or a file cannot be read
  3  --merge was given runs of another commit, local changes, schema, golden streams, models or compilers, or two that
     measured the same
  What failed or was skipped in a merged run counts as it did there.")]
pub struct ReportFlags {
    /// Folders of runs; all in reports/ by default
    pub folders: Vec<PathBuf>,
    /// Join these runs, folders or files of records, into one in the folder of --out
    #[arg(long, value_name = "RUN", num_args = 1.., requires = "out", conflicts_with_all = ["folders", "readme", "check"])]
    pub merge: Vec<PathBuf>,
    /// Where --merge writes its records and report
    #[arg(long, value_name = "DIR", requires = "merge")]
    pub out: Option<PathBuf>,
    /// Write the newest published report's table and charts into README.md
    #[arg(long)]
    pub readme: bool,
    /// Change nothing; end with 2 if something is not current
    #[arg(long)]
    pub check: bool,
}

const CI: &str = "\
Without a part: every shard one after the other, then the merge, on this machine.

Exit code: the worst of all that ran, by the ranks of every verb: 4 outranks 2 outranks 3 outranks 1. A target without
a shard, or a shard without records, is 2. `time` is advice: its code is its own, and counts for nothing in the whole.

Examples:
  ci/run.sh                            everything, as a machine that builds on a push does
  ci/run.sh --base main                and the times against main, as advice
  ci/run.sh shard wasm && ci/run.sh merge
  ci/run.sh --dry-run                  which commands would run";

/// Flags of `ci`.
#[derive(Debug, Args)]
pub struct CiFlags {
    /// A part; without it all of them
    #[command(subcommand)]
    pub part: Option<CiPart>,
    /// Where shards, the merged report and the summary go; target/bitstate/ci by default
    #[arg(long, value_name = "DIR", global = true)]
    pub out: Option<PathBuf>,
    /// As many samples as `bench` and `ab` take without --quick
    #[arg(long, global = true)]
    pub full: bool,
    /// Say which commands would run, and run none
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// Without a part: also the times against this commit, as advice
    #[arg(long, value_name = "COMMIT")]
    pub base: Option<String>,
}

/// Parts of `ci`, for machines that share the work.
#[derive(Debug, Subcommand)]
pub enum CiPart {
    /// Print the shards as a list in JSON: the targets of ci/targets.toml
    Matrix,
    /// Measure and gate one target, into shards/TARGET/
    Shard {
        /// Its name.
        target: String,
    },
    /// Join the folders in shards/ into one report and a summary; where GitHub has a page for the job, onto that too
    Merge,
    /// Compare the times of the working tree with a commit's
    Time {
        /// The commit.
        base: String,
    },
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
