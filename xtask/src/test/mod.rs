//! `cargo xtask test`: all checks, and a line with the totals.

mod counts;
mod elsewhere;
mod score;

use crate::context::{Context, print_gaps};
use crate::eval::EvalFlags;
use crate::flags::Flags;
use crate::house;
use crate::report::ReportFlags;
use bitstate_harness::Exit;
use bitstate_harness::records::Tally;
use bitstate_harness::runs::verify;
use bitstate_harness::workspace::Workspace;
use clap::Args;
use score::Score;

/// Flags of `test`.
#[derive(Debug, Args)]
pub struct TestFlags {
    /// Check the trainer instead: its lints and tests, and `train-smoke`. Separate, because it builds a training
    /// framework
    #[arg(long)]
    pub trainer: bool,
    /// Only the tests of the kernels on emulated CPUs, which are part of all tests
    #[arg(long, conflicts_with = "trainer")]
    pub emulated: bool,
}

/// The tests of the page in a browser, which need a built page, and the name of their program.
const PAGE: (&str, &str) = ("bitstate-web-e2e", "browser");
/// What makes the page.
const PACKER: &str = "bitstate-web-pack";
/// The harness, this command, and the fuzz programs, which use it.
const HARNESS: [&str; 3] = ["bitstate-harness", "xtask", "bitstate-fuzz"];
/// The native runner.
const NATIVE: &str = "bitstate-runner-native";

pub fn run() -> anyhow::Result<Exit> {
    let workspace = Workspace::find()?;
    let mut score = Score::new();
    let context = Context::new(&Flags::default())?;
    context.set_up_with(&house::check_tools())?;
    println!("ok  set-up ({})", score.time());

    score.check("spelling", house::spelling(&workspace));
    score.check("no build outputs are tracked", house::no_outputs(&workspace));
    score.check("licences and sources of dependencies", house::dependencies(&workspace));
    score.step(&workspace, "format", "fmt", &["--all", "--check"])?;
    // At the same time, because each of them leaves processors idle: linkers, emulators and browsers wait for one.
    let (here, elsewhere) = rayon::join(|| this_machine(&workspace), || elsewhere::other_machines(context));
    score.include(&here?);
    let (others, ready) = elsewhere?;
    score.include(&others);
    score.restart();

    let rows = verify::verify(&ready.plan()?)?;
    print_gaps(&rows);
    let tally = Tally::of(&rows);
    println!(
        "{}  {} answers against the golden streams ({})",
        if tally.failed == 0 { "ok" } else { "FAILED" },
        tally.passed + tally.failed,
        score.time()
    );
    score.include(&tally);

    // Last, because it measures time: nothing else of this run is active.
    match crate::selftest::outcomes(true, None) {
        Ok(outcomes) => score.faults(&outcomes),
        Err(error) => {
            println!("FAILED  self-test: {error:#}");
            score.add(Exit::Harness);
        }
    }

    let check = ReportFlags { check: true, ..ReportFlags::default() };
    match crate::report::run(&check) {
        Ok(exit) => score.add(exit),
        Err(error) => {
            println!("FAILED  reports and README: {error:#}");
            score.add(Exit::Harness);
        }
    }
    Ok(score.print())
}

/// Lints, and the tests that this machine runs itself.
fn this_machine(workspace: &Workspace) -> anyhow::Result<Tally> {
    let mut score = Score::new();
    // Build scripts and macros are those of the tests.
    let lints = [all().as_slice(), &["--release", "--all-targets", "--", "--deny", "warnings"]].concat();
    score.step(workspace, "lints", "clippy", &lints)?;
    let harness: Vec<&str> = HARNESS.iter().flat_map(|package| ["--package", package]).collect();
    for (what, which) in [
        ("tests of the harness", harness.as_slice()),
        ("tests", [together(), without(&[PAGE.0])].concat().as_slice()),
        ("tests of the WASM host", &["--package", "bitstate-runner-wasmtime"]),
        ("tests of the native runner", &["--package", NATIVE]),
        ("tests of the suite without the library", &["--package", "bitstate-suite"]),
        ("tests of the packer of the page", &["--package", PACKER]),
    ] {
        let arguments = [&["--release", "--no-fail-fast"], which].concat();
        score.tests(workspace, what, &arguments)?;
    }
    Ok(score.total)
}

/// Flags that exclude packages.
fn without<'a>(packages: &[&'a str]) -> Vec<&'a str> {
    packages.iter().flat_map(|package| ["--exclude", package]).collect()
}

/// Flags that select everything: the trainer has its own command, and the peers are built only for measurements.
fn all() -> Vec<&'static str> {
    let flags = ["--workspace", "--features", "bitstate-cli/serve"];
    [flags.as_slice(), &without(&["bitstate-train", "bitstate-peers"])].concat()
}

/// Flags that select what has the same features as the tests of the page. The others are tested separately, with the
/// features of their builds: what they share is compiled once, and the native runner that is disassembled is the one that
/// runs.
fn together() -> Vec<&'static str> {
    [all(), without(&HARNESS), without(&["bitstate-runner-wasmtime", NATIVE, PACKER])].concat()
}

/// `cargo xtask test --emulated`.
pub fn emulated() -> anyhow::Result<Exit> {
    let mut score = Score::new();
    let context = Context::new(&Flags::default())?;
    context.set_up()?;
    elsewhere::foreign_tests(&mut score, &context)?;
    Ok(score.print())
}

/// `cargo xtask test --trainer`. The trainer's dependencies take as long to build as everything else together.
pub fn trainer() -> anyhow::Result<Exit> {
    let workspace = Workspace::find()?;
    let mut score = Score::new();
    let which = ["--package", "bitstate-train", "--package", "bitstate-cli", "--features", "bitstate-cli/download"];
    let lints = [which.as_slice(), &["--release", "--all-targets", "--", "--deny", "warnings"]].concat();
    score.step(&workspace, "lints of the trainer", "clippy", &lints)?;
    let tests = [&["--release", "--no-fail-fast"], which.as_slice()].concat();
    score.tests(&workspace, "tests of the trainer", &tests)?;
    let smoke = crate::train_smoke::run()?;
    score.add(smoke);
    if smoke == Exit::Pass {
        let [model, text] = crate::train_smoke::result(&workspace);
        score.add(crate::eval::run(&EvalFlags::new(model, text))?);
    }
    Ok(score.print())
}
