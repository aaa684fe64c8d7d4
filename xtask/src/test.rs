//! `cargo xtask test`: all checks, and a line with the totals.

use crate::context::{Context, Ready, print_gaps};
use crate::eval::EvalFlags;
use crate::flags::Flags;
use crate::house;
use crate::report::ReportFlags;
use bitstate_harness::records::Tally;
use bitstate_harness::records::provenance::cpu_features;
use bitstate_harness::runs::verify;
use bitstate_harness::selftest::Outcome;
use bitstate_harness::targets::build::obstacle;
use bitstate_harness::targets::skip::Cause;
use bitstate_harness::workspace::cargo::cargo;
use bitstate_harness::workspace::log::logged;
use bitstate_harness::workspace::process::tail;
use bitstate_harness::workspace::setup::can_install;
use bitstate_harness::workspace::{Workspace, read_text};
use bitstate_harness::{Error, Exit};
use clap::Args;
use std::process::Command;
use std::time::Instant;

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

/// The tests of the page in a browser, which need a built page.
const PAGE: &str = "bitstate-web-e2e";
/// The native runner.
const NATIVE: &str = "bitstate-runner-native";
/// The package with CPU-specific code.
const KERNELS: &str = "bitstate-kernels";

/// The totals so far.
struct Score {
    passed: usize,
    failed: usize,
    skipped: usize,
    exit: Exit,
    /// When the current check began.
    since: Instant,
}

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
    let (here, elsewhere) = rayon::join(|| this_machine(&workspace), || other_machines(context));
    score.include(&here?);
    let (others, ready) = elsewhere?;
    score.include(&others);

    let rows = verify::verify(&ready.plan()?)?;
    print_gaps(&rows);
    let tally = Tally::of(&rows);
    println!(
        "{}  {} answers against the golden streams ({})",
        if tally.failed == 0 { "ok" } else { "FAILED" },
        tally.passed + tally.failed,
        score.time()
    );
    score.passed += tally.passed;
    score.failed += tally.failed;
    score.skipped += tally.skipped;
    score.exit = score.exit.worst(tally.exit);

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
    println!("{} passed, {} failed, {} skipped", score.passed, score.failed, score.skipped);
    Ok(score.exit)
}

/// Lints, and the tests that this machine runs itself.
fn this_machine(workspace: &Workspace) -> anyhow::Result<Score> {
    let mut score = Score::new();
    // The trainer has its own command, and the peers are built only for measurements.
    let most =
        [&["--workspace", "--features", "bitstate-cli/serve"][..], &without(&["bitstate-train", "bitstate-peers"])];
    let most = most.concat();
    let lints = [most.as_slice(), &["--all-targets", "--", "--deny", "warnings"]].concat();
    score.step(workspace, "lints", "clippy", &lints)?;
    // These separately, with the same features as their builds: wasmtime is compiled once, and the native runner that is
    // disassembled is the one that runs.
    for (what, which) in [
        ("tests", [most, without(&["bitstate-runner-wasmtime", NATIVE, PAGE])].concat().as_slice()),
        ("tests of the WASM host", &["--package", "bitstate-runner-wasmtime"]),
        ("tests of the native runner", &["--package", NATIVE]),
        ("tests of the suite without the library", &["--package", "bitstate-suite"]),
    ] {
        let arguments = [&["--release", "--no-fail-fast"], which].concat();
        score.tests(workspace, what, &arguments)?;
    }
    Ok(score)
}

/// The tests under emulators and in a browser, and the builds of every target.
fn other_machines(context: Context) -> anyhow::Result<(Score, Ready)> {
    let mut score = Score::new();
    score.foreign_tests(&context, KERNELS)?;
    score.page_tests(&context)?;
    score.board_image(&context);
    let ready = context.prepare()?;
    println!("ok  every target is built ({})", score.time());
    Ok((score, ready))
}

/// Flags that exclude packages.
fn without<'a>(packages: &[&'a str]) -> Vec<&'a str> {
    packages.iter().flat_map(|package| ["--exclude", package]).collect()
}

/// `cargo xtask test --emulated`.
pub fn emulated() -> anyhow::Result<Exit> {
    let mut score = Score::new();
    let context = Context::new(&Flags::default())?;
    context.set_up()?;
    score.foreign_tests(&context, KERNELS)?;
    println!("{} passed, {} failed, {} skipped", score.passed, score.failed, score.skipped);
    Ok(score.exit)
}

/// `cargo xtask test --trainer`. The trainer's dependencies take as long to build as everything else together.
pub fn trainer() -> anyhow::Result<Exit> {
    let workspace = Workspace::find()?;
    let mut score = Score::new();
    let which = ["--package", "bitstate-train", "--package", "bitstate-cli", "--features", "bitstate-cli/download"];
    let lints = [which.as_slice(), &["--all-targets", "--", "--deny", "warnings"]].concat();
    score.step(&workspace, "lints of the trainer", "clippy", &lints)?;
    let tests = [&["--release", "--no-fail-fast"], which.as_slice()].concat();
    score.tests(&workspace, "tests of the trainer", &tests)?;
    let smoke = crate::train_smoke::run()?;
    score.add(smoke);
    if smoke == Exit::Pass {
        let [model, text] = crate::train_smoke::result(&workspace);
        score.add(crate::eval::run(&EvalFlags::new(model, text))?);
    }
    println!("{} passed, {} failed, {} skipped", score.passed, score.failed, score.skipped);
    Ok(score.exit)
}

impl Score {
    fn new() -> Self {
        Score { passed: 0, failed: 0, skipped: 0, exit: Exit::Pass, since: Instant::now() }
    }

    /// How long the check took that ends now, for its line.
    fn time(&mut self) -> String {
        let seconds = std::mem::replace(&mut self.since, Instant::now()).elapsed().as_secs();
        match seconds {
            0..60 => format!("{seconds} s"),
            _ => format!("{} min {:02} s", seconds / 60, seconds % 60),
        }
    }

    /// Adds the totals of checks that ran at the same time.
    fn include(&mut self, other: &Score) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.exit = self.exit.worst(other.exit);
        self.since = Instant::now();
    }

    fn add(&mut self, exit: Exit) {
        match exit {
            Exit::Pass => self.passed += 1,
            _ => self.failed += 1,
        }
        self.exit = self.exit.worst(exit);
    }

    /// Planted faults: each with its expected exit code counts as a passed check.
    fn faults(&mut self, outcomes: &[Outcome]) {
        outcomes.iter().filter(|outcome| !outcome.right()).for_each(crate::selftest::print_outcome);
        let right = outcomes.iter().filter(|outcome| outcome.right()).count();
        let unclear = outcomes.iter().filter(|outcome| outcome.not_measurable()).count();
        let wrong = outcomes.len() - right - unclear;
        println!(
            "{}  {right} of {} planted faults end with their code ({})",
            if wrong == 0 { "ok" } else { "FAILED" },
            outcomes.len(),
            self.time()
        );
        self.passed += right;
        self.skipped += unclear;
        self.failed += wrong;
        self.exit = self.exit.worst(if wrong == 0 { Exit::Pass } else { Exit::Harness });
    }

    /// Counts the result of a check.
    fn check(&mut self, what: &str, result: anyhow::Result<()>) {
        let time = self.time();
        match result {
            Ok(()) => {
                println!("ok  {what} ({time})");
                self.add(Exit::Pass);
            }
            Err(error) => {
                println!("FAILED  {what} ({time}): {error:#}");
                self.add(Exit::Harness);
            }
        }
    }

    /// Runs a cargo command, which counts as one check.
    fn step(&mut self, workspace: &Workspace, what: &str, verb: &str, flags: &[&str]) -> Result<(), Error> {
        let done = logged(workspace, what, cargo(workspace, verb)?.args(flags));
        let time = self.time();
        match done {
            Ok(_) => {
                println!("ok  {what} ({time})");
                self.add(Exit::Pass);
            }
            Err(error @ (Error::Build { .. } | Error::Process { .. })) => {
                println!("FAILED  {error} ({time})");
                self.add(Exit::Harness);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Runs the tests of a package on every emulated CPU with `tests = true`.
    fn foreign_tests(&mut self, context: &Context, package: &str) -> Result<(), Error> {
        let features = cpu_features();
        for (i, cell) in context.cells.iter().enumerate() {
            // The first cell of each target, which runs on every CPU.
            if context.cells[..i].iter().any(|before| before.target == cell.target) {
                continue;
            }
            let what = format!("tests of {package} on {}", cell.target.name);
            if let Some(skip) = obstacle(*cell, &features) {
                // A kind without tests has nothing to report.
                if cell.target.kind.has_tests() {
                    println!("skipped  {what}: {}", skip.reason);
                    self.skipped += 1;
                    self.exit = self.exit.worst(context.expected.exit(*cell, None, skip.cause, can_install()));
                }
            } else if let Some(mut command) = cell.target.kind.tests(&context.workspace, package)? {
                self.tests_by(&context.workspace, &what, &mut command)?;
            }
        }
        Ok(())
    }

    /// Makes the image for a board and runs it.
    fn board_image(&mut self, context: &Context) {
        let what = "image for a board";
        let Some(cell) = context.cells.iter().find(|cell| cell.target.name == "esp32s3") else { return };
        if let Some(skip) = obstacle(*cell, &cpu_features()) {
            println!("skipped  {what}: {}", skip.reason);
            self.skipped += 1;
            self.exit = self.exit.worst(context.expected.exit(*cell, None, skip.cause, can_install()));
            return;
        }
        match crate::image::try_out(&context.workspace) {
            Ok(said) => self.check(&format!("{what}: {said}"), Ok(())),
            Err(error) => self.check(what, Err(error)),
        }
    }

    /// Builds the page and runs its tests in a browser.
    fn page_tests(&mut self, context: &Context) -> anyhow::Result<()> {
        let (what, workspace) = ("tests of the page", &context.workspace);
        let cell = context.cells.iter().find(|cell| cell.target.name == "chromium");
        let missing = house::driver().filter(|tool| tool.find().is_none());
        if let (Some(cell), Some(tool)) = (cell, missing) {
            println!("skipped  {what}: not installed: {}", tool.title);
            self.skipped += 1;
            self.exit = self.exit.worst(context.expected.exit(*cell, None, Cause::Tools, can_install()));
            return Ok(());
        }
        let page = workspace.scratch().join("web");
        if let Err(error) = crate::web::make(workspace, &page) {
            println!("FAILED  the page: {error:#}");
            self.add(Exit::Harness);
            return Ok(());
        }
        let mut command = cargo(workspace, "test")?;
        command.args(["--release", "--no-fail-fast", "--package", PAGE]).env("BITSTATE_WEB", &page);
        Ok(self.tests_by(workspace, what, &mut command)?)
    }

    /// Runs cargo's tests; every test counts.
    fn tests(&mut self, workspace: &Workspace, what: &str, flags: &[&str]) -> Result<(), Error> {
        self.tests_by(workspace, what, cargo(workspace, "test")?.args(flags))
    }

    /// The same with a prepared command.
    fn tests_by(&mut self, workspace: &Workspace, what: &str, command: &mut Command) -> Result<(), Error> {
        let (said, log) = match logged(workspace, what, command) {
            Ok(log) => (log.stdout, None),
            Err(Error::Build { log, .. }) => (read_text(&log)?, Some(log)),
            Err(error) => return Err(error),
        };
        let (counts, time) = (Counts::of(&said), self.time());
        self.passed += counts.passed;
        self.skipped += counts.ignored;
        counts.skips.iter().for_each(|skip| println!("skipped  {skip}"));
        match log {
            None if counts.passed == 0 => {
                // No test ran: this would always pass.
                self.failed += 1;
                self.exit = self.exit.worst(Exit::Harness);
                println!("FAILED  {what}: no tests ran ({time})");
            }
            None => println!("ok  {what}: {} passed, {} ignored ({time})", counts.passed, counts.ignored),
            Some(log) => {
                // A test program that does not build, or crashes, names no test but is still a failure.
                self.failed += counts.failed.len().max(1);
                self.exit = self.exit.worst(Exit::Harness);
                println!("FAILED  {what} ({time}); the log is {}", log.display());
                counts.failed.iter().for_each(|name| println!("    {name}"));
                if counts.failed.is_empty() {
                    println!("{}", tail(&said, 20));
                }
            }
        }
        Ok(())
    }
}

/// The totals of cargo's tests.
#[derive(Debug, PartialEq, Eq)]
struct Counts {
    passed: usize,
    ignored: usize,
    failed: Vec<String>,
    /// The tests that were ignored, with their reasons.
    skips: Vec<String>,
}

impl Counts {
    /// Adds up all `test result:` lines and collects the names of the tests that failed or were ignored.
    fn of(said: &str) -> Self {
        let count = |line: &str, word: &str| {
            let mut parts = line.split([';', '.']).map(str::trim);
            parts.find_map(|part| part.strip_suffix(word)?.trim().parse::<usize>().ok()).unwrap_or(0)
        };
        let mut counts = Counts { passed: 0, ignored: 0, failed: Vec::new(), skips: Vec::new() };
        for line in said.lines() {
            if line.starts_with("test result:") {
                counts.passed += count(line, "passed");
                counts.ignored += count(line, "ignored");
            } else if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
                counts.failed.push(name.trim_end().to_string());
            } else if let Some((name, reason)) =
                line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ignored"))
            {
                let reason = reason.trim_start_matches([',', ' ', '(']).trim_end_matches(')');
                counts.skips.push(format!("{}: {reason}", name.trim_end()));
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn cargo_counts_are_added_up() {
        let said = "running 3 tests\ntest result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n\
                    test a::b ... FAILED\n\
                    test c   ... ignored (no python3)\ntest d ... ignored, slow\n\
                    test result: FAILED. 10 passed; 1 failed; 0 ignored; 0 measured; finished in 0.1s\n";
        let skips = vec!["c: no python3".into(), "d: slow".into()];
        let expected = Counts { passed: 12, ignored: 1, failed: vec!["a::b".into()], skips };
        assert_eq!(Counts::of(said), expected);
    }
}
